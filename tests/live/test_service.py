"""The service as systemd runs it: what it says of itself, and what it may still do."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import re
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from analyzer.imds import IMDS_IPV4
from analyzer.lab.imds import ImdsProcess
from analyzer.lab.namespace import LabNamespace
from analyzer.recorder.daemon.seccomp import REFUSED
from tests.live.conftest import REQUIRED
from tests.live.manager import Manager, listening
from tests.live.watch import DEADLINE_S, SLOWNESS, Watch, eventually, new_marker

UNIT = Path(__file__).parents[2] / "systemd" / "imds-analyzer.service"
WATCHDOG_S = 4.0 * SLOWNESS
NOBODY = 65534
# DAC_READ_SEARCH and SYS_PTRACE; root has DAC_OVERRIDE too.
KEPT, KEPT_BY_ROOT = 1 << 2 | 1 << 19, 1 << 1 | 1 << 2 | 1 << 19


class Service(NamedTuple):
    """An analyzer as systemd runs it, and who is told of it."""

    watch: Watch
    manager: Manager
    metrics: Path

    @property
    def pid(self) -> int:
        assert self.watch.process is not None
        return self.watch.process.pid


@pytest.fixture(scope="module")
def service(one_probe: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Return one that runs, with a thread that serves metrics. Each test leaves it as it was."""
    directory = tmp_path_factory.mktemp("service")
    address, settings = directory / "metrics.sock", directory / "config.toml"
    settings.write_text(f'[metrics]\nprometheus = "unix:{address}"\n')
    watch = Watch(one_probe, LabNamespace(), directory)  # in which nobody calls: it is never made
    with listening(directory / "notify") as manager:
        watch.environment = _told(manager)
        with watch.running("--config", str(settings), required=one_probe in REQUIRED):
            yield Service(watch, manager, address)


