"""Writes what was found into the field ``code`` of a line, masked and within its room."""

from __future__ import annotations

from typing import Any

from analyzer.masking import mask_text
from analyzer.recorder.sinks.bounds import size_of
from analyzer.software.found import Library, Origin, ScriptLine
from analyzer.software.recorded import REQUIRED_BY_MAX, TEXT_MAX, Code

Fields = dict[str, Any]
# Characters of a text that are masked: a path has 4096, and other texts are not longer by right.
_MASKED_MAX = 4096
# Lists, in the order in which the end of the longest goes where the line has no room.
_LISTS = ("libraries", "packages", "origins", "lacks", "script")


def to_fields(code: Code, room: int, *, with_text: bool = True) -> Fields:
    """Return the members of ``code`` in at most ``room`` bytes; ``left_out`` counts what goes.

    ``with_text`` False leaves the script's lines out, and says where they stand.
    """
    fields: Fields = {
        "libraries": [_library(each) for each in code.libraries],
        "packages": [{**_named(*each[:4]), **_texts(vendor=each.vendor)} for each in code.packages],
        "entry_point": {} if code.entry_point is None else _named(*code.entry_point),
        "script": [_line(each, with_text=with_text) for each in code.lines],
        "origins": [_origin(each) for each in code.origins],
        "lacks": [_cut(each) for each in code.lacks],
        "left_out": code.left_out,
    }
    while size_of(fields) > room and any(fields[name] for name in _LISTS):
        longest: list[Any] = max((fields[name] for name in _LISTS), key=size_of)
        longest.pop()
        fields["left_out"] += 1
    if size_of(fields) > room and fields["entry_point"]:
        fields["entry_point"] = {}
        fields["left_out"] += 1
    lines = fields["script"]
    fields["script"] = {"lines": lines} if lines else {}
    return {name: value for name, value in fields.items() if value}


def _library(library: Library) -> Fields:
    required_by = [_cut(each) for each in library.required_by[:REQUIRED_BY_MAX] if each]
    return {**_named(*library[:4]), **({"required_by": required_by} if required_by else {})}


def _named(kind: str, name: str, version: str, path: str) -> Fields:
    return _texts(type=kind, name=name, version=version, path=path)


def _line(line: ScriptLine, *, with_text: bool) -> Fields:
    fields: Fields = {"path": _cut(line.path), "line": line.line, "use": line.use}
    if with_text and line.text:
        text = _masked(line.text)
        fields["text"] = text if len(text) <= TEXT_MAX else f"{text[: TEXT_MAX - 1]}…"
    return fields


def _origin(origin: Origin) -> Fields:
    fields = _texts(type=origin.kind, path=origin.path, name=origin.name)
    return {**fields, **({"line": origin.line} if origin.line else {})}


def _texts(**texts: str) -> Fields:
    return {name: _cut(text) for name, text in texts.items() if text}


def _cut(text: str) -> str:
    """Return a text whose beginning is cut: of a path the end says most."""
    text = _masked(text)
    return text if len(text) <= TEXT_MAX else f"…{text[1 - TEXT_MAX :]}"


def _masked(text: str) -> str:
    return mask_text(text[:_MASKED_MAX], is_cut=len(text) > _MASKED_MAX)
