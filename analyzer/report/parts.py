"""Splits a report by owner: every instance, host, caller and launch source is in exactly one part.

Each part has a verdict of its own, over its hosts alone. A caller belongs to the owner of all hosts
on which it called, or to the one that a pattern or a label of its pods names; a caller of several
owners is nobody's.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from analyzer.imds import AWS
from analyzer.report.account.inventory import InstanceSet, Inventory
from analyzer.report.account.reasons import reasons
from analyzer.report.cloudwatch.differences import Comparison
from analyzer.report.dormant.scanned import NO_SCANS, Scans
from analyzer.report.findings import Findings
from analyzer.report.next_steps.steps import steps
from analyzer.report.result import Entry, Report, Verdict
from analyzer.report.roster.instances import Instance
from analyzer.report.roster.owners import Owners
from analyzer.report.verdict.judging import Part, judge_hosts
from analyzer.report.verdict.whole import with_reasons

NOBODY = ""  # the part of all that nobody owns
_UNOWNED = "unowned"
_NO_NAME = re.compile(r"[^0-9A-Za-z_.@+]+", re.ASCII)
_NAME_MAX = 100  # characters; a file's name may have 255 bytes


@dataclass(frozen=True)
class Terms:
    """Terms of a verdict, the same for all parts."""

    period: datetime.timedelta
    rare: datetime.timedelta
    owners: Owners
    scans: Scans = NO_SCANS


def by_owner(report: Report, terms: Terms) -> tuple[Report, ...]:
    """Return a report for each owner, by name, and last the one of all that nobody owns."""
    of_host = _hosts(report, terms.owners)
    of_entry = {id(each): _owner(each, report, of_host) for each in report.entries}
    names = {*of_host.values(), *of_entry.values(), NOBODY}
    if report.roster is not None:
        names.update(each.owner or NOBODY for each in report.roster.instances)
    if report.inventory is not None:
        names.update(each.owner or NOBODY for each in report.inventory.launches)
    ordered = sorted(names - {NOBODY})
    return tuple(
        _part(
            report,
            terms,
            name,
            frozenset(key for key, owner in of_host.items() if owner == name),
            tuple(each for each in report.entries if of_entry[id(each)] == name),
        )
        for name in (*ordered, NOBODY)
    )


def _hosts(report: Report, owners: Owners) -> Mapping[str, str]:
    """Return the owner of each host: its instance's, else what patterns say of its name."""
    instances = report.roster.instances if report.roster is not None else ()
    known = {each.host: each.owner or NOBODY for each in instances if each.host is not None}
    found = {}
    for host in report.findings.hosts:
        alone = Instance(host.instance_id, host.name, names=(host.name, *host.names))
        found[host.key] = known.get(host.key, owners.maybe_owner(alone) or NOBODY)
    return found


def _owner(entry: Entry, report: Report, of_host: Mapping[str, str]) -> str:
    if entry.owner is not None:
        return entry.owner
    key, group = entry.group.key, entry.group
    hosts = set(group.hosts)
    if group.host_count > len(hosts):  # a group lists the first of its hosts only
        seen = (*report.findings.sightings, *report.findings.successors)
        hosts.update(each.host for each in seen if each.caller == key.caller)
    found = {of_host.get(each, NOBODY) for each in hosts}
    return found.pop() if len(found) == 1 and len(hosts) >= group.host_count else NOBODY


