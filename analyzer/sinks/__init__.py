"""5. From a record to the outside."""

from __future__ import annotations

from analyzer.records import Verdict, Version


def level(verdict: Verdict) -> str:
    """Return the log level of a request: ``warning`` for what should not be there.

    Another cloud's probe has no token by its nature and is ``info``.
    """
    if verdict.version is Version.V2 or verdict.provider != "aws":
        return "info"
    return "warning"
