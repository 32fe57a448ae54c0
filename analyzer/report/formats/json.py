"""Writes the whole report as one JSON document, for programs.

Its shape is described by ``report.schema.json`` beside this file. Within one ``format`` members
are added, never renamed or taken away. Times are ISO 8601 in UTC, lengths are in seconds, what
is absent is null. The document is ASCII: a terminal cannot act on it.
"""

from __future__ import annotations

import datetime
import enum
import json
import math
from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any, Optional

from analyzer.report.account.inventory import Inventory
from analyzer.report.cloudwatch.differences import Comparison, Difference
from analyzer.report.findings import Bucket, Findings
from analyzer.report.formats import code_words, fixes
from analyzer.report.formats.fix_document import fix_document
from analyzer.report.formats.wording import VERSIONS
from analyzer.report.hosts import Host
from analyzer.report.result import CLEARED, CallerStanding, Entry, Report, Verdict
from analyzer.report.roster.instances import Instance, Roster

# 2: hosts are named by their key (the instance id, if known) everywhere, and boots are objects.
FORMAT = 2


def as_text(report: Report) -> str:
    """Return the document: a line per member, and one for each item of a list."""
    members = ",\n".join(
        f"{_dump(key)}: {_lines(value)}" for key, value in document(report).items()
    )
    return f"{{\n{members}\n}}\n"


def document(report: Report) -> dict[str, Any]:
    """Return the document's members."""
    findings = report.findings
    verdicts = {each.host: each for each in report.host_verdicts}
    comparison = report.comparison
    return {
        "format": FORMAT,
        "generated_at": report.generated_at,
        "analyzer": {"version": report.analyzer_version},
        "incidents": [_incident(each) for each in report.incidents],
        "input": _input(findings),
        "verdict": _verdict(report.verdict),
        "hosts": [_host(each, verdicts.get(each.key)) for each in findings.hosts],
        "callers": [_caller(each) for each in report.entries],
        "fixes": [fix_document(each, report) for each in fixes.of(report)],
        "timeline": {
            "bucket_s": findings.bucket_s,
            "buckets": [_bucket(each) for each in findings.timeline],
        },
        "steps": report.steps,
        "cloudwatch": None if comparison is None else _comparison(comparison),
        "roster": None if report.roster is None else _roster(report.roster),
        "groups": report.groups,
        "accepted": report.accepted,
        "inventory": None if report.inventory is None else _inventory(report.inventory),
        "owner": report.owner,
    }


def _lines(value: object) -> str:
    if not isinstance(value, list) or not value:
        return _dump(value)
    return "[\n" + ",\n".join(map(_dump, value)) + "\n]"


def _dump(value: object) -> str:
    return json.dumps(value, allow_nan=False, default=_form)


def _input(findings: Findings) -> dict[str, Any]:
    return {
        "files": findings.files,
        "lines": findings.lines,
        "first_at": findings.first_at,
        "last_at": findings.last_at,
        "damaged": findings.damaged,
        "damage": findings.damage,
        "unread": findings.unread,
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "judgement": verdict.judgement.value,
        "reasons": verdict.reasons,
        "window": verdict.window,
        "covered_s": verdict.covered_s,
        "safe_on": verdict.safe_on,
        "group": verdict.group,
        "callers": [_standing(each) for each in verdict.callers],
    }


def _standing(standing: CallerStanding) -> dict[str, Any]:
    interval = standing.interval
    return {
        "caller": standing.caller,
        "host": standing.host,
        "standing": standing.standing.value,
        "is_cleared": standing.standing in CLEARED,
        "calls": standing.calls,
        "last_v1_at": standing.last_v1_at,
        "interval_s": None if interval is None else interval.total_seconds(),
        "since": standing.since,
        "safe_on": standing.safe_on,
        "accepted": standing.accepted,
        "former": standing.former,
    }


def _roster(roster: Roster) -> dict[str, Any]:
    return {
        "source": roster.source,
        "running": len(roster.running),
        "unwatched": len(roster.unwatched),
        "instances": [_instance(each) for each in roster.instances],
    }


def _instance(instance: Instance) -> dict[str, Any]:
    """Return an instance without its tags, in which anything may be written."""
    known = {key: value for key, value in vars(instance).items() if key != "tags"}
    return {**known, "is_running": instance.is_running}


