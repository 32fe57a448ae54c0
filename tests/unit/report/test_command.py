"""``imds-analyzer report`` as it is called: what it prints, writes and returns."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Optional

import pytest
import sqlglot
from sqlglot import exp

from tests import signals
from tests.command_line import command_line
from tests.fleet.lines import Fleet, write_fleet

DEADLINE_S = 60.0
# What Trino has and sqlglot has no own word for.
TRINO_FUNCTIONS = {"FROM_ISO8601_TIMESTAMP_NANOS", "TRY"}


def run(
    *args: str, standard_input: bytes = b"", directory: Optional[Path] = None
) -> subprocess.CompletedProcess[str]:
    done = command_line("report", *args, standard_input=standard_input, directory=directory)
    output, errors = done.stdout.decode(), done.stderr.decode()
    return subprocess.CompletedProcess(args, done.returncode, output, errors)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("fleet")
    write_fleet(directory, Fleet(seed=6, hosts=2, requests=200, days=1))
    return directory


def test_every_format_shows_the_same_callers(fleet: Path) -> None:
    """Whichever is asked for."""
    for form in ("table", "json", "csv", "markdown", "html"):
        done = run(str(fleet), "--format", form)
        assert done.returncode == 0, done.stderr
        assert "worker.py" in done.stdout
        assert done.stderr == ""


def test_the_verdict_is_the_exit_code(fleet: Path, tmp_path: Path) -> None:
    """Only SAFE is 0, so that a pipeline can stop; an empty log is not."""
    empty = tmp_path / "imds.jsonl"
    empty.touch()
    assert run(str(fleet), "--verdict").returncode == 3
    assert run(str(fleet)).returncode == 0
    assert run(str(empty), "--verdict").returncode == 4


def test_standard_input_is_read(fleet: Path) -> None:
    """As ``-``, when it comes compressed too."""
    log = next(fleet.rglob("imds.jsonl"))
    done = run("-", "--format", "json", standard_input=log.read_bytes())
    assert json.loads(done.stdout)
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (("/not/there",), 1, "cannot read '/not/there'"),
        (("--period", "soon", "."), 1, "not a length of time"),
        (("--rare", "seldom", "."), 1, "not a length of time"),
        (("--since", "soon", "."), 1, "not a time"),
        (("--instances", "/not/there", "."), 1, "cannot read the instances '/not/there'"),
        (("--instances", "ip-10-0-0-1/imds.jsonl", "."), 1, "is a log"),
        (("--scan", "/not/there", "."), 1, "cannot read the scan '/not/there'"),
        (("--strict", "."), 2, "--strict needs --scan"),
        (("--accept", "/not/there", "."), 1, "cannot read the accepted callers /not/there"),
        (("--accept", "ip-10-0-0-1/imds.jsonl", "."), 1, "is not TOML"),
        (("--since", "1d", "--until", "2d", "."), 1, "must be before"),
        (("--memory", "much", "."), 1, "--memory much"),
        (("--format", "pdf"), 2, "--format"),
        (("--location", "s3://a-bucket/"), 2, "--sql"),
        (("--sql", "athena", "--location", "s3://b'; DROP"), 1, "not an S3 location"),
        (("--output", "/not/there/report.html", "."), 1, "cannot write '/not/there/report.html'"),
    ],
)
def test_what_is_wrong_is_said(fleet: Path, args: tuple[str, ...], code: int, message: str) -> None:
    """In a sentence, without a traceback."""
    done = run(*args, directory=fleet)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_appears_when_it_is_whole(fleet: Path, tmp_path: Path) -> None:
    """With the mode that the former had; nothing else stays beside it."""
    output = tmp_path / "report.json"
    output.write_text("the former")
    output.chmod(0o640)
    done = run(str(fleet), "--format", "json", "--output", str(output))
    assert (done.returncode, done.stdout) == (0, "")
    assert json.loads(output.read_text())
    assert output.stat().st_mode & 0o777 == 0o640
    assert [each.name for each in tmp_path.iterdir()] == ["report.json"]


@pytest.mark.parametrize("delay_s", [0, 0.1])
def test_an_interruption_leaves_no_half_written_file(tmp_path: Path, delay_s: float) -> None:
    """The former file stays as it was, and the exit code is the shell's for it."""
    logs = tmp_path / "logs"
    write_fleet(logs, Fleet(seed=7, hosts=1, requests=60_000, days=1))
    log = logs / "ip-10-0-0-1" / "imds.jsonl"
    output = tmp_path / "out" / "report.json"
    output.parent.mkdir()
    output.write_text("the former")
    command = [sys.executable, "-m", "analyzer", "report", *[str(log)], "--output", str(output)]
    with subprocess.Popen(
        [*signals.HEEDED, *command],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        deadline = time.monotonic() + DEADLINE_S
        while len([*output.parent.iterdir()]) < 2 and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(delay_s)  # no condition to wait for: any moment has to do
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=DEADLINE_S)
    # Interrupted within exec(), by which dataclasses are made while modules are imported, Python
    # ends itself by the signal, whoever has caught it; a shell says 130 of that, too.
    assert process.returncode in (130, -signal.SIGINT)
    assert said == "imds-analyzer: interrupted; nothing was written\n"
    assert output.read_text() == "the former"
    assert [each.name for each in output.parent.iterdir()] == ["report.json"]


