"""Whole requests, read without a parser."""

from __future__ import annotations

from analyzer.recorder.decode.whole import REPEATED_MAX, maybe_whole_request
from tests.unit.secret_requests import get


def test_requests_that_repeat_are_remembered_within_a_bound() -> None:
    """What a host sends in turn may be more; each is read all the same, also the second time."""
    many = [get(f"/latest/{number}") for number in range(2 * REPEATED_MAX)]
    for _ in range(2):
        found = [maybe_whole_request(each) for each in many]
        paths = [each.target for each in found if each is not None]
        assert paths == [f"/latest/{number}" for number in range(len(many))]
