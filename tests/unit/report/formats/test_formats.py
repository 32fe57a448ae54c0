"""What each format says of a report, and what it leaves out and says that it does."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from rich.console import Console

import analyzer.report.formats
from analyzer.errors import AnalyzerError
from analyzer.report.formats import FORMATS, table
from analyzer.report.formats.csv import (
    COLUMNS,
    OF_THE_ACCOUNT,
    OF_THE_CODE,
    OF_THE_CONTAINERS,
    OF_THE_FIX,
    OF_THE_VERDICT,
    REMARKS,
    cell,
)
from analyzer.report.formats.html import as_text as as_html
from analyzer.report.formats.selection import Detail
from analyzer.report.result import Judgement, Report, Step
from tests.unit import report_samples as samples
from tests.unit import reports

FOLDER = Path(analyzer.report.formats.__file__).parent
FOR_PEOPLE = ("table", "markdown", "html")
IN_FULL = Detail(hosts=True, callers=True, steps=True)


def strict(schema: Any) -> Any:
    """Return the schema without leave for members that it does not describe."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: strict(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict):
        closed.setdefault("additionalProperties", False)
    return closed


SCHEMA = strict(json.loads((FOLDER / "report.schema.json").read_text(encoding="utf-8")))
REPORTS = {
    "full": reports.full(),
    "safe": reports.safe(),
    "empty": reports.empty(),
    "hostile": reports.hostile(samples.HOSTILE),
}


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("form", FORMATS)
def test_the_same_report_gives_the_same_text(form: str, name: str) -> None:
    text = FORMATS[form](REPORTS[name])
    assert text == FORMATS[form](REPORTS[name])
    assert text.endswith("\n")
    text.encode("utf-8")


@pytest.mark.parametrize("form", FOR_PEOPLE)
def test_people_are_told_who_why_and_what_to_do(form: str) -> None:
    """Every format for people has the verdict, callers, diagnosis, commands, and damage."""
    text = FORMATS[form](reports.full(), IN_FULL).replace("&#39;", "'").replace("&gt;", ">")
    for said in (
        "NOT SAFE",
        "curl ← deploy.sh",
        "cron.service",
        "botocore 1.12.253 cannot speak IMDSv2.",
        "Upgrade botocore from 1.12.253 to 1.13.25 or later.",
        "pip install --upgrade 'botocore>=1.13.25'",
        "--http-put-response-hop-limit 2",
        "Forwarded",
        "CloudWatch counted 1,012 tokenless calls in 168 periods",
        "/var/log/imds-analyzer/imds.jsonl.2.gz:17: not JSON",
        "Require tokens on each instance",
    ):
        assert said in text, said


@pytest.mark.parametrize("form", FOR_PEOPLE)
def test_an_empty_log_is_not_called_clean(form: str) -> None:
    text = FORMATS[form](reports.empty())
    assert "NOT ENOUGH EVIDENCE" in text
    assert "which proves nothing" in text
    assert "nobody calls" not in text


@pytest.mark.parametrize(
    ("form", "size_max"),
    [("markdown", 65_536), ("html", 2_000_000)],
)
def test_a_large_report_stays_readable_and_says_what_it_leaves_out(
    form: str, size_max: int
) -> None:
    """10,000 callers, 5,000 hosts; 65,536 characters are what a comment in a ticket holds."""
    text = FORMATS[form](reports.large(groups=10_000, hosts=5_000))
    assert len(text.encode()) < size_max
    assert "more callers left out" in text
    assert "more hosts" in text
    assert ("4,900" if form == "html" else "4,990") + " more commands left out" in text


@pytest.mark.parametrize("form", ["table", "markdown"])
def test_a_command_is_whole_or_left_out(form: str) -> None:
    """Half of a command that names a thousand instances must not be run."""
    long = "aws ec2 describe-instances --instance-ids " + "i-0123456789abcdef0 " * 1000
    step = Step("Look", "First.", ("aws sts get-caller-identity", long))
    text = FORMATS[form](reports.report(steps=(step,)))
    assert "aws sts get-caller-identity" in text
    assert "describe-instances" not in text
    assert "1 more command left out here" in text


