"""Words numbers, times and judgements, the same in each format for people.

The words may hold text of the log as it was recorded: each format neutralises what it shows.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import Optional

from analyzer.imds import AWS
from analyzer.logline.deployed import copies_at, in_words
from analyzer.logline.named_caller import short
from analyzer.report.callers import Group, Key
from analyzer.report.cloudwatch.differences import Comparison
from analyzer.report.findings import Damage, Findings
from analyzer.report.formats import code_words
from analyzer.report.hosts import Span
from analyzer.report.result import WORST_FIRST, Cause, Entry, Judgement, Report, Verdict

VERSIONS = ("v1", "unknown", "v2")  # the worst first
VERSION_NAMES = {"v1": "IMDSv1", "unknown": "unknown", "v2": "IMDSv2"}

CAUSES = {
    Cause.FORGERY: "possible forgery",
    Cause.V2_ONLY: "IMDSv2 only",
    Cause.MENDED: "mended",
    Cause.OLD_SDK: "old SDK",
    Cause.FALLBACK: "falls back",
    Cause.CONFIGURED_V1: "configured for v1",
    Cause.SCRIPT: "script",
    Cause.PROXY: "proxy",
    Cause.PROBE: "cloud detection",
    Cause.OTHER_CLOUD: "other cloud",
    Cause.UNREADABLE: "unreadable",
    Cause.UNKNOWN: "unknown cause",
}

# What goes with a judgement where colour may not be seen.
SIGNS = {Judgement.SAFE: "✓", Judgement.NOT_SAFE: "✗", Judgement.NOT_ENOUGH_EVIDENCE: "?"}

_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def count(number: int) -> str:
    """Write an integer with its thousands set apart."""
    return f"{number:,}"


def plural(number: int, noun: str, several: str = "") -> str:
    """Write how many of something: ``1 host``, ``2 hosts``."""
    return f"{count(number)} {noun if number == 1 else several or noun + 's'}"


def moment(at: Optional[datetime.datetime]) -> str:
    """Write a time to the second, without its zone: all are UTC, which is said once."""
    return "never" if at is None else at.isoformat(" ", "seconds").partition("+")[0]


def minute(at: datetime.datetime) -> str:
    """Write a time to the minute."""
    return moment(at)[:16]


def span(stretch: Optional[Span]) -> str:
    """Write from when to when."""
    if stretch is None:
        return "no time at all"
    return f"{minute(stretch.start)} to {minute(stretch.end)} UTC"


def length(seconds: float) -> str:
    """Write a length of time in its two largest units."""
    rest = max(0, round(seconds))
    parts: list[str] = []
    for name, size in _UNITS:
        number, rest = divmod(rest, size)
        if number:
            parts.append(f"{number} {name}")
        elif parts:
            break
        if len(parts) == 2:  # noqa: PLR2004 the two largest
            break
    return " ".join(parts) or "0 s"


def watched(report: Report) -> str:
    """Write how much was watched: of several hosts, the one of which the least was."""
    judged = [each for each in report.host_verdicts if all(r.code != "gone" for r in each.reasons)]
    if len(judged) <= 1:
        return covered(report.verdict)
    least = min(judged, key=_share)
    many = sum(_share(each) == _share(least) for each in judged)
    if many == len(judged):
        return f"each host was {covered(least)}"
    return f"the least watched of {len(judged)} hosts was {covered(least)}"


def _share(verdict: Verdict) -> float:
    if verdict.window is None or verdict.window.seconds <= 0:
        return 0.0
    return min(1.0, max(0.0, verdict.covered_s / verdict.window.seconds))


def covered(verdict: Verdict) -> str:
    """Write how much of its window was watched."""
    if verdict.window is None or verdict.window.seconds <= 0:
        return "nothing was watched"
    share = _share(verdict)
    # Cut, not rounded: 100 % is said only of what is whole.
    percent = int(share * 1000) / 10
    return (
        f"watched {length(verdict.covered_s)} of {length(verdict.window.seconds)} ({percent:g} %)"
    )


def reasons(host: Verdict, report: Report) -> tuple[str, ...]:
    """Return the reasons of a host's verdict, once where they are those of the whole."""
    if host.reasons == report.verdict.reasons:
        return ("for the reasons above",)
    return tuple(each.text for each in host.reasons)


