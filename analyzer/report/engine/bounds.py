"""Holds what the queries in ``queries/`` are filled with: bounds, patterns and names."""

from __future__ import annotations

from collections.abc import Mapping

from analyzer.logline.events import HEARTBEAT, LOST, STARTED, STOPPED
from analyzer.logline.fields import VERSIONS
from analyzer.logline.line import LINE_MAX
from analyzer.logline.named_caller import NOT_TEXT, TEXT_MAX, UNKNOWN
from analyzer.report.engine.numbers import CALLS, COUNT, NUMBERS, SECONDS_MAX
from analyzer.report.findings import CAPTURE_HOST, CAPTURE_PROBE, FURTHER

MICROSECONDS = 1_000_000
USERS_LISTED_MAX = 10
AGENTS_LISTED_MAX = 10
# A time in UTC as the log has it, or as a database writes it.
TIME = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.][0-9]{1,9})?"
    r"(?:Z|[+]00(?::?00)?)?\z"
)
# Lines about the analyzer itself that say when it was running, or what it has lost.
_MARKS = (HEARTBEAT, STARTED, STOPPED, LOST)

GLOBALS: Mapping[str, object] = {
    "MICROSECONDS": MICROSECONDS,
    "MINUTE_US": 60 * MICROSECONDS,
    "DAY_US": 86_400 * MICROSECONDS,
    # Between the parts of a folded line's count, and between its counts.
    "UNIT": "chr(31)",
    "RECORD": "chr(30)",
    "MARKS": _MARKS,
    # Kinds of calls in one folded line: 6 operations with 6 outcomes, and some more.
    "KINDS_MAX": 64,
    # Of one host. What is left out is the oldest: stretches of time are then not covered, losses
    # are one for each reason.
    "SPANS_MAX": 1000,
    "LOSSES_MAX": 200,
    "BOOTS_MAX": 200,
    # A heartbeat says how long it has been since the last; a second's difference comes from clocks
    # that are set while the analyzer runs.
    "GAP_US": 5 * MICROSECONDS,
    # The longest interval that can be configured.
    "INTERVAL_MAX_S": 86_400,
    "COUNT": COUNT,
    "CALLS": CALLS,
    "NUMBERS": NUMBERS,
    "SECONDS_MAX": SECONDS_MAX,
    "VERSIONS": VERSIONS,
    "TEXT_MAX": TEXT_MAX,
    "NOT_TEXT": NOT_TEXT,
    "UNKNOWN": UNKNOWN,
    "LINE_MAX": LINE_MAX,
    "CAPTURE_HOST": CAPTURE_HOST,
    "CAPTURE_PROBE": CAPTURE_PROBE,
    "FURTHER": FURTHER,
}
