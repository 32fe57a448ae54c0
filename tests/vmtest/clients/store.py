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
from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from tests.vmtest.clients.environments import Environment
    from tests.vmtest.clients.targets import Target

# The place of what the analyzer itself needs on a machine of another type.
ANALYZER = "the analyzer"
_MARKER = "done.json"
_ATTEMPTS = 3
_PAUSE_S = 5.0  # before a download is tried again
_STEP_TIMEOUT_S = 600


class ClientError(Exception):
    """A client's environment could not be made; says what failed."""


class ClientAbsent(ClientError):
    """What the client or its build needs is not installed here; says what."""


def cache_dir() -> Path:
    """Return where all is kept: ``$IMDS_ANALYZER_CACHE``, else in the user's cache directory."""
    own = os.environ.get("IMDS_ANALYZER_CACHE")
    if own:
        return Path(own).absolute()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "imds-analyzer"


class Store:
    """Directories by client name, each with a marker that tells what it was made of."""

    def __init__(self, target: Optional[Target] = None, *, kind: str = "clients") -> None:
        """Take the machine of another type that they are for; None stands for this one."""
        self.target = target
        self.root = cache_dir() / (f"{kind}-{target.name}" if target else kind)

    def directory(self, name: str) -> Path:
        """Return the place of a client's environment, whether it is there or not."""
        return self.root / re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-")

    def has(self, name: str, environment: Environment) -> bool:
        """Tell whether the environment is there, whole, and of what it would be made now."""
        try:
            marked = json.loads((self.directory(name) / _MARKER).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return bool(marked == list(environment.facts(self.target)))

    def make(self, name: str, environment: Environment) -> None:
        """Build the environment, and mark it as whole when that went well. Raises ClientError.

        It is made in its final place: virtual environments cannot be moved.
        """
        directory = self.directory(name)
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        environment.build(directory, self.target)
        facts = json.dumps(list(environment.facts(self.target)))
        (directory / _MARKER).write_text(facts, encoding="utf-8")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let one process at a time change the store; the others wait for it."""
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / "lock").open("w") as handle:
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
