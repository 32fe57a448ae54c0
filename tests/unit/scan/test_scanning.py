"""A scan finds scripts and packages, once each, and says what it could not read."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from analyzer.cli import cli
from analyzer.clients.reading import load_clients
from analyzer.scan import scanning
from analyzer.scan.findings import Outcome
from tests.unit.software.trees import tree

CURL = "curl -s http://169.254.169.254/latest/meta-data/instance-id\n"
WITH_TOKEN = f"curl -H 'X-aws-ec2-metadata-token: x' {CURL[5:]}"
TABLE = """
[[client]]
name = "Facts library"
kind = "sdk"
library = ["pypi:facts"]
package = ["facts"]
needs = "2.0"
source = ["https://example.org/facts"]
"""
STATUS = "Package: facts\nStatus: install ok installed\nVersion: 1:{}\n"
FILES = {
    "/opt/ops/facts.sh": "#!/bin/sh\n" + CURL + "true\n" + CURL,
    "/opt/ops/token.sh": "#!/bin/sh\n" + WITH_TOKEN,
    "/usr/share/doc/facts/examples/run.sh": CURL,
    "/srv/app/node_modules/x/a.py": CURL,
    "/etc/cron.d/facts": "* * * * * root " + CURL,
    "/etc/squid/squid.conf": "acl imds dst 169.254.169.254\n",
    "/usr/lib/x": "",
    "/var/lib/dpkg/status": STATUS.format("1.9-3"),
}


@pytest.fixture
def clients(tmp_path: Path) -> Path:
    """Return a table of clients."""
    path = tmp_path / "clients.toml"
    path.write_text(TABLE)
    return path


def _scan(root: Path, table: Path) -> Outcome:
    return scanning.scan([str(root)], load_clients([table]))


def test_what_would_call_is_found(tmp_path: Path, clients: Path) -> None:
    """Scripts and packages; not what has a token, is an example, or only names the address."""
    root = tree(tmp_path / "root", FILES)
    outcome = _scan(root, clients)
    assert [(each.kind, each.path, each.lines) for each in outcome.findings] == [
        ("script", f"{root}/etc/cron.d/facts", (1,)),
        ("script", f"{root}/opt/ops/facts.sh", (2, 4)),
        ("package", f"{root}/var/lib/dpkg/status", ()),
    ]
    assert outcome.findings[1].fix.startswith(f"`{root}/opt/ops/facts.sh:2` calls without a token")
    assert outcome.findings[2].fix == (
        f"Upgrade `facts` 1:1.9-3 in `{root}/var/lib/dpkg/status` to 2.0 or later."
    )
    assert outcome.is_complete
    assert outcome.files == len(FILES)


@pytest.mark.parametrize(("version", "count"), [("1.9-3", 1), ("2.0-1", 0), ("2.0~rc1", 1)])
def test_a_package_s_version_decides(
    tmp_path: Path, clients: Path, version: str, count: int
) -> None:
    """With the epoch and the revision that distributions add."""
    root = tree(
        tmp_path / "root",
        {"/var/lib/dpkg/status": STATUS.format(version), "/etc/x": "", "/usr/x": ""},
    )
    assert len(_scan(root, clients).findings) == count


def test_what_cannot_be_read_is_told(
    tmp_path: Path, clients: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By name, and the result is not complete; what was found before stands."""
    root = tree(tmp_path / "root", {"/a.sh": CURL, "/b.sh": CURL})
    monkeypatch.setattr(scanning, "_BYTES_MAX", 0)
    outcome = _scan(root, clients)
    assert set(outcome.unread) == {f"{root}/a.sh", f"{root}/b.sh"}
    assert not outcome.is_complete


def test_an_interrupt_keeps_what_was_found(tmp_path: Path, clients: Path) -> None:
    """Ctrl-C in the middle."""
    root = tree(tmp_path / "root", {f"/{number:03}.sh": CURL for number in range(600)})

    def interrupt(_done: int) -> None:
        raise KeyboardInterrupt

    outcome = scanning.scan([str(root)], load_clients([clients]), progress=interrupt)
    assert outcome.is_interrupted
    assert not outcome.is_complete
    assert len(outcome.findings) == 256


def _run(*args: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["scan", *args])
    return result.exit_code, result.output


def test_the_command(tmp_path: Path, clients: Path) -> None:
    """A table, a document, and the exit code that --strict asks for."""
    root = tree(tmp_path / "root", FILES)
    code, text = _run(str(root), "--clients", str(clients))
    assert code == 0
    assert "3 would call IMDSv1" in text
    code, text = _run(str(root), "--clients", str(clients), "--json", "--strict")
    document = json.loads(text)
    assert code == 3
    assert document["complete"] is True
    assert [each["kind"] for each in document["findings"]] == ["script", "script", "package"]
    assert document["findings"][1]["line"] == 2
    code, text = _run(str(root / "etc/squid"), "--strict")
    assert code == 0
    assert "Nothing found" in text


def test_a_document_is_written_whole(tmp_path: Path, clients: Path) -> None:
    """Into the file that was named."""
    root = tree(tmp_path / "root", FILES)
    target = tmp_path / "scan.json"
    assert _run(str(root), "--clients", str(clients), "--output", str(target)) == (0, "")
    assert json.loads(target.read_text())["format"] == 1


def test_hostile_names_are_escaped(tmp_path: Path, clients: Path) -> None:
    """Control characters and bytes that are no UTF-8, in the table and in JSON."""
    folder = os.fsencode(tmp_path) + b"/root"
    os.mkdir(folder)  # noqa: PTH102 (bytes)
    for name in (b"\x1b[31m.sh", b"\xff.sh"):
        with open(folder + b"/" + name, "w", encoding="ascii") as file:  # noqa: PTH123 (bytes)
            file.write(CURL)
    code, text = _run(str(tmp_path / "root"), "--clients", str(clients))
    assert code == 0
    assert "\x1b" not in text
    code, text = _run(str(tmp_path / "root"), "--clients", str(clients), "--json")
    assert len(json.loads(text)["findings"]) == 2
