"""What JSON, CSV and Markdown say of a fleet: standings, roster, groups, decisions."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re

import jsonschema
import pytest

from analyzer.report.cloudwatch.differences import Account
from analyzer.report.formats import FORMATS, wording
from analyzer.report.formats.selection import Detail
from analyzer.report.result import Report, Standing
from tests.unit import report_fleet_samples as fleets
from tests.unit import report_samples as samples
from tests.unit import reports
from tests.unit.report.formats.test_formats import IN_FULL, SCHEMA


def _odd() -> Report:
    found = samples.findings((samples.old_botocore(),), (fleets.odd_host(),))
    return fleets.one_caller(fleets.standing(Standing.ACCEPTED), findings=found)


@pytest.mark.parametrize("report", [fleets.fleet(12), fleets.hostile("<b>|`"), _odd()])
def test_the_document_has_the_shape_that_is_published(report: Report) -> None:
    document = json.loads(FORMATS["json"](report))
    jsonschema.validate(document, SCHEMA, cls=jsonschema.Draft202012Validator)


def test_json_has_standings_dates_and_the_roster() -> None:
    document = json.loads(FORMATS["json"](fleets.fleet(12)))
    assert document["verdict"]["safe_on"] == "2026-11-30T00:00:00.000000Z"
    (first, *_) = document["hosts"][5]["verdict"]["callers"]
    assert (first["standing"], first["calls"], first["is_cleared"]) == ("calls", 6, False)
    assert first["interval_s"] == 604_800
    assert (document["roster"]["running"], document["roster"]["unwatched"]) == (15, 3)
    assert document["accepted"][0]["until"] == "2026-12-24"
    assert document["groups"][0]["name"] == "web-asg"
    assert document["input"]["unread"][0]["file"] == "/var/log/fleet/notes.txt"
    assert document["cloudwatch"]["differences"][0]["host"] == fleets.instance_id(0)


def test_json_has_what_aws_counted_of_each_host() -> None:
    """Also of those that agree, which are among no differences."""
    compared = json.loads(FORMATS["json"](fleets.fleet(12)))["cloudwatch"]
    assert compared["accounts"] == {
        fleets.instance_id(0): {"counted": 12, "recorded": 5, "is_partial": False},
        fleets.instance_id(2): {"counted": 0, "recorded": 0, "is_partial": True},
    }
    assert list(compared["silent"]) == [fleets.instance_id(2)]
    assert compared["is_partial"]


@pytest.mark.parametrize(
    ("hosts", "said"),
    [
        (0, "in 168 periods, the log has 1,003; they differ in 1 period."),
        (1, "in 168 periods, of 1 host by its own figures, the log has 1,003;"),
        (2, "in 168 periods, of 2 hosts by their own figures, the log has 1,003;"),
    ],
)
def test_a_sentence_says_how_many_hosts_have_figures_of_their_own(hosts: int, said: str) -> None:
    accounts = {fleets.instance_id(n): Account(12, 5, is_partial=False) for n in range(hosts)}
    figures = dataclasses.replace(reports.comparison(), accounts=accounts)
    assert said in wording.comparison(figures)


@pytest.mark.parametrize("form", ["table", "markdown", "html"])
def test_a_difference_names_its_host_and_what_aws_perhaps_counted(form: str) -> None:
    text = FORMATS[form](fleets.fleet(12), IN_FULL)
    # In HTML a name may be broken between its parts.
    plain = re.sub(r"<[^>]*>", " ", text[text.index("Comparison with CloudWatch") :])
    told = plain[: plain.lower().index("missing")].lower()
    assert "perhaps" in told
    assert "answer" not in told
    assert "ip-10-0-0-0" in plain


def test_json_has_what_is_wrong_with_lines() -> None:
    host = json.loads(FORMATS["json"](_odd()))["hosts"][0]
    assert host["shortfalls"][0]["missing"] == 3
    assert host["odd"][0]["example"] == "imds.provider: aws2"
    assert host["boots"][0]["attached_s"] == 4.5
    assert host["overlap"]["start"] < host["overlap"]["end"]


def test_csv_says_where_a_caller_is_in_the_way_and_until_when() -> None:
    rows = list(csv.DictReader(io.StringIO(FORMATS["csv"](fleets.fleet(400)))))
    assert (rows[0]["standing"], rows[0]["hosts_in_the_way"]) == ("calls", "80")
    assert rows[0]["safe_on"] == "2026-11-30T00:00:00Z"


def test_csv_has_a_caller_that_since_leaves_out() -> None:
    report = fleets.one_caller(fleets.standing(Standing.DUE, caller="/old/job"), entries=())
    (row,) = csv.DictReader(io.StringIO(FORMATS["csv"](report)))
    assert (row["caller"], row["standing"], row["program"]) == ("/old/job", "due", "")


@pytest.mark.parametrize("form", ["table", "json", "csv", "markdown"])
def test_an_accepted_caller_is_shown_with_who_why_and_until_when(form: str) -> None:
    said = FORMATS[form](fleets.one_caller(fleets.standing(Standing.ACCEPTED)))
    said = said.replace("`", "")
    for part in ("ops@example.com", "it is switched", "2026-12-24"):
        assert part in said


@pytest.mark.parametrize("form", ["table", "csv", "markdown"])
def test_a_mended_caller_says_since_when(form: str) -> None:
    said = FORMATS[form](fleets.one_caller(fleets.standing(Standing.SPEAKS_V2)))
    assert "v2 since 2026-11-20 00:00 UTC" in said


def test_markdown_has_the_summary_and_lists_all_if_asked() -> None:
    report = dataclasses.replace(fleets.fleet(400), comparison=None)
    said = FORMATS["markdown"](report)
    assert "### Instances: 400 of 403 running instances have a log" in said
    assert "| `service-000.py` | breaks | 80 |" in said
    assert "`--hosts` has all" in said
    assert "left out here; `--hosts`" not in FORMATS["markdown"](report, Detail(hosts=True))


def test_markdown_tells_two_hosts_of_one_name_apart() -> None:
    said = FORMATS["markdown"](fleets.two_of_one_name())
    assert f"`localhost ({fleets.instance_id(0)})`" in said
