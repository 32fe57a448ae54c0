"""Opens one metrics output, retries it if it fails, and replaces it on reload."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Generic, Optional, TypeVar

from analyzer.config.rules import TcpAddress
from analyzer.errors import AnalyzerError, ConfigError
from analyzer.recorder.metrics.address import AddressInUse
from analyzer.recorder.metrics.health import Health

Wanted = TypeVar("Wanted")
Opened = TypeVar("Opened")


class Output(Generic[Wanted, Opened]):
    """An output: its configured destination, and the open one.

    A change of another output leaves it open. It may be impossible to open again, such as a port
    below 1024 after the capabilities are dropped.
    """

    def __init__(
        self,
        name: str,
        health: Health,
        *,
        open: Callable[[Wanted], Opened],  # noqa: A002 (what it does)
        begin: Callable[[Opened], None],
        close: Callable[[Opened], None],
    ) -> None:
        """``open`` raises AnalyzerError or OSError; ``begin`` is called before it is used."""
        self.wanted: Optional[Wanted] = None
        self.opened: Optional[Opened] = None
        self._name = name
        self._health = health
        self._open = open
        self._begin = begin
        self._close = close

    def want(self, wanted: Optional[Wanted]) -> None:
        """Open it, to be used later. Raises AnalyzerError; it may be tried again then."""
        self.wanted = wanted
        if wanted is not None:
            self.opened = self._open_explained(wanted)

    def begin(self) -> None:
        """Use what was opened."""
        if self.opened is not None:
            self._begin(self.opened)

    def try_again(self) -> None:
        """Open and use what is wanted and was unavailable; note why that fails again."""
        if self.wanted is None or self.opened is not None:
            return
        try:
            self.opened = self._open_explained(self.wanted)
        except AnalyzerError as error:
            self._health.note(self._name, str(error))
        else:
            self.begin()

    def prepare(self, wanted: Optional[Wanted], undo: contextlib.ExitStack) -> Callable[[], None]:
        """Open what is newly wanted; returns what puts it in the former one's place.

        Raises AnalyzerError where it is unavailable; then nothing has changed.
        """
        if wanted == self.wanted:
            return lambda: None
        ready: Optional[Opened] = None
        if wanted is not None:
            try:
                ready = self._open_explained(wanted)
            except AddressInUse:
                if not _overlap(wanted, self.wanted):
                    raise
                # By ourselves, as 0.0.0.0 is while one holds 127.0.0.1: first closed, then opened.
            else:
                undo.callback(self._close, ready)

        def commit() -> None:
            self.close()
            self.wanted, self.opened = wanted, ready
            if wanted is None:
                self._health.forget(self._name)
            self.begin()
            self.try_again()

        return commit

    def close(self) -> None:
        """Close it where it is open. May be called twice."""
        opened, self.opened = self.opened, None
        if opened is not None:
            self._close(opened)

    def _open_explained(self, wanted: Wanted) -> Opened:
        try:
            return self._open(wanted)
        except OSError as error:  # such as no free descriptor
            reason = error.strerror or str(error)
            raise ConfigError(f"[metrics] {self._name} is unavailable: {reason}.") from None


def _overlap(one: object, other: object) -> bool:
    """Tell whether two addresses may be one to the kernel."""
    is_tcp = isinstance(one, TcpAddress) and isinstance(other, TcpAddress)
    return is_tcp and one.port == other.port  # type: ignore[attr-defined]
