"""Hosts for the tests of install.sh."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.install.host import Host
from tests.unit.install.planner import planner

OS_RELEASE = Path(__file__).parent / "os_release" / "debian-12"


def _debian(root: Path) -> Host:
    return Host(root, OS_RELEASE.read_text(encoding="utf-8"))


@pytest.fixture(scope="session", autouse=True)
def _planner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with planner(tmp_path_factory.mktemp("planner")):
        yield


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return _debian(tmp_path / "host")


@pytest.fixture(scope="session")
def first_installation(tmp_path_factory: pytest.TempPathFactory) -> tuple[Host, Path]:
    """Return a host after its first installation, and a copy of its files to start again from.

    The files name the place where they are, so the tests use it one after another.
    """
    place = tmp_path_factory.mktemp("installed")
    host = _debian(place / "host")
    done = host.run()
    assert done.returncode == 0, done.stderr
    shutil.copytree(host.root, place / "copy", symlinks=True)
    return host, place / "copy"


@pytest.fixture
def running(first_installation: tuple[Host, Path]) -> Host:
    """Return a host where version 1.0.0 was installed, and runs."""
    host, copy = first_installation
    shutil.rmtree(host.root)
    shutil.copytree(copy, host.root, symlinks=True)
    return host


@pytest.fixture
def installed(running: Host) -> Host:
    """Return such a host, with 1.1.0 lying ready."""
    running.offer("1.1.0")
    return running
