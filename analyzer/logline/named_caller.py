r"""Reads who called from a log line: what the recorder wrote there, else the executable.

The recorder recognises programs when it writes a line (``imds.caller``). Its readers believe that.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Optional

from analyzer.logline.line import text_at, value_at

# The recorder writes at most 256 bytes here; longer text is not its own.
TEXT_MAX = 1024
# SQL engines read a number, a flag, a list and an object as text. Such text is never believed, so
# that all readers count alike. ``\z`` is the end, as all engines' expressions have it.
NOT_TEXT = r"^(?:[\[{]|(?:true|false|null|[-+]?[0-9]+(?:[.][0-9]*)?(?:[eE][-+]?[0-9]+)?)\z)"
UNKNOWN = "unknown"

_NOT_TEXT = re.compile(NOT_TEXT.replace(r"\z", r"\Z"))


class NamedCaller(NamedTuple):
    """A line's caller. ``key`` is the same for each run of one job; "" is a fact that is not there.

    ``kind`` is the recorder's word for what the program is: ``program``, ``script``, and so on.
    """

    key: str
    program: str
    launcher: str = ""
    kind: str = ""


def caller_of(fields: object) -> NamedCaller:
    """Return the caller of a request's line."""
    return _recorded(value_at(fields, "imds", "caller")) or _executed(fields)


def short(program: str) -> str:
    """Return the last part of a path."""
    return program.rstrip("/").rpartition("/")[2] or program


def _recorded(caller: object) -> Optional[NamedCaller]:
    """Return what the recorder wrote; None if any of it cannot be the recorder's."""
    key, program = value_at(caller, "key"), value_at(caller, "program")
    launcher, kind = value_at(caller, "launcher"), value_at(caller, "kind")
    if not (_is_text(key) and _is_text(program)):
        return None
    if not all(value in (None, "") or _is_text(value) for value in (launcher, kind)):
        return None
    return NamedCaller(str(key), str(program), str(launcher or ""), str(kind or ""))


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= TEXT_MAX and _NOT_TEXT.match(value) is None


def _executed(fields: object) -> NamedCaller:
    """Return a line's executable, else the process's name, else the address it calls from."""
    process = value_at(fields, "process")
    name = text_at(process, "executable") or text_at(process, "name")
    address = text_at(fields, "source", "ip")
    if not name and address and not text_at(process, "user", "id"):
        name = f"(from {address})"
    return NamedCaller(name or UNKNOWN, name or UNKNOWN)