def _part(
    report: Report, terms: Terms, name: str, hosts: frozenset[str], entries: tuple[Entry, ...]
) -> Report:
    findings = _findings(report.findings, hosts)
    comparison = None if report.comparison is None else _comparison(report.comparison, hosts)
    roster = report.roster
    if roster is not None:
        own = tuple(each for each in roster.instances if (each.owner or NOBODY) == name)
        roster = replace(roster, instances=own)
    # Others' instances of the same group, and the end of all logs, count here as in the whole.
    verdict, host_verdicts, groups = judge_hosts(
        report.findings if hosts else findings,
        terms.period,
        report.generated_at,
        report.comparison if hosts else comparison,
        report.roster if hosts else roster,
        report.accepted,
        terms.rare,
        terms.scans,
        Part(hosts, roster) if hosts else None,
    )
    inventory = None if report.inventory is None else _inventory(report.inventory, name, hosts)
    if inventory is not None:
        whole = (report.findings, report.verdict, report.comparison)
        verdict = with_reasons(verdict, tuple(reasons(inventory, *whole)))
    shared = _shared(report, entries, host_verdicts)
    all_steps = steps(
        findings, (*entries, *shared), verdict, host_verdicts, comparison, roster, inventory
    )
    findings = replace(findings, groups=tuple(each.group for each in entries))
    return replace(
        report,
        owner=name,
        findings=findings,
        entries=entries,
        shared=shared,
        verdict=verdict,
        host_verdicts=host_verdicts,
        steps=all_steps,
        comparison=comparison,
        roster=roster,
        groups=groups,
        inventory=inventory,
    )


def _shared(
    report: Report, own: Sequence[Entry], host_verdicts: Sequence[Verdict]
) -> tuple[Entry, ...]:
    """Return the callers that count on hosts of this part, and are listed in another one."""
    judged = {standing.caller for of in host_verdicts for standing in of.callers}
    listed = {id(each) for each in own}
    return tuple(
        each
        for each in report.entries
        if each.group.key.caller in judged
        and each.group.key.provider == AWS
        and id(each) not in listed
    )


def _findings(findings: Findings, hosts: frozenset[str]) -> Findings:
    """Return what is of these hosts. Of the calls over time nothing says whose they are."""
    return replace(
        findings,
        hosts=tuple(each for each in findings.hosts if each.key in hosts),
        timeline=(),
        sightings=tuple(each for each in findings.sightings if each.host in hosts),
        successors=tuple(each for each in findings.successors if each.host in hosts),
        tokenless={key: value for key, value in findings.tokenless.items() if key in hosts},
    )


def _comparison(comparison: Comparison, hosts: frozenset[str]) -> Comparison:
    """Return what is of these hosts, and what may be of any."""
    accounts = {key: value for key, value in comparison.accounts.items() if key in hosts}
    is_own = bool(comparison.accounts)
    return replace(
        comparison,
        counted=sum(e.counted for e in accounts.values()) if is_own else comparison.counted,
        recorded=sum(e.recorded for e in accounts.values()) if is_own else comparison.recorded,
        differences=tuple(
            each for each in comparison.differences if each.host is None or each.host in hosts
        ),
        silent={key: value for key, value in comparison.silent.items() if key in hosts},
        accounts=accounts,
    )


def _inventory(inventory: Inventory, name: str, hosts: frozenset[str]) -> Inventory:
    return replace(
        inventory,
        sets=tuple(
            InstanceSet(
                of.kind,
                tuple(each for each in of.members if (each.instance.owner or NOBODY) == name),
            )
            for of in inventory.sets
        ),
        launches=tuple(each for each in inventory.launches if (each.owner or NOBODY) == name),
        later=tuple(each for each in inventory.later if each in hosts),
    )


def file_names(parts: Sequence[Report], suffix: str) -> tuple[str, ...]:
    """Return a file name for each part; owners of which the names are alike are numbered.

    Names are those of owners, in what every file system takes; ``unowned`` is nobody's alone.
    """
    taken = {_UNOWNED}
    names = []
    for each in parts:
        plain = _UNOWNED
        if each.owner:
            plain = _NO_NAME.sub("-", each.owner).strip("-.")[:_NAME_MAX].lower() or "owner"
            stem, number = plain, 1
            while plain in taken:
                number += 1
                plain = f"{stem}-{number}"
            taken.add(plain)
        names.append(f"{plain}.{suffix}")
    return tuple(names)
