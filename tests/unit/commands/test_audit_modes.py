"""The command line of checks, guardrails and CloudTrail: exit codes, results, and what goes on."""

from __future__ import annotations

import datetime
import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import click.testing
import pytest

from analyzer.account.file import as_bytes
from analyzer.cli import cli
from analyzer.commands.audit import audit
from tests.unit.account.check.snapshots import INSTANCE, safe, unread, unsafe
from tests.unit.account.credentials.records import ACCOUNT, REGION, record, some
from tests.unit.report.engine.test_fetches import call

UTC = datetime.timezone.utc
NOW = datetime.datetime.now(UTC)
_STS = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
    f"<GetCallerIdentityResult><Arn>arn:aws:iam::{ACCOUNT}:user/ana</Arn><UserId>A</UserId>"
    f"<Account>{ACCOUNT}</Account></GetCallerIdentityResult>"
    "<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
)


def run(*arguments: str) -> click.testing.Result:
    return click.testing.CliRunner().invoke(audit, arguments)


@pytest.fixture
def snapshots(tmp_path: Path) -> dict[str, str]:
    """Return the names of files with snapshots."""
    made = {"safe": safe(), "unsafe": unsafe(), "unread": unread(safe())}
    for name, snapshot in made.items():
        (tmp_path / name).write_bytes(as_bytes(replace(snapshot, taken_at=NOW)))
    return {name: str(tmp_path / name) for name in made}


def test_the_exit_code_is_that_of_the_worst_rule(snapshots: dict[str, str]) -> None:
    assert run("--check", "--snapshot", snapshots["safe"]).exit_code == 0
    ran = run("--check", "--snapshot", snapshots["unsafe"])
    assert ran.exit_code == 11
    assert "FAIL  No instance allows IMDSv1" in ran.output
    assert run("--check", "--snapshot", snapshots["unread"]).exit_code == 10


@pytest.mark.parametrize(
    ("arguments", "age", "exit_code"),
    [
        ((), datetime.timedelta(hours=47), 0),
        ((), datetime.timedelta(hours=49), 17),
        ((), datetime.timedelta(minutes=-3), 0),
        ((), datetime.timedelta(minutes=-30), 17),
        (("--max-age", "2h"), datetime.timedelta(hours=3), 17),
        (("--max-age", "400d"), datetime.timedelta(days=390), 0),
        (("--max-age", "400d"), datetime.timedelta(hours=-1), 17),
    ],
)
def test_a_snapshot_that_is_not_of_today_does_not_pass(
    arguments: tuple[str, ...], age: datetime.timedelta, exit_code: int, tmp_path: Path
) -> None:
    path = tmp_path / "account.json"
    path.write_bytes(as_bytes(replace(safe(), taken_at=datetime.datetime.now(UTC) - age)))
    ran = run("--check", "--snapshot", str(path), *arguments)
    assert ran.exit_code == exit_code, ran.output
    assert ("FAIL  The snapshot is recent" in ran.output) is bool(exit_code)


def test_an_age_that_is_no_length_is_named(snapshots: dict[str, str]) -> None:
    ran = run("--check", "--snapshot", snapshots["safe"], "--max-age", "soon")
    assert ran.exit_code == 2
    assert "write 90m, 36h, 7d or 2w" in ran.output


def test_a_result_that_cannot_be_written_names_its_option(
    snapshots: dict[str, str], tmp_path: Path
) -> None:
    ran = run("--check", "--snapshot", snapshots["safe"], "--result", str(tmp_path))
    assert ran.exit_code == 1
    assert "Choose another file with --result" in str(ran.exception)


@pytest.mark.parametrize("form", ["text", "sarif"])
def test_a_full_disk_at_standard_output_is_an_error(form: str, snapshots: dict[str, str]) -> None:
    """What was not written was not checked."""
    words = ("audit", "--check", "--snapshot", snapshots["safe"], "--format", form)
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "analyzer", *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ran.returncode == 1
    assert ran.stderr == "imds-analyzer: cannot write the output: No space left on device\n"


def test_exceptions_and_an_earlier_snapshot_excuse(
    snapshots: dict[str, str], tmp_path: Path
) -> None:
    check = ("--check", "--snapshot", snapshots["unsafe"])
    assert run(*check, "--previous", snapshots["unsafe"]).exit_code == 0
    assert run(*check, "--previous", snapshots["safe"]).exit_code == 11
    rules = ("default", "template", "configuration", "group", "image")
    listed = "\n".join(
        f'[[exception]]\nrule = "{rule}"\nresource = "*"\nby = "Ana"\nwhy = "later"\n'
        "until = 9999-12-31\n"
        for rule in rules
    )
    path = tmp_path / "exceptions.toml"
    path.write_text(listed, encoding="utf-8")
    ran = run(*check, "--exceptions", str(path))
    assert ran.exit_code == 16
    assert f"{INSTANCE}: its HttpTokens is optional" in ran.output


