"""Runs the emulated IMDS as a child process inside a LabNamespace.

The child speaks lines of JSON: ``{"listening": …}`` or ``{"error": …}`` first, then one
line of counts for every line it is sent. It ends when its input does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Optional

import analyzer
from analyzer.errors import LabError
from analyzer.imds import IMDS_PORT
from analyzer.lab.interpreter import running
from analyzer.lab.namespace import LabNamespace
from analyzer.lab.network_namespace import HOME, NamespaceId
from analyzer.lab.server import Answered, BoundAddress, Ledger, Tally, open_listeners, serve
from analyzer.lab.service import DEFAULTS, EmulatedService, MetadataOptions

_ANSWER_TIMEOUT_S = 60  # answers in milliseconds; Python starts slowly in an emulated machine


class ImdsProcess:
    """Serve port 80 of both IMDS addresses from a child inside a namespace, as a context manager.

    Raises LabError with the child's own words where it cannot.
    """

    def __init__(
        self, namespace: LabNamespace, options: MetadataOptions = DEFAULTS, *, port: int = IMDS_PORT
    ) -> None:
        """Take an open namespace and how the instance's options are set."""
        self._namespace = namespace
        self._options = options
        self._port = port
        self._child: Optional[subprocess.Popen[bytes]] = None
        self._received = b""
        self.listening: tuple[BoundAddress, ...] = ()

    def __enter__(self) -> ImdsProcess:
        """Start the child, and return once requests are answered."""
        if HOME is None:
            raise LabError("/proc/self/ns/net cannot be read. Mount proc on /proc")
        argv = [*running(__name__), f"--home={HOME.device}:{HOME.inode}"]
        for address in self._namespace.addresses:
            argv += ["--listen", address, str(self._port)]
        options = self._options._asdict()
        argv.append(f"--options={json.dumps(options)}")
        self._child = self._namespace.popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # `-m` looks in the working directory first: let that be where this very package is.
            cwd=Path(analyzer.__file__).parent.parent,
        )
        try:
            self.listening = tuple(BoundAddress(*each) for each in self._receive()["listening"])
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        """End the child."""
        self.stop()

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._running().pid

    def tally(self) -> Tally:
        """Return how many requests of each kind were answered so far."""
        child = self._running()
        try:
            os.write(child.stdin.fileno() if child.stdin else -1, b"tally\n")
        except OSError as error:
            raise LabError(f"the emulated IMDS is gone: {error}") from error
        return {Answered(*key): count for key, count in self._receive()["tally"]}

    def stop(self) -> None:
        """End the child, by force if it does not end by itself."""
        child, self._child = self._child, None
        if child is None:
            return
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                stream.close()
        child.terminate()
        try:
            child.wait(_ANSWER_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is None:
            raise LabError("the emulated IMDS does not run. Use it in a with statement")
        return self._child

    def _receive(self) -> dict[str, Any]:
        stdout = self._running().stdout
        descriptor = stdout.fileno() if stdout else -1
        deadline = time.monotonic() + _ANSWER_TIMEOUT_S
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            while b"\n" not in self._received:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise LabError(f"the emulated IMDS said nothing within {_ANSWER_TIMEOUT_S} s")
                data = os.read(descriptor, 65536)
                if not data:
                    raise LabError("the emulated IMDS ended unexpectedly; its error stands above")
                self._received += data
        line, _, self._received = self._received.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        if "error" in message:
            raise LabError(message["error"])
        return message


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Be the child of ImdsProcess. Return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m analyzer.lab.imds", description=__doc__)
    parser.add_argument("--listen", nargs=2, action="append", required=True)
    parser.add_argument("--options", type=json.loads, default={})
    # Without it the namespace this runs in counts as the machine's own: loopback only.
    parser.add_argument("--home", default=None, metavar="DEVICE:INODE")
    given = parser.parse_args(argv)
    home = NamespaceId(*map(int, given.home.split(":"))) if given.home else HOME
    try:
        listeners = open_listeners([(address, int(port)) for address, port in given.listen], home)
    except LabError as error:
        _send({"error": str(error)})
        return 1
    asyncio.run(_serve_parent(listeners, EmulatedService(MetadataOptions(**given.options))))
    return 0


async def _serve_parent(listeners: Sequence[socket.socket], service: EmulatedService) -> None:
    ledger = Ledger()
    loop = asyncio.get_running_loop()
    # Taken now: the sockets are closed by the time the loop is left.
    listening = [each.getsockname()[:2] for each in listeners]

    def ready(stop: asyncio.Event) -> None:
        def heed_parent() -> None:
            heard = os.read(sys.stdin.fileno(), 4096)
            if not heard:
                stop.set()
                loop.remove_reader(sys.stdin.fileno())
            for _ in range(heard.count(b"\n")):
                _send({"tally": list(ledger.tally().items())})

        loop.add_reader(sys.stdin.fileno(), heed_parent)
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, stop.set)
        _send({"listening": listening})

    await serve(listeners, service, ledger, ready)


def _send(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
