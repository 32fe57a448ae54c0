"""Reads a roster: what ``aws ec2 describe-instances`` printed, or names and ids one a line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from analyzer.errors import AnalyzerError
from analyzer.report.aws_cli import CLI_ERROR, NoDocumentError, documents
from analyzer.report.roster.described import RUN, Document, document_of
from analyzer.report.roster.instances import Instance, Roster
from analyzer.report.roster.listed import instances_of_lines
from analyzer.report.roster.owners import Owners
from analyzer.report.whole_file import read_whole
from analyzer.text import visible

# What describe-instances prints of 20,000 instances has 200 MB.
SIZE_MAX = 512 << 20
_SHOWN_MAX = 60

# How a text begins that the AWS CLI prints with another --output, and which one that is.
_OTHER_OUTPUTS = (
    (re.compile(r"Reservations:|- "), "yaml"),
    (re.compile(r"RESERVATIONS\t|INSTANCES\t"), "text"),
    (re.compile(r"-{20,}\s*\n\|"), "table"),
)


def read(path: Path, owners: Optional[Owners] = None) -> Roster:
    """Read one file: one or several documents one behind the other, or a list.

    Raises AnalyzerError, which says what the file is instead and which command to run.
    """
    text = _text(path)
    name = visible(str(path))
    if text.startswith(("{", "[")):
        found = [each for document in _documents(text, name) for each in document.instances]
    else:
        for pattern, output in _OTHER_OUTPUTS:
            if pattern.match(text):
                raise AnalyzerError(
                    f"{name}: was printed with --output {output}, which leaves out names. {RUN}"
                )
        error = CLI_ERROR.search(text)
        if error is not None:
            raise AnalyzerError(
                f"{name}: holds no instances but the AWS CLI's error: {error[0]}. {RUN}"
            )
        found = list(instances_of_lines(text.splitlines(), name))
    if not found:
        raise AnalyzerError(f"{name}: names no instance. Check account and Region. {RUN}")
    instances = tuple((owners or Owners()).owned(each) for each in _once(found))
    return Roster(source=str(path), instances=instances)


def _text(path: Path) -> str:
    raw = read_whole(path, SIZE_MAX, "the instances", RUN, "Ask for fewer instances.")
    name = visible(str(path))
    try:
        text = raw.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise AnalyzerError(f"{name}, line {line}: is not text. {RUN}") from None
    if not text:
        raise AnalyzerError(f"{name}: is empty. {RUN}")
    return text


@dataclass(frozen=True)
class _Place:
    """A part of the text, for messages."""

    name: str
    line: int

    def __str__(self) -> str:
        return f"{self.name}, line {self.line}"


def _documents(text: str, name: str) -> Iterator[Document]:
    """Yield the documents; each page that says that there are more must have a next one."""
    former = None
    for value, place in _values(text, name):
        document = document_of(value, str(place))
        if former is not None and not former.is_whole and not former.goes_on_in(document):
            raise _cut(former)
        former = document
        yield document
    if former is not None and not former.is_whole:
        raise _cut(former)


def _cut(document: Document) -> AnalyzerError:
    return AnalyzerError(
        f"{document.place}: AWS has more instances than this page (NextToken), and no further page"
        f" follows. Leave out --max-items and --no-paginate. {RUN}"
    )


def _values(text: str, name: str) -> Iterator[tuple[object, _Place]]:
    line, before = 1, 0
    try:
        for value, at in documents(text):
            line += text.count("\n", before, at)
            before = at
            yield value, _Place(name, line)
    except NoDocumentError as error:
        place = _Place(name, line + text.count("\n", before, error.at))
        beginning = text[error.at : error.at + _SHOWN_MAX].partition("\n")[0]
        raise AnalyzerError(
            f"{place}: {beginning!r} begins no whole JSON document. {RUN}"
        ) from None


def _once(found: Iterable[Instance]) -> Iterator[Instance]:
    """Yield each instance once: as the last document has it, which was written last."""
    last: Mapping[str, Instance] = {each.id or each.name or "": each for each in found}
    yield from last.values()
