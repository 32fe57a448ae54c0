"""``imds-analyzer clients`` as it is called: the table, JSON, and a check of one's own file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from analyzer.clients.reading import load_clients

GOOD = '[[client]]\nname = "x"\nkind = "program"\nprogram = ["*/x"]\nsource = ["https://e/"]\n'


def run(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "analyzer", "clients", *args],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_table_has_a_row_for_each_client(tmp_path: Path) -> None:
    """Name, version and source; one's own come first."""
    own = tmp_path / "own.toml"
    own.write_text(GOOD)
    lines = run("--clients", str(own)).stdout.splitlines()
    assert lines[0].split() == ["CLIENT", "NEEDS", "SOURCE"]
    assert lines[1].split() == ["x", "none", "known", "https://e/"]
    assert len(lines) == len(load_clients().entries) + 2
    (row,) = [line for line in lines if line.startswith("botocore ")]
    assert row.split()[1] == "1.13.25"
    (row,) = [line for line in lines if line.startswith("AWS SDK for Rust ")]
    assert row.split()[4] == "any"


def test_json_has_what_a_file_has() -> None:
    """Each key that an entry has, under its own name."""
    entries = json.loads(run("--json").stdout)
    (botocore,) = [each for each in entries if each["name"] == "botocore"]
    assert botocore["needs"] == "1.13.25"
    assert botocore["checked"] >= "2026-11-30"
    assert botocore["library"] == ["pypi:botocore"]
    assert "(?P<version>" in botocore["user_agent"]
    assert "setting" not in botocore


def test_a_right_file_is_said_to_be_right(tmp_path: Path) -> None:
    """With the number of its entries."""
    own = tmp_path / "own.toml"
    own.write_text(GOOD)
    done = run("--check", str(own))
    assert (done.returncode, done.stdout) == (0, f"{own}: no faults (entries: 1)\n")


def test_every_fault_of_every_file_is_printed(tmp_path: Path) -> None:
    """With entry and line; the exit code is 2."""
    first, second, third = (tmp_path / name for name in ("a.toml", "b.toml", "c.toml"))
    first.write_text(GOOD + 'nedes = "1"\nneeds = "new"\n')
    second.write_text(GOOD.replace('program"', 'agent"'))
    third.write_text(GOOD)
    done = run("--check", str(first), "--check", str(second), "--check", str(third))
    assert done.returncode == 2
    assert [line.split(": ")[0] for line in done.stdout.splitlines()] == [
        f"{first}, line 6, entry 1 ('x')",
        f"{first}, line 7, entry 1 ('x')",
        f"{second}, line 3, entry 1 ('x')",
        f"{third}",
    ]


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    """And one that is no TOML, with its line."""
    done = run("--check", str(tmp_path / "none.toml"))
    assert done.returncode != 0
    assert "none.toml: No such file or directory" in done.stderr
    bad = tmp_path / "bad.toml"
    bad.write_text("[[client]]\nname = \n")
    done = run("--check", str(bad))
    assert done.returncode != 0
    assert "is not TOML" in done.stderr
    assert "line 2" in done.stderr
