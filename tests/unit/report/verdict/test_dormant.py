"""Code that a scan found is a remark; with --strict it is not enough for SAFE."""

from __future__ import annotations

import pytest

from analyzer.report.dormant.scanned import Dormant, Place, Scans
from analyzer.report.result import Verdict
from tests.unit.report.verdict.samples import NOT_ENOUGH, SAFE, codes, log, text
from tests.unit.report.verdict.samples import judge as judge_log
from tests.unit.report_samples import HOST, NOW

FACTS = Place("", "", "/opt/ops/facts.sh", 12, False)
SDK = Place("botocore", "", "/srv/botocore", 0, True)


def judge(*places: Place, is_strict: bool = False, is_complete: bool = True) -> Verdict:
    scans = Scans({HOST: Dormant(NOW, is_complete, places)}, is_strict)
    return judge_log(log(), scans=scans)[0]


def test_dormant_code_is_a_remark() -> None:
    verdict = judge(FACTS, SDK)
    assert verdict.judgement is SAFE
    said = text(verdict, "dormant")
    assert "found 2 places that would call IMDSv1 (1 of unknown version), and did not" in said
    assert "/opt/ops/facts.sh:12, botocore in /srv/botocore" in said.replace(" and ", ", ")


def test_dormant_code_is_in_the_way_if_asked() -> None:
    verdict = judge(FACTS, is_strict=True)
    assert verdict.judgement is NOT_ENOUGH
    assert {"dormant_code", "dormant"} & codes(verdict) == {"dormant_code"}
    assert verdict.safe_on is None  # time alone does not help


@pytest.mark.parametrize("is_strict", [False, True])
def test_a_clean_scan_says_nothing(*, is_strict: bool) -> None:
    verdict = judge(is_strict=is_strict)
    assert verdict.judgement is SAFE
    assert not {"dormant_code", "dormant", "not_scanned"} & codes(verdict)


def test_a_scan_that_is_not_complete_is_not_enough_if_asked() -> None:
    assert judge(is_complete=False).judgement is SAFE
    verdict = judge(is_complete=False, is_strict=True)
    assert (verdict.judgement, "not_scanned" in codes(verdict)) == (NOT_ENOUGH, True)


def test_a_host_without_a_scan_is_not_enough_if_asked() -> None:
    for is_strict, judgement in ((False, SAFE), (True, NOT_ENOUGH)):
        verdict = judge_log(log(), scans=Scans({}, is_strict))[0]
        assert verdict.judgement is judgement
        assert ("not_scanned" in codes(verdict)) is is_strict