def who(key: Key, arrow: str = "←") -> str:
    """Return who calls, in a few words: ``curl ← deploy.sh``."""
    if key.launcher is None:
        return short(key.program)
    return f"{short(key.program)} {arrow} {short(key.launcher)}"


def some(names: Iterable[str], total: int) -> str:
    """List names, and say how many there are besides."""
    listed = list(names)
    rest = total - len(listed)
    more = [f"{count(rest)} more"] if rest > 0 else []
    return ", ".join(listed + more)


def counts(group: Group) -> str:
    """Write the requests by version, leaving out what there was none of."""
    parts = [
        f"{count(group.count(version))} {version}" for version in VERSIONS if group.count(version)
    ]
    return ", ".join(parts) or "no requests"


def facts(entry: Entry, names: Optional[Mapping[str, str]] = None) -> tuple[tuple[str, str], ...]:
    """Return what is known of a caller, each with its label, without what is absent.

    ``names`` are what to call the hosts, by their keys.
    """
    group = entry.group
    key = group.key
    called = names or {}
    failures = [f"{count(number)} {name}" for name, number in sorted(group.token_failures.items())]
    others = [agent for agent in group.user_agents if agent != key.user_agent]
    hop_limits = [f"{limit} ({count(number)})" for limit, number in group.hop_limits]
    known: tuple[tuple[str, Optional[str]], ...] = (
        ("Program", key.program),
        ("Started by", key.launcher),
        ("Kind", key.kind),
        ("Key", None if key.caller == key.program else key.caller),
        ("Unit", key.unit),
        ("Place", key.place),
        ("Deployed as", deployed(group)),
        ("Labels", key.labels),
        ("Owner", entry.owner),
        ("Through", f"{key.through} ({count(group.through)})" if key.through else None),
        ("User agent", key.user_agent),
        ("Other user agents", ", ".join(others)),
        ("Asks for", None if key.provider == AWS else key.provider),
        ("Users", ", ".join(group.users)),
        ("Hosts", some([called.get(each, each) for each in group.hosts], group.host_count)),
        ("Containers", some(group.workloads, group.workload_count)),
        ("First seen", moment(group.first_at)),
        ("Last seen", moment(group.last_at)),
        ("Last IMDSv1", None if group.last_v1_at is None else moment(group.last_v1_at)),
        ("Days with IMDSv1", f"{len(group.v1_days)} of {len(group.days)}"),
        ("Outcomes", outcomes(group)),
        ("Forwarded for others", count(group.forwarded) if group.forwarded else None),
        ("Failed token requests before", ", ".join(failures)),
        ("Hop limits", ", ".join(hop_limits)),
    )
    return (*((label, value) for label, value in known if value), *code_words.facts(group))


def deployed(group: Group) -> str:
    """Write what deployed a caller's containers, and how many there are; "" if nothing tells."""
    key = group.key
    if not (key.deployed or key.container or key.image):
        return ""
    copy, machine = copies_at(key.place)
    parts = (
        in_words(key.deployed) if key.deployed else "",
        f"container {key.container}" if key.container else "",
        f"image {image(key.image)}" if key.image else "",
        f"{plural(group.workload_count, copy)} on {plural(group.host_count, machine)}",
        f"through {key.through}" if key.through else "",
    )
    return ", ".join(filter(None, parts))


def image(reference: str) -> str:
    """Return the last part of an image's name, with its tag."""
    return reference.rpartition("/")[2] or reference


def outcomes(group: Group) -> str:
    """Write what became of the requests, per version: ``v1: 3 success, 1 rejected``."""
    parts = []
    for version in VERSIONS:
        by_outcome: dict[str, int] = {}
        for each in group.tallies:
            if each.version == version:
                name = each.outcome or "no answer seen"
                by_outcome[name] = by_outcome.get(name, 0) + each.requests
        if by_outcome:
            ranked = sorted(by_outcome.items(), key=lambda pair: (-pair[1], pair[0]))
            parts.append(f"{version}: " + ", ".join(f"{count(n)} {name}" for name, n in ranked))
    return "; ".join(parts)