def test_a_previous_snapshot_that_is_the_later_one_is_an_error(
    snapshots: dict[str, str], tmp_path: Path
) -> None:
    """Swapped names would excuse all that is new."""
    later = tmp_path / "later"
    later.write_bytes(as_bytes(replace(unsafe(), taken_at=NOW + datetime.timedelta(minutes=1))))
    check = ("--check", "--snapshot", snapshots["unsafe"])
    ran = run(*check, "--previous", str(later))
    assert ran.exit_code == 1
    assert "--previous needs an earlier snapshot" in str(ran.exception)
    assert (
        run("--check", "--snapshot", str(later), "--previous", snapshots["unsafe"]).exit_code == 0
    )


def test_a_snapshot_of_nothing_does_not_pass(tmp_path: Path) -> None:
    path = tmp_path / "nothing.json"
    path.write_bytes(as_bytes(replace(safe(), regions=())))
    result = run("--check", "--snapshot", str(path))
    assert result.exit_code not in (0, None)
    assert "nothing to check" in result.output + str(result.exception)
    path.write_bytes(as_bytes(unread(replace(safe(), regions=(), taken_at=NOW))))
    assert run("--check", "--snapshot", str(path)).exit_code == 10


def test_results_are_written_in_every_format(snapshots: dict[str, str], tmp_path: Path) -> None:
    check = ("--check", "--snapshot", snapshots["unsafe"])
    result = tmp_path / "result"
    for form in ("json", "junit", "sarif"):
        assert run(*check, "--format", form, "--result", str(result)).exit_code == 11
        text = result.read_text(encoding="utf-8")
        if form == "junit":
            assert ET.fromstring(text).attrib["failures"] == "7"  # noqa: S314 (our own)
        else:
            assert json.loads(text)
        assert run(*check, "--format", form).output == text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--exceptions", "x"], "--exceptions needs --check"),
        (["--snapshot", "x"], "--snapshot needs"),
        (["--instance", INSTANCE], "--instance needs --cloudtrail"),
        (["--cloudtrail"], "--cloudtrail needs --uses FILE"),
        (["--logs", "x"], "--logs needs --uses"),
        (["--location", "s3://x"], "--location needs"),
        (["--check", "--uses", "x"], "exclude each other"),
        (["--check", "--format", "sarif"], "need --result FILE or --snapshot FILE"),
        (["--uses", "x", "--format", "sarif"], "go with --check"),
        (["--cloudtrail-sql", "--days", "91"], "give 1 to 90"),
        (["--max-age", "2d"], "--max-age needs --check and --snapshot"),
        (["--check", "--max-age", "2d"], "--max-age needs --check and --snapshot"),
        (["--check", "--guardrails", "x"], "--check cannot be combined with `audit --guardrails`"),
        (
            ["--check", "--cloudtrail-sql"],
            "--check cannot be combined with `audit --cloudtrail-sql`",
        ),
        (
            ["--check", "--snapshot", "x", "--region", "eu-west-1"],
            "--region cannot be combined with `audit --check --snapshot`",
        ),
        (["--check", "--snapshot", "x", "--output", "y"], "--output cannot be combined with"),
        (["--uses", "x", "--previous", "y"], "--previous cannot be combined with `audit --uses`"),
        (["--result", "x"], "--result cannot be combined with `audit`"),
    ],
)
def test_options_that_do_not_go_together_are_named(arguments: list[str], said: str) -> None:
    ran = run(*arguments)
    assert ran.exit_code == 2
    assert said in " ".join(ran.output.split())


