"""A room for runtimes in each layout of cgroups, with an IMDS in reach of its containers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from analyzer.lab.imds import ImdsProcess
from analyzer.lab.namespace import LabNamespace
from tests.closing import show
from tests.containers.callers import make_context
from tests.containers.room import Cgroups, Room, host_is_unified


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures, and what was seen of each runtime."""
    show(terminalreporter, "containers", "container")


@pytest.fixture(scope="session")
def namespace() -> Iterator[LabNamespace]:
    """Return a network namespace in which the IMDS addresses are ours."""
    if os.geteuid() != 0:
        pytest.fail("the tests with containers need root: sudo make test-containers")
    with LabNamespace() as namespace:
        yield namespace


@pytest.fixture(scope="session")
def imds(namespace: LabNamespace) -> Iterator[ImdsProcess]:
    """Return the emulated IMDS, answering in the namespace."""
    with ImdsProcess(namespace) as imds:
        yield imds


@pytest.fixture(scope="session")
def caller_context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what the caller's image is made of; ``root`` in it is its file system."""
    return make_context(tmp_path_factory.mktemp("caller"))


@pytest.fixture(scope="session", params=Cgroups, ids=lambda cgroups: cgroups.name.lower())
def cgroups(request: pytest.FixtureRequest) -> Cgroups:
    """Return a layout of cgroups; it is a parameter of the whole session."""
    chosen: Cgroups = request.param
    if chosen is Cgroups.LEGACY and host_is_unified():
        pytest.skip("this host has version 2 of cgroups alone")
    return chosen


@pytest.fixture(scope="session")
def room(
    namespace: LabNamespace,
    imds: ImdsProcess,
    cgroups: Cgroups,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Room]:
    """Return a room for runtimes, with an IMDS that answers."""
    assert imds.listening
    directory = tmp_path_factory.mktemp("room")
    with Room(namespace, directory, cgroups) as room:
        yield room


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Ask all runtimes in one layout of cgroups before the next: a room is made slowly."""
    layouts = list(Cgroups)

    def layout(item: pytest.Item) -> int:
        call = getattr(item, "callspec", None)
        return layouts.index(call.params["cgroups"]) if call and "cgroups" in call.params else -1

    items.sort(key=layout)
