"""Reports which metrics outputs fail, and when they recover."""

from __future__ import annotations

from typing import Callable, Optional

# Outputs, as they are called in the configuration.
PROMETHEUS, TEXTFILE, EMF = "prometheus", "textfile", "emf"


class Health:
    """Counts the failures of each output, and reports the first of a row and the last."""

    def __init__(self, report: Callable[[str, Optional[str]], None]) -> None:
        """``report`` is given an output and why it fails, or None when it works again."""
        self.errors = dict.fromkeys((PROMETHEUS, TEXTFILE, EMF), 0)
        self._report = report
        self._failing: set[str] = set()

    def note(self, output: str, failure: Optional[str]) -> None:
        """Note how an attempt went; ``failure`` is None when it went well."""
        if failure is not None:
            self.errors[output] += 1
        if (failure is not None) != (output in self._failing):
            self._failing ^= {output}
            self._report(output, failure)

    def forget(self, output: str) -> None:
        """Take it as working: it is not wanted any more."""
        self._failing.discard(output)
