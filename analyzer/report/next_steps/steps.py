"""Lists what to do next, with the commands: fix, look again, require tokens, keep it so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Optional

from analyzer.report.account.inventory import Inventory
from analyzer.report.cloudwatch.differences import Comparison
from analyzer.report.diagnosis.pods import AGENT, fetches_node_credentials, role_commands
from analyzer.report.findings import Findings
from analyzer.report.formats.wording import label, listed, number
from analyzer.report.hosts import Host
from analyzer.report.next_steps.fleet import Fleet, fleet_of
from analyzer.report.next_steps.instances import ask, instances_of, modify, show
from analyzer.report.next_steps.launches import launches
from analyzer.report.next_steps.rollout import TWO_HOPS, rollout
from analyzer.report.next_steps.systems_manager import watch
from analyzer.report.next_steps.unwatched import maybe_watch
from analyzer.report.result import Cause, Entry, Judgement, Reason, Step, Verdict
from analyzer.report.roster.instances import Roster
from analyzer.report.verdict.rules import EFFECTS

_NOT_ENOUGH = Judgement.NOT_ENOUGH_EVIDENCE
_FINE = (Cause.V2_ONLY, Cause.MENDED, Cause.OTHER_CLOUD, Cause.FORGERY)
# Has a step of its own.
_UNWATCHED = ("unwatched_instances", "counted_unwatched")


def steps(
    findings: Findings,
    entries: Sequence[Entry],
    verdict: Verdict,
    host_verdicts: Sequence[Verdict],
    comparison: Optional[Comparison],
    roster: Optional[Roster] = None,
    inventory: Optional[Inventory] = None,
) -> tuple[Step, ...]:
    """Return what to do next. Without any host there is only evidence to get.

    ``roster`` is joined with the findings' hosts.
    """
    fleet = fleet_of(findings, entries, host_verdicts, roster)
    found = [
        *_incidents(entries),
        *_fixes(entries, verdict),
        *_hops(fleet),
        *_roles(entries),
        *_evidence(verdict.reasons),
    ]
    if inventory is not None:
        found += watch(inventory)
    elif roster is not None:
        found += maybe_watch(roster)
    if not findings.hosts:
        return tuple(found)
    if comparison is None:
        found.append(_compare(findings, verdict))
    found += rollout(fleet)
    found += launches(findings, fleet, verdict, inventory)
    return tuple(found)


def _incidents(entries: Sequence[Entry]) -> Iterator[Step]:
    """Return the step for what somebody else may have asked: it cannot wait for upgrades."""
    for each in entries:
        if each.is_incident:
            yield Step(
                f"At once: deal with possible request forgery by {label(each.group)}",
                " ".join((*each.diagnosis.evidence, *each.diagnosis.advice)),
                each.diagnosis.commands,
            )


def _fixes(entries: Sequence[Entry], verdict: Verdict) -> Iterator[Step]:
    """Return the step that is for the callers that used v1, or may have, within the window.

    What to do with each is its diagnosis, which the report has; it is not said twice.
    """
    start = verdict.window.start if verdict.window else None
    left = [
        label(each.group)
        for each in entries
        if each.diagnosis.cause not in _FINE
        and (start is None or (each.group.last_v1_at or each.group.last_at) >= start)
    ]
    if left:
        yield Step(
            f"Fix {number(len(left), 'caller')}: {listed(left)}",
            "Each caller in the way is listed with what is known of it, advice, and commands.",
            (),
        )


def _hops(fleet: Fleet) -> Iterator[Step]:
    hosts = [each for each in (*fleet.hosts, *fleet.switched) if each.key in fleet.two_hops]
    if not hosts:
        return
    instances = fleet.instances(hosts)
    yield Step(
        f"Let tokens travel two hops on {number(len(hosts), 'host')}",
        f"Containers there use v1. With {_limit(hosts)}, a token's answer does not reach a"
        " container that has a network of its own. This can be done at once and breaks nothing;"
        " leave out instances whose limit is 2 or more already. It lets every container there ask"
        " for the instance's credentials: where pods or tasks have roles of their own, give this"
        " caller one, too, and keep the limit of 1.",
        (
            *show(instances, "two-hops.txt"),
            *modify(instances, TWO_HOPS, "two-hops.txt", is_written=True),
        ),
    )


def _roles(entries: Sequence[Entry]) -> Iterator[Step]:
    """Return the step for pods that fetch the node's credentials, also with tokens."""
    fetching = [
        each.group
        for each in entries
        if each.diagnosis.cause is not Cause.PROXY and fetches_node_credentials(each.group)
    ]
    if fetching:
        yield Step(
            f"Give pods roles of their own, for {number(len(fetching), 'caller')}:"
            f" {listed([label(group) for group in fetching])}",
            "They fetch the node's credentials, and so may do what the node may. With EKS Pod"
            " Identity or IAM roles for service accounts (IRSA) they need IMDS for none, and the"
            " hop limit can be 1. The commands are those for the first; each caller's own are with"
            " its diagnosis.",
            (AGENT, *role_commands(fetching[0])),
        )


def _limit(hosts: Sequence[Host]) -> str:
    measured = [each for each in hosts if each.hop_limit == 1]
    if not measured:
        return "the default limit of 1"
    where = "" if len(measured) == len(hosts) else f" on {number(len(measured), 'host')} of them"
    return f"the limit of 1, measured{where}"


def _evidence(reasons: Sequence[Reason]) -> Iterator[Step]:
    lacking = [
        each.text
        for each in reasons
        if EFFECTS[each.code] is _NOT_ENOUGH and each.code not in _UNWATCHED
    ]
    if lacking:
        yield Step(
            "Get the evidence that is missing",
            "; ".join(lacking) + ".",
            ("systemctl status imds-analyzer", "imds-analyzer doctor"),
        )


def _compare(findings: Findings, verdict: Verdict) -> Step:
    return Step(
        "Compare with what AWS counted",
        "MetadataNoToken is AWS's own count of calls without a token, for each instance: with it"
        " the report shows whether the analyzer saw them all.",
        (
            *ask(instances_of(findings.hosts), verdict.window),
            "imds-analyzer report --against metrics.json",
        ),
    )