def test_ctrl_c_in_a_check_has_the_exit_code_of_an_interrupt(
    snapshots: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("analyzer.account.file.read", interrupted)
    words = ("audit", "--check", "--snapshot", snapshots["safe"])
    ran = click.testing.CliRunner().invoke(cli, words)
    assert (ran.exit_code, ran.output) == (130, "imds-analyzer: interrupted\n")


def test_guardrails_are_written(tmp_path: Path) -> None:
    ran = run("--guardrails", str(tmp_path / "guardrails"))
    assert ran.exit_code == 0
    assert all(Path(line).is_file() for line in ran.output.splitlines())
    assert "scp-way-back.json" in ran.output


def test_the_policy_for_cloudtrail_is_its_own() -> None:
    document = json.loads(run("--iam-policy", "--cloudtrail", "--uses", "x").output)
    (statement,) = document["Statement"]
    assert statement["Action"] == ["cloudtrail:LookupEvents", "sts:GetCallerIdentity"]
    assert "LookupEvents" not in run("--iam-policy").output


class _Aws(http.server.BaseHTTPRequestHandler):
    """Answers as STS and as CloudTrail do."""

    protocol_version = "HTTP/1.1"
    questions: list[dict[str, Any]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        target = self.headers.get("X-Amz-Target", "")
        answer = _STS
        if target.endswith("LookupEvents"):
            question = json.loads(body)
            self.questions.append(question)
            answer = json.dumps(_page(question))
        raw = answer.encode()
        self.send_response(200)
        self.send_header("x-amzn-RequestId", "1")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_arguments: object) -> None:
        """Stay silent."""


def _page(question: dict[str, Any]) -> dict[str, Any]:
    if "NextToken" not in question:
        return {"Events": [_event(each) for each in some()], "NextToken": "more"}
    return {"Events": [_event(record(number=99, agent="Boto3"))]}


def _event(of: dict[str, Any]) -> dict[str, Any]:
    return {"EventId": of["eventID"], "EventTime": 1764324000, "CloudTrailEvent": json.dumps(of)}


@pytest.fixture
def questions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[dict[str, Any]]]:
    """Start the server on loopback; give the questions to CloudTrail."""
    handler = type("Handler", (_Aws,), {"questions": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        for name in ("AWS_PROFILE", "AWS_REGION", "AWS_SESSION_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        yield handler.questions  # type: ignore[attr-defined]
        server.shutdown()
        thread.join()


def test_cloudtrail_is_looked_up_and_joined_with_the_log(
    questions: list[dict[str, Any]], tmp_path: Path
) -> None:
    """Over HTTP; a second run reads what the first found, and asks nothing."""
    log = tmp_path / "imds.jsonl"
    made = call(10)
    made["timestamp"] = "2026-11-28T09:30:00.000000Z"
    log.write_text(json.dumps(made) + "\n", encoding="utf-8")
    uses = tmp_path / "uses.json"
    arguments = ("--cloudtrail", "--uses", str(uses), "--instance", INSTANCE, "--region", REGION)
    ran = run(*arguments, "--logs", str(log))
    assert ran.exit_code == 0, ran.output
    assert "5 API calls with credentials from IMDSv1" in ran.output
    assert f"web-role on {INSTANCE} ({ACCOUNT})" in ran.output
    assert "-> fetched by " in ran.output
    assert len(questions) == 2
    assert questions[0]["LookupAttributes"] == [
        {"AttributeKey": "Username", "AttributeValue": INSTANCE}
    ]
    again = run(*arguments, "--logs", str(log))
    assert (again.exit_code, again.stdout) == (0, ran.stdout)
    assert "goes on with the events until" in again.stderr
    assert len(questions) == 2
    only = run("--uses", str(uses), "--logs", str(log), "--format", "json")
    assert json.loads(only.output)["calls"] == 5


def test_instances_come_from_a_snapshot(
    questions: list[dict[str, Any]], snapshots: dict[str, str], tmp_path: Path
) -> None:
    uses = str(tmp_path / "uses.json")
    ran = run("--cloudtrail", "--uses", uses, "--snapshot", snapshots["unsafe"])
    assert ran.exit_code == 0, ran.output
    assert "has no log: install the analyzer there" in ran.output
    asked = {each["LookupAttributes"][0]["AttributeValue"] for each in questions}
    assert asked == {INSTANCE, "i-0aaaaaaaaaaaaaaaa"}  # a terminated one's may still be used
    elsewhere = ("--region", "us-east-1")
    none = run("--cloudtrail", "--uses", uses, "--snapshot", snapshots["unsafe"], *elsewhere)
    assert none.exit_code == 2
    assert "has no instance with tokenless calls" in " ".join(none.output.split())


def test_the_query_for_athena_is_printed() -> None:
    ran = run("--cloudtrail-sql", "--location", "s3://trail/AWSLogs/", "--region", REGION)
    assert ran.exit_code == 0
    assert "'projection.region.values' = 'eu-west-1'" in ran.output
