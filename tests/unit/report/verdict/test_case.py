"""What is prepared for looking up."""

from __future__ import annotations

import dataclasses

from analyzer.report.callers import Sighting
from analyzer.report.hosts import Span
from analyzer.report.verdict.case import judged_period
from tests.unit.report.verdict.samples import CALLER, SAFE, every, judged, log
from tests.unit.report_samples import DAY, HOST, WEEK


def test_a_caller_that_never_used_v1_is_none() -> None:
    """Nothing of it can be in the way."""
    with_v2 = Sighting(CALLER, HOST, (), tuple(every(1, 9, 0)), 0)
    verdict = judged(dataclasses.replace(log(), sightings=(with_v2,)))
    assert (verdict.judgement, verdict.callers) == (SAFE, ())


def test_the_period_ends_with_the_log_but_not_in_the_future() -> None:
    """Without a line there is none."""
    of = log()
    assert of.last_at is not None
    for now, end in ((of.last_at + DAY, of.last_at), (of.last_at - DAY, of.last_at - DAY)):
        assert judged_period(of, WEEK, now) == Span(end - WEEK, end)
    assert judged_period(dataclasses.replace(of, hosts=()), WEEK, of.last_at) is None
