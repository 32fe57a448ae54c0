"""``report --account``, ``--owners`` and ``--split-by owner`` as they are called."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from analyzer.account.file import as_bytes
from tests.fleet.account import Size, snapshot
from tests.fleet.lines import Fleet, write_fleet
from tests.unit.report.test_command import run

UNTIL = ("--until", "2026-11-14")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the logs of three hosts and a snapshot of twelve instances."""
    path = tmp_path_factory.mktemp("account")
    write_fleet(path / "logs", Fleet(seed=6, hosts=3, requests=200, days=1))
    made = as_bytes(snapshot(Size(days=1, hosts=3, instances=12)), is_gzip=True)
    (path / "account.json.gz").write_bytes(made)
    (path / "owners.toml").write_text('[[owner]]\nowner = "us"\nnames = ["web-1*"]\n')
    return path


def test_the_snapshot_is_roster_and_figures(place: Path) -> None:
    """It may lie beside the logs."""
    done = call(place, "--account", "account.json.gz", *UNTIL, "--format", "json", ".")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert len(document["roster"]["instances"]) == 12
    assert len(document["cloudwatch"]["accounts"]) == 3
    assert sum(of["count"] for of in document["inventory"]["sets"]) == 12
    assert [Path(each["file"]).name for each in document["input"]["unread"]] == ["owners.toml"]


def call(place: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Run the command; names of files are those of the folder."""
    return run(*(str(place / each) if (place / each).exists() else each for each in args))


@pytest.mark.parametrize("form", ["table", "json", "csv", "markdown", "html"])
def test_each_owner_gets_a_report_in_each_format(place: Path, tmp_path: Path, form: str) -> None:
    output = tmp_path / "reports"
    done = call(
        place, "--account", "account.json.gz", "--owners", "owners.toml", "--split-by", "owner",
        *UNTIL, "--format", form, "--output", str(output), "--verdict", "logs",
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    suffix = {"table": "txt", "markdown": "md"}.get(form, form)
    names = ("payments", "platform", "search", "unowned", "us")
    assert sorted(each.name for each in output.iterdir()) == [f"{n}.{suffix}" for n in names]
    assert all(each.stat().st_size for each in output.iterdir())
    *_, us, unowned, total = done.stdout.splitlines()
    assert us.split() == ["us", "NOT", "SAFE", "3", "1", us.split()[-2], f"us.{suffix}"]
    assert unowned.endswith(f"unowned.{suffix}")
    assert total.split()[:3] == ["all", "12", "3"]


def test_a_directory_with_files_is_left_alone(place: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").touch()
    args = ("--account", "account.json.gz", "--split-by", "owner", "--output", str(tmp_path))
    done = call(place, *args, "logs")
    assert done.returncode == 1
    assert "not an empty directory" in done.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["kept"]


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("--account", "account.json.gz", "--instances", "x"), 2, "leave out --instances"),
        (("--account", "logs"), 1, "cannot read the snapshot"),
        (("--account", "owners.toml"), 1, "is not a snapshot of accounts"),
        (("--account", "account.json.gz", "--account", "account.json.gz"), 1, "both have"),
        (("--owner-tag", "Team"), 2, "need --account or --instances"),
        (("--owners", "owners.toml"), 2, "need --account or --instances"),
        (
            ("--split-by", "owner", "--output", "x"),
            2,
            "needs --account, --instances or --owner-label",
        ),
        (("--owner-tag", "Team", "--owner-label", "team"), 2, "need --account or --instances"),
        (("--split-by", "owner", "--account", "account.json.gz"), 2, "needs --output"),
        (("--account", "account.json.gz", "--owners", "/not/there"), 1, "leave out --owners"),
    ],
)
def test_what_is_wrong_is_said(place: Path, args: tuple[str, ...], code: int, said: str) -> None:
    done = call(place, *args, "logs")
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr


def test_the_tag_that_names_owners_is_chosen(place: Path) -> None:
    args = ("--account", "account.json.gz", "--owner-tag", "Name", "--format", "json")
    done = call(place, *args, *UNTIL, "logs")
    instances = json.loads(done.stdout)["roster"]["instances"]
    assert {each["owner"] for each in instances} == {f"web-{n}" for n in range(12)}


def _callers(document: Mapping[str, Any]) -> Counter[tuple[str, str]]:
    """Return the calls of each caller, by its key and provider."""
    return Counter(
        {
            (each["caller"], each["provider"]): sum(each["requests"].values())
            for each in document["callers"]
        }
    )


@pytest.mark.parametrize("roster", [(), ("--account", "account.json.gz")], ids=["log", "account"])
def test_a_label_of_the_pods_tells_owners(
    place: Path, tmp_path: Path, roster: tuple[str, ...]
) -> None:
    """Each caller is in exactly one file, with all of its calls; nothing is in none."""
    output = tmp_path / "reports"
    options = (*roster, "--owner-label", "none", "--owner-label", "team", *UNTIL)
    whole = call(place, *options, "--format", "json", "logs")
    assert whole.returncode == 0, whole.stderr
    wanted = json.loads(whole.stdout)
    done = call(
        place, *options, "--format", "json", "--split-by", "owner", "--output", str(output), "logs"
    )
    assert done.returncode == 0, done.stderr
    parts = {each.stem: json.loads(each.read_text()) for each in output.iterdir()}
    assert {"shop", "unowned"} <= parts.keys()
    found: Counter[tuple[str, str]] = Counter()
    for part in parts.values():
        assert not found.keys() & _callers(part).keys()
        found += _callers(part)
    assert found == _callers(wanted)
    (orders,) = parts["shop"]["callers"]
    assert (orders["labels"], orders["owner"]) == ("team:shop, app:orders", "shop")
    owners = {each["caller"]: each["owner"] for each in wanted["callers"]}
    assert owners.pop(orders["caller"]) == "shop"
    assert set(owners.values()) == {None}


def test_a_table_has_the_owners_that_labels_tell(place: Path) -> None:
    done = call(place, "--owner-label", "team", *UNTIL, "--format", "markdown", "logs")
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("| `shop` ")]
    assert len(rows) == 1, done.stdout
    document = json.loads(
        call(place, "--owner-label", "team", *UNTIL, "--format", "json", "logs").stdout
    )
    (orders,) = [each for each in document["callers"] if each["owner"] == "shop"]
    assert f"{orders['host_count']} of {orders['host_count']}" in rows[0]