@pytest.mark.parametrize("form", FOR_PEOPLE)
def test_the_only_host_does_not_repeat_the_reasons_of_the_whole(form: str) -> None:
    text = FORMATS[form](reports.safe())
    assert text.count("all of which were watched.") == 1
    verdict = reports.verdict(Judgement.NOT_SAFE, "One caller is left.")
    hosts = (
        dataclasses.replace(verdict, host="a"),
        reports.verdict(Judgement.NOT_SAFE, "b", host="b"),
    )
    text = FORMATS[form](reports.report(verdict=verdict, host_verdicts=hosts), IN_FULL)
    assert text.count("One caller is left.") == 1
    assert "for the reasons above" in text


def test_formats_for_programs_leave_nothing_out() -> None:
    report = reports.large(groups=300, hosts=700)
    document = json.loads(FORMATS["json"](report))
    assert len(document["callers"]) == 300
    assert len(document["hosts"]) == 700
    assert len(document["steps"][0]["commands"]) == 700
    assert len(list(csv.reader(io.StringIO(FORMATS["csv"](report))))) == 301


class TestTable:
    """The table of a terminal."""

    @pytest.mark.parametrize("width", [40, 80, 200])
    @pytest.mark.parametrize("name", REPORTS)
    def test_lines_fit_but_for_what_is_copied(self, name: str, width: int) -> None:
        """Commands are never broken: they would not run."""
        file = io.StringIO()
        report = dataclasses.replace(REPORTS[name], steps=())
        entries = (
            dataclasses.replace(each, diagnosis=dataclasses.replace(each.diagnosis, commands=()))
            for each in report.entries
        )
        table.show(
            dataclasses.replace(report, entries=tuple(entries)), Console(file=file, width=width)
        )
        longest = max(len(line) for line in file.getvalue().splitlines())
        assert longest <= min(width, table.COLUMNS_MAX)

    def test_commands_are_whole(self) -> None:
        text = FORMATS["table"](reports.full(), IN_FULL)
        for command in (*reports.TOKEN_COMMANDS, reports.POLICY):
            for line in command.split("\n"):
                assert f"    {line}\n" in text

    def test_v1_is_red_on_a_terminal_and_plain_in_a_pipe(self) -> None:
        file = io.StringIO()
        console = Console(file=file, force_terminal=True, color_system="standard", width=80)
        table.show(reports.full(), console, IN_FULL)
        assert "\x1b[1;31m120 v1" in file.getvalue()
        file = io.StringIO()
        table.show(reports.full(), Console(file=file, width=80))
        assert "\x1b" not in file.getvalue()
        assert file.getvalue() == FORMATS["table"](reports.full())

    def test_a_terminal_that_knows_ascii_only_is_given_that(self) -> None:
        raw = io.BytesIO()
        file = io.TextIOWrapper(raw, encoding="ascii")
        table.show(reports.report(generated_at=samples.NOW), Console(file=file, width=80))
        file.flush()
        assert b"curl <- deploy.sh" in raw.getvalue()

    def test_no_line_is_forged(self) -> None:
        """A line end in a name does not begin a line, except in what is to be copied."""
        lines = FORMATS["table"](reports.hostile("x\nSAFE")).splitlines()
        assert "SAFE" not in lines
        assert not any(re.fullmatch(r" {0,3}SAFE", line) for line in lines)

    def test_the_judgement_is_the_last_line(self) -> None:
        assert FORMATS["table"](reports.full()).splitlines()[-1] == "NOT SAFE"


