"""Hears of calls; those of IMDSv1 have what looks at callers loaded, and used."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Callable, Optional, Protocol

from analyzer.imds import AWS
from analyzer.recorder.listener import Listener, Say
from analyzer.recorder.records import Record, Version

if TYPE_CHECKING:
    from analyzer.config.settings import Config
    from analyzer.recorder.evidence.looks import Looks

# Hears how many lines were written, and how many callers were skipped.
Note = Callable[[int, int], None]


class Tell(Protocol):
    """Writes a line whose texts are masked already."""

    def __call__(self, name: str, level: str, /, **fields: object) -> None:
        """Write it."""
        ...


class EvidenceListener(Listener):
    """Looks at each new caller of IMDSv1 of AWS; :meth:`prepare` turns it on and off."""

    def __init__(self, settings: Config, tell: Tell, note: Note) -> None:
        """``tell`` and ``note`` are called from the pipeline's thread."""
        self._settings = settings
        self._tell = tell
        self._note = note
        self._looks: Optional[Looks] = None

    def prepare(
        self, _present: Config, new: Config, _undo: contextlib.ExitStack
    ) -> Callable[[], None]:
        """Return what applies new settings (see analyzer.recorder.daemon.reload)."""

        def commit() -> None:
            self._settings = new
            if self._looks is None:
                return
            if new.evidence.enabled:
                self._looks.set(new)
            else:
                self.close()

        return commit

    def request(self, record: Record) -> None:
        """Have a caller looked at, if it is a new one that used IMDSv1 of AWS."""
        verdict = record.verdict
        if verdict.version is not Version.V1 or verdict.provider != AWS:
            return
        if self._looks is None:
            if not self._settings.evidence.enabled:
                return
            from analyzer.recorder.evidence.looks import Looks  # noqa: PLC0415 (with the first)

            self._looks = Looks(self._settings, self._tell, self._note)
        self._looks.request(record)

    def expire(self, _now_boottime_ns: int, _say: Say) -> None:
        """Write what was found, and have further callers looked at."""
        if self._looks is not None:
            self._looks.advance()

    def flush(self, _say: Say) -> None:
        """Wait shortly for the looks that are under way, and count the others as skipped."""
        if self._looks is not None:
            self._looks.finish()

    def close(self) -> None:
        """End the worker, and forget all callers."""
        if self._looks is not None:
            self._looks.close()
            self._looks = None
