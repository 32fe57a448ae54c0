"""A call out of a container of each real runtime has that container's id, alive or gone."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Callable, NamedTuple

import pytest

from tests.containers.callers import call_and_go, call_and_stay
from tests.containers.keeping import Kept
from tests.containers.room import Cgroups, Room, host_is_unified
from tests.containers.runtimes import RUNTIMES
from tests.containers.ways import Runtime, Started
from tests.live.lines import GrowingLogs
from tests.live.watch import ATTACH_DEADLINE_S, Line, eventually, new_marker

CHECKOUT = Path(__file__).parents[2]
Row = Callable[[str, object], None]
# Of containers that are gone within 50 ms, one is enough: docs/containers.md, "When they are read".
TRIES = 5
# On a host with version 1 alone the kernel reports the root of version 2 for every process.
GONE_IS_UNKNOWN = "a container of version 1 is found by /proc alone, while its process lives"


class Analyzer(NamedTuple):
    """A running analyzer among the room's mounts, where runtimes keep their state."""

    log: Path
    logs: GrowingLogs

    def requests(self, marker: str) -> list[Line]:
        """Return the requests with the marker in their path."""
        lines = self.logs.lines_of(self.log)
        return [line for line in lines if marker in line.get("url", {}).get("path", "")]

    def one(self, marker: str, network: str) -> Line:
        """Return the request with the marker once it is written, and it alone.

        ``network`` is the program, if there is one, that makes a rootless container's request once
        more. The two lines name each other, so that they count as one call.
        """
        wanted = 2 if network else 1
        eventually(f"{wanted} lines are written", lambda: len(self.requests(marker)) >= wanted)
        lines = self.requests(marker)
        (found,) = (line for line in lines if "sent_on" not in line["imds"])
        assert found["imds"].get("through", "") == network
        networks = [line["process"]["name"] for line in lines if line is not found]
        assert [name.partition(".")[0] for name in networks] == ([network] if network else [])
        return found


@pytest.fixture(scope="session")
def analyzer(room: Room) -> Iterator[Analyzer]:
    """Run the analyzer as on a node."""
    log, ready = room.directory / "imds.jsonl", room.directory / "ready"
    messages, settings = room.directory / "messages", room.directory / "config.toml"
    # The runtimes' state is among the room's mounts, not those of the machine's first process.
    settings.write_text('[kubernetes]\nroot = "/proc/self/root"\n')
    files = ("--config", settings, "--log-file", log, "--ready-file", ready)
    options = (*map(str, files), "--rotation", "external", "--repeats-per-s", "0")
    # Whatever else runs on this machine: the containers are gone soon.
    command = ["nice", "-n", "-15", sys.executable, "-m", "analyzer", "run", *options]
    process = room.watch(command, messages, CHECKOUT)
    try:
        eventually(
            "the probe is attached",
            lambda: ready.exists() or process.poll() is not None,
            ATTACH_DEADLINE_S,
        )
        assert process.poll() is None, messages.read_text()
        yield Analyzer(log, GrowingLogs())
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture(scope="session", params=RUNTIMES, ids=lambda runtime: runtime.name)
def runtime(request: pytest.FixtureRequest, room: Room, cgroups: Cgroups) -> Iterator[Runtime]:
    """Return a runtime whose daemon, if it has one, answers."""
    chosen: Runtime = request.param
    reason = None if host_is_unified() else chosen.cannot.get(cgroups)
    if reason is not None:
        pytest.skip(f"{chosen.name}, {cgroups.value}: {reason}")
    if chosen.since and shutil.which(chosen.since) is None:
        pytest.skip(f"{chosen.name}: {chosen.since} is not installed, nor in this system's podman")
    if chosen.daemon is None:
        yield chosen
        return
    with chosen.daemon(room):
        yield chosen


def test_a_container_that_is_gone_is_named(
    runtime: Runtime,
    room: Room,
    cgroups: Cgroups,
    analyzer: Analyzer,
    caller_context: Path,
    record_property: Row,
) -> None:
    """It lives for one request, some 50 ms: its cgroup's id is what remains.

    If the host is busy, the analyzer may be too late for one; from the second on it looks sooner.
    """
    if cgroups is Cgroups.LEGACY:
        pytest.skip(GONE_IS_UNKNOWN)
    if runtime.gone:
        pytest.skip(f"{runtime.name}: {runtime.gone}")
    for number in range(1, TRIES + 1):
        marker = new_marker()
        with runtime.start(room, caller_context, call_and_go(marker)) as started:
            room.run(started.argv)
            line = analyzer.one(marker, started.network)
            found, wanted = _names(line, started)
            if number == TRIES or found == wanted:
                _check(line, started)
                break
    record_property("container", _row(runtime, cgroups, f"gone, {number}", line))


def test_a_container_that_lives_is_named(
    runtime: Runtime,
    room: Room,
    cgroups: Cgroups,
    analyzer: Analyzer,
    caller_context: Path,
    record_property: Row,
) -> None:
    """The same, by whichever version of cgroups has it."""
    marker = new_marker()
    with runtime.start(room, caller_context, call_and_stay(marker)) as started:
        process = room.popen(started.argv, room.directory / f"{marker}.log")
        try:
            line = analyzer.one(marker, started.network)
        finally:
            _end(process)
        _check(line, started)
    record_property("container", _row(runtime, cgroups, "lives", line))


def _row(runtime: Runtime, cgroups: Cgroups, how: str, line: Line) -> str:
    return f"{runtime.name:16}{cgroups.value:20}{how:8}{line.get('container', 'no cgroup')}"


def _names(line: Line, started: Started) -> tuple[dict[str, object], dict[str, object]]:
    """Return what the line says of the container and its workload, and what it has to say."""
    container, workload = line.get("container", {}), line.get("orchestrator", {})
    wanted: dict[str, object] = {**started.identity(), **started.names}
    found = {name: container.get(name) for name in wanted}
    found.update((name, workload.get(name)) for name in started.workload)
    return found, {**wanted, **started.workload}


def _check(line: Line, started: Started) -> None:
    assert line["imds"]["version"] == "v1"
    assert line["process"]["name"] in ("wget", "nc")
    found, wanted = _names(line, started)
    assert found == wanted


def _end(process: Kept) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)
