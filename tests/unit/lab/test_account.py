"""``lab --account`` as it is called, where nothing can be recorded: story, snapshot and report."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

from analyzer.errors import LabError
from analyzer.lab.account.cloud import OWN_ACCOUNT, Cloud, users_settings_put_aside
from analyzer.lab.account.story import GROUPS, MACHINES, REGIONS
from tests.command_line import command_line
from tests.schema import parsed

pytest.importorskip("moto")
pytest.importorskip("boto3")

REPOSITORY = Path(__file__).parents[3]
# Root gets a network with loopback alone: a call of anything else would fail. Without these
# capabilities it cannot make the lab's namespace, as if it were nobody.
_ENTER = 'ip link set lo up && exec setpriv --bounding-set -net_admin,-sys_admin "$@"'
ALONE = ("unshare", "--net", "sh", "-c", _ENTER, "sh") if os.geteuid() == 0 else ()
DEADLINE_S = 300
SETS = {
    "v1_unwatched": {"cron-1", "legacy-1"},
    "v1_watched": {"web-1", "batch-2"},
    "unknown": set[str](),
    "quiet_unwatched": {"archive-1"},
    "watched_undecided": set[str](),
    "watched_safe": {"api-1", "api-2"},
    "required": {"search-1"},
    "not_running": {"batch-1"},
}


class Ran(NamedTuple):
    """A run of the command that has ended."""

    directory: Path
    temporary: Path
    screen: str

    @property
    def snapshot(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(
            gzip.decompress((self.directory / "account.json.gz").read_bytes())
        )
        return found

    def log(self, name: str) -> list[dict[str, Any]]:
        text = (self.directory / "logs" / f"{name}.jsonl").read_text("utf-8")
        return [json.loads(line) for line in text.splitlines()]


def command(*words: str) -> list[str]:
    return [*ALONE, sys.executable, "-m", "analyzer", *words]


def environment(temporary: Path) -> dict[str, str]:
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    return {"PATH": path, "TMPDIR": str(temporary), "COLUMNS": "120"}


def run(words: Sequence[str], env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, cwd=REPOSITORY, env=env, capture_output=True, text=True, check=False,
        timeout=DEADLINE_S,
    )  # fmt: skip


def processes_that_name(path: Path) -> list[list[str]]:
    lines = [each.info["cmdline"] or [] for each in psutil.process_iter(["cmdline"])]
    return [words for words in lines if any(str(path) in word for word in words)]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Run the whole command once."""
    place = tmp_path_factory.mktemp("account")
    (place / "tmp").mkdir()
    words = command("lab", "--account", "--output", str(place / "made"))
    done = run(words, environment(place / "tmp"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stderr
    return Ran(place / "made", place / "tmp", done.stdout)


@pytest.fixture(scope="module")
def report(ran: Ran) -> dict[str, Any]:
    """Return the report as JSON, by the command that the lab names."""
    words = ("report", "--account", str(ran.directory / "account.json.gz"), "--format", "json")
    done = command_line(*words, str(ran.directory / "logs"))
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_every_instance_is_in_the_set_that_the_story_says(report: dict[str, Any]) -> None:
    found = {
        of["kind"]: {each["name"] for each in of["instances"]} for of in report["inventory"]["sets"]
    }
    assert found == SETS


def test_the_sums_agree(ran: Ran, report: dict[str, Any]) -> None:
    """Each instance is in one set, and each counted call is that of one."""
    sets = report["inventory"]["sets"]
    assert sum(of["count"] for of in sets) == len(MACHINES)
    counted = {
        each["tags"]["Name"]: each["calls"]["no_token"]
        for region in ran.snapshot["regions"]
        for each in region["instances"]
        if each.get("calls")
    }
    assert sum(of["calls"] for of in sets) == sum(counted.values())
    for name in ("web-1", "api-1", "api-2", "batch-2"):
        lines = [line for line in ran.log(name) if line["event"] == "imds_request"]
        logged = [line for line in lines if line["imds"]["version"] == "v1"]
        assert counted[name] == len(logged)
    assert counted["web-1"] > 0
    assert counted["cron-1"] % 25 == 0
    assert counted["cron-1"] > counted["legacy-1"] > 0


def test_what_would_make_instances_with_v1_is_named(report: dict[str, Any]) -> None:
    launches = report["inventory"]["launches"]
    groups = {each["name"] for each in launches if each["kind"] == "Auto Scaling group"}
    assert groups == {"web", "batch", "legacy"}
    assert groups < {group.name for group in GROUPS}
    versions = {each["name"]: each for each in launches if each["kind"] == "launch template"}
    assert set(versions) == {"web, version 1", "batch, version 1 ($Default, $Latest)"}
    assert versions["web, version 1"]["pinned_by"] == ["web"]


def test_the_snapshot_is_whole(ran: Ran) -> None:
    snapshot = ran.snapshot
    assert not snapshot.get("failures")
    assert len(snapshot["accounts"]) == 2
    assert {each["region"] for each in snapshot["regions"]} == set(REGIONS)


def test_the_logs_are_of_the_format(ran: Ran) -> None:
    for path in sorted((ran.directory / "logs").iterdir()):
        for line in path.read_text("utf-8").splitlines():
            parsed(line)


def test_the_screen_ends_with_the_report_and_says_what_is_generated(ran: Ran) -> None:
    assert "Not recorded here: " in ran.screen
    assert "are generated" in ran.screen
    parts = ran.screen.split("$ imds-analyzer ")
    assert [part.split()[0] for part in parts[1:]] == ["audit", "report", "report"]
    assert "\nNOT SAFE\n" in parts[2]
    assert "IMDSv1 counted, not watched" in parts[2]
    page = (ran.directory / "report.html").read_text("utf-8")
    assert page.startswith("<!")
    assert "archive-1" in page


def test_nothing_is_left(ran: Ran) -> None:
    assert not processes_that_name(ran.directory)
    assert not list(ran.temporary.iterdir())


def test_a_directory_with_files_is_left_alone(ran: Ran, tmp_path: Path) -> None:
    words = command("lab", "--account", "--output", str(ran.directory))
    done = run(words, environment(tmp_path))
    assert done.returncode == 1
    assert "is not an empty directory" in done.stderr


def test_an_interrupt_ends_everything(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    directory = tmp_path / "made"
    child = subprocess.Popen(
        command("lab", "--account", "--output", str(directory)),
        cwd=REPOSITORY, env=environment(tmp_path / "tmp"), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert child.stdout is not None
    with child.stdout:
        for line in child.stdout:
            if line.startswith("$ imds-analyzer audit"):
                break
        child.send_signal(signal.SIGINT)
        child.stdout.read()
    assert child.wait(DEADLINE_S) == 128 + signal.SIGINT
    deadline = time.monotonic() + DEADLINE_S
    while processes_that_name(directory) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not processes_that_name(directory)
    assert not list((tmp_path / "tmp").iterdir())
    assert not (directory / "account.json.gz").exists()


def test_a_missing_package_names_the_extra(tmp_path: Path) -> None:
    code = "import sys; sys.modules['moto'] = None; from analyzer.__main__ import main; main()"
    words = ("lab", "--account", "--output", str(tmp_path / "made"))
    done = run([sys.executable, "-c", code, *words], environment(tmp_path))
    assert done.returncode == 1
    assert "pip install 'imds-analyzer[lab-account]'" in done.stderr
    assert not (tmp_path / "made").exists()


def test_nothing_of_a_real_account_reaches_the_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither keys nor settings; and this host's own IMDS is not asked."""
    for name in ("PROFILE", "SESSION_TOKEN", "SECRET_ACCESS_KEY", "ENDPOINT_URL_EC2"):
        monkeypatch.setenv(f"AWS_{name}", "real")
    with users_settings_put_aside(), Cloud() as cloud:
        assert cloud.client("sts", REGIONS[0]).get_caller_identity()["Account"] == OWN_ACCOUNT
        given = {**os.environ, **cloud.environment}
        found = {k: v for k, v in given.items() if k.startswith("AWS_")}
    assert os.environ["AWS_PROFILE"] == "real"  # the user's again
    assert "real" not in found.values()
    assert found["AWS_EC2_METADATA_DISABLED"] == "true"
    assert found["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")
    assert found["AWS_CONFIG_FILE"] == found["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull


def test_a_server_that_refuses_is_an_error() -> None:
    """As one does that is older than the extra asks for."""
    with (
        Cloud() as cloud,
        pytest.raises(LabError, match=r"InvalidAMIID.*imds-analyzer\[lab-account\]"),
        cloud.in_use(),
    ):
        cloud.client("ec2", REGIONS[0]).describe_images(ImageIds=["ami-0123456789abcdef0"])


@pytest.mark.parametrize("words", [("--hold",), ("--require-tokens",), ("--log-file", "x")])
def test_options_of_the_lab_alone_do_not_go_with_it(words: tuple[str, ...], tmp_path: Path) -> None:
    done = command_line("lab", "--account", *words, directory=tmp_path)
    assert done.returncode == 2
    assert b"can be combined only with --output" in done.stderr
    assert not list(tmp_path.iterdir())
