"""Makes the part of the JSON document that says what to change; ``fixes`` in its schema."""

from __future__ import annotations

from typing import Any

from analyzer.report.formats import fix_words, fixes
from analyzer.report.formats.fixes import Fix, Member, Share
from analyzer.report.result import Report
from analyzer.report.targets import ACTS


def fix_document(fix: Fix, report: Report) -> dict[str, Any]:
    """Return one fix with all of its callers and hosts; ``callers`` of the document have more."""
    target, entry = fix.target, fix.first.entry
    return {
        "act": target.act.value,
        "what": target.what,
        "where": target.where or None,
        "needed": target.needed,
        "title": fix_words.title(fix),
        "grouped_because": ACTS[target.act].why,
        "caller_count": len(fix.members),
        "host_count": fix.host_count,
        "calls": fix.calls,
        "versions": fix.versions,
        "lines": fix.lines,
        "places": fix.places,
        "owners": [
            {"owner": name or None, "hosts": number}
            for name, number in fixes.owners(report, fix).items()
        ],
        "advice": () if entry is None else entry.diagnosis.advice,
        "commands": () if entry is None else entry.diagnosis.commands,
        "callers": [_member(each) for each in fix.members],
        "also": [each.caller.key for each in fix.also],
        "by_host": [_share(each) for each in fix.by_host()],
    }


def _member(member: Member) -> dict[str, Any]:
    caller = member.caller
    return {
        "caller": caller.key,
        "cause": caller.cause.value,
        "standing": None if caller.standing is None else caller.standing.value,
        "calls": caller.calls,
        "host_count": caller.host_count,
        "safe_on": caller.safe_on,
        "seen": [each._asdict() for each in member.target.seen],
    }


def _share(share: Share) -> dict[str, Any]:
    return {
        "host": share.host,
        "calls": [{"host": host, "calls": number} for host, number in share.calls_of.items()],
        "versions": share.versions,
        "callers": [each.key for each in share.callers],
    }
