"""Words what a caller means for the verdict, and when a verdict becomes SAFE.

The words may hold text of the log or of the user's files: each format neutralises what it shows.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Optional

from analyzer.report.cloudwatch.differences import Difference
from analyzer.report.formats.fleet import FleetCaller
from analyzer.report.formats.wording import at, count, lasting, plural, who
from analyzer.report.result import (
    CLEARED,
    WORST_FIRST,
    Acceptance,
    CallerStanding,
    GroupVerdict,
    Judgement,
    Report,
    Standing,
    Verdict,
)
from analyzer.report.roster.instances import Instance, Roster

# What happens to a caller if IMDSv1 is switched off today, in a cell.
TODAY: Mapping[Standing, str] = {
    Standing.CALLS: "breaks",
    Standing.REJECTED: "fails now",
    Standing.DUE: "may break",
    Standing.AWAITS_BOOT: "may break",
    Standing.SPEAKS_V2: "works",
    Standing.SILENT: "silent",
    Standing.BOOTED: "silent",
    Standing.ACCEPTED: "accepted",
}
_NO_OWNER = "no owner known"


def caller(each: FleetCaller, arrow: str = "←") -> str:
    """Return who calls, in a few words; its key where its calls are not listed."""
    return each.key if each.entry is None else who(each.entry.group.key, arrow)


def today(each: FleetCaller) -> str:
    """Write in a cell what happens to a caller if IMDSv1 is switched off today."""
    if each.standing is None:
        return "unclear" if each.is_unreadable else TODAY[Standing.CALLS]
    return TODAY[each.standing]


def safe_on(each: FleetCaller) -> str:
    """Write in a cell what clears a caller: a date, or a boot."""
    if each.safe_on is not None:
        return each.safe_on.date().isoformat()
    waits = any(one.standing is Standing.AWAITS_BOOT for one in each.standings.values())
    return "next boot" if waits else "-"


def standing(each: CallerStanding, names: Mapping[str, str]) -> str:
    """Say what a caller did, and what that means."""
    text = _standing(each)
    if each.former is not None:
        text += f"; on {names.get(each.former, each.former)}, formerly of this group"
    if each.safe_on is not None:
        text += f"; out of the way on {at(each.safe_on)} if it does not call IMDSv1 again"
    return text


def _standing(each: CallerStanding) -> str:
    calls = f"{plural(each.calls, 'IMDSv1 call')}, last on {at(each.last_v1_at)}"
    if each.standing in CLEARED:
        return f"{_clearance(each)} ({calls})"
    return calls + {
        Standing.REJECTED: ", all refused: it fails already",
        Standing.DUE: f", and {_rhythm(each)}: it may call again",
        Standing.AWAITS_BOOT: ", at boot: only a boot that is watched from its start clears it",
    }.get(each.standing, "")


def by_standing(
    each: FleetCaller, names: Mapping[str, str]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return what a caller means on its hosts, each with the names of the hosts it is true of."""
    hosts: dict[str, list[str]] = {}
    for host, one in each.standings.items():
        hosts.setdefault(standing(one, names), []).append(names.get(host, host))
    return tuple((text, tuple(of)) for text, of in hosts.items())


def cleared(each: FleetCaller) -> str:
    """Say why a caller no longer counts, on all of its hosts together."""
    standings = tuple(each.standings.values())
    parts = []
    for kind in dict.fromkeys(one.standing for one in standings):
        same = [one for one in standings if one.standing is kind]
        last = max(same, key=lambda one: one.since or one.last_v1_at)
        where = f" on {plural(len(same), 'host')}" if len(standings) > 1 else ""
        parts.append(f"{_clearance(last)}{where}")
    return "; ".join(parts)


def _clearance(each: CallerStanding) -> str:
    if each.standing is Standing.SPEAKS_V2 and each.since is not None:
        return f"v2 since {at(each.since)}"
    if each.standing is Standing.ACCEPTED and each.accepted is not None:
        return accepted(each.accepted)
    if each.standing is Standing.BOOTED:
        return "silent at a boot since that was watched"
    return f"silent since {at(each.last_v1_at)}"


