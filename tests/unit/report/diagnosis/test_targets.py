"""Callers that need the same change stand as one entry; through the command."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from analyzer.commands.report import report
from analyzer.report.targets import ACTS, Act
from tests.golden.diagnosed.case import OLD_BOTO, PYTHON
from tests.golden.diagnosed.lines import INIT, NOW, Call, Caller, curl, ran, script, started

JAVA = "/usr/lib/jvm/java-11/bin/java"
JAR = "/srv/app/app-{}.jar"
FACTS = "/opt/ops/facts.sh"


def _java(*hosts: str, of: str) -> Caller:
    calls = [Call(host=host) for host in hosts]
    return Caller((ran(JAVA, "java", "-cp", "/srv/app", f"com.example.{of}"), INIT), calls=calls)


def _library(version: str, application: str = "1.0") -> dict[str, Any]:
    inside = f"!/BOOT-INF/lib/aws-java-sdk-core-{version}.jar"
    path = JAR.format(application) + inside
    name = "com.amazonaws:aws-java-sdk-core"
    return {"libraries": [{"type": "maven", "name": name, "version": version, "path": path}]}


def _lines(*numbers: int) -> dict[str, Any]:
    lines = [{"path": FACTS, "line": n, "use": "call", "text": "curl ..."} for n in numbers]
    return {"script": {"lines": lines}}


def _written(folder: Path, *callers: tuple[Caller, Mapping[str, dict[str, Any]]]) -> Path:
    """Write a log; of each caller, what was read of its code by host."""
    hosts = sorted({call.host for caller, _ in callers for call in caller.calls})
    lines = [started(host) for host in hosts]
    for caller, codes in callers:
        own = caller.lines()
        lines += own
        for example in {each["host"]["name"]: each for each in own}.values():
            code = codes.get(example["host"]["name"])
            if code is None:
                continue
            lines.append(
                {
                    "timestamp": example["timestamp"], "level": "info", "event": "caller_evidence",
                    "imds": {"caller": example["imds"]["caller"]}, "process": {"pid": 1},
                    "code": code, "host": example["host"], "observer": example["observer"],
                }
            )  # fmt: skip
    for line in lines:  # hosts are told apart by their names
        line.pop("cloud", None)
        line["host"] = {"name": line["host"]["name"], "boot_id": line["host"]["name"]}
    path = folder / "imds.jsonl"
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
    return path


def _shown(log: Path, form: str, *more: str) -> str:
    arguments = ["--format", form, "--until", NOW.isoformat(), *more, str(log)]
    done = CliRunner().invoke(report, arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


def _fixes(log: Path) -> Sequence[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(_shown(log, "json"))["fixes"]
    return found


def _jars(folder: Path) -> Path:
    """Three programs on four hosts, with two versions of one library in one application."""
    return _written(
        folder,
        (_java("a", "b", of="Api"), {"a": _library("1.11.500"), "b": _library("1.11.400", "2.1")}),
        (_java("c", of="Worker"), {"c": _library("1.11.400")}),
        (_java("a", "d", of="Batch"), {"a": _library("1.11.500"), "d": _library("1.11.500")}),
    )


def test_one_library_in_one_application_is_one_change_over_versions_and_hosts(
    tmp_path: Path,
) -> None:
    """The sentence has the range of versions, and the application without its own version."""
    (fix,) = _fixes(_jars(tmp_path))
    assert fix["title"] == (
        "Upgrade com.amazonaws:aws-java-sdk-core 1.11.400 to 1.11.500 in /srv/app/app-*.jar to"
        " 1.11.678 or later"
    )
    assert (fix["caller_count"], fix["host_count"], fix["calls"]) == (3, 4, 10)
    assert fix["versions"] == ["1.11.400", "1.11.500"]
    assert fix["grouped_because"] == ACTS[Act.UPGRADE_LIBRARY].why
    by_host = {each["host"]: each for each in fix["by_host"]}
    assert set(by_host) == {"a", "b", "c", "d"}
    assert by_host["a"]["versions"] == ["1.11.500"]
    assert by_host["b"]["versions"] == ["1.11.400"]
    assert len(by_host["a"]["callers"]) == 2


def test_each_format_has_it_once(tmp_path: Path) -> None:
    """With the callers below it; ``--by-host`` splits it."""
    log = _jars(tmp_path)
    title = "1.11.678 or later"
    page = " ".join(_shown(log, "table").split())
    assert page.count(f"{title}: 3 callers on 4 hosts, 10 calls") <= 1
    assert "1. Upgrade com.amazonaws:aws-java-sdk-core 1.11.400 to 1.11.500" in page
    full = " ".join(_shown(log, "table", "--callers").split())
    assert "What to change (1)" in full
    assert "3 callers on 4 hosts, 10 calls" in full
    assert "Versions 1.11.400, 1.11.500" in full
    assert all(f"com.example.{each} (" in full for each in ("Api", "Worker", "Batch"))
    split = " ".join(_shown(log, "table", "--by-host").split())
    assert "- b: 2 calls; version 1.11.400; " in split
    markdown = _shown(log, "markdown", "--by-host")
    assert "### What to change (1)" in markdown
    assert "| `b` | 1 | 2 | `1.11.400` |" in markdown
    assert "| `b` | 1 |" not in _shown(log, "markdown")
    html = _shown(log, "html")
    assert html.count('<li id="fix-') == 1
    assert "3 callers on 4 hosts, 10 calls" in html
    rows = list(csv.DictReader(io.StringIO(_shown(log, "csv"))))
    assert {each["fix"] for each in rows} == {"1"}
    assert {each["fix_calls"] for each in rows} == {"10"}
    assert rows[0]["fix_versions"] == "1.11.400 | 1.11.500"


def test_another_application_or_another_library_is_another_change(tmp_path: Path) -> None:
    """The same library elsewhere has to be built elsewhere."""
    elsewhere = json.loads(json.dumps(_library("1.11.500")).replace("/srv/app/", "/opt/other/"))
    log = _written(
        tmp_path,
        (_java("a", of="Api"), {"a": _library("1.11.500")}),
        (_java("a", of="Worker"), {"a": elsewhere}),
    )
    assert sorted(each["where"] for each in _fixes(log)) == [
        "/opt/other/app-*.jar",
        "/srv/app/app-*.jar",
    ]


def test_one_script_is_one_change_with_all_of_its_lines(tmp_path: Path) -> None:
    """Whoever runs it, by whatever tool."""
    wget = ran("/usr/bin/wget", "wget", "-qO-", "http://169.254.169.254/latest/")
    log = _written(
        tmp_path,
        (Caller((curl(), script(FACTS), INIT)), {"web-1": _lines(12)}),
        (Caller((wget, script(FACTS), INIT)), {"web-1": _lines(20)}),
    )
    (fix,) = _fixes(log)
    assert fix["act"] == "edit_script"
    assert fix["title"] == f"Ask for a token in {FACTS}:12, 20"
    assert fix["lines"] == [12, 20]


def test_a_script_that_nobody_read_is_the_same_script(tmp_path: Path) -> None:
    """By the path that the log has."""
    bare = Caller((curl(), script(FACTS), INIT), calls=[Call(host="web-2")])
    log = _written(
        tmp_path,
        (Caller((curl(), script(FACTS), INIT), unit="facts.service"), {"web-1": _lines(12)}),
        (bare, {}),
    )
    (fix,) = _fixes(log)
    assert fix["caller_count"] == 2
    assert fix["host_count"] == 2


def test_a_caller_with_two_causes_counts_for_the_first_and_is_named_by_the_other(
    tmp_path: Path,
) -> None:
    """One line of its script, and an old library: both have to be changed."""
    both = {**_lines(3), **_library("1.11.500")}
    log = _written(tmp_path, (_java("a", of="Api"), {"a": both}))
    first, second = _fixes(log)
    assert (first["act"], first["caller_count"], first["also"]) == ("edit_script", 1, [])
    assert (second["act"], second["caller_count"], second["calls"]) == ("upgrade_library", 0, 0)
    assert second["also"] == [first["callers"][0]["caller"]]
    assert "1 caller that another fix counts" in _shown(log, "table", "--callers")


def test_a_program_of_a_vendor_is_one_change_wherever_it_runs(tmp_path: Path) -> None:
    """Two versions of it, on two hosts, from two units."""
    s3cmd = (ran("/usr/bin/s3cmd", "s3cmd", "ls"), INIT)
    one = Caller(s3cmd, "s3cmd/2.0", unit="a.service")
    other = Caller(s3cmd, "s3cmd/2.1", unit="b.service", calls=[Call(host="web-2")])
    (fix,) = _fixes(_written(tmp_path, (one, {}), (other, {})))
    assert fix["act"] in ("upgrade_program", "upgrade_package")
    assert fix["caller_count"] == 2


def test_an_sdk_that_only_its_user_agent_tells_is_one_change_for_each_program(
    tmp_path: Path,
) -> None:
    """No place of the library is known: the program is."""
    log = _written(
        tmp_path,
        (Caller((ran(PYTHON, "python3", "/srv/a.py"), INIT), OLD_BOTO), {}),
        (Caller((ran(PYTHON, "python3", "/srv/b.py"), INIT), OLD_BOTO), {}),
    )
    assert sorted(each["where"] for each in _fixes(log)) == ["/srv/a.py", "/srv/b.py"]


def test_every_act_has_a_reason() -> None:
    """The table of what makes changes the same is whole."""
    assert set(ACTS) == set(Act)
    assert all(each.what and each.why for each in ACTS.values())
