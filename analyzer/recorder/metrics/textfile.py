"""Writes metrics to a file for node_exporter's textfile collector."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from analyzer.errors import ConfigError
from analyzer.recorder.sinks.trusted import located, remove, replace_file

# Whoever collects is another user; there is no secret in it.
FILE_MODE = 0o644


class Textfile:
    """A file that is always whole: written beside, then put in place."""

    def __init__(self, path: str) -> None:
        """Raise ConfigError where the file could not be written."""
        self.path = Path(path)
        self._is_written = False
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
        # The name that it has first is not read by the collector, for its ending.
        replace_file(str(self.path), text, FILE_MODE)
        self._is_written = True

    def remove(self) -> None:
        """Remove the file: what does not run any more has no metrics."""
        if self._is_written:  # else it is another's, as where a reload is refused
            with contextlib.suppress(OSError), located(str(self.path), follow=False) as place:
                remove(place.directory, place.name)


def _unusable(path: str, why: str) -> ConfigError:
    return ConfigError(f"[metrics] textfile = {path!r}: {why}.")
