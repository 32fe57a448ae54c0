"""A running analyzer, and what it wrote."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

import pytest

from analyzer.host.preemption import is_preemptible
from analyzer.imds import IMDS_IPV4
from analyzer.lab.namespace import LabNamespace
from tests.live.lines import GrowingLogs

# An emulated machine is 10 to 30 times slower than this one.
SLOWNESS = float(os.environ.get("IMDS_ANALYZER_SLOWNESS", "1"))
DEADLINE_S = max(30, 10 * SLOWNESS)
# BCC compiles the probe when it starts.
ATTACH_DEADLINE_S = 60 + 30 * SLOWNESS
LOOK_AGAIN_S = 0.01
# An order may come before the analyzer begins to rest: then another one has to. Where all is slow,
# orders cost more than resting does.
LOOKS_PER_ORDER = max(3, int(3 * SLOWNESS))

Line = dict[str, Any]

# The probes that attached here, and why others did not: to find out takes a second each time.
attached: set[str] = set()
_unavailable: dict[str, str] = {}


def eventually(what: str, condition: Callable[[], Any], deadline_s: float = DEADLINE_S) -> Any:
    """Return the condition's first true value; fail when there is none in time."""
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            pytest.fail(f"not within {deadline_s:.0f} s: {what}")
        time.sleep(LOOK_AGAIN_S)


def start_run(*options: str, prefix: Sequence[str] = (), **streams: Any) -> subprocess.Popen[bytes]:
    """Start ``imds-analyzer run`` with these options, by a command that ``prefix`` begins."""
    return subprocess.Popen([*prefix, sys.executable, "-m", "analyzer", "run", *options], **streams)


def skip_unavailable(probe: str) -> None:
    """Skip the test of a probe that is known not to attach here."""
    if probe in _unavailable:
        pytest.skip(_unavailable[probe])


def may_be_skipped(probe: str) -> bool:
    """Tell whether the kernel may not run this probe for a sender (see sources/preemption.py)."""
    return probe.endswith("/fentry") and is_preemptible()


# Where tcpi_total_retrans stands in struct tcp_info (linux/tcp.h), and its end.
_TOTAL_RETRANS, _TCP_INFO_BYTES = 100, 104


