"""What each format says of snapshots: the sets, what AWS counted, and what is made anew with v1."""

from __future__ import annotations

import csv
import io
import json

import jsonschema
import pytest

from analyzer.account.model import Part
from analyzer.report.formats import FORMATS
from analyzer.report.formats.selection import Detail
from analyzer.report.formats.table import ROWS_MAX
from analyzer.report.result import Report
from tests.fleet.account import Size
from tests.fleet.account import snapshot as of_fleet
from tests.unit.report.account.samples import (
    counted,
    facts,
    failure,
    findings,
    host,
    instance_id,
    report,
    snapshot,
    snapshots,
    v1,
)
from tests.unit.report.formats.test_formats import SCHEMA, strict
from tests.unit.report_samples import DAY, NOW

HOSTILE = "<script>alert(1)</script>|`*_[a](b)\x1b[2J"


def small(name: str = "web") -> Report:
    """Return a report with an instance in each of some sets."""
    return report(
        snapshots(
            snapshot(
                facts(1),
                facts(2, tags={"Name": f"{name}-2", "Team": name}),
                facts(3, calls=counted((NOW - DAY, 1204), no_token_rejected=7)),
                facts(4),
                facts(5, calls=None),
                failures=(failure(Part.IMAGES, text=name),),
            )
        ),
        findings([host(1), host(2)], [v1(2)]),
    )


@pytest.fixture(scope="module")
def large() -> Report:
    """Return a report over 400 instances, 100 of them with a log and a caller each."""
    watched = range(100)
    log = findings([host(n) for n in watched], [v1(n) for n in watched])
    return report(snapshots(of_fleet(Size(days=9, hosts=100, instances=400))), log)


def test_one_page_has_every_set(large: Report) -> None:
    text = FORMATS["table"](large)
    assert len(text.splitlines()) <= ROWS_MAX
    assert "400 instances, 2 accounts, 2 Regions" in text
    for row in (
        "74  IMDSv1 counted, not watched",
        "100  watched, IMDSv1 seen",
        "not watched, nothing known",
        "not watched, no IMDSv1 counted in 14 days",
        "would be made anew with IMDSv1",
        "IMDSv1 refused already",
        "not running",
    ):
        assert row in text


def test_details_are_behind_flags() -> None:
    brief = FORMATS["table"](small())
    full = " ".join(FORMATS["table"](small(), Detail(hosts=True, steps=True)).split())
    named = f"{instance_id(3)} (web-3): 111122223333 eu-west-1, 1,204 answered, 7 refused"
    assert named not in brief
    assert named in full
    assert "aws ssm send-command" in full
    assert "worker.py" in full
    assert "no figures" in full


@pytest.mark.parametrize("name", ["web", HOSTILE])
def test_json_has_all_and_the_shape_that_is_published(name: str) -> None:
    document = json.loads(FORMATS["json"](small(name)))
    jsonschema.validate(document, strict(SCHEMA), cls=jsonschema.Draft202012Validator)
    found = {of["kind"]: of for of in document["inventory"]["sets"]}
    assert {kind: of["count"] for kind, of in found.items() if of["count"]} == {
        "v1_unwatched": 1, "v1_watched": 1, "unknown": 1, "quiet_unwatched": 1, "watched_safe": 1,
    }  # fmt: skip
    assert (found["v1_unwatched"]["calls"], found["v1_unwatched"]["rejected"]) == (1204, 7)
    assert found["v1_watched"]["instances"][0]["callers"] == ["/srv/app/worker.py"]
    assert not document["inventory"]["is_complete"]
    assert document["owner"] is None


def test_launch_sources_have_the_shape_that_is_published(large: Report) -> None:
    document = json.loads(FORMATS["json"](large))
    jsonschema.validate(document, strict(SCHEMA), cls=jsonschema.Draft202012Validator)
    (first, *_) = document["inventory"]["launches"]
    assert (first["kind"], first["name"]) == ("launch template", "web, version 1 ($Default)")
    assert first["reason"] == "template says optional: optional"
    assert first["pinned_by"] == ["web-0"]


@pytest.mark.parametrize("name", ["web", HOSTILE])
def test_markdown_and_html_show_sets_and_callers_as_text(name: str) -> None:
    for form in ("markdown", "html"):
        text = FORMATS[form](small(name))
        assert "IMDSv1 counted, not watched" in text
        assert instance_id(3) in text
        assert "1,204" in text
        assert "<script>alert" not in text or form == "markdown"
        assert "\x1b" not in text


def test_csv_says_in_which_sets_a_caller_is() -> None:
    (row,) = csv.DictReader(io.StringIO(FORMATS["csv"](small())))
    assert row["instance_sets"] == "v1_watched 1"


def test_without_a_snapshot_nothing_is_said_of_one() -> None:
    from tests.unit import reports  # noqa: PLC0415 (one test's)

    document = json.loads(FORMATS["json"](reports.full()))
    assert document["inventory"] is None
    for form in ("table", "markdown", "html"):
        assert "made anew" not in FORMATS[form](reports.full())
