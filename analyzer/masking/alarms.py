"""Searches a text for any of many strings at once; most texts have none."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from typing import Any

# Characters of a text in which any_of() is quicker than one search after the other: in one of 900,
# a search for one string takes so little for each character that a hundred of them are quicker.
_SHORT = 256

# Most patterns are compiled when a text first needs them: all of them would be a tenth of a start.
compiled = functools.cache(re.compile)


class AnyOf:
    """Looks for any of some strings at once in texts that are short."""

    def __init__(self, strings: Iterable[str]) -> None:
        """Keep them; they are compiled when they are first looked for."""
        self._strings = tuple(strings)

    @functools.cached_property
    def pattern(self) -> re.Pattern[str]:
        """The pattern that finds any of them."""
        return any_of(self._strings)

    def may_be_in(self, text: str) -> bool:
        """Tell whether a text may hold one: a long one may, a short one if it does."""
        return len(text) > _SHORT or self.pattern.search(text) is not None


def any_of(strings: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern that finds any of some strings.

    The pattern shares their beginnings. It finds 245 strings in a text of 50 characters in 6 µs;
    one search after the other takes 19 µs.
    """
    tree: dict[str, Any] = {}
    for string in strings:
        branch = tree
        for character in string:
            branch = branch.setdefault(character, {})
        branch[""] = {}
    return re.compile(_pattern(tree))


def _pattern(branch: dict[str, Any]) -> str:
    if "" in branch:
        return ""  # the others go on from here: to find this is enough
    parts = [re.escape(each) + _pattern(rest) for each, rest in sorted(branch.items())]
    return parts[0] if len(parts) == 1 else f"(?:{'|'.join(parts)})"
