"""Writes records to the log."""

from __future__ import annotations

from analyzer.recorder.records import Classification, Version


def level(verdict: Classification) -> str:
    """Return the log level of a request: ``warning`` for v1 and unknown, else ``info``."""
    return "info" if verdict.version is Version.V2 else "warning"
