"""What is prepared for looking up."""

from __future__ import annotations

import dataclasses

from analyzer.report.findings import Sighting
from tests.unit.report.verdict.samples import CALLER, SAFE, every, judged, log
from tests.unit.report_samples import HOST


def test_a_caller_that_never_used_v1_is_none() -> None:
    """Nothing of it can be in the way."""
    with_v2 = Sighting(CALLER, HOST, (), tuple(every(1, 9, 0)), 0)
    verdict = judged(dataclasses.replace(log(), sightings=(with_v2,)))
    assert (verdict.judgement, verdict.callers) == (SAFE, ())
