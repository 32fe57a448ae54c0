"""The fields of a log line that a report is made from, as every engine is told of them.

The names are the log contract's. What a line has beyond them is not read; what it lacks, or has
of another type, is null.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Union

TEXT, WHOLE, REAL, FLAG = "text", "whole", "real", "flag"

# A type, an object of named fields, or a list of one of them.
Shape = Union[str, "Mapping[str, Shape]", "list[Shape]"]

FIELDS: dict[str, Shape] = {
    "timestamp": TEXT,
    "event": TEXT,
    "imds": {
        "version": TEXT,
        "operation": TEXT,
        "reason": TEXT,
        "provider": TEXT,
        "outcome": TEXT,
        "hop_limit": WHOLE,
        # The count as text, as the numbers below.
        "repeated": [{"version": TEXT, "operation": TEXT, "outcome": TEXT, "count": TEXT}],
        "forwarded": FLAG,
        "token_request": {"outcome": TEXT},
        "caller": {"program": TEXT, "launcher": TEXT, "kind": TEXT, "key": TEXT},
    },
    "url": {"path": TEXT},
    "user_agent": {"original": TEXT},
    "source": {"ip": TEXT},
    "process": {
        "name": TEXT,
        "executable": TEXT,
        "start": TEXT,
        "user": {"id": TEXT, "name": TEXT},
    },
    "container": {"id": TEXT, "runtime": TEXT},
    "orchestrator": {"type": TEXT, "resource": {"id": TEXT}},
    "service": {"name": TEXT},
    "host": {"name": TEXT, "boot_id": TEXT},
    "cloud": {"instance": {"id": TEXT}},
    "observer": {"probe": TEXT},
    # Lines about the analyzer itself. Numbers are read as text, so that one that is not there
    # can be told from one that cannot be right; see numbers.py.
    "interval_s": TEXT,
    "uptime_s": TEXT,
    "count": TEXT,
    "reason": TEXT,
    "not_written": {"v1": TEXT, "v2": TEXT, "unknown": TEXT},
}


class Types:
    """How one dialect writes types."""

    def __init__(self, plain: Mapping[str, str], struct: str, pair: str, array: str) -> None:
        """Take the plain types' names, and patterns with ``%s`` for the others."""
        self._plain = plain
        self._struct = struct
        self._pair = pair
        self._array = array

    def write(self, shape: Shape) -> str:
        """Write one type."""
        if isinstance(shape, str):
            return self._plain[shape]
        if isinstance(shape, list):
            return self._array % self.write(shape[0])
        pairs = (self._pair % (name, self.write(inner)) for name, inner in shape.items())
        return self._struct % ", ".join(pairs)


DUCKDB = Types(
    {TEXT: "VARCHAR", WHOLE: "BIGINT", REAL: "DOUBLE", FLAG: "BOOLEAN"},
    "STRUCT(%s)",
    '"%s" %s',
    "%s[]",
)
SPARK = Types(
    {TEXT: "string", WHOLE: "bigint", REAL: "double", FLAG: "boolean"},
    "struct<%s>",
    "`%s`: %s",
    "array<%s>",
)
ATHENA = Types(
    {TEXT: "VARCHAR", WHOLE: "BIGINT", REAL: "DOUBLE", FLAG: "BOOLEAN"},
    "ROW(%s)",
    '"%s" %s',
    "ARRAY(%s)",
)
