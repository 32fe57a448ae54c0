"""Metrics in a file for node_exporter's textfile collector."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from analyzer.errors import ConfigError

# Whoever collects is another user; there is no secret in it.
FILE_MODE = 0o644


class Textfile:
    """A file that is always whole: written beside, then put in place."""

    def __init__(self, path: str) -> None:
        """Raise ConfigError where the file could not be written."""
        self.path = Path(path)
        self._is_written = False
        # A name the collector does not read, for its ending, and always the same: a crash
        # leaves one at most.
        self._beside = self.path.with_name(f".{self.path.name}.tmp")
        if self.path.is_dir():
            raise _unusable(path, "it is a directory: name a file in it")
        directory = self.path.parent
        if not directory.is_dir():
            raise _unusable(path, f"there is no directory {directory}: make it first")
        if os.statvfs(directory).f_flag & os.ST_RDONLY:
            raise _unusable(
                path,
                f"{directory} is read-only here. Under systemd add ReadWritePaths={directory}"
                " (systemctl edit imds-analyzer)",
            )
        if not os.access(directory, os.W_OK | os.X_OK):
            raise _unusable(path, f"this user may not write to {directory}")

    def write(self, text: bytes) -> None:
        """Replace the file. Raises OSError; then the former one is still there."""
        with contextlib.suppress(FileNotFoundError):
            self._beside.unlink()
        # Never through a link that somebody has put there meanwhile.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            with open(os.open(self._beside, flags, FILE_MODE), "wb") as file:  # noqa: PTH123
                os.fchmod(file.fileno(), FILE_MODE)  # whatever the umask is
                file.write(text)
            self._beside.replace(self.path)
            self._is_written = True
        except OSError:
            with contextlib.suppress(OSError):
                self._beside.unlink()
            raise

    def remove(self) -> None:
        """Remove the file: what does not run any more has no metrics."""
        if self._is_written:  # else it is another's, as where a reload is refused
            with contextlib.suppress(OSError):
                self.path.unlink()


def _unusable(path: str, why: str) -> ConfigError:
    return ConfigError(f"[metrics] textfile = {path!r}: {why}.")
