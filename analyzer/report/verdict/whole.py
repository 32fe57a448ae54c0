"""Judges the whole: each reason of a host once, and what is true of no host alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Optional

from analyzer.report.findings import Findings
from analyzer.report.formats.reason_words import reason
from analyzer.report.formats.wording import at, listed, number
from analyzer.report.hosts import Span
from analyzer.report.result import STANDINGS, CallerStanding, Judgement, Reason, Standing, Verdict
from analyzer.report.roster.instances import Instance, Roster
from analyzer.report.verdict import accounts, lines
from analyzer.report.verdict.callers import still
from analyzer.report.verdict.case import Case
from analyzer.report.verdict.dates import latest
from analyzer.report.verdict.evidence import Evidence
from analyzer.report.verdict.groups import group_of
from analyzer.report.verdict.names import name
from analyzer.report.verdict.rules import RULES, judgement

# These say of all hosts the same, so the whole need not say of which.
_OF_ALL = frozenset({"damaged_input", "unread_files", "less_silence"})


@dataclass(frozen=True)
class Gone:
    """An instance that does not run; ``name`` is what to show."""

    name: str
    verdict: Verdict


def whole(
    case: Case, evidence: Sequence[Evidence], gone: Sequence[Gone], found: Mapping[str, Verdict]
) -> Verdict:
    """Return the verdict on all. The worst instance that runs decides."""
    said = [*_merged(evidence, found), *_of_whole(case, evidence, gone)]
    compared = case.comparison
    if compared and compared.is_partial and all(each.code != "partial_figures" for each in said):
        said.append(Reason("partial_figures", accounts.partial(compared)))
    if case.findings.left_out:
        said.append(Reason("left_out", lines.left_out(case.findings)))
    if judgement(said) is Judgement.SAFE and case.places.roster is None:
        said.append(Reason("only_logged", _only_logged(len(evidence))))
    order = {rule.code: place for place, rule in enumerate(RULES)}
    said.sort(key=lambda reason: order[reason.code])
    callers = [caller for verdict in found.values() for caller in verdict.callers]
    callers.sort(key=lambda each: STANDINGS.index(each.standing))
    dates = [
        verdict.safe_on for verdict in found.values() if verdict.judgement is not Judgement.SAFE
    ]
    is_lacking = any(each.code in ("no_lines", "unwatched_instances") for each in said)
    starts = [each.window.start for each in evidence]
    return Verdict(
        host=None,
        judgement=judgement(said),
        reasons=tuple(said),
        window=Span(min(starts), case.end) if starts else None,
        covered_s=min((each.covered_s for each in evidence), default=0.0),
        callers=tuple(callers),
        safe_on=None if is_lacking else latest(dates),
    )


def without_lines(findings: Findings, roster: Optional[Roster]) -> Verdict:
    """Return the verdict on a log without any host."""
    said = [Reason("no_lines", lines.no_lines(findings))]
    if roster is not None and roster.unwatched:
        said.append(Reason("unwatched_instances", _unwatched(roster)))
    if findings.damaged:
        said.append(Reason("damaged_input", lines.damage(findings.damaged)))
    if findings.unread:
        said.append(Reason("unread_files", lines.unread(findings.unread)))
    if findings.left_out:
        said.append(Reason("left_out", lines.left_out(findings)))
    return Verdict(None, Judgement.NOT_ENOUGH_EVIDENCE, tuple(said), None, 0.0)


def _merged(evidence: Sequence[Evidence], found: Mapping[str, Verdict]) -> list[Reason]:
    """Return each reason that a host has, once, and of how many hosts it is one."""
    having: dict[str, list[tuple[Evidence, str]]] = {}
    for of in evidence:
        for each in found[of.host.key].reasons:
            having.setdefault(each.code, []).append((of, each.text))
    return [Reason(code, _text(code, pairs, len(evidence))) for code, pairs in having.items()]


def _text(code: str, pairs: Sequence[tuple[Evidence, str]], total: int) -> str:
    if total == 1 or code in _OF_ALL:
        return pairs[0][1]
    hosts = [of for of, _ in pairs]
    if code == "v1_calls":
        return _still_calling(hosts, total)
    such = ", " if len(hosts) == 1 else ", such as "
    is_alike = len(hosts) > 1 and len({said for _, said in pairs}) == 1
    first = "" if is_alike else f"{such}{hosts[0].name}"
    return f"{reason(code)} on {_many(hosts, total)}{first}: {pairs[0][1]}"


def _many(hosts: Sequence[Evidence], total: int) -> str:
    return f"all {total} hosts" if len(hosts) == total else f"{len(hosts)} of {total} hosts"


def _still_calling(hosts: Sequence[Evidence], total: int) -> str:
    """Say who still uses v1, each with the number of hosts and the last call."""
    on: dict[str, list[Evidence]] = {}
    standings: dict[str, CallerStanding] = {}
    for of in hosts:
        for caller in of.having(Standing.CALLS):
            on.setdefault(caller.caller, []).append(of)
            last = standings.get(caller.caller)
            if last is None or last.last_v1_at < caller.last_v1_at:
                standings[caller.caller] = caller
    ranked = sorted(standings.values(), key=lambda each: (-len(on[each.caller]), each.caller))
    parts = [
        f"{name(each.caller, hosts[0].labels)} ({number(len(on[each.caller]), 'host')}, last on"
        f" {at(each.last_v1_at)})"
        for each in ranked
    ]
    fix = "Fix it" if len(ranked) == 1 else "Fix them"
    return f"{still(ranked)} v1, on {_many(hosts, total)}: {listed(parts)}. {fix}"


def _of_whole(case: Case, evidence: Sequence[Evidence], gone: Sequence[Gone]) -> list[Reason]:
    said = []
    roster = case.places.roster
    if not evidence:
        said.append(Reason("no_lines", "no instance that runs has a log: collect their logs"))
    if roster is not None and roster.unwatched:
        said.append(Reason("unwatched_instances", _unwatched(roster)))
    counting = [
        each for each in gone if any(r.code == "gone_callers" for r in each.verdict.reasons)
    ]
    if counting:
        said.append(Reason("gone_callers", _gone_callers(case, counting)))
    elif gone:
        said.append(Reason("gone", _gone(case, gone)))
    return said


def _gone(case: Case, gone: Sequence[Gone]) -> str:
    """Say which instances do not run, and of which only their absence says so."""
    text = f"{number(len(gone), 'instance')} not running: {listed([each.name for each in gone])}"
    absent = [each for each in gone if str(each.verdict.host) not in case.places.instances]
    if not absent:
        return text
    are = "is" if len(absent) == 1 else "are"
    return (
        f"{text}. {len(absent)} of {len(gone)} {are} in no list of instances, and taken for ended:"
        " a list that lacks an account or Region says nothing of its hosts"
    )


def _gone_callers(case: Case, counting: Sequence[Gone]) -> str:
    """Say which instances that do not run used v1: those that may be started again, and others."""
    stopped = [each for each in counting if case.places.may_return(str(each.verdict.host))]
    ended = [each for each in counting if each not in stopped]
    parts = []
    if stopped:
        them = "it" if len(stopped) == 1 else "them"
        parts.append(
            f"{number(len(stopped), 'stopped instance')} used v1, and may again once started:"
            f" {_first(stopped)}. Start {them} with the analyzer, terminate {them}, or accept the"
            " callers"
        )
    if ended:
        parts.append(
            f"{number(len(ended), 'instance')} that {_do(len(ended))} not run, and of no known"
            f" group with a successor, used v1: {_first(ended)}. Give describe-instances of that"
            " time, too, or accept them"
        )
    return ". ".join(parts)


def _first(counting: Sequence[Gone]) -> str:
    first = counting[0]
    text = next(each.text for each in first.verdict.reasons if each.code == "gone_callers")
    return f"{first.name}: {text}"


def _do(count: int) -> str:
    return "does" if count == 1 else "do"


def _unwatched(roster: Roster) -> str:
    """Say which running instances have no log, by group and owner."""
    running, unwatched = len(roster.running), roster.unwatched
    by_group: dict[str, list[Instance]] = {}
    for each in unwatched:
        group = group_of(each)
        by_group.setdefault("no group" if group is None else " ".join(group), []).append(each)
    parts = [
        f"{group}{_owner(members)}: {listed([each.id or each.name or '?' for each in members])}"
        for group, members in sorted(by_group.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    ]
    return (
        f"{running - len(unwatched)} of {running} running instances have a log; without one:"
        f" {_several(parts)}. Install the analyzer there, and collect their logs"
    )


def _owner(members: Sequence[Instance]) -> str:
    owners = sorted({each.owner for each in members if each.owner})
    return f" (owner {', '.join(owners[:3])})" if owners else ""


def _several(parts: Sequence[str]) -> str:
    more = f"; and {len(parts) - 3} more groups" if len(parts) > 3 else ""  # noqa: PLR2004 NAMED_MAX
    return "; ".join(parts[:3]) + more


def _only_logged(hosts: int) -> str:
    return (
        f"SAFE for the {number(hosts, 'instance')} with a log; an instance without one is not"
        " seen: name all of them with --instances"
    )


def with_reasons(verdict: Verdict, more: Sequence[Reason]) -> Verdict:
    """Return the verdict on the whole with reasons of snapshots, which never make it better."""
    if not more:
        return verdict
    order = {rule.code: place for place, rule in enumerate(RULES)}
    said = tuple(sorted((*verdict.reasons, *more), key=lambda each: order[each.code]))
    is_against = judgement(more) is not Judgement.SAFE
    return replace(
        verdict,
        reasons=said,
        judgement=judgement(said),
        # No time alone brings the instances that are missing.
        safe_on=None if is_against else verdict.safe_on,
    )
