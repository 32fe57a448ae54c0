"""Each new caller of IMDSv1 has one line on its code, and nobody else has one."""

from __future__ import annotations

import datetime
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from analyzer.imds import IMDS_IPV4
from analyzer.lab.imds import ImdsProcess
from analyzer.lab.namespace import LabNamespace
from analyzer.recorder.evidence.queue import PER_S
from tests.live.conftest import REQUIRED
from tests.live.watch import DEADLINE_S, Line, Watch, eventually, new_marker

CURL = shutil.which("curl") or "curl is not installed"
BASH = shutil.which("bash") or "bash is not installed"
# Distinct callers, far more than wait (32 of one realm) or are looked at meanwhile (4 a second).
CROWD = 151
# Each child is a caller of its own: its executable is a copy. Letters tell jobs apart, digits
# the runs of one job.
CROWD_PROGRAM = """
import os, shutil, sys
directory, url, number = *sys.argv[1:3], int(sys.argv[3])
for index in range(number):
    path = f"{directory}/caller-{chr(97 + index // 26)}{chr(97 + index % 26)}"
    shutil.copy(f"{directory}/caller", path)
    os.spawnv(os.P_WAIT, path, [path, "-s", "-o", "/dev/null", url])
    os.unlink(path)
"""


def _run(watch: Watch, *argv: str) -> None:
    command = watch.namespace.command(argv)
    subprocess.run(command, check=True, timeout=4 * DEADLINE_S, stdout=subprocess.DEVNULL)


def _evidence(watch: Watch, key: str) -> list[Line]:
    lines = watch.lines("caller_evidence")
    return [line for line in lines if line["imds"]["caller"]["key"] == key]


@pytest.fixture(scope="module")
def looking(
    one_probe: str,
    namespace: LabNamespace,
    imds: ImdsProcess,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Watch]:
    """Return an analyzer that runs, and that few callers have busied."""
    assert imds.listening
    watch = Watch(one_probe, namespace, tmp_path_factory.mktemp("looking"))
    with watch.running(required=one_probe in REQUIRED):
        yield watch


def test_a_script_has_one_line_however_often_it_calls(looking: Watch, tmp_path: Path) -> None:
    """Its key is that of its requests; the file is the one that called."""
    script = tmp_path / "facts.sh"
    marker = new_marker()
    script.write_text(
        f"for each in 1 2 3; do {CURL} -s http://{IMDS_IPV4}/latest/meta-data/{marker}; done\n"
    )
    _run(looking, BASH, str(script))
    requests = looking.settled(marker)
    assert len(requests) == 3
    caller = requests[0]["imds"]["caller"]
    assert caller["launcher"] == "facts.sh"
    eventually("the code was looked at", lambda: _evidence(looking, caller["key"]))
    _run(looking, BASH, str(script))
    assert len(looking.settled(marker)) == 6
    # One that was asked for now would be there with the next, which is another caller.
    other = _next(looking, tmp_path / "another")
    eventually("the next one was looked at", lambda: _evidence(looking, other))
    (line,) = _evidence(looking, caller["key"])
    assert line["imds"]["caller"] == caller
    asked = requests[0]["process"]
    for name in ("executable", "executable_inode", "executable_device", "mount_namespace"):
        assert line["process"][name] == asked[name]
    assert line["level"] == "info"
    assert "script" in line["code"], line["code"]
    (told,) = line["code"]["script"]["lines"]
    assert (told["path"], told["line"], told["use"]) == (str(script), 1, "call")
    assert marker in told["text"]


def _next(watch: Watch, copy: Path) -> str:
    """Have another program, a copy of curl, call IMDSv1; returns its key."""
    shutil.copy(CURL, copy)
    marker = new_marker()
    _run(watch, str(copy), "-s", f"http://{IMDS_IPV4}/latest/meta-data/{marker}")
    (line,) = watch.settled(marker)
    return str(line["imds"]["caller"]["key"])


def test_a_caller_with_a_token_has_none(looking: Watch, tmp_path: Path) -> None:
    """Its code is nobody's concern."""
    copy = tmp_path / "careful"
    shutil.copy(CURL, copy)
    marker = new_marker()
    token = "X-aws-ec2-metadata-token: AQAEANxVDmHAxbXMGsSdu0pvtFbWNpTXRpWM8wcyJ7yRUc3zQeJ8aQ=="
    _run(looking, str(copy), "-s", "-H", token, f"http://{IMDS_IPV4}/latest/meta-data/{marker}")
    (request,) = looking.settled(marker)
    assert request["imds"]["version"] == "v2"
    other = _next(looking, tmp_path / "careless")
    eventually("the next one was looked at", lambda: _evidence(looking, other))
    assert _evidence(looking, request["imds"]["caller"]["key"]) == []


def test_it_can_be_turned_off(fresh: Watch, tmp_path: Path) -> None:
    """Nobody is looked at, then, and no second process runs."""
    config = tmp_path / "config.toml"
    config.write_text("[evidence]\nenabled = false\n")
    with fresh.running("--config", str(config), required=fresh.probe in REQUIRED):
        _next(fresh, tmp_path / "another")
        assert fresh.process is not None
        children = Path(f"/proc/{fresh.process.pid}/task/{fresh.process.pid}/children")
        assert children.read_text() == ""
    assert fresh.lines("caller_evidence") == []


def test_of_a_crowd_those_without_room_are_counted(fresh: Watch, tmp_path: Path) -> None:
    """Of hundreds in a few seconds some are looked at, and the others are told to be missing."""
    shutil.copy(CURL, tmp_path / "caller")
    marker = new_marker()
    with fresh.running(required=fresh.probe in REQUIRED):
        url = f"http://{IMDS_IPV4}/latest/meta-data/{marker}"
        _run(fresh, sys.executable, "-c", CROWD_PROGRAM, str(tmp_path), url, str(CROWD))
        assert len(fresh.settled(marker)) == CROWD
        requests = fresh.requests(marker)
        keys = {line["imds"]["caller"]["key"] for line in requests}
        # On a busy machine the worker's first answer may come after the last request.
        eventually("one is looked at", lambda: _looked_at(fresh) & keys)
    assert len(keys) == CROWD
    looked_at = _looked_at(fresh) & keys
    skipped = fresh.lines("analyzer_stopped")[-1]["evidence_skipped"]
    # The host's own programs, and the connections of this test, may be among the skipped.
    assert 0 <= len(looked_at) + skipped - CROWD <= 5
    assert 0 < len(looked_at) <= PER_S * (_seconds(requests) + 3)
    assert skipped > 0


def _looked_at(watch: Watch) -> set[str]:
    """Return the keys of the callers with evidence."""
    return {line["imds"]["caller"]["key"] for line in watch.lines("caller_evidence")}


def _seconds(lines: list[Line]) -> float:
    """Return the time from the first to the last of these lines."""
    times = [
        datetime.datetime.strptime(line["timestamp"], "%Y-%m-%dT%H:%M:%S.%f%z") for line in lines
    ]
    return (max(times) - min(times)).total_seconds()
