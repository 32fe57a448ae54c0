"""Counts calls without a token by host and period, as AWS counts them."""

from __future__ import annotations

import datetime
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from analyzer.report.engine.bounds import MICROSECONDS
from analyzer.report.findings import Tokenless

# Outcome, and whether it was a call to AWS's service -> how AWS counts it. MetadataNoToken counts
# what succeeded, of whatever path; MetadataNoTokenRejected what was refused because it had no
# token. Nothing says how AWS counts any other, so these are uncertain.
_COUNTED = {
    ("success", True): "success",
    ("success", False): "success",
    ("rejected", True): "rejected",
}


def tokenless(rows: Iterable[tuple[Any, ...]]) -> Mapping[str, tuple[Tokenless, ...]]:
    """Return the rows of ``tokenless.sql`` by host, in the order of time."""
    found: dict[tuple[str, int], Counter[str]] = defaultdict(Counter)
    for host, start_us, outcome, is_aws, requests in rows:
        kind = _COUNTED.get((outcome, bool(is_aws)), "uncertain")
        found[host, int(start_us)][kind] += int(requests)
    by_host: dict[str, list[Tokenless]] = defaultdict(list)
    for (host, start_us), counts in sorted(found.items()):
        start = datetime.datetime.fromtimestamp(start_us // MICROSECONDS, datetime.timezone.utc)
        by_host[host].append(
            Tokenless(start, counts["success"], counts["rejected"], counts["uncertain"])
        )
    return {host: tuple(each) for host, each in by_host.items()}
