"""Holds lines of the log to the shipped JSON Schema."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from analyzer import logline
from analyzer.logline.events import REQUEST

SCHEMA_PATH = Path(logline.__file__).with_name("schema.json")
Line = dict[str, Any]

# Lines of which the faults are kept. Those of a flood differ in digits, those of different tests
# in their markers (tests.live.watch.new_marker), and many are read again and again, so a few
# hundred are most of all that are asked for.
_KEPT_MAX = 4096
_DIGITS = str.maketrans("123456789", "000000000")
_MARKER = re.compile("marker-[0a-f-]{36}")
# What each line begins and ends with, in this order: readers of the first bytes rely on it.
_FIRST, _LAST = ["timestamp", "level", "event"], ["log", "cloud", "host", "observer"]
_FIRST_OF_IMDS = ["version", "operation", "reason", "provider"]


@functools.cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(json.loads(SCHEMA_PATH.read_text("utf-8")))


def faults(line: Line) -> list[str]:
    """Return what the schema, or the order of the first and last fields, does not allow."""
    found = [f"{error.json_path}: {error.message}" for error in _validator().iter_errors(line)]
    names = list(line)
    last = [name for name in names if name in _LAST]
    if line.get("event", "").startswith("log_"):
        last.remove("log")  # there, the file that the event is about
    if names[:3] != _FIRST or names[-len(last) :] != [n for n in _LAST if n in last]:
        found.append(f"out of order: {names}")
    if line.get("event") == REQUEST and list(line["imds"])[:4] != _FIRST_OF_IMDS:
        found.append(f"out of order: {line['imds']}")
    return found


def parsed(raw: str) -> Line:
    """Return a line's object; fails if it does not fit the schema or has a name twice."""
    line: Line = json.loads(raw, object_pairs_hook=_no_duplicates)
    found = _faults_of_shape(_Shape(raw, line))
    assert not found, f"{found} in {raw}"
    return line


class _Shape:
    """A line that is equal to all that differ from it only in digits and markers.

    No rule for a text tells two digits apart, or two markers.
    """

    def __init__(self, raw: str, line: Line) -> None:
        self._key = _MARKER.sub("marker", raw.translate(_DIGITS))
        self.line = line

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Shape) and self._key == other._key


@functools.lru_cache(maxsize=_KEPT_MAX)
def _faults_of_shape(shape: _Shape) -> list[str]:
    return faults(shape.line)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> Line:
    found = dict(pairs)
    assert len(found) == len(pairs), "a name stands twice"
    return found