def _told(manager: Manager) -> dict[str, str]:
    """Return what systemd has in the environment of a service with a watchdog."""
    watchdog_us = int(WATCHDOG_S * 1e6)
    return {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": str(watchdog_us)}


def _is_fed(manager: Manager, times: int = 2) -> bool:
    """Wait for the watchdog to be fed; each time within what systemd allows."""
    for _ in range(times):
        before, end = manager.count("WATCHDOG"), time.monotonic() + WATCHDOG_S
        while manager.count("WATCHDOG") == before:
            if time.monotonic() > end:
                return False
            time.sleep(0.01)
    return True


def test_a_life_is_told_to_systemd(watch: Watch, manager_of_watch: Manager) -> None:
    """READY once the probe is attached, then the counts. The end: see the test of a reload."""
    watch.settled(new_marker())
    assert manager_of_watch.told[0] == {
        "READY": "1",
        "STATUS": f"{watch.probe}, 0 requests (0 v1), 0 lost",
    }
    status = re.compile(rf"{watch.probe}, [1-9][0-9]* requests \([1-9][0-9]* v1\), 0 lost")
    eventually(
        "the counts are told",
        lambda: [each for each in manager_of_watch.statuses() if status.fullmatch(each)],
        DEADLINE_S + 20,
    )
    assert watch.process is not None
    environment = Path(f"/proc/{watch.process.pid}/environ").read_bytes()
    assert b"NOTIFY_SOCKET=" in environment  # as systemd gave it; no child inherits it
    assert manager_of_watch.count("STOPPING") == 0
    assert manager_of_watch.count("READY") == 1


def _has_reloaded(manager: Manager, since: int) -> bool:
    told = manager.told[since:]
    begun = [number for number, each in enumerate(told) if "RELOADING" in each]
    return bool(begun) and any("READY" in each for each in told[begun[0] :])


@pytest.mark.quiet
def test_a_reload_is_told_to_systemd(unasked: Watch, tmp_path: Path) -> None:
    """Its begin and its end, whether the new file is right or wrong; then the service's own end."""
    settings = tmp_path / "config.toml"
    settings.write_text("[log]\nheartbeat_s = 30.0\n")
    with listening(tmp_path / "notify") as manager:
        unasked.environment = _told(manager)
        with unasked.running("--config", str(settings), required=unasked.probe in REQUIRED):
            assert unasked.process is not None
            eventually("it is ready", lambda: manager.count("READY") == 1)
            for text in ("[log]\nheartbeat_s = 20.0\n", "[log]\nheartbeat = 20.0\n"):
                before = len(manager.told)
                settings.write_text(text)
                unasked.process.send_signal(signal.SIGHUP)
                eventually("it has reloaded", functools.partial(_has_reloaded, manager, before))
            assert unasked.lines("configuration_reloaded")
            assert unasked.lines("configuration_rejected")
            assert manager.count("STOPPING") == 0
            assert unasked.stop() == 0
        eventually("it stops", lambda: manager.count("STOPPING"))
        assert manager.count("READY") == 3


@pytest.mark.quiet
def test_a_stopped_analyzer_does_not_feed_the_watchdog(service: Service) -> None:
    """And one that goes on does."""
    assert _is_fed(service.manager)
    with service.watch.paused():
        # One may have been on its way.
        while _is_fed(service.manager, 1):
            pass
    assert _is_fed(service.manager)


# linux/ptrace.h, and what waits for traced threads (bits/waitflags.h)
PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207
WALL = 0x40000000


@contextlib.contextmanager
def _thread_stopped(thread: int) -> Iterator[None]:
    """Have one thread stand still, as where the kernel does not let it go on."""
    libc = ctypes.CDLL(None, use_errno=True)

    def trace(request: int) -> None:
        arguments = (ctypes.c_long(request), ctypes.c_long(thread), None, None)
        assert libc.ptrace(*arguments) == 0, os.strerror(ctypes.get_errno())

    trace(PTRACE_SEIZE)
    trace(PTRACE_INTERRUPT)
    os.waitpid(thread, WALL)
    try:
        yield
    finally:
        trace(PTRACE_DETACH)


def _metrics(address: Path) -> bytes:
    """Return what a Prometheus endpoint on a Unix socket serves."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(DEADLINE_S)
        client.connect(str(address))
        client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        return b"".join(iter(lambda: client.recv(65536), b""))


@pytest.mark.quiet
def test_a_pipeline_that_hangs_does_not_feed_the_watchdog(service: Service) -> None:
    """A process that is alive is not enough: its other threads run, and serve metrics."""
    assert _is_fed(service.manager)
    with _thread_stopped(service.pid):
        end = time.monotonic() + DEADLINE_S + 2 * WATCHDOG_S
        while _is_fed(service.manager, 1):
            assert time.monotonic() < end, "it is fed although nothing is done"
        assert b"imds_analyzer" in _metrics(service.metrics)
    assert _is_fed(service.manager), "it is not fed although it goes on"


def _capabilities(pid: int) -> dict[str, int]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {
        name: int(value, 16)
        for name, value in (line.split(":") for line in lines if line.startswith("Cap"))
    }


@pytest.mark.quiet
def test_root_lets_go_of_what_it_does_not_need(service: Service) -> None:
    """Attached, it can neither load a program nor get the privilege back."""
    sets = _capabilities(service.pid)
    assert sets["CapEff"] == sets["CapPrm"] == sets["CapBnd"] == KEPT_BY_ROOT
    assert "NoNewPrivs:\t1" in Path(f"/proc/{service.pid}/status").read_text()
    (started,) = service.watch.lines("analyzer_started")
    assert started["capabilities"] == [
        "CAP_DAC_OVERRIDE",
        "CAP_DAC_READ_SEARCH",
        "CAP_SYS_PTRACE",
    ]


def _seccomp(pid: int) -> dict[str, str]:
    """Return the mode of seccomp of each thread: 2 is a filter."""
    status = "Seccomp:\t"
    return {
        task.name: next(
            line[len(status) :]
            for line in (task / "status").read_text().splitlines()
            if line.startswith(status)
        )
        for task in Path(f"/proc/{pid}/task").iterdir()
    }


@pytest.mark.quiet
def test_attached_it_is_closed_in_every_thread(service: Service) -> None:
    """Also in those that serve metrics; the start's line names the system calls."""
    modes = _seccomp(service.pid)
    assert len(modes) > 1
    assert set(modes.values()) == {"2"}
    (started,) = service.watch.lines("analyzer_started")
    assert started["refused_system_calls"] == list(REFUSED)


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_attached_it_does_not_miss_what_is_closed(fresh: Watch, tmp_path: Path) -> None:
    """Losses, a reload, and the end: none of them asks for bpf(2) or perf_event_open(2)."""
    settings, trace = tmp_path / "config.toml", tmp_path / "trace"
    settings.write_text("[log]\nheartbeat_s = 30.0\n")
    calls = ",".join(("seccomp", *REFUSED))
    fresh.prefix = ["strace", "-f", "-qq", "-s0", "-o", str(trace), "-e", f"trace={calls}"]
    marker = new_marker()
    with fresh.running(
        "--config", str(settings), "--ring-mib", "1", required=fresh.probe in REQUIRED
    ):
        pid = int(fresh.ready.read_text())  # the one started is strace
        fresh.settled(marker)
        settings.write_text("[log]\nheartbeat_s = 20.0\n")
        os.kill(pid, signal.SIGHUP)
        eventually("it has reloaded", lambda: fresh.lines("configuration_reloaded"))
        with fresh.connect() as client:
            os.kill(pid, signal.SIGSTOP)
            try:
                for index in range(2501):
                    client.sendall(f"GET /latest/{marker}/{index} HTTP/1.1\r\n\r\n".encode())
                    client.recv(4096)
            finally:
                os.kill(pid, signal.SIGCONT)
        eventually("the loss is reported", lambda: fresh.lines("events_lost"))
        os.kill(pid, signal.SIGTERM)
        assert fresh.process is not None
        assert fresh.process.wait(DEADLINE_S) == 0
    before, _, after = trace.read_text().partition("seccomp(SECCOMP_SET_MODE_FILTER")
    assert "bpf(" in before
    assert "= 0" in after.splitlines()[0]
    assert [line for line in after.splitlines()[1:] if "(" in line] == []


# As systemd does it: tracefs is mounted, memory may be locked (before Linux 5.11 the ring is),
# the user is another, the capabilities are the unit's, /proc is read-only. Where the limit cannot
# be raised, the kernel is newer.
AS_A_SERVICE = """
ulimit -l 131072 || true
test -d /sys/kernel/tracing/events || mount -t tracefs tracefs /sys/kernel/tracing
mount -o remount,bind,ro /proc
exec setpriv --reuid={user} --regid={user} --clear-groups --no-new-privs \
  --bounding-set=-all,{capabilities} --inh-caps=-all,{capabilities} \
  --ambient-caps=-all,{capabilities} -- "$@"
"""


def _as_a_service(watch: Watch, directory: Path) -> list[str]:
    """Return what to put before the command, and let the user write where it has to."""
    files = [UNIT]
    paranoid = int(Path("/proc/sys/kernel/perf_event_paranoid").read_text())
    if paranoid > 2 and not watch.probe.endswith("fentry"):
        files.append(UNIT.with_name("sys-admin.conf"))
    names = [
        name
        for file in files
        for setting in re.findall(r"^AmbientCapabilities=(.*)$", file.read_text(), re.MULTILINE)
        for name in setting.split()
    ]
    capabilities = ",".join(f"+{name[4:].lower()}" for name in names)
    watch.log.parent.mkdir()
    for place in (directory, watch.log.parent):
        os.chown(place, NOBODY, NOBODY)
    script = AS_A_SERVICE.format(user=NOBODY, capabilities=capabilities)
    return ["unshare", "--mount", "--propagation=private", "sh", "-ec", script, "sh"]


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """Return a directory that another user can get to, as pytest's own are not."""
    import tempfile  # noqa: PLC0415 (nothing else here needs it)

    with tempfile.TemporaryDirectory(prefix="imds-analyzer-") as name:
        yield Path(name)


def test_with_the_units_capabilities_it_does_all_it_does_as_root(
    one_probe: str, namespace: LabNamespace, imds: ImdsProcess, open_directory: Path
) -> None:
    """Another user's program is named with its executable, losses are counted, all is drained."""
    assert imds.listening
    if one_probe.startswith("bcc"):
        pytest.skip("BCC needs its drop-in")
    watch = Watch(one_probe, namespace, open_directory)
    watch.prefix = _as_a_service(watch, open_directory)
    marker, flood, sent = new_marker(), new_marker(), 2501
    with watch.running("--ring-mib", "1", required=one_probe in REQUIRED):
        assert watch.process is not None
        sets = _capabilities(watch.process.pid)
        assert sets["CapEff"] == sets["CapPrm"] == KEPT
        assert sets["CapInh"] == sets["CapAmb"] == 0
        options = Path(f"/proc/{watch.process.pid}/mounts").read_text().splitlines()
        assert [line for line in options if re.match(r"\S+ /proc proc ro,", line)]
        url = f"http://{IMDS_IPV4}/latest/meta-data/{marker}"
        namespace.run(
            [
                *("setpriv", "--reuid=1234", "--regid=1234", "--clear-groups", "--"),
                *("sh", "-c", f"curl -sS {url} >&2; true"),
            ]
        )
        (line,) = watch.settled(marker)
        # The shell is still there or it is not; what it runs under was started by this test.
        assert line["process"]["user"]["id"] == "1234"
        ours = [each for each in line["process"]["ancestors"] if each["pid"] == os.getpid()]
        assert ours[0]["executable"] == str(Path(f"/proc/{os.getpid()}/exe").readlink())
        sent_again = watch.flood(flood, sent)
        watch.stop()
    lost = sum(
        line["count"] for line in watch.lines("events_lost") if line["reason"] == "ring_buffer_full"
    )
    assert 0 <= len(watch.requests(flood)) + lost - sent <= sent_again
    assert watch.lines()[-1]["event"] == "analyzer_stopped"
