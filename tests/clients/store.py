"""Where the clients' environments are kept: outside the checkout, each whole or not there."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Optional

_MARKER = "done.json"
_ATTEMPTS = 3
_PAUSE_S = 5.0  # before a download is tried again
_STEP_TIMEOUT_S = 600


class ClientError(Exception):
    """A client's environment could not be made; says what failed."""


class ClientAbsent(ClientError):
    """What the client or its build needs is not installed here; says what."""


def cache_dir() -> Path:
    """Return where it all is: ``$IMDS_ANALYZER_CACHE``, else the user's cache directory."""
    own = os.environ.get("IMDS_ANALYZER_CACHE")
    if own:
        return Path(own).absolute() / "clients"
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "imds-analyzer" / "clients"


class Store:
    """Directories by client name, each with a marker that tells what it was made of."""

    def __init__(self, root: Optional[Path] = None) -> None:
        self._root = root or cache_dir()

    def directory(self, name: str) -> Path:
        """Return the place of a client's environment, whether it is there or not."""
        return self._root / re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-")

    def has(self, name: str, facts: Sequence[str]) -> bool:
        """Tell whether the environment is there, whole, and made of these facts."""
        try:
            marked = json.loads((self.directory(name) / _MARKER).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return bool(marked == list(facts))

    @contextmanager
    def making(self, name: str, facts: Sequence[str]) -> Iterator[Path]:
        """Yield an empty directory, and mark it as whole when the block ends well.

        It is made in its final place: virtual environments cannot be moved.
        """
        directory = self.directory(name)
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        yield directory
        (directory / _MARKER).write_text(json.dumps(list(facts)), encoding="utf-8")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let one process at a time change the store; the others wait for it."""
        self._root.mkdir(parents=True, exist_ok=True)
        with (self._root / "lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield


def build_step(
    argv: Sequence[str],
    directory: Path,
    *,
    attempts: int = 1,
    environment: Optional[Mapping[str, str]] = None,
) -> None:
    """Run one command of a build in ``directory``. Raises ClientError with its own words."""
    said = ""
    for attempt in range(attempts):
        if attempt:
            time.sleep(_PAUSE_S)
        try:
            done = subprocess.run(
                argv,
                cwd=directory,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="backslashreplace",
                timeout=_STEP_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            said = f"no end within {_STEP_TIMEOUT_S} s"
            continue
        except OSError as error:
            raise ClientAbsent(f"{argv[0]} cannot be started: {error.strerror}") from error
        if done.returncode == 0:
            return
        said = (done.stderr.strip() or done.stdout.strip())[-2000:]
    raise ClientError(f"`{' '.join(argv)}` failed: {said}")


def download_step(argv: Sequence[str], directory: Path) -> None:
    """Run one command that needs the network, more than once where it fails."""
    build_step(argv, directory, attempts=_ATTEMPTS)