class Watch:
    """One ``imds-analyzer run`` and its log."""

    def __init__(self, probe: str, namespace: LabNamespace, directory: Path) -> None:
        self.probe = probe
        self.namespace = namespace
        self.log = directory / "log" / "imds.jsonl"
        self.ready = directory / "ready"
        self._messages = directory / "messages"
        self.process: Optional[subprocess.Popen[bytes]] = None
        # What starts it: a command that ends in becoming the one behind it.
        self.prefix: Sequence[str] = ()
        # What it finds in its environment, beside all that is in ours.
        self.environment: Mapping[str, str] = {}
        self._logs = GrowingLogs()

    @contextlib.contextmanager
    def running(self, *options: str, required: bool = False) -> Iterator[Watch]:
        """Run it; skip the test where the probe does not attach and need not."""
        self.start(*options, required=required)
        try:
            yield self
        finally:
            self.stop()

    def start(self, *options: str, required: bool = False) -> None:
        """Start it and return once the probe is attached."""
        if not required:
            skip_unavailable(self.probe)
        source, attach = self.probe.split("/")
        with self._messages.open("wb") as messages:
            self.process = start_run(
                *("--source", source),
                *(() if source == "packet" else ("--attach", attach)),
                *("--log-file", str(self.log), "--ready-file", str(self.ready)),
                *("--rotation", "external"),
                # Tests look for each of many requests; what folds them is tested by itself.
                *("--repeats-per-s", "0"),
                *options,
                prefix=self.prefix,
                env={**os.environ, **self.environment},
                stderr=messages,
                stdout=messages,
            )
        process = self.process
        eventually(
            "the probe is attached",
            lambda: self.ready.exists() or process.poll() is not None,
            ATTACH_DEADLINE_S,
        )
        if process.poll() is not None:
            reason = self._messages.read_text()
            assert process.returncode == 1, reason
            assert "no capture method" in reason, reason
            if required:
                pytest.fail(f"{self.probe} must work here: {reason}")
            reason = f"{self.probe} does not work here: {reason}"
            if not self.prefix:
                _unavailable[self.probe] = f"{self.probe} does not work here, as was said before"
            pytest.skip(reason)
        attached.add(self.probe)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it; returns its exit code."""
        process = self.process
        if process is None:
            return 0
        if process.poll() is None:
            process.send_signal(number)
        try:
            return process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def lines(self, event: Optional[str] = None) -> list[Line]:
        """Return the whole lines written so far, each parsed."""
        return self._logs.lines_of(self.log, event)

    def lines_of(self, path: Path) -> list[Line]:
        """Return the whole lines of a file, each parsed; fails for one that fits no schema."""
        return self._logs.lines_of(path)

    @functools.cached_property
    def has_wire(self) -> bool:
        """Whether it sees what goes out, beside the calls that send."""
        return "wire" in self.lines("analyzer_started")[0]["witnesses"]

    def requests(self, marker: str) -> list[Line]:
        """Return the requests whose path has the marker."""
        return self._logs.requests_of(self.log, marker)

    def settled(self, marker: str) -> list[Line]:
        """Return the requests with the marker, once all that was sent before is written.

        A request of its own, sent now, comes through the same ring after the others.
        """
        last = new_marker()
        with self.connect() as client:
            client.sendall(f"GET /latest/meta-data/{last} HTTP/1.1\r\n\r\n".encode())
        self.hurried("the last request is written", lambda: self.requests(last))
        return self.requests(marker)

    def hurried(
        self, what: str, condition: Callable[[], Any], deadline_s: float = DEADLINE_S
    ) -> Any:
        """Wait as :func:`eventually`, and keep the analyzer from letting events gather meanwhile.

        It rests a quarter of a second after most events, but not when it is to write what it has
        because its log may be moved: that changes nothing of what is written.
        """
        looks = itertools.count()

        def look() -> Any:
            value = condition()
            if not value and next(looks) % LOOKS_PER_ORDER == 1:
                self._order(signal.SIGUSR1)
            return value

        return eventually(what, look, deadline_s)

    def _order(self, number: int) -> None:
        """Send a signal to the analyzer itself, which may be a child of what was started."""
        if self.process is not None and self.process.poll() is None:
            os.kill(int(self.ready.read_text()), number)

    def one(self, marker: str) -> Line:
        """Return the one request with the marker; fail when there is another number of them."""
        found = self.settled(marker)
        assert len(found) == 1, found
        return found[0]

    def lost_requests(self) -> list[Line]:
        """Return the reports of losses that may be requests, not only what became of them."""
        return [
            line for line in self.lines("events_lost") if not line["reason"].startswith("answers_")
        ]

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Keep the analyzer from looking at anything meanwhile."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.process.pid, signal.SIGCONT)

    def flood(self, marker: str, sent: int) -> int:
        """Send more than the ring holds while the analyzer stands still, and wait for the report.

        What is sent afterwards is recorded again. Returns how many packets TCP has sent again,
        each of which the kernel may count as lost once more.
        """
        import socket  # noqa: PLC0415 (as below)

        with self.connect() as client:
            with self.paused():
                for index in range(sent):
                    client.sendall(f"GET /latest/{marker}/{index} HTTP/1.1\r\n\r\n".encode())
                    client.recv(4096)
            told = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
        eventually("the loss is reported", lambda: self.lines("events_lost"))
        # It may be reported while the ring is still full, which is emptied at one go.
        self.hurried("what the ring held is written", lambda: self.requests(marker))
        self.settled(marker)
        return int.from_bytes(told[_TOTAL_RETRANS:_TCP_INFO_BYTES], sys.byteorder)

    def all_are_named(self, pids: Collection[int], found: list[Line]) -> bool:
        """Tell whether each process has one record.

        Fails the test where it has not, except where a preemptible kernel may skip the probe:
        then what is missing must have been counted, and False is returned.
        """
        named = sorted(line["process"]["pid"] for line in found)
        if named == sorted(pids):
            return True
        assert may_be_skipped(self.probe), (named, sorted(pids))
        assert len(set(named)) == len(named)
        assert set(named) < set(pids)
        eventually(
            "what was missed is reported",
            lambda: len(pids) - len(named) <= sum(line["count"] for line in self.lost_requests()),
        )
        assert {line["reason"] for line in self.lost_requests()} == {"probe_busy"}
        return False

    def connect(self, address: str = IMDS_IPV4) -> Any:
        """Return a socket of this process, connected to the IMDS in the namespace."""
        import socket  # noqa: PLC0415 (the namespace's method has the same name)

        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        client = self.namespace.socket(family)
        client.settimeout(DEADLINE_S)
        client.connect((address, 80))
        return client


def new_marker() -> str:
    """Return a path segment that no other request has, and that looks like no secret."""
    return f"marker-{uuid.uuid4()}"
