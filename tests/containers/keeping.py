"""The tests' end of a keeper: processes that it started, to be used like subprocess.Popen."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.containers.keeper import MESSAGE_MAX, Duty


class Kept:
    """A process that the keeper started, to be used like subprocess.Popen."""

    def __init__(self, keeping: Keeping, pid: int) -> None:
        self._keeping = keeping
        self.pid = pid

    @property
    def returncode(self) -> int | None:
        """The exit code, negative for a signal; None if it was not seen to end."""
        return self._keeping.maybe_status(self.pid)

    def poll(self) -> int | None:
        """Return the exit code if it has ended."""
        self._keeping.receive(0)
        return self.returncode

    def wait(self, timeout_s: float) -> int:
        """Return the exit code at its end. Raises TimeoutExpired."""
        end = time.monotonic() + timeout_s
        while self.returncode is None:
            left = end - time.monotonic()
            if left <= 0:
                raise subprocess.TimeoutExpired(str(self.pid), timeout_s)
            self._keeping.receive(left)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        self._keeping.send({"pid": self.pid, "signal": number})

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)


class Keeping:
    """The tests' end: a running keeper, as a context manager. Not for more than one thread."""

    def __init__(self, duty: Duty, log: Path) -> None:
        """Take what is removed at the end, and a file for the keeper's own messages."""
        self._duty = duty
        self._log = log
        self._ended: dict[int, int] = {}
        self._replies: list[dict[str, Any]] = []

    def __enter__(self) -> Keeping:
        """Start the keeper."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        argv = [sys.executable, "-m", "tests.containers.keeper", str(theirs.fileno())]
        with theirs, self._log.open("wb") as log:
            # It outlives us on purpose. A session of its own: Ctrl-C is for us alone.
            self._process = subprocess.Popen(
                [*argv, json.dumps(self._duty._asdict())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[theirs.fileno()],
                cwd=Path(__file__).parents[2],
                start_new_session=True,
            )
        self._connection = ours
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection, and wait until everything has ended."""
        self._connection.close()
        self._process.wait()

    def start(
        self,
        argv: Sequence[str],
        streams: tuple[int, int, int],
        *,
        env: Mapping[str, str],
        cwd: str = "/",
    ) -> Kept:
        """Start a process with three open descriptors. Raises RuntimeError if it cannot start."""
        self.send({"argv": list(argv), "env": dict(env), "cwd": cwd}, streams)
        while not self._replies:
            self.receive(None)
        reply = self._replies.pop()
        if "error" in reply:
            raise RuntimeError(f"`{argv[0]}` cannot be started: {reply['error']}")
        return Kept(self, reply["pid"])

    def send(self, message: Mapping[str, Any], streams: Sequence[int] = ()) -> None:
        """Send a message. Raises ConnectionError if the keeper has ended."""
        socket.send_fds(self._connection, [json.dumps(message).encode()], list(streams))

    def receive(self, timeout_s: float | None) -> None:
        """Take what the keeper has said; wait for the first. None waits without an end."""
        self._connection.settimeout(timeout_s)
        try:
            raw = self._connection.recv(MESSAGE_MAX)
            while raw:
                message = json.loads(raw)
                if "exited" in message:
                    self._ended[message["exited"]] = message["status"]
                else:
                    self._replies.append(message)
                self._connection.settimeout(0)
                raw = self._connection.recv(MESSAGE_MAX)
        except (BlockingIOError, TimeoutError, socket.timeout):
            return
        raise RuntimeError(f"the keeper ended: {self._log}")

    def maybe_status(self, pid: int) -> int | None:
        """Return the exit code of a process that was seen to end."""
        return self._ended.get(pid)
