"""Starts the processes of a room, and ends every one of them when the tests are gone.

Runtimes leave processes that are nobody's children: conmon, containerd's shims, daemons. The keeper
is their parent by prctl(PR_SET_CHILD_SUBREAPER). It ends with its connection to the tests, however
these end, also by kill -9. It then kills what it has below it, and removes what that left.
"""

from __future__ import annotations

import ctypes
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import psutil

from analyzer.lab.child_setup import tied_to_caller
from tests.cgroups import remove_cgroups

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
MESSAGE_MAX = 1 << 17
_STREAMS = 3
_LOOK_AGAIN_S = 0.01


class Duty(NamedTuple):
    """What is removed at the end: cgroups by their names below a root, and a directory."""

    cgroups: Sequence[str]
    directory: str


class Keeper:
    """The program: takes messages until the other end is closed, or a signal tells it to end."""

    def __init__(self, connection: socket.socket, duty: Duty) -> None:
        self._connection = connection
        self._duty = duty
        self._started: dict[int, subprocess.Popen[bytes]] = {}
        self._told_to_end = False

    def run(self) -> None:
        """Serve, then end everything below. Raises OSError if the kernel knows no subreapers."""
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")
        woken, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(waker)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._end_by_signal)
        try:
            self._serve(woken)
        finally:
            self._end()

    def _end_by_signal(self, *_: object) -> None:
        self._told_to_end = True

    def _serve(self, woken: int) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._connection, selectors.EVENT_READ)
            selector.register(woken, selectors.EVENT_READ)
            while not self._told_to_end:
                for key, _ in selector.select():
                    if key.fd == woken:
                        os.read(woken, 4096)
                    elif not self._take():
                        return
                for pid, status in self._reaped():
                    self._tell(exited=pid, status=status)

    def _take(self) -> bool:
        """Take one message; False if there is none any more."""
        try:
            raw, streams, _, _ = socket.recv_fds(self._connection, MESSAGE_MAX, _STREAMS)
        except ConnectionError:
            return False
        if not raw:
            return False
        message = json.loads(raw)
        if "signal" in message:
            # Not reaped yet, so the number is still its own.
            if message["pid"] in self._started:
                os.kill(message["pid"], message["signal"])
            return True
        try:
            self._start(message, streams)
        except OSError as error:
            self._tell(error=str(error))
        finally:
            for stream in streams:
                os.close(stream)
        return True

    def _start(self, message: Mapping[str, Any], streams: Sequence[int]) -> None:
        stdin, stdout, stderr = streams
        process = subprocess.Popen(
            message["argv"],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=message["env"],
            cwd=message["cwd"],
            preexec_fn=tied_to_caller(),  # noqa: PLW1509 (two system calls, no lock)
            start_new_session=True,
        )
        self._started[process.pid] = process
        self._tell(pid=process.pid)

    def _tell(self, **message: Any) -> None:
        try:
            self._connection.send(json.dumps(message).encode())
        except ConnectionError:
            self._told_to_end = True

    def _reaped(self) -> list[tuple[int, int]]:
        """Take leave of ended processes; return those that the tests know, with exit codes.

        Raises ChildProcessError if nothing is left below this process.
        """
        found = []
        while self._started:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            process = self._started.pop(pid, None)
            if process is not None:
                process.returncode = os.waitstatus_to_exitcode(status)
                found.append((pid, process.returncode))
        return found

    def _end(self) -> None:
        """Kill until nothing is left: what loses its parent becomes a child of this process."""
        signal.set_wakeup_fd(-1)
        while True:
            for process in psutil.Process().children(recursive=True):
                try:
                    process.kill()
                except psutil.NoSuchProcess:
                    continue
            try:
                while os.waitpid(-1, os.WNOHANG) != (0, 0):
                    pass
            except ChildProcessError:
                break
            time.sleep(_LOOK_AGAIN_S)
        remove_cgroups(self._duty.cgroups)
        # Layers have files that only their own mounts may remove; these are gone now.
        shutil.rmtree(self._duty.directory, ignore_errors=True)


if __name__ == "__main__":
    Keeper(socket.socket(fileno=int(sys.argv[1])), Duty(**json.loads(sys.argv[2]))).run()
