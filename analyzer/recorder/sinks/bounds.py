"""Shortens what is too long for a line, in a fixed order, and names what was cut.

Whoever calls chooses its arguments, its ancestors and its request. In bytes of JSON as written, a
caller with 16 ancestors may have 400 KiB. What goes first says least about who called.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Optional

from analyzer.recorder.sinks.encoding import encode

# Of an argument vector this much stays until more has to go: a program, its script, an option.
ARGS_BYTES = 256
# Text of an unknown field is cut no further than this; then the whole field goes.
TEXT_BYTES = 128
# What ``"log":{"truncated":[...]},`` takes at most, with all names that are in this module.
NOTE_BYTES = 640

# Of an event, so many names are told, and so much of each.
_NAMES_MAX, _NAME_MAX = 8, 48

# Texts of a request, in the order in which they go: the path says most.
_REQUEST_TEXTS = (
    ("url", "query"),
    ("user_agent", "original"),
    ("http", "request", "method"),
    ("url", "path"),
)

# Lists of processes beside the caller, in the order in which they go: who sent a part says more.
_RELATIONS = ("ancestors", "others")

# Of a process, what stands before ``args_truncated``.
_BEFORE_MARK = ("pid", "name", "executable", "args")

Fields = dict[str, Any]


def size_of(value: object) -> int:
    """Return the bytes that a value takes in a line."""
    return len(encode(value))


def shorten_caller(fields: Fields, room: int) -> list[str]:
    """Cut arguments and relatives' executables until the fields take at most ``room`` bytes.

    Returns the names of what was cut; the fields may still be larger then.
    """
    cutter = _Cutter(size_of(fields) - room)
    process: Fields = fields.get("process", {})
    for relation in _RELATIONS:
        relatives: list[Fields] = process.get(relation, [])
        for keep in (ARGS_BYTES, 0):
            for relative in reversed(relatives):
                cutter.cut_args(relative, f"process.{relation}.args", keep)
        for relative in reversed(relatives):
            cutter.drop(relative, "executable", f"process.{relation}.executable")
    cutter.cut_args(process, "process.args", ARGS_BYTES)
    cutter.cut_args(process, "process.args", 0)
    return cutter.names


def shorten_request(fields: Fields, room: int) -> list[str]:
    """Cut the texts that a client chose until the fields take at most ``room`` bytes."""
    cutter = _Cutter(size_of(fields) - room)
    for path in _REQUEST_TEXTS:
        cutter.cut_text(fields, path)
    return cutter.names


def shorten_event(fields: Fields, room: int) -> None:
    """Cut an event, and say in it what was cut."""
    names = [name[:_NAME_MAX] for name in shorten_any(fields, room)[:_NAMES_MAX]]
    fields.setdefault("log", {})["truncated"] = names


def shorten_any(fields: Fields, room: int) -> list[str]:
    """Cut any text, the largest first, then drop relatives and fields: ``room`` is kept."""
    names: list[str] = []
    excess = size_of(fields) - room
    while excess > 0 and fields:
        size, path, holder, key = max(_texts(fields, ()), key=lambda text: text[0])
        if size > TEXT_BYTES:
            name = ".".join(path)
            holder[key] = cut(holder[key], max(TEXT_BYTES, size - excess))
        elif relation := _maybe_relation(fields):
            name = f"process.{relation}"
            _drop_last(fields["process"], relation)
        else:
            name = max(fields, key=lambda field: size_of(fields[field]))
            del fields[name]
        if name not in names:
            names.append(name)
        excess = size_of(fields) - room
    return names


def _maybe_relation(fields: Fields) -> Optional[str]:
    """Return which relatives go next, None if there are none."""
    process = fields.get("process", {})
    return next((each for each in _RELATIONS if each in process), None)


def _drop_last(process: Fields, relation: str) -> None:
    process[relation].pop()
    if not process[relation]:
        del process[relation]
    if relation == "ancestors":
        process["ancestors_truncated"] = True


def cut(text: str, room: int) -> str:
    """Return as much of a text as takes ``room`` bytes, its quotes included."""
    if size_of(text) <= room:
        return text
    low, high = 0, min(len(text), max(0, room))
    while low < high:
        middle = (low + high + 1) // 2
        if size_of(text[:middle]) <= room:
            low = middle
        else:
            high = middle - 1
    return text[:low]


class _Cutter:
    """Cuts while there is an excess of bytes, and notes what."""

    def __init__(self, excess: int) -> None:
        self.names: list[str] = []
        self._excess = excess

    def cut_args(self, process: Fields, name: str, keep: int) -> None:
        """Shorten an argument vector as far as needed, but not below ``keep`` bytes."""
        args = process.get("args")
        if self._excess <= 0 or not args:
            return
        size = size_of(args)
        flag = 0 if "args_truncated" in process else len(',"args_truncated":true')
        kept = _kept_args(args, max(keep, size - self._excess - flag)) if keep else ()
        if not kept:
            del process["args"]
            self._cut(size + len(',"args":') - flag, name)
        elif size_of(kept) + flag < size:
            process["args"] = kept
            self._cut(size - size_of(kept) - flag, name)
        else:
            return
        _mark_cut(process)

    def drop(self, fields: Fields, key: str, name: str) -> None:
        """Leave a field out."""
        if self._excess > 0 and key in fields:
            self._cut(size_of(fields.pop(key)) + len(f',"{key}":'), name)

    def cut_text(self, fields: Fields, path: tuple[str, ...]) -> None:
        """Shorten the text at a path as far as needed, at most to nothing."""
        holder: Optional[Fields] = fields
        for key in path[:-1]:
            holder = None if holder is None else holder.get(key)
        if self._excess <= 0 or holder is None or path[-1] not in holder:
            return
        text = holder[path[-1]]
        size = size_of(text)
        shorter = cut(text, size - self._excess)
        holder[path[-1]] = shorter
        self._cut(size - size_of(shorter), ".".join(path))

    def _cut(self, size: int, name: str) -> None:
        self._excess -= size
        if name not in self.names:
            self.names.append(name)


def _mark_cut(process: Fields) -> None:
    """Say that arguments are missing, where that stands in every line."""
    later = {key: process.pop(key) for key in list(process) if key not in _BEFORE_MARK}
    later.pop("args_truncated", None)
    process["args_truncated"] = True
    process.update(later)


def _kept_args(args: tuple[str, ...], room: int) -> tuple[str, ...]:
    kept: list[str] = []
    room -= len("[]")
    for word in args:
        size = size_of(word) + 1
        if size > room:
            shorter = cut(word, room - 1)
            kept.append(shorter)
            break
        kept.append(word)
        room -= size
    return tuple(kept) if any(kept) else ()  # as attribute has it


def _texts(
    value: Any,  # noqa: ANN401 (any JSON)
    path: tuple[str, ...],
) -> Iterator[tuple[int, tuple[str, ...], Any, Any]]:
    """Yield every text with its size, its names, and where it stands; first one of no size."""
    yield 0, path, None, None
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in pairs:
        names = (*path, key) if isinstance(key, str) else path
        if isinstance(inner, str):
            yield size_of(inner), names, value, key
        elif isinstance(inner, tuple):  # such as arguments: replaced by what can be changed
            value[key] = list(inner)
            yield from _texts(value[key], names)
        elif isinstance(inner, (dict, list)):
            yield from _texts(inner, names)
