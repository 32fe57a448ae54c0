"""How those fare who write: the log, and the metrics' own outputs."""

from __future__ import annotations

from typing import Callable, NamedTuple, Optional


class LogCounts(NamedTuple):
    """What the log could not take since the start."""

    errors: int  # writes that failed
    not_written: int  # requests that are not in it


LogHealth = Callable[[], LogCounts]


class Health:
    """Counts the failures of each output, and reports the first of a row and the last."""

    def __init__(self, report: Callable[[str, Optional[str]], None]) -> None:
        """``report`` is given an output and why it fails, or None when it works again."""
        self.errors: dict[str, int] = {}
        self._report = report
        self._failing: set[str] = set()

    def note(self, output: str, failure: Optional[str]) -> None:
        """Note how an attempt went; ``failure`` is None when it went well."""
        if failure is not None:
            self.errors[output] = self.errors.get(output, 0) + 1
        if (failure is not None) != (output in self._failing):
            self._failing ^= {output}
            self._report(output, failure)