def material(findings: Findings) -> str:
    """Say what the report is made of."""
    lines = f"{plural(findings.lines, 'line')} in {plural(findings.files, 'file')}"
    where = f"from {plural(len(findings.hosts), 'host')}"
    if findings.first_at is None or findings.last_at is None:
        return f"{lines} {where}"
    return f"{lines} {where}, {minute(findings.first_at)} to {minute(findings.last_at)} UTC"


def nobody(report: Report) -> str:
    """Say that no caller is in the way, without making more of it than it is."""
    if not report.entries:
        return "No request is in these lines at all, which proves nothing."
    if any(each.callers for each in report.host_verdicts):
        return "Each caller that used IMDSv1 is cleared, or was accepted."
    return "In these lines nobody calls IMDSv1, and every request could be read."


def comparison(figures: Comparison) -> str:
    """Say in a sentence how CloudWatch's figures and the log compare."""
    agreement = (
        "they agree in each"
        if not figures.differences
        else f"they differ in {plural(len(figures.differences), 'period')}"
    )
    return (
        f"CloudWatch counted {plural(figures.counted, 'tokenless call')} in "
        f"{plural(figures.periods, 'period')}{_own(figures)}, the log has "
        f"{count(figures.recorded)}; {agreement}."
    )


def _own(figures: Comparison) -> str:
    if not figures.accounts:
        return ""
    own = "its own figures" if len(figures.accounts) == 1 else "their own figures"
    return f", of {plural(len(figures.accounts), 'host')} by {own}"


def not_read(findings: Findings) -> str:
    """Say how much of the input could not be read."""
    parts = [f"Damaged input: {plural(findings.damaged, 'line')}"] if findings.damaged else []
    if findings.unread:
        parts.append(f"Not read: {plural(len(findings.unread), 'file')}")
    return "; ".join(parts) or "Damaged input"


def damage(each: Damage) -> str:
    """Say what could not be read."""
    place = each.file if each.line is None else f"{each.file}:{each.line}"
    return f"{place}: {each.problem}"


def judgements(report: Report) -> str:
    """Say how many hosts were judged how: ``2 NOT SAFE, 11 SAFE``."""
    parts = []
    for judgement in WORST_FIRST:
        number = sum(1 for each in report.host_verdicts if each.judgement is judgement)
        if number:
            parts.append(f"{count(number)} {judgement.value}")
    return ", ".join(parts)


# --- sentences of verdicts and steps ---------------------------------------------------------

# What a sentence names; the lists and tables have them all.
NAMED_MAX = 3

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86400


def at(time: datetime.datetime) -> str:
    """Write a time, to the minute."""
    return time.astimezone(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def lasting(time: datetime.timedelta) -> str:
    """Write how long something takes, in its two largest units."""
    seconds = int(time.total_seconds())
    if seconds >= _DAY_S:
        days, rest = divmod(seconds, _DAY_S)
        return f"{days} d {rest // _HOUR_S} h" if rest >= _HOUR_S else f"{days} d"
    if seconds >= _HOUR_S:
        return f"{seconds // _HOUR_S} h {seconds % _HOUR_S // _MINUTE_S} min"
    return f"{seconds // _MINUTE_S} min" if seconds >= _MINUTE_S else f"{seconds} s"


def number(count: int, what: str, plural: str = "") -> str:
    """Write how many of something."""
    return f"{count} {what}" if count == 1 else f"{count} {plural or what + 's'}"


def listed(texts: Sequence[str]) -> str:
    """Name the first few, and say how many more there are."""
    more = f" and {len(texts) - NAMED_MAX} more" if len(texts) > NAMED_MAX else ""
    return ", ".join(texts[:NAMED_MAX]) + more


def label(group: Group) -> str:
    """Return what a caller is called: the program, and who had it called."""
    key = group.key
    return key.program if key.launcher is None else f"{key.program} from {key.launcher}"
