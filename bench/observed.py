"""The analyzer as an operator runs it, with what it costs."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Optional

import psutil

from analyzer.lab.child_setup import tied_to_caller
from bench.figure import CannotMeasureError

# BCC compiles the probe at start: two minutes in an emulated machine.
READY_DEADLINE_S = 300
# An overfull queue of 24 MiB takes a few seconds, thirty times that when emulated.
DRAIN_DEADLINE_S = 180
LOOK_AGAIN_S = 0.001
# So many times what looking takes passes until the next look: what is observed needs the processor.
LOOK_PAUSE = 9
# What the kernel calls descriptors by which programs are attached, since and before 5.7.
LINKS = ("bpf_link", "perf_event", "raw-tracepoint", "tracing-prog")

Line = dict[str, Any]


def wait_for(what: str, condition: Callable[[], bool], deadline_s: float) -> None:
    """Return once the condition holds. Raises CannotMeasureError when it does not in time."""
    looked_s = time.monotonic()
    end_s = looked_s + deadline_s
    while not condition():
        took_s = time.monotonic() - looked_s
        if looked_s + took_s > end_s:
            raise CannotMeasureError(f"not within {deadline_s:.0f} s: {what}")
        time.sleep(max(LOOK_AGAIN_S, LOOK_PAUSE * took_s))
        looked_s = time.monotonic()


class _Links:
    """Watches a process for what holds its programs in the kernel, from now on."""

    def __init__(self) -> None:
        self._began_s = time.monotonic()
        self._links = 0
        self.attached_s = 0.0

    @property
    def passed_s(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._began_s

    def look(self, pid: int) -> None:
        """Note when there are more than before."""
        links = _count_links(pid)
        if links > self._links:
            self._links, self.attached_s = links, self.passed_s


def _count_links(pid: int) -> int:
    links = 0
    with contextlib.suppress(OSError):  # ended, or a descriptor closed, meanwhile
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            target = str(descriptor.readlink())
            links += target.startswith("anon_inode:") and any(kind in target for kind in LINKS)
    return links


class ObservedAnalyzer:
    """Run ``imds-analyzer run`` in a directory of its own, as a context manager.

    ``attached_s`` is the time from its start until the last of its probe's links was seen among
    its descriptors, ``ready_s`` the time to its ready file.
    Raises CannotMeasureError with the analyzer's own words where it cannot attach.
    """

    def __init__(
        self,
        directory: Path,
        probe: str,
        *options: str,
        prefix: Sequence[str] = (),
        command: Sequence[str] = (),
    ) -> None:
        """Take an empty directory, a probe such as ``core/auto``, and what to run it by.

        ``command`` is what is run instead of this checkout's command.
        """
        source, _, attach = probe.partition("/")
        self.log = directory / "imds.jsonl"
        self._ready = directory / "ready"
        self._messages = directory / "messages"
        self._argv = [
            *prefix,
            *(command or [str(Path(sys.executable).with_name("imds-analyzer"))]),
            "run",
            *("--source", source, "--attach", attach or "auto"),
            *("--log-file", str(self.log), "--ready-file", str(self._ready)),
            *("--rotation", "external"),
            # Each request is looked for; an earlier version may not know the flag, and folds none.
            *(() if command else ("--repeats-per-s", "0")),
            *options,
        ]
        self._child: Optional[subprocess.Popen[bytes]] = None
        self.attached_s = self.ready_s = 0.0

    def __enter__(self) -> ObservedAnalyzer:
        """Start it, and return once its probe is attached."""
        with self._messages.open("wb") as messages:
            links = _Links()
            child = subprocess.Popen(
                self._argv,
                stdin=subprocess.DEVNULL,
                stdout=messages,
                stderr=subprocess.STDOUT,
                preexec_fn=tied_to_caller(),  # noqa: PLW1509 - two system calls, no lock
            )
        self._child = child
        try:
            wait_for(
                "the probe is attached",
                lambda: self._is_started(child, links),
                READY_DEADLINE_S,
            )
            self.attached_s, self.ready_s = links.attached_s, links.passed_s
            self._check()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        """End it if it was not drained."""
        self._end()

    @property
    def pid(self) -> int:
        """The analyzer's process id."""
        if self._child is None:
            raise CannotMeasureError("the analyzer does not run any more")
        return self._child.pid

    def cpu_s(self) -> float:
        """CPU seconds it has used so far, its own and the kernel's for it."""
        used = psutil.Process(self.pid).cpu_times()
        return used.user + used.system

    def drain(self) -> float:
        """Have it write what it still holds and end; return the seconds that took."""
        began = time.monotonic()
        if self._end() != 0:
            raise CannotMeasureError(self._messages.read_text(errors="replace").strip())
        return time.monotonic() - began

    def lines(self, event: str) -> Iterator[Line]:
        """Yield the whole lines of one kind that are in the log by now."""
        wanted = f'"event":"{event}"'.encode()
        with self.log.open("rb") as log:
            for raw in log:
                if wanted in raw and raw.endswith(b"\n"):
                    yield json.loads(raw)

    def wait_for_heartbeats(self, count: int, deadline_s: float) -> list[Line]:
        """Return all heartbeats once there are so many."""

        def enough() -> bool:
            self._check()
            return sum(1 for _ in self.lines("heartbeat")) >= count

        wait_for(f"{count} heartbeats in the log", enough, deadline_s)
        return list(self.lines("heartbeat"))

    def _is_started(self, child: subprocess.Popen[bytes], links: _Links) -> bool:
        is_ready = self._ready.exists()
        links.look(child.pid)
        return is_ready or child.poll() is not None

    def _check(self) -> None:
        if self._child is None or self._child.poll() is not None:
            said = self._messages.read_text(errors="replace").strip()
            raise CannotMeasureError(f"the analyzer ended by itself: {said}")

    def _end(self) -> int:
        child, self._child = self._child, None
        if child is None:
            return 0
        child.terminate()
        try:
            return child.wait(DRAIN_DEADLINE_S)
        except subprocess.TimeoutExpired:
            child.kill()
            return child.wait()