def test_athena_gets_the_same_queries_in_its_own_words() -> None:
    """Each statement is one that Athena's grammar has, and the place is as given."""
    done = run("--sql", "athena", "--location", "s3://logs/imds")
    assert done.returncode == 0, done.stderr
    assert "LOCATION 's3://logs/imds/'" in done.stdout
    database, table, rest = done.stdout.split(";\n\n", 2)
    assert len(sqlglot.parse(database, read="hive")) == 1
    assert len(sqlglot.parse(table, read="hive")) == 1
    statements = [each for each in sqlglot.parse(rest, read="trino") if each is not None]
    assert [type(each) for each in statements] == [exp.Create] * 12 + [exp.Select] * 16
    for each in statements:
        unknown = {str(found.name).upper() for found in each.find_all(exp.Anonymous)}
        assert unknown <= TRINO_FUNCTIONS


def test_an_accepted_caller_that_is_not_there_is_said(fleet: Path, tmp_path: Path) -> None:
    """On standard error, and the report is made."""
    file = tmp_path / "accept.toml"
    entry = '[[accept]]\ncaller = "%s"\nby = "Ana"\nwhy = "retired"\nuntil = 2999-01-01\n'
    file.write_text(entry % "/no/such/caller")
    done = run("--accept", str(file), "--format", "json", str(fleet))
    assert done.returncode == 0
    assert f"{file}: '/no/such/caller' is accepted, but no caller" in done.stderr
    known = json.loads(done.stdout)["callers"][0]["program"]
    file.write_text(entry % known)
    assert run("--accept", str(file), str(fleet)).stderr == ""


def described(fleet: Path, *extra: dict[str, Any]) -> str:
    """Write what describe-instances prints of the fleet's hosts, and of further instances."""
    names = sorted(each.parent.name for each in fleet.rglob("imds.jsonl"))
    hosts = [
        {"InstanceId": f"i-{n:017x}", "State": {"Name": "running"}, "PrivateDnsName": name}
        for n, name in enumerate(names)
    ]
    return json.dumps({"Reservations": [{"Instances": [*hosts, *extra]}]}, indent=4)


def test_the_roster_names_the_instances_of_the_hosts(fleet: Path, tmp_path: Path) -> None:
    """The commands have the ids of the roster; without it hosts without an id are looked up."""
    file = tmp_path / "instances.json"
    file.write_text(described(fleet))
    of = ("--format", "json", str(fleet))
    done = run("--instances", str(file), *of)
    assert done.returncode == 0, done.stderr
    assert "--instance-id i-00000000000000000 " in done.stdout
    assert "--instance-id INSTANCE_ID" not in done.stdout
    assert "--instance-id INSTANCE_ID" in run(*of).stdout


def test_an_instance_without_a_log_is_named(fleet: Path, tmp_path: Path) -> None:
    """With a command that says more of it."""
    missing = {"InstanceId": "i-0123456789abcdef0", "State": {"Name": "running"}}
    file = tmp_path / "instances.json"
    file.write_text(described(fleet, missing))
    done = run("--instances", str(file), "--format", "json", str(fleet))
    (step,) = [e for e in json.loads(done.stdout)["steps"] if e["title"].startswith("Watch")]
    assert step["title"] == "Watch 1 instance that has no log"
    assert "i-0123456789abcdef0" in step["commands"][0]
    stopped = {**missing, "State": {"Name": "stopped"}}
    file.write_text(described(fleet, stopped))
    assert "Watch 1" not in run("--instances", str(file), "--format", "json", str(fleet)).stdout
