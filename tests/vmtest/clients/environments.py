"""How to get a client: each by its own package client, by name, into a directory of its own.

``facts`` are what an environment is made of: others make it anew. ``build`` needs the
network where something is to be downloaded, and raises ClientError. A ``target`` is the
machine of another type that it is for; None stands for this one.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import NamedTuple, Optional, Protocol

from tests.vmtest.clients.store import ClientAbsent, build_step, download_step
from tests.vmtest.clients.targets import (
    SEARCH_PATH,
    ForeignPython,
    Target,
    compile_ahead,
    lay_out_environment,
)

PROGRAMS = Path(__file__).parent / "programs"

# The interpreters on which what was written for Python 2 and early 3 can still be imported:
# 3.10 took the old names out of ``collections``. Debian 12 has one of them, PyPy 3.9.
_OLD_PYTHONS = ("pypy3", "python3.9", "python3.8", "python3.7", "python3.6", "python3")
_DEBIANS_GO = "/usr/share/gocode"  # where the packages golang-...-dev put their sources
_PIP_INSTALL = ("-m", "pip", "install", "--disable-pip-version-check", "--retries", "5")
_IS_OLD = "import sys, venv; sys.exit(sys.version_info >= (3, 10))"


class Environment(Protocol):
    """Something that can be built into a directory."""

    def facts(self, target: Optional[Target], /) -> tuple[str, ...]:
        """Return what it is made of."""

    def build(self, directory: Path, target: Optional[Target], /) -> None:
        """Build it. Raises ClientError."""


class PipPackages(NamedTuple):
    """A virtual environment with packages; ``is_old`` has it made with a Python before 3.10."""

    requirements: tuple[str, ...]
    is_old: bool = False

    def facts(self, target: Optional[Target]) -> tuple[str, ...]:
        """Return what it is made of."""
        if target:
            return (*self.requirements, target.wheels, self._foreign(target).library)
        return (*self.requirements, "any before 3.10" if self.is_old else sys.version)

    def build(self, directory: Path, target: Optional[Target]) -> None:
        """Build it. Raises ClientError."""
        if target:
            self._build_foreign(directory, target)
            return
        python = _maybe_old_python() if self.is_old else sys.executable
        if python is None:
            raise ClientAbsent("no Python before 3.10 is installed. Install pypy3 and pypy3-venv")
        build_step([python, "-m", "venv", "venv"], directory)
        download_step(["venv/bin/python", *_PIP_INSTALL, *self.requirements], directory)

    def _build_foreign(self, directory: Path, target: Target) -> None:
        python = self._foreign(target)
        packages = lay_out_environment(directory / "venv", python)
        wheels = ("--only-binary=:all:", "--no-compile", "--target", str(packages))
        machine = ("--platform", target.wheels, "--python-version", python.version)
        argv = [sys.executable, *_PIP_INSTALL, *wheels, *machine, *self.requirements]
        download_step(argv, directory)
        compile_ahead(packages, python)

    def _foreign(self, target: Target) -> ForeignPython:
        return target.old_python if self.is_old else target.python


class NpmPackages(NamedTuple):
    """A node_modules directory."""

    packages: tuple[str, ...]

    def facts(self, _target: Optional[Target]) -> tuple[str, ...]:
        """Return what it is made of."""
        return self.packages

    def build(self, directory: Path, _target: Optional[Target]) -> None:
        """Build it. Raises ClientError."""
        (directory / "package.json").write_text("{}", encoding="utf-8")
        flags = ("--no-audit", "--no-fund", "--ignore-scripts", "--no-update-notifier")
        download_step(["npm", "install", *flags, *self.packages], directory)


class UnpackedDebian(NamedTuple):
    """A Debian package's files, without installing it: its services are not for this host."""

    package: str

    def facts(self, _target: Optional[Target]) -> tuple[str, ...]:
        """Return what it is made of."""
        return (self.package,)

    def build(self, directory: Path, target: Optional[Target]) -> None:
        """Build it. Raises ClientError."""
        download_step(["apt-get", "-q", "download", self.package], directory)
        (archive,) = directory.glob("*.deb")
        build_step(["dpkg-deb", "-x", str(archive), "."], directory)
        archive.unlink()
        if target:
            compile_ahead(directory, target.python)


class JavaClasses(NamedTuple):
    """One of our programs, compiled."""

    source: str

    def facts(self, _target: Optional[Target]) -> tuple[str, ...]:
        """Return what it is made of."""
        return (self.source, _digest(self.source))

    def build(self, directory: Path, _target: Optional[Target]) -> None:
        """Build it. Raises ClientError."""
        # For the oldest Java that has the newer client, so that any installed one runs it.
        flags = ("--release", "11", "-d", str(directory))
        build_step([_program("javac"), *flags, str(PROGRAMS / self.source)], directory)


class GoProgram(NamedTuple):
    """One of our programs, compiled with the standard library and, if it says so, Debian's."""

    source: str
    uses_debians: bool = False

    def facts(self, target: Optional[Target]) -> tuple[str, ...]:
        """Return what it is made of."""
        return (self.source, _digest(self.source), *([target.go] if target else []))

    def build(self, directory: Path, target: Optional[Target]) -> None:
        """Build it. Raises ClientError."""
        offline = {
            "GO111MODULE": "off",
            "GOFLAGS": "",
            "GOTOOLCHAIN": "local",
            "GOCACHE": str(directory / "build"),
            "GOPATH": _DEBIANS_GO if self.uses_debians else str(directory / "path"),
            "CGO_ENABLED": "0",
            **({"GOARCH": target.go} if target else {}),
        }
        output = str(directory / Path(self.source).stem)
        argv = [_program("go"), "build", "-o", output, str(PROGRAMS / self.source)]
        build_step(argv, directory, environment=offline)
        shutil.rmtree(directory / "build")


def of_the_analyzer() -> PipPackages:
    """Return what the analyzer itself needs, for a machine that it was not installed on."""
    needed = metadata.requires("imds-analyzer") or []
    return PipPackages(tuple(each for each in needed if "extra ==" not in each))


def _digest(source: str) -> str:
    return hashlib.sha256((PROGRAMS / source).read_bytes()).hexdigest()


def _program(name: str) -> str:
    found = shutil.which(name, path=SEARCH_PATH)
    if found is None:
        raise ClientAbsent(f"{name} is not installed")
    return found


def _maybe_old_python() -> Optional[str]:
    for name in _OLD_PYTHONS:
        # Asked, not judged by its name: version managers put commands there that only refuse.
        found = shutil.which(name)
        if found is not None:
            done = subprocess.run([found, "-c", _IS_OLD], capture_output=True, check=False)
            if done.returncode == 0:
                return found
    return None