def difference(each: Difference, names: Mapping[str, str]) -> str:
    """Say how a figure of CloudWatch's and the log differ."""
    where = "" if each.host is None else f" on {names.get(each.host, each.host)}"
    watched = "" if each.is_covered else ", not watched all of the time"
    return (
        f"{each.metric}{where} from {at(each.period.start)}: {count(each.counted)} counted,"
        f" {count(each.recorded)} in the log, {count(each.unanswered)} perhaps,"
        f" {count(each.missing)} missing{watched}"
    )


def _rhythm(each: CallerStanding) -> str:
    if each.interval is None:
        return "how often it calls is not known"
    return f"up to {lasting(each.interval)} between two"


def accepted(each: Acceptance) -> str:
    """Say who decided that a caller does not matter, why, and until when."""
    return f"accepted by {each.by} until {each.until.isoformat()}: {each.why}"


def decision(each: Acceptance, report: Report) -> str:
    """Say whose decision it is, for which caller and where, and whether it still holds."""
    where = ", ".join(each.hosts) or "all hosts"
    end = ": no longer, it has ended" if each.until < report.generated_at.date() else ""
    return f"{each.caller} on {where}, {accepted(each)}{end}"


def date(verdict: Verdict) -> Optional[str]:
    """Say when a verdict becomes SAFE; None where it is."""
    if verdict.judgement is Judgement.SAFE:
        return None
    if verdict.safe_on is not None:
        return (
            f"SAFE on {at(verdict.safe_on)} if nothing calls IMDSv1 until then and all is watched."
        )
    return "No date: time alone does not make this SAFE."


def with_a_log(roster: Roster) -> str:
    """Say how many of the instances that run are watched."""
    running = len(roster.running)
    watched = running - len(roster.unwatched)
    return f"{count(watched)} of {plural(running, 'running instance')} have a log"


def without_a_log(roster: Roster) -> tuple[str, ...]:
    """Return of which groups and owners the instances without a log are, the most first."""
    number = Counter((_family(each), each.owner or "") for each in roster.unwatched)
    rows = sorted(number.items(), key=lambda pair: (-pair[1], pair[0]))
    has_owners = any(each.owner for each in roster.instances)
    return tuple(
        f"{count(many)} of {family}" + (f", {owner or _NO_OWNER}" if has_owners else "")
        for (family, owner), many in rows
    )


def _family(instance: Instance) -> str:
    if instance.group is not None:
        return instance.group
    if instance.template is not None:
        version = f" version {instance.template_version}" if instance.template_version else ""
        return f"launch template {instance.template}{version}"
    if instance.image is not None:
        return f"AMI {instance.image}"
    return "no group"


def instance(each: Instance) -> str:
    """Return what to call an instance of the roster."""
    if each.name and each.id:
        return f"{each.name} ({each.id})"
    return each.name or each.id or "(no name)"


def belongs(each: Instance) -> str:
    """Say to which group and owner an instance belongs, and its state."""
    parts = [_family(each), each.owner or _NO_OWNER]
    return ", ".join(parts + ([each.state] if each.state else []))


def group(each: GroupVerdict) -> str:
    """Say in a few words what is known of a group."""
    parts = [f"{count(each.running)} running"]
    if each.unwatched:
        parts.append(f"{count(each.unwatched)} without a log")
    watched = lasting(datetime.timedelta(seconds=max(0, int(each.watched_s))))
    parts += [f"watched {watched}", f"{plural(each.launches, 'launch', 'launches')} seen"]
    return ", ".join(parts)


def worst_groups(groups: Sequence[GroupVerdict]) -> tuple[GroupVerdict, ...]:
    """Return the groups, the ones that are NOT SAFE first."""
    return tuple(sorted(groups, key=lambda each: WORST_FIRST.index(each.judgement)))


def owner(name: str) -> str:
    """Return an owner's name."""
    return name or _NO_OWNER
