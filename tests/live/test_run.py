"""The life of `imds-analyzer run`: start, signals, losses, errors; nothing is left behind."""

from __future__ import annotations

import collections
import datetime
import os
import platform
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from analyzer import __version__
from analyzer.host.container import maybe_runtime
from analyzer.recorder.sources.probe import objects
from analyzer.recorder.sources.probe.core import CoreSource
from tests.live.conftest import REQUIRED
from tests.live.watch import DEADLINE_S, Watch, eventually, new_marker, start_run


def _programs_of(pid: int) -> list[str]:
    """Return the BPF programs and links that a process holds."""
    held = []
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(fd.readlink())
        except OSError:
            continue
        if "bpf" in target:
            held.append(target)
    return held


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_writes_totals_and_exits_with_0(fresh: Watch, number: int) -> None:
    """What was sent before the signal is in the log, then the totals."""
    marker = new_marker()
    with fresh.running(required=fresh.probe in REQUIRED):
        assert fresh.process is not None
        assert fresh.ready.read_text() == f"{fresh.process.pid}\n"
        assert _programs_of(fresh.process.pid)
        with fresh.connect() as client:
            for index in range(3):
                client.sendall(f"GET /latest/{marker}/{index} HTTP/1.1\r\n\r\n".encode())
                client.recv(4096)
        assert fresh.stop(number) == 0
    assert not fresh.ready.exists()
    assert len(fresh.requests(marker)) == 3
    first, last = fresh.lines()[0], fresh.lines()[-1]
    assert first["event"] == "analyzer_started"
    assert first["observer"] == {"probe": fresh.probe, "version": __version__}
    assert last["event"] == "analyzer_stopped"
    # The host's own programs may call IMDS meanwhile, so not exactly three.
    written = collections.Counter(line["imds"]["version"] for line in fresh.lines("imds_request"))
    assert last["requests"] == {name: written[name] for name in ("v1", "v2", "unknown")}
    assert written["v1"] >= 3
    assert last["lost"] == 0


def test_what_does_not_fit_the_buffer_is_counted(fresh: Watch) -> None:
    """Recorded plus reported lost is what was sent, and recording goes on by itself."""
    marker, sent = new_marker(), 2501
    with fresh.running("--ring-mib", "1", required=fresh.probe in REQUIRED):
        sent_again = fresh.flood(marker, sent)
        fresh.stop()
    lost = sum(
        line["count"] for line in fresh.lines("events_lost") if line["reason"] == "ring_buffer_full"
    )
    assert 0 < lost < sent
    assert 0 <= len(fresh.requests(marker)) + lost - sent <= sent_again
    assert fresh.lines()[-1]["lost"] == lost


def test_heartbeats_say_what_was_seen_and_the_end_what_was_half_sent(fresh: Watch) -> None:
    """A heartbeat carries the interval's counts and the analyzer's own cost.

    A head that never ended is a record of unknown version, at the end.
    """
    marker, half = new_marker(), new_marker()
    options = ("--heartbeat", "1")
    with fresh.running(*options, required=fresh.probe in REQUIRED), fresh.connect() as client:
        client.sendall(f"GET /latest/{half} HTTP/1.1\r\nHost: x\r\n".encode())
        fresh.settled(marker)
        eventually(
            "a heartbeat counts the request, and there are several",
            lambda: (
                len(fresh.lines("heartbeat")) > 2
                and [line for line in fresh.lines("heartbeat") if line["requests"]["v1"]]
            ),
        )
        fresh.stop()
    beats = fresh.lines("heartbeat")
    beat = beats[0]
    assert beat["rss_bytes"] > 1 << 20
    assert beat["cpu_s"] > 0
    # Of the interval, as the counts are: they add up to no more than the total.
    (stopped,) = fresh.lines("analyzer_stopped")
    rounded_s = 0.001 * len(beats)
    assert sum(each["cpu_s"] for each in beats) <= stopped["cpu_s"] + rounded_s
    assert beat["lost"] == 0
    (line,) = fresh.requests(half)
    assert line["imds"]["version"] == "unknown"
    assert line["imds"]["reason"] == "incomplete"


