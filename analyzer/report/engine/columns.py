"""Names the fields of a line that a report is made from, and their types for every engine.

Other fields of a line are not read. A field that a line lacks, or has with another type, is null.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Union

from analyzer.logline.described import kinds_by_path

# DOCUMENT is JSON of any shape, kept as its text.
TEXT, WHOLE, REAL, FLAG, DOCUMENT = "text", "whole", "real", "flag", "document"

# A type, an object of named fields, or a list of one of them.
Shape = Union[str, "Mapping[str, Shape]", "list[Shape]"]

_SHAPES: dict[str, Shape] = {
    "string": TEXT,
    "integer": WHOLE,
    "number": REAL,
    "boolean": FLAG,
}
_READ = (
    *("timestamp", "event"),
    *("imds.version", "imds.operation", "imds.reason", "imds.provider", "imds.outcome"),
    "imds.hop_limit",
    *("imds.repeated.version", "imds.repeated.operation", "imds.repeated.outcome"),
    *("imds.repeated.count", "imds.forwarded", "imds.token_request.outcome"),
    *("imds.sent_on", "imds.through"),
    *("imds.caller.program", "imds.caller.launcher", "imds.caller.kind", "imds.caller.key"),
    *("url.path", "url.domain", "user_agent.original", "source.ip"),
    *("http.request.forwarded_for", "http.request.client_headers"),
    *("process.name", "process.executable", "process.start"),
    *("process.user.id", "process.user.name"),
    *("container.id", "container.runtime", "container.name"),
    *("container.image.name", "container.image.tag"),
    *("orchestrator.type", "orchestrator.namespace", "orchestrator.resource.type"),
    *("orchestrator.resource.id", "orchestrator.resource.name", "orchestrator.resource.label"),
    *("orchestrator.resource.parent.type", "orchestrator.resource.parent.name"),
    *("service.name", "host.name", "host.boot_id", "cloud.instance.id", "observer.probe"),
    # Lines about the analyzer itself.
    *("interval_s", "uptime_s", "count", "lost", "reason", "boot.time", "attached.since_boot_s"),
    *("not_written.v1", "not_written.v2", "not_written.unknown"),
    *("requests.v1", "requests.v2", "requests.unknown"),
    # What was read of a caller's code: Python looks at it (analyzer.software.recorded).
    "code",
)
_DOCUMENTS = frozenset({"code"})
# Numbers that are read as text, so that one that is not there can be told from one that cannot be
# right; see numbers.py.
_AS_TEXT = frozenset(
    {
        *("imds.repeated.count", "interval_s", "uptime_s", "count", "lost"),
        *("not_written.v1", "not_written.v2", "not_written.unknown"),
        *("requests.v1", "requests.v2", "requests.unknown"),
    }
)


def _fields() -> dict[str, Shape]:
    fields: dict[str, Shape] = {}
    for path in _READ:
        names = tuple(path.split("."))
        holder = fields
        for depth in range(1, len(names)):
            holder = _members(holder, names[:depth])
        if path in _DOCUMENTS:
            holder[names[-1]] = DOCUMENT
        else:
            holder[names[-1]] = TEXT if path in _AS_TEXT else _shape(names)
    return fields


def _members(holder: dict[str, Shape], path: tuple[str, ...]) -> dict[str, Shape]:
    """Return the members of the object, or of the objects in the list, at a path."""
    members: dict[str, Shape] = {}
    is_list = kinds_by_path()[path].of is not None
    found = holder.setdefault(path[-1], [members] if is_list else members)
    inner = found[0] if isinstance(found, list) else found
    if not isinstance(inner, dict):
        raise TypeError(f"{path} is no object")
    return inner


def _shape(path: tuple[str, ...]) -> Shape:
    kind = kinds_by_path()[path]
    return _SHAPES[kind.name] if kind.of is None else [_SHAPES[kind.of.name]]


FIELDS: dict[str, Shape] = _fields()


class Types:
    """The types of one dialect."""

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
    {TEXT: "VARCHAR", WHOLE: "BIGINT", REAL: "DOUBLE", FLAG: "BOOLEAN", DOCUMENT: "JSON"},
    "STRUCT(%s)",
    '"%s" %s',
    "%s[]",
)
SPARK = Types(
    {TEXT: "string", WHOLE: "bigint", REAL: "double", FLAG: "boolean", DOCUMENT: "string"},
    "struct<%s>",
    "`%s`: %s",
    "array<%s>",
)
ATHENA = Types(
    {TEXT: "VARCHAR", WHOLE: "BIGINT", REAL: "DOUBLE", FLAG: "BOOLEAN", DOCUMENT: "JSON"},
    "ROW(%s)",
    '"%s" %s',
    "ARRAY(%s)",
)
