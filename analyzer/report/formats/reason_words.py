"""Names each reason of a verdict in a few words."""

from __future__ import annotations

# Beside a host, and before the sentence that the whole has of many hosts.
REASONS = {
    "v1_calls": "calls IMDSv1",
    "v1_rejected": "IMDSv1 refused",
    "unaccounted_calls": "AWS counted more",
    "unwatched_calls": "AWS counted more, unwatched",
    "unaccounted_earlier": "AWS counted more before",
    "partial_figures": "partial AWS figures",
    "damaged_input": "damaged lines",
    "unread_files": "files not read",
    "missing_lines": "lines missing",
    "not_understood": "lines not understood",
    "impossible_time": "impossible times",
    "ambiguous_host": "two hosts, one name",
    "unwatched_instances": "instances without a log",
    "clock_ahead": "clock ahead",
    "unnamed_capture": "capture of no host",
    "old_log": "old log",
    "no_lines": "no lines",
    "not_covered": "not watched",
    "short": "watched too short",
    "gaps": "gaps",
    "recurring_gap": "recurring gap",
    "silent": "went silent",
    "lost_events": "lost requests",
    "unknown_versions": "unreadable requests",
    "no_requests": "no requests",
    "recent_boot": "just booted",
    "rare_caller": "may call again",
    "boot_caller": "calls at boot",
    "dormant_code": "dormant code in the way",
    "dormant": "dormant code",
    "not_scanned": "not scanned",
    "gone": "not running",
    "gone_callers": "callers of gone hosts",
    "stopped_calling": "stopped calling",
    "mended": "switched to IMDSv2",
    "accepted": "accepted caller",
    "small_gaps": "small gaps",
    "lost_answers": "lost answers",
    "recent_deployment": "just deployed",
    "no_boot_seen": "no boot seen",
    "boot_seen": "boot watched",
    "no_month_start": "no start of a month",
    "accounted": "AWS counted the same",
    "closed_by_cloudwatch": "gap closed by AWS figures",
    "only_logged": "only hosts with a log",
    "left_out": "later calls left out",
    "less_silence": "less silence asked for",
    "blind_spots": "blind spots",
    "off": "was off",
    "young": "launched lately",
}


def reason(code: str) -> str:
    """Return the short name of a reason; of an unknown one, its code in words."""
    return REASONS.get(code) or code.replace("_", " ")
