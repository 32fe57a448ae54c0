"""Requests at an even rate, in a namespace where the IMDS address is our own."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from analyzer.imds import IMDS_IPV4, IMDS_PORT
from analyzer.lab.namespace import LabNamespace
from bench.compiled import compile_program
from bench.figure import CannotMeasureError

CONNECTIONS = 64
# What a generator that cannot keep the rate may take longer.
PATIENCE_S = 300


class Sent(NamedTuple):
    """What the generators, ``pids``, did together.

    ``behind`` is the most requests one was late by. ``packets`` had them: fewer than requests,
    if TCP joined some.
    """

    requests: int
    seconds: float
    behind: int
    pids: frozenset[int]
    packets: int


class Load:
    """Generators and the server that takes what they send, all inside one namespace."""

    def __init__(self, namespace: LabNamespace, generator: str, *, answers: bool) -> None:
        """Take an open namespace in which a server listens; see :func:`open_load`."""
        self._namespace = namespace
        self._generator = generator
        self._answers = answers

    @property
    def prefix(self) -> list[str]:
        """What begins a command that is to run in the same namespace."""
        return self._namespace.command([])

    def send(self, rate: int, seconds: float, processes: int = 1) -> Sent:
        """Send ``rate`` requests a second in all, from so many processes."""
        connections = max(1, CONNECTIONS // processes)
        share = [rate // processes + (number < rate % processes) for number in range(processes)]
        started = [
            self._namespace.popen(
                [
                    self._generator,
                    IMDS_IPV4,
                    str(IMDS_PORT),
                    str(connections),
                    str(each),
                    str(seconds),
                    *(["answers"] if self._answers else []),
                ],
                stdout=subprocess.PIPE,
            )
            for each in share
        ]
        reports = []
        for child in started:
            said, _ = child.communicate(timeout=seconds + PATIENCE_S)
            if child.returncode != 0:
                raise CannotMeasureError("a generator failed; its message stands above")
            reports.append(json.loads(said))
        return Sent(
            sum(each["sent"] for each in reports),
            max(each["seconds"] for each in reports),
            max(each["behind"] for each in reports),
            frozenset(child.pid for child in started),
            sum(each["packets"] for each in reports),
        )


@contextlib.contextmanager
def open_load(directory: Path, *, answers: bool = False) -> Iterator[Load]:
    """Compile the programs into ``directory``, make a namespace and a server in it.

    With ``answers`` each request gets one, and is sent when the one before has been answered.
    """
    generator = compile_program("generator", directory)
    discard = compile_program("discard", directory)
    with (
        LabNamespace() as namespace,
        open_discard(namespace, discard, IMDS_IPV4, IMDS_PORT, answers=answers),
    ):
        yield Load(namespace, generator, answers=answers)


@contextlib.contextmanager
def open_discard(
    namespace: LabNamespace, program: str, address: str, port: int, *, answers: bool = False
) -> Iterator[int]:
    """Run the discarding server inside a namespace and yield the port it listens on."""
    server = namespace.popen(
        [program, address, str(port), *(["answer"] if answers else [])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert server.stdin is not None  # noqa: S101 - for mypy: both are pipes
    assert server.stdout is not None  # noqa: S101
    with server.stdin, server.stdout:
        said = server.stdout.readline().split()
        if said[:1] != [b"listening"]:
            raise CannotMeasureError("the discarding server failed; its message stands above")
        yield int(said[1])
    server.wait()