def _inventory(inventory: Inventory) -> dict[str, Any]:
    return {
        "sources": inventory.sources,
        "taken_at": inventory.taken_at,
        "metrics": inventory.metrics,
        "accounts": inventory.accounts,
        "regions": inventory.regions,
        "is_complete": not inventory.failures,
        "failures": inventory.failures,
        "later": inventory.later,
        "sets": [
            {
                "kind": of.kind.value,
                "count": len(of.members),
                "calls": of.calls,
                "rejected": of.rejected,
                "instances": [
                    {
                        "id": each.instance.id,
                        "name": each.instance.name,
                        "host": each.instance.host,
                        "account": each.instance.account,
                        "region": each.instance.region,
                        "owner": each.instance.owner,
                        "calls": each.calls,
                        "rejected": each.rejected,
                        "last_at": each.last_at,
                        "callers": each.callers,
                        "is_managed_by_ssm": each.is_managed,
                        "platform": each.platform,
                    }
                    for each in of.members
                ],
            }
            for of in inventory.sets
        ],
        "launches": inventory.launches,
    }


def _host(host: Host, verdict: Optional[Verdict]) -> dict[str, Any]:
    return {
        "key": host.key,
        "name": host.name,
        "instance_id": host.instance_id,
        "verdict": None if verdict is None else _verdict(verdict),
        "requests": _requests(host.requests),
        "other_clouds": host.other_clouds,
        "first_at": host.first_at,
        "last_at": host.last_at,
        "last_v1_at": host.last_v1_at,
        "last_unknown_at": host.last_unknown_at,
        "covered": host.covered,
        "losses": host.losses,
        "boots": [{"at": boot.at, **vars(boot)} for boot in host.boots],
        "deployed_at": host.deployed_at,
        "probes": host.probes,
        "hop_limit": host.hop_limit,
        "names": host.names,
        "overlap": host.overlap,
        "shortfalls": [{**vars(each), "missing": each.missing} for each in host.shortfalls],
        "odd": host.odd,
    }


def _caller(entry: Entry) -> dict[str, Any]:
    group = entry.group
    return {
        **vars(group.key),
        "requests": {version: group.count(version) for version in VERSIONS},
        "tallies": group.tallies,
        "first_at": group.first_at,
        "last_at": group.last_at,
        "last_v1_at": group.last_v1_at,
        "days": group.days,
        "v1_days": group.v1_days,
        "host_count": group.host_count,
        "hosts": group.hosts,
        "v1_hosts": group.v1_hosts,
        "paths": [{"path": path, "requests": requests} for path, requests in group.paths],
        "workload_count": group.workload_count,
        "workloads": group.workloads,
        "users": group.users,
        "user_agents": group.user_agents,
        "v1_places": group.v1_places,
        "forwarded": group.forwarded,
        "through_requests": group.through,
        "owner": entry.owner,
        "token_failures": dict(sorted(group.token_failures.items())),
        "hop_limits": [
            {"hop_limit": limit, "requests": requests} for limit, requests in group.hop_limits
        ],
        "instance_hop_limits": group.instance_hop_limits,
        "evidence": [code_words.document(each) for each in group.evidence],
        "evidence_left_out": group.evidence_left_out,
        "diagnosis": entry.diagnosis,
        "example": _finite(group.example),
    }


def _incident(entry: Entry) -> dict[str, Any]:
    """Return the part that is to be read first; ``callers`` has the same caller with all else."""
    key = entry.group.key
    return {
        "caller": key.caller,
        "program": key.program,
        "provider": key.provider,
        "hosts": entry.group.hosts,
        "diagnosis": entry.diagnosis,
    }


def _bucket(bucket: Bucket) -> dict[str, Any]:
    return {**vars(bucket), "requests": _requests(bucket.requests)}


def _comparison(comparison: Comparison) -> dict[str, Any]:
    return {
        "periods": comparison.periods,
        "counted": comparison.counted,
        "recorded": comparison.recorded,
        "differences": [_difference(each) for each in comparison.differences],
        "notes": comparison.notes,
        "is_partial": comparison.is_partial,
        "silent": dict(sorted(comparison.silent.items())),
        "accounts": dict(sorted(comparison.accounts.items())),
    }


def _difference(difference: Difference) -> dict[str, Any]:
    return {
        "metric": difference.metric,
        "period": difference.period,
        "counted": difference.counted,
        "recorded": difference.recorded,
        "unanswered": difference.unanswered,
        "is_covered": difference.is_covered,
        "missing": difference.missing,
        "host": difference.host,
    }


def _requests(counts: Mapping[str, int]) -> dict[str, int]:
    return {version: counts.get(version, 0) for version in VERSIONS}


def _form(value: object) -> object:
    """Return what JSON knows in place of something it does not; called by the encoder."""
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc).isoformat(timespec="microseconds")[:-6] + "Z"
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, enum.Enum):
        return value.value
    if is_dataclass(value):
        return vars(value)
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)


def _finite(value: object) -> object:
    """Return a value out of a line of the log; Python reads numbers there that JSON has not."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    return value
