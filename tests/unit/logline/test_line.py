"""Lines of logs, taken apart by their readers."""

from __future__ import annotations

import json
from typing import Any, Optional

import pytest

from analyzer.logline.events import METRICS
from analyzer.logline.line import LINE_MAX, parse


def seconds_of(timestamp: object) -> Optional[float]:
    line = parse(json.dumps({"timestamp": timestamp, "event": "heartbeat"}).encode())
    assert line is not None
    return line.at_s


def test_a_line_is_an_event_at_a_time() -> None:
    raw = b'{"timestamp":"1970-01-02T00:00:01.500000Z","event":"heartbeat","lost":3,"x":true}'
    line = parse(raw)
    assert line is not None
    assert (line.event, line.at_s) == ("heartbeat", 86401.5)
    assert (line.text("event"), line.text("lost"), line.text("no", "x")) == ("heartbeat", "", "")
    assert (line.number("lost"), line.number("x"), line.number("lost", "y")) == (3, None, None)


@pytest.mark.parametrize(
    "raw",
    [
        b"[]",
        b"1",
        b"no JSON",
        b"\xff",
        b'{"event":""}',
        b'{"event":1}',
        b'{"_aws":1}',
        b"[" * 100_000,
        b'{"event":"heartbeat"}'.ljust(LINE_MAX),
    ],
)
def test_what_the_analyzer_does_not_write_is_none_of_its_lines(raw: bytes) -> None:
    assert parse(raw) is None


def test_embedded_metrics_are_known_by_their_own_member() -> None:
    """CloudWatch's format has no place for an event's name."""
    line = parse(b'{"_aws":{},"Requests":1}')
    assert line is not None
    assert (line.event, line.at_s) == (METRICS, None)


@pytest.mark.parametrize(
    "timestamp",
    [
        None,
        5,
        "today",
        "1969-12-31T23:59:59.000000Z",
        "2026-13-01T00:00:00.000000Z",
        "2026-01-32T00:00:00.000000Z",
    ],
)
def test_what_is_no_time_is_unknown(timestamp: object) -> None:
    assert seconds_of(timestamp) is None


@pytest.mark.parametrize(
    ("repeated", "calls"),
    [
        (None, 1),
        ([], 1),
        ([{"count": 3}, {"count": 4}], 7),
        ([{"count": True}, {"count": -1}, {"count": "9"}, 9], 1),
    ],
)
def test_a_folded_line_stands_for_several_calls(repeated: Any, calls: int) -> None:
    """Counts of a line that was tampered with are left out."""
    line = parse(json.dumps({"event": "imds_request", "imds": {"repeated": repeated}}).encode())
    assert line is not None
    assert line.calls == calls
