"""Holds what one look found of a caller's code, and reads it from the field ``code`` of a line.

Whoever reads a log did not write it: each text is bounded, and what has another type is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Optional

from analyzer.software.found import (
    EntryPoint,
    Found,
    Library,
    Origin,
    Package,
    ScriptLine,
)
from analyzer.software.script_use import CALL

# Of each kind, as many as one line has; a Java program has some dozens of SDK jars at most.
LIBRARIES_MAX = 40
REQUIRED_BY_MAX = 5
PACKAGES_MAX = 20
LINES_MAX = 5
ORIGINS_MAX = 10
LACKS_MAX = 10
# Characters of a text. Paths may have 4096; of one that is longer the end says most.
TEXT_MAX = 512
# Of numbers that are read back; a line's number and a count are far below.
_WHOLE_MAX = 2**31


class Code(NamedTuple):
    """Findings of one look at a caller's code.

    ``lacks`` are reasons why less was found than there may be. ``left_out`` is how many findings
    had no room in the line.
    """

    libraries: tuple[Library, ...] = ()
    packages: tuple[Package, ...] = ()
    entry_point: Optional[EntryPoint] = None
    lines: tuple[ScriptLine, ...] = ()
    origins: tuple[Origin, ...] = ()
    lacks: tuple[str, ...] = ()
    left_out: int = 0


def code_of(found: Iterable[Found], lacks: Iterable[str]) -> Code:
    """Return what was found, each kind within its bound."""
    kinds: dict[type, list[Any]] = {
        kind: [] for kind in (Library, Package, EntryPoint, ScriptLine, Origin)
    }
    for each in found:
        if _is_whole(each):
            kinds[type(each)].append(each)
    entry_points = kinds[EntryPoint]
    code = Code(
        libraries=tuple(kinds[Library][:LIBRARIES_MAX]),
        packages=tuple(kinds[Package][:PACKAGES_MAX]),
        entry_point=entry_points[0] if entry_points else None,
        lines=tuple(kinds[ScriptLine][:LINES_MAX]),
        origins=tuple(kinds[Origin][:ORIGINS_MAX]),
        lacks=tuple(dict.fromkeys(filter(None, lacks)))[:LACKS_MAX],
    )
    shown = len(code.libraries) + len(code.packages) + len(code.lines) + len(code.origins)
    return code._replace(left_out=sum(map(len, kinds.values())) - shown - bool(entry_points))


def _is_whole(found: Found) -> bool:
    """Tell whether a finding has what its line may not be without."""
    if isinstance(found, (ScriptLine, Origin)):
        return bool(found.path)
    return bool(found.name and (found.path or isinstance(found, EntryPoint)))


def from_fields(fields: object) -> Code:
    """Return what the ``code`` of a line says, as far as it can be right."""
    found = _object(fields)
    return Code(
        libraries=tuple(
            Library(*_quadruple(each), required_by=_strings(each.get("required_by")))
            for each in _objects(found, "libraries", LIBRARIES_MAX)
            if _text(each, "name")
        ),
        packages=tuple(
            Package(*_quadruple(each), vendor=_text(each, "vendor"))
            for each in _objects(found, "packages", PACKAGES_MAX)
            if _text(each, "name")
        ),
        entry_point=_entry_point(_object(found.get("entry_point"))),
        lines=tuple(
            ScriptLine(
                _text(each, "path"),
                _whole(each, "line"),
                _text(each, "text"),
                _text(each, "use") or CALL,
            )
            for each in _objects(_object(found.get("script")), "lines", LINES_MAX)
            if _text(each, "path")
        ),
        origins=tuple(
            Origin(_text(each, "type"), _text(each, "path"), _whole(each, "line"),
                   _text(each, "name"))
            for each in _objects(found, "origins", ORIGINS_MAX)
            if _text(each, "path")
        ),
        lacks=_strings(found.get("lacks"), LACKS_MAX),
        left_out=_whole(found, "left_out"),
    )  # fmt: skip


def _entry_point(fields: Mapping[str, object]) -> Optional[EntryPoint]:
    return EntryPoint(*_quadruple(fields)) if _text(fields, "name") else None


def _quadruple(fields: Mapping[str, object]) -> tuple[str, str, str, str]:
    return (
        _text(fields, "type"),
        _text(fields, "name"),
        _text(fields, "version"),
        _text(fields, "path"),
    )


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _objects(fields: Mapping[str, object], name: str, most: int) -> list[Mapping[str, object]]:
    values = fields.get(name)
    return list(filter(None, map(_object, values[:most]))) if isinstance(values, list) else []


def _strings(value: object, most: int = REQUIRED_BY_MAX) -> tuple[str, ...]:
    if not isinstance(value, list):
        return ()
    return tuple(each[:TEXT_MAX] for each in value[:most] if isinstance(each, str) and each)


def _text(fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name)
    return value[:TEXT_MAX] if isinstance(value, str) else ""


def _whole(fields: Mapping[str, object], name: str) -> int:
    value = fields.get(name)
    return value if type(value) is int and 0 <= value < _WHOLE_MAX else 0
