"""Names callers so that a page tells them apart, and says where long words may be broken.

The words may hold text of the log: the page escapes each where it is put in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Callable, Optional

from analyzer.report.callers import Group
from analyzer.report.formats import wording

# A long name may be broken behind these, and a long part of it behind a hyphen; nowhere else.
_PART = re.compile(r"[^./_:@,;=]*[./_:@,;=]+|[^./_:@,;=]+")
_HYPHENED = re.compile(r"[^-]*-+|[^-]+")

_ID = re.compile(r"(\bi-[0-9a-f]{8,17}\b)")
# A word that is not longer is never broken; it fits the narrowest page. What no name has may be
# broken anywhere.
WORD_MAX = 26
_WORD = re.compile(rf"[\w./:@+(),=←-]{{0,{WORD_MAX}}}")

# Where a browser breaks a word on its own.
_BROKEN = re.compile(r"[^\w.←]")

# What tells callers of one name apart, the most telling first. The key, being unique, is last.
_FACTS: tuple[Callable[[Group], Optional[str]], ...] = (
    lambda group: group.key.launcher,
    lambda group: group.key.unit,
    lambda group: group.key.program,
    lambda group: group.key.place,
    lambda group: f"as {', '.join(group.users)}" if group.users else None,
    lambda group: group.key.kind,
    lambda group: group.key.user_agent,
    lambda group: group.paths[0][0] if group.paths else None,
    lambda group: f"asks for {group.key.provider}",
    lambda group: group.key.caller,
)


@dataclass(frozen=True)
class Label:
    """Name of a caller. ``detail`` tells it from others of the same name, or is empty."""

    name: str
    detail: str = ""

    @property
    def whole(self) -> str:
        """Name and detail on one line."""
        return f"{self.name} ({self.detail})" if self.detail else self.name


def pieces(text: str) -> tuple[tuple[tuple[str, str], ...], ...]:
    """Split a name into words, and each into the pieces between which it may be broken.

    With each piece how it is kept together: ``kept``; ``long`` for what is broken anywhere, as only
    a made-up name is; or nothing, because a browser does not break it.
    """
    return tuple(_pieces(word) for word in text.split(" "))


def ids(text: str) -> tuple[tuple[str, bool], ...]:
    """Split a command into instance ids, which are not broken, and the text between them."""
    return tuple((each, _ID.fullmatch(each) is not None) for each in _ID.split(text) if each)


def _pieces(word: str) -> tuple[tuple[str, str], ...]:
    if _WORD.fullmatch(word):
        return ((word, _kept(word)),)
    parts = []
    for part in _PART.findall(word):
        parts += [part] if _WORD.fullmatch(part) else _HYPHENED.findall(part)
    return tuple((each, _kept(each)) for each in parts)


def _kept(piece: str) -> str:
    if not _WORD.fullmatch(piece):
        return "long"
    return "kept" if _BROKEN.search(piece) else ""


def labels(groups: Iterable[Group]) -> dict[tuple[str, str], Label]:
    """Return what to call each caller, by its key and provider: no two are called the same."""
    by_name: dict[str, list[Group]] = {}
    for group in groups:
        by_name.setdefault(wording.who(group.key), []).append(group)
    found = {}
    for name, alike in by_name.items():
        for group, detail in zip(alike, _details(alike)):
            found[(group.key.caller, group.key.provider)] = Label(name, detail)
    return found


def _details(alike: Sequence[Group]) -> list[str]:
    """Return the fewest facts that tell these callers apart, in words."""
    told: list[tuple[str, ...]] = [() for _ in alike]
    if len(alike) == 1:
        return [""]
    for fact in _FACTS:
        more = [(*known, fact(group) or "") for known, group in zip(told, alike)]
        if len(set(more)) > len(set(told)):
            told = more
        if len(set(told)) == len(told):
            break
    return [", ".join(each for each in facts if each) or "no unit" for facts in told]
