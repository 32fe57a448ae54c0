"""Neutralises texts for Markdown: names in code, sentences as nothing but sentences.

What code cannot hold in a table is written with HTML's character references, which never are
markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from analyzer.report.formats import selection, wording
from analyzer.text import visible

# A comment of GitHub's holds 65,536 characters.
BOUNDS = selection.Bounds(
    callers_in_detail=15,
    callers_in_rows=50,
    hosts=50,
    commands=10,
    command_characters=2_000,
    differences=30,
    text=120,
)

# Fails in a code span of a table, or ends one.
_NOT_IN_CODE = re.compile(r"[`|\\]")
# Is markup, or may become some, in running text; an underscore only at the edge of a word.
_MARKUP = re.compile(r"[][&<>|\\`*~]|:(?=[a-z])|(?<![^\W_])_|_(?![^\W_])")
# A word that becomes a link, a mention or a reference to an issue by itself.
_LIVE = re.compile(r"[@#]|://|www\.|[!$%&~]\w", re.IGNORECASE)
# Begins a list within a list, or a heading's underline.
_OPENING = re.compile(r"[-+=]+|\d+[.)]")
_REFERRED = re.compile(r"[^\w\s/,;=+-]|_")


def code(text: str) -> str:
    """Return a text of the log as code, in a table or elsewhere."""
    shown = selection.cut(visible(text), BOUNDS.text)
    if not shown.strip():
        return "<code></code>"
    if _NOT_IN_CODE.search(shown) or shown != shown.strip():
        return f"<code>{_REFERRED.sub(_reference, shown)}</code>"
    return f"`{shown}`"


def prose(text: str) -> str:
    """Return a sentence as nothing but a sentence, whatever names are in it."""
    words = visible(text).split()
    return " ".join(
        code(word)
        if _LIVE.search(word) or (not place and _OPENING.fullmatch(word))
        else _plain(word)
        for place, word in enumerate(words)
    )


def block(commands: str) -> Iterator[str]:
    """Write commands to copy."""
    lines = [visible(line) for line in commands.split("\n")]
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    yield from ("", fence, *lines, fence)


def _plain(word: str) -> str:
    return _MARKUP.sub(_reference, word)


def _reference(match: re.Match[str]) -> str:
    return f"&#{ord(match.group())};"


def commands(every: Sequence[str]) -> Iterator[str]:
    """Write commands, each whole, but perhaps not all of them."""
    shown = selection.commands(every, BOUNDS)
    for each in shown.items:
        yield from block(each)
    yield ""
    yield from left_out(shown.left_out, "more command", "--format json")


def table(
    headings: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()
) -> Iterator[str]:
    """Write a table; ``numbers`` are the columns that stand to the right."""
    yield f"| {' | '.join(headings)} |"
    yield f"|{'|'.join('--:' if place in numbers else '---' for place in range(len(headings)))}|"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def left_out(number: int, noun: str, where: str) -> Iterator[str]:
    """Say how many were left out, if any."""
    if number:
        yield f"{wording.plural(number, noun)} left out here; `{where}` has all."
        yield ""