class TestJson:
    """The document for programs."""

    @pytest.mark.parametrize("name", REPORTS)
    def test_it_has_the_shape_that_is_published(self, name: str) -> None:
        document = json.loads(FORMATS["json"](REPORTS[name]))
        jsonschema.validate(document, SCHEMA, cls=jsonschema.Draft202012Validator)

    def test_the_schema_is_one(self) -> None:
        jsonschema.Draft202012Validator.check_schema(SCHEMA)

    def test_it_says_what_the_report_says(self) -> None:
        document = json.loads(FORMATS["json"](reports.full()))
        assert document["format"] == 2
        assert document["generated_at"] == "2026-11-22T00:00:00.000000Z"
        assert document["verdict"]["judgement"] == "NOT SAFE"
        (old, *_) = document["callers"]
        assert old["program"] == "/srv/app/worker.py"
        assert old["requests"] == {"v1": 120, "unknown": 0, "v2": 0}
        assert old["diagnosis"]["cause"] == "old_sdk"
        assert old["days"][0] == "2026-11-15"
        assert old["example"] == samples.old_botocore().example
        assert document["cloudwatch"]["differences"][0]["missing"] == 7
        assert document["input"]["damage"][1]["line"] is None

    def test_numbers_that_json_has_not_are_texts(self) -> None:
        """Python reads NaN in a line of the log; other parsers would refuse the document."""
        line = {**samples.example(), "odd": [float("nan"), {"x": float("inf")}]}
        group = samples.old_botocore(line=line)
        entry = dataclasses.replace(reports.everything()[0], group=group)
        document = json.loads(FORMATS["json"](reports.report(entries=(entry,))), parse_constant=str)
        assert document["callers"][0]["example"]["odd"] == ["nan", {"x": "inf"}]


class TestCsv:
    """The rows for a spreadsheet."""

    def test_a_row_per_caller(self) -> None:
        rows = list(csv.DictReader(io.StringIO(FORMATS["csv"](reports.full()))))
        assert [row["cause"] for row in rows] == [
            each.diagnosis.cause.value for each in reports.everything()
        ]
        columns = [*COLUMNS, *OF_THE_VERDICT, *OF_THE_CODE, *OF_THE_CONTAINERS]
        assert list(rows[0]) == [*columns, *OF_THE_ACCOUNT, REMARKS, *OF_THE_FIX]
        script = rows[4]
        assert script["program"] == "/usr/bin/curl"
        assert script["launcher"] == "/opt/deploy/deploy.sh"
        assert (script["v1"], script["v1_success"], script["v1_days"]) == ("14", "14", "7")
        assert script["first_at"] == "2026-11-15T00:00:00Z"

    @pytest.mark.parametrize(
        "value",
        ["=1+1", "+1", "-1", "@SUM(A1)", "＝1", "＋1", "－1", "＠a"],  # noqa: RUF001
    )
    def test_a_formula_is_text(self, value: str) -> None:
        assert cell(value) == f"'{value}"

    @pytest.mark.parametrize(("value", "shown"), [("\t=1", r"\t=1"), ("\r=1", r"\r=1")])
    def test_what_moves_to_another_cell_is_shown_instead(self, value: str, shown: str) -> None:
        assert cell(value) == shown

    def test_numbers_stay_numbers(self) -> None:
        assert cell(-1) == "-1"
        assert cell(None) == ""


class TestHtml:
    """The page; what a browser makes of it is tested in tests/browser."""

    def test_without_jinja2_the_error_says_what_to_install(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "jinja2", None)
        with pytest.raises(AnalyzerError, match=r"pip install 'imds-analyzer\[report\]'"):
            as_html(reports.full())

    def test_no_template_goes_round_the_escaping(self) -> None:
        """Nothing is marked as safe, no element has a style or a handler of its own."""
        for file in (FOLDER / "page").iterdir():
            source = file.read_text(encoding="utf-8")
            found = re.search(r"\|\s*safe|autoescape|innerHTML|\sstyle=|\son[a-z]+=", source)
            assert found is None, f"{file.name}: {found}"
        assert "Markup" not in (FOLDER / "html.py").read_text(encoding="utf-8")


def test_every_judgement_and_cause_has_its_words() -> None:
    """A new one that nobody has named would break a page."""
    for judgement in Judgement:
        report: Report = reports.report(verdict=reports.verdict(judgement, "Because."))
        for form in FOR_PEOPLE:
            assert judgement.value in FORMATS[form](report)
