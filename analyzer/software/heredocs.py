"""Tells who reads a line of a shell script: the shell, another interpreter, or a person.

Here-documents and the arguments of ``-c`` and ``-e`` hold code of other languages, help texts and
further scripts. The end of each is found without running anything (POSIX shell, 2.7.4).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Optional

from analyzer.software.script_endings import of_ending, of_interpreter
from analyzer.software.script_languages import Language

_OPENED = re.compile(r"(?<!<)<<(?!<)-?\s*(\\|[\"'])?([A-Za-z_]\w*)")
_INTERPRETER = r"(?:^|[\s;|&(`'\"])(?:[\w./-]*/)?(python[\d.]*|perl|ruby|php|node|lua)\b"
_INTERPRETED = re.compile(_INTERPRETER)
_ARGUMENT = re.compile(_INTERPRETER + r"(?:\s+-\S+){0,8}?\s+-\w*[ceEr]\s+([\"'])")
# What these read is printed, kept in a variable or sent, unless a file or a pipe takes it.
_PRINTERS = frozenset({"cat", "read", "mail", "mailx", "sendmail", "wall", "logger"})
_SEPARATOR = re.compile(r"[;|&({]")
_WRITES = re.compile(r">(?!&)\s*[\"']?([^\s\"';|&<]+)|\btee\b")
# Nobody runs these.
_FOR_PEOPLE = re.compile(r"\.(?:md|txt|rst|html?)$|/motd$|^/dev/(?:stderr|stdout|tty)$")


class Read(NamedTuple):
    """A numbered line. ``language`` is None for the shell; ``is_printed`` means a person reads it.

    A shell still runs the substitutions of a printed line unless ``is_quoted``.
    """

    number: int
    line: str
    language: Optional[Language] = None
    is_printed: bool = False
    is_quoted: bool = False


def readers(lines: Iterable[tuple[int, str]]) -> Iterator[Read]:
    """Yield each line with its reader."""
    end, quote = "", ""
    inner = Read(0, "")
    for number, line in lines:
        if end:
            if line.strip() == end:
                end = ""
            yield inner._replace(number=number, line=line)
        elif quote:
            quote = "" if quote in line else quote
            yield inner._replace(number=number, line=line)
        else:
            # Most lines have neither; the patterns cost more than these glances.
            argument = _ARGUMENT.search(line) if " -" in line else None
            language = of_interpreter(argument[1]) if argument else None
            yield Read(number, line, language)
            if line.lstrip().startswith("#"):
                continue
            opened = _OPENED.search(line) if "<<" in line else None
            if opened is not None:
                end = opened[2]
                inner = _reader(line, opened.start(), opened.end(), is_quoted=bool(opened[1]))
            elif argument is not None and argument[2] not in line[argument.end() :]:
                quote, inner = argument[2], Read(0, "", language)


def _reader(line: str, start: int, end: int, *, is_quoted: bool) -> Read:
    """Return who reads the here-document that a line opens at ``start``."""
    command = _SEPARATOR.split(line[:start])[-1]
    told = _INTERPRETED.search(command)
    if told is not None:
        return Read(0, "", of_interpreter(told[1]))
    written = _WRITES.search(line)
    if written is None:
        is_printed = "|" not in line[end:] and not _PRINTERS.isdisjoint(command.split())
    else:
        is_printed = _FOR_PEOPLE.search(written[1] or "") is not None
        language = None if is_printed else of_ending(written[1] or "")
        if language is not None and not language.is_shell:
            return Read(0, "", language)
    return Read(0, "", is_printed=is_printed, is_quoted=is_printed and is_quoted)
