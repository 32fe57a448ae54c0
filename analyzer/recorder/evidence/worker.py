"""Holds the process that looks at callers: starts it, asks it, and ends it if it hangs.

A process, because a thread would share the interpreter's lock with the hot path: one file that
takes long to parse would hold up all requests, and a thread that yields to others would hold the
lock while it waits. It also can be ended while it waits for a file system.
"""

from __future__ import annotations

import collections
import contextlib
import json
import os
import signal
import socket
import time
import warnings
from typing import Any, Generic, Optional, TypeVar

from analyzer.recorder.evidence.child import MESSAGE_MAX, serve
from analyzer.recorder.evidence.jobs import Job

# A look has 50 ms of CPU; on a busy host, where it yields to all others, that is seconds.
HANGS_S = 10.0
# Without a job it ends after that, so that an idle recorder has no second process.
IDLE_S = 30.0
_SIGNALS = (signal.SIGHUP, signal.SIGUSR1, signal.SIGTERM, signal.SIGINT)

T = TypeVar("T")
Fields = dict[str, Any]


class Worker(Generic[T]):
    """Asks the process; each job comes back with its item and what was found."""

    def __init__(self) -> None:
        self._pid = 0
        self._ended: list[int] = []  # not reaped yet
        self._socket: Optional[socket.socket] = None
        self._asked: collections.deque[tuple[T, Job]] = collections.deque()
        self._moved_s = 0.0  # when it last had an answer, or its first job

    def __len__(self) -> int:
        """Return how many jobs have no answer yet."""
        return len(self._asked)

    def ask(self, item: T, job: Job) -> None:
        """Hand it a job; starts it if there is none. Never waits."""
        if not self._asked:
            self._moved_s = time.monotonic()
        self._asked.append((item, job))
        self._send(job)

    def answers(self) -> list[tuple[T, Fields]]:
        """Return what was found since the last call. Never waits; to be called once a second."""
        self._reap()
        answers = self._received()
        hung_s = time.monotonic() - self._moved_s
        if self._asked and (self._socket is None or hung_s > HANGS_S):
            # Whoever it was looking at when it hung, or ended, is not tried again.
            lacks = "no answer in time" if self._socket is not None else "the look was ended"
            self._end()
            item, _ = self._asked.popleft()
            answers.append((item, {"lacks": [lacks]}))
            self._moved_s = time.monotonic()
            for _, job in self._asked:
                self._send(job)
        elif not self._asked and self._socket is not None and hung_s > IDLE_S:
            self._end()
        return answers

    def wait(self, for_s: float) -> None:
        """Wait at most so long for an answer."""
        if self._socket is not None and self._asked:
            self._socket.settimeout(for_s)
            with contextlib.suppress(OSError):
                self._socket.recv(1, socket.MSG_PEEK)
            self._socket.setblocking(False)

    def stop(self) -> list[T]:
        """End it at once; returns the items that have no answer."""
        self._end()
        left = [item for item, _ in self._asked]
        self._asked.clear()
        return left

    def _received(self) -> list[tuple[T, Fields]]:
        answers: list[tuple[T, Fields]] = []
        while self._socket is not None and self._asked:
            try:
                message = self._socket.recv(MESSAGE_MAX)
            except BlockingIOError:
                break
            except OSError:
                message = b""
            if not message:
                self._end()
                break
            item, _ = self._asked.popleft()
            answers.append((item, json.loads(message)))
            self._moved_s = time.monotonic()
        return answers

    def _send(self, job: Job) -> None:
        try:
            if self._socket is None:
                self._start()
            if self._socket is not None:
                self._socket.send(job.encoded())
        except OSError:  # it has ended, or cannot be started: answers() tells
            self._end()

    def _start(self) -> None:
        """Copy this process, with its capabilities and its filter of system calls."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        parent = os.getpid()
        former = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            with warnings.catch_warnings():
                # Of threads, which the copy does not have: it uses nothing of theirs.
                warnings.simplefilter("ignore", DeprecationWarning)
                pid = os.fork()
            if pid == 0:
                _become_worker(theirs, parent)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, former)
            theirs.close()
        ours.setblocking(False)
        self._pid, self._socket = pid, ours

    def _end(self) -> None:
        if self._socket is None:
            return
        self._socket.close()
        self._socket = None
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        self._ended.append(self._pid)
        self._reap()

    def _reap(self) -> None:
        """Take note of those that have ended; one that still waits for a disk is left to itself."""
        left = []
        for pid in self._ended:
            with contextlib.suppress(ChildProcessError):
                if os.waitpid(pid, os.WNOHANG)[0] == 0:
                    left.append(pid)
        self._ended = left


def _become_worker(jobs: socket.socket, parent: int) -> None:
    """Run as the worker, and never return: the code behind the fork is the recorder's."""
    try:
        serve(jobs, parent)
    finally:
        os._exit(0)
