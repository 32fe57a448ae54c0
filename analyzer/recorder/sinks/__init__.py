"""5. From a record to the outside."""

from __future__ import annotations

from analyzer.recorder.records import Verdict, Version


def level(verdict: Verdict) -> str:
    """Return the log level of a request: ``warning`` for v1 and unknown, else ``info``."""
    return "info" if verdict.version is Version.V2 else "warning"
