"""Applies a changed configuration while the recorder runs."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Callable, Protocol

from analyzer.config.file import load
from analyzer.config.settings import NEEDS_RESTART, Config
from analyzer.errors import AnalyzerError
from analyzer.logline.events import REJECTED, RELOADED

# Makes something ready for new settings, given the present and the new ones; returns what puts
# these; that cannot fail. The stack takes what has to be released if another part
# refuses. Raises AnalyzerError, and has changed nothing then.
Part = Callable[[Config, Config, contextlib.ExitStack], Callable[[], None]]


class Tell(Protocol):
    """Writes an event into the log."""

    def __call__(self, name: str, level: str, /, **fields: object) -> None:
        """Write it."""
        ...


class Reloader:
    """Reads the configuration again, and applies what can be applied.

    A configuration that is refused, by the file's reader or by one of the parts, changes
    nothing. The log says what happened.
    """

    def __init__(
        self,
        path: str,
        flags: Mapping[str, object],
        config: Config,
        tell: Tell,
        parts: Sequence[Part],
    ) -> None:
        """Take the file, the flags that win over it, and what they came to at the start."""
        self._path = path
        self._flags = flags
        self._config = config  # what is in force
        self._tell = tell
        self._parts = parts

    def reload(self) -> bool:
        """Do it once; return whether the configuration was accepted."""
        try:
            wanted = load(self._path, self._flags)
            new = replace(
                wanted,
                capture=replace(
                    self._config.capture, response_wait_s=wanted.capture.response_wait_s
                ),
            )
            with contextlib.ExitStack() as undo:
                commits = [part(self._config, new, undo) for part in self._parts]
                undo.pop_all()
        except AnalyzerError as error:
            self._tell(
                REJECTED,
                "error",
                config={"file": {"path": self._path}},
                reason=str(error),
            )
            return False
        changed = _differences(self._config, new)
        for commit in commits:
            commit()
        self._config = new
        self._tell(
            RELOADED,
            "info",
            config={"file": {"path": self._path}},
            changed=changed,
            needs_restart=[name for name in _differences(new, wanted) if name in NEEDS_RESTART],
        )
        return True


def _differences(one: Config, other: Config) -> list[str]:
    values = other.flat()
    return [name for name, value in one.flat().items() if values[name] != value]
