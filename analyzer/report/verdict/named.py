"""Judges logs without an instance id, which only a name joins with an instance of EC2's.

Private names repeat: in other networks, in other accounts, and after an instance has ended. What
another host did must not stand for this one.
"""

from __future__ import annotations

import datetime
from dataclasses import replace
from typing import Optional

from analyzer.report.findings import Findings
from analyzer.report.formats.wording import at
from analyzer.report.hosts import Host, Span
from analyzer.report.roster.instances import Instance, Roster
from analyzer.report.roster.joining import maybe_instance_id
from analyzer.report.verdict.boots import BOOT_LASTS
from analyzer.report.verdict.evidence import Evidence

# How far the clocks of a host and of EC2 may differ.
_CLOCKS_DIFFER = datetime.timedelta(minutes=5)


def maybe_named(host: Host, instance: Optional[Instance]) -> Optional[Instance]:
    """Return the instance if only its name says that the log is its own.

    A list that a person wrote says it, too: there is no state in it.
    """
    if instance is None or instance.id is None or instance.state is None:
        return None
    return instance if maybe_instance_id(host) is None else None


def own_time(findings: Findings, roster: Optional[Roster]) -> Findings:
    """Return the findings in which such a host was watched only since EC2 started the instance.

    Before, another one may have had the name. Its calls still count.
    """
    known = {each.host: each for each in roster.instances if each.host} if roster else {}
    hosts = tuple(_own(host, maybe_named(host, known.get(host.key))) for host in findings.hosts)
    return findings if hosts == findings.hosts else replace(findings, hosts=hosts)


def found_by_name(of: Evidence) -> Optional[str]:
    """Say that no boot in the log is the start that EC2 tells of."""
    if of.named is None:
        return None
    start = of.named.launched_at
    boots = [each.booted_at for each in of.host.boots if each.booted_at is not None]
    if start is not None and any(-_CLOCKS_DIFFER <= each - start <= BOOT_LASTS for each in boots):
        return None
    started = "" if start is None else f", and no boot of {at(start)}, when EC2 started it"
    return (
        f"the log has no instance id{started}. That it is of {of.named.id} is known by its name"
        " alone, and private names repeat: stop and start the instance, and audit again"
    )


def _own(host: Host, named: Optional[Instance]) -> Host:
    start = None if named is None else named.launched_at
    if start is None:
        return host
    start -= _CLOCKS_DIFFER
    return replace(
        host,
        covered=tuple(
            Span(max(each.start, start), each.end) for each in host.covered if each.end > start
        ),
        boots=tuple(each for each in host.boots if each.at >= start),
    )
