"""How to get a program: each step is a command of the ecosystem's own package client."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple, Optional

from tests.vmtest.clients.store import build_step, download_step
from tests.vmtest.clients.targets import Target

PROGRAMS = Path(__file__).parent / "programs"


class Project(NamedTuple):
    """A directory with files of ours, and what package clients make of them.

    ``files`` are names and texts; ``downloads`` need the network, ``steps`` come after them.
    """

    files: tuple[tuple[str, str], ...] = ()
    downloads: tuple[tuple[str, ...], ...] = ()
    steps: tuple[tuple[str, ...], ...] = ()

    def facts(self, _target: Optional[Target]) -> tuple[str, ...]:
        """Return what it is made of."""
        return tuple(map(repr, (*self.files, *self.downloads, *self.steps)))

    def build(self, directory: Path, _target: Optional[Target]) -> None:
        """Build it. Raises ClientError."""
        for name, text in self.files:
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        for argv in self.downloads:
            download_step(argv, directory)
        for argv in self.steps:
            build_step(argv, directory)


def npm(*packages: str) -> tuple[str, ...]:
    """Return npm's command that installs packages below the project."""
    flags = ("--no-audit", "--no-fund", "--ignore-scripts", "--no-update-notifier")
    return ("npm", "install", *flags, *packages)


def pip(*arguments: str) -> tuple[str, ...]:
    """Return the command of a virtual environment's pip."""
    quiet = ("--disable-pip-version-check", "--retries", "5")
    return ("venv/bin/python", "-m", "pip", "install", *quiet, *arguments)


def pip_download(requirement: str, *, is_source: bool = False) -> tuple[str, ...]:
    """Return the command that gets one package's archive, and none that it requires."""
    quiet = ("--disable-pip-version-check", "--retries", "5", "--quiet", "--no-deps")
    kind = (f"--no-binary={requirement.partition('=')[0]}",) if is_source else ()
    return (sys.executable, "-m", "pip", "download", *quiet, *kind, requirement)


def venv(python: str = "/usr/bin/python3", *flags: str) -> tuple[str, ...]:
    """Return the command that makes a virtual environment."""
    return (python, "-m", "venv", *flags, "venv")