@pytest.mark.quiet
def test_the_log_is_private(unasked: Watch) -> None:
    """The file is 0640 and its new directory 0750, whatever the umask."""
    with unasked.running(required=unasked.probe in REQUIRED):
        pass
    assert stat.S_IMODE(unasked.log.stat().st_mode) == 0o640
    assert stat.S_IMODE(unasked.log.parent.stat().st_mode) == 0o750


@pytest.mark.quiet
def test_a_bad_log_path_is_an_error_at_start(tmp_path: Path) -> None:
    """Nothing stays attached when the log cannot be written."""
    run = start_run(
        *("--log-file", str(tmp_path), "--ready-file", str(tmp_path / "ready")),
        stderr=subprocess.PIPE,
    )
    _, said = run.communicate(timeout=6 * DEADLINE_S)
    assert run.returncode == 1
    assert str(tmp_path) in said.decode()
    assert not (tmp_path / "ready").exists()


@pytest.mark.quiet
def test_where_nothing_works_the_error_lists_what_was_tried(tmp_path: Path) -> None:
    """Without any privilege every way fails, each with its reason and remedy."""
    log = tmp_path / "imds.jsonl"
    run = subprocess.run(
        [
            *("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--"),
            *(sys.executable, "-m", "analyzer", "run"),
            *("--log-file", str(log), "--ready-file", str(tmp_path / "ready")),
        ],
        capture_output=True,
        text=True,
        timeout=6 * DEADLINE_S,
        check=False,
    )
    assert run.returncode == 1
    for tried in ("core/fentry", "core/kprobe", "core/tracepoint", "bcc/kprobe"):
        assert tried in run.stderr
    # It is root, and has no use for packages.
    assert "Run as root" not in run.stderr
    assert "linux-headers" not in run.stderr
    # A machine may be made of a container's image, and then gets a container's words.
    assert ("docker run --privileged" if maybe_runtime() is None else "--cap-add") in run.stderr
    assert "->" in run.stderr
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "ready").exists()
    assert "analyzer_started" not in log.read_text()


@pytest.mark.quiet
def test_tracepoints_do_without_the_faster_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It saves time, and a kernel of before 6.2 refuses it as well."""
    name = f"imds.{platform.machine()}.bpf.o"
    present = objects.bpf_file(f"build/{name}")
    assert present is not None
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / name).symlink_to(present)
    monkeypatch.setattr(objects, "PLACES", (tmp_path,))
    source = CoreSource("tracepoint", 1 << 20)
    source.close()
    assert source.probe == "core/tracepoint"


@pytest.mark.skipif(not Path("/proc/self/ns/time").exists(), reason="no time namespaces")
def test_in_a_time_namespace_times_are_right(fresh: Watch) -> None:
    """The kernel's times are the host's, the analyzer's clock is a day ahead; the log is not."""
    fresh.prefix = ["unshare", "--time", "--boottime", "86400", "--"]
    marker = new_marker()
    with fresh.running(required=fresh.probe in REQUIRED):
        before = datetime.datetime.now(datetime.timezone.utc)
        with fresh.connect() as client:
            client.sendall(f"GET /latest/{marker} HTTP/1.1\r\n\r\n".encode())
            client.recv(4096)
        line = fresh.one(marker)
        after = datetime.datetime.now(datetime.timezone.utc)
    slack = datetime.timedelta(milliseconds=10)  # the wall clock may be slewed meanwhile
    assert before - slack <= _time(line["timestamp"]) <= after + slack
    assert line["process"]["pid"] == os.getpid()
    assert line["process"]["executable"] == str(Path("/proc/self/exe").readlink())
    assert _time(line["process"]["start"]) < before


def _time(text: str) -> datetime.datetime:
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z")
