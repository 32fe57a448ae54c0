"""Takes instances out of a list: a name or an id a line, comments with ``#``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from analyzer.errors import AnalyzerError
from analyzer.imds import INSTANCE_ID
from analyzer.report.roster.instances import Instance

_SHOWN_MAX = 60
# What is meant as an id and is none; a host's name does not begin like that.
_LIKE_AN_ID = re.compile(r"i-[0-9a-fA-F]{5,}", re.ASCII)
_NAME = re.compile(r"[0-9A-Za-z_](?:[0-9A-Za-z_.-]{0,252})", re.ASCII)


def instances_of_lines(lines: Iterable[str], name: str) -> Iterator[Instance]:
    """Yield the instances of a list; raises AnalyzerError, which names the line.

    A line is an id, a name, or an id with its name behind it. Ids alone may share a line, as
    ``--query ... --output text`` prints them.
    """
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if all(INSTANCE_ID.fullmatch(each) for each in words):
            yield from (Instance(id=each, name=None) for each in words)
        elif len(words) == 1 and _is_name(words[0]):
            yield Instance(id=None, name=words[0], names=(words[0],))
        elif len(words) == 2 and INSTANCE_ID.fullmatch(words[0]) and _is_name(words[1]):  # noqa: PLR2004
            yield Instance(id=words[0], name=words[1], names=(words[1],))
        else:
            raise AnalyzerError(
                f"{name}, line {number}: {line.strip()[:_SHOWN_MAX]!r} is neither an"
                " instance id (i-0123456789abcdef0) nor a host name. Give one a line, or what"
                " `aws ec2 describe-instances --output json` prints."
            )


def _is_name(word: str) -> bool:
    return bool(_NAME.fullmatch(word)) and not _LIKE_AN_ID.fullmatch(word)
