"""Tells who reads a line of a shell script: the shell, another interpreter, or a person.

Here-documents and the arguments of ``-c`` and ``-e`` hold code of other languages, help texts and
further scripts. The end of each is found without running anything (POSIX shell, 2.7.4).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Optional

from analyzer.software.script_languages import Language, of_interpreter

_OPENED = re.compile(r"(?<!<)<<(?!<)-?\s*(\\|[\"'])?([A-Za-z_]\w*)")
_INTERPRETER = r"(?:^|[\s;|&(`'\"])(?:[\w./-]*/)?(python[\d.]*|perl|ruby|php|node|lua)\b"
_STANDARD_INPUT = re.compile(_INTERPRETER + r"[^;|&]*<<")
_ARGUMENT = re.compile(_INTERPRETER + r"(?:\s+-\w+)*?\s+-\w*[ceEr]\s+([\"'])")
# `cat <<EOF`, with no pipe and no file behind it, is printed; so is what a variable or mail holds.
_PRINTS = re.compile(r"(?:^|[\s;&({])(?:cat|read|mail|mailx|sendmail|wall|logger)\b[^|]*<<[^|]*$")
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
        here = inner._replace(number=number, line=line)
        if end:
            if line.strip() == end:
                end = ""
            yield here
        elif quote:
            quote = "" if quote in line else quote
            yield here
        else:
            argument = _ARGUMENT.search(line)
            language = of_interpreter(argument[1]) if argument else None
            yield Read(number, line, language)
            if line.lstrip().startswith("#"):
                continue
            opened = _OPENED.search(line)
            if opened is not None:
                end, inner = opened[2], _reader(line, is_quoted=bool(opened[1]))
            elif argument is not None and argument[2] not in line[argument.end() :]:
                quote, inner = argument[2], Read(0, "", language)


def _reader(line: str, *, is_quoted: bool) -> Read:
    """Return who reads the here-document that a line opens."""
    told = _STANDARD_INPUT.search(line)
    if told is not None:
        return Read(0, "", of_interpreter(told[1]))
    written = _WRITES.search(line)
    is_for_people = written is not None and _FOR_PEOPLE.search(written[1] or "") is not None
    if is_for_people or (written is None and _PRINTS.search(line) is not None):
        return Read(0, "", is_printed=True, is_quoted=is_quoted)
    return Read(0, "")
