"""Finds the line of an entry, or of a key of it, in a TOML file's text."""

from __future__ import annotations

import re
from typing import Optional

_KEY = re.compile(r"\s*[\"']?([\w-]+)[\"']?\s*=")


class Places:
    """The lines of the entries ``[[name]]`` of a text.

    The text is looked through line by line. A text in quotes over several lines can look like an
    entry: then the entries found are not as many as were parsed, and no line is told.
    """

    def __init__(self, text: str, name: str, count: int) -> None:
        """Take the text, and how many entries it was parsed to."""
        header = re.compile(rf"\s*\[\[\s*[\"']?{re.escape(name)}[\"']?\s*\]\]")
        self._keys: list[dict[str, int]] = []
        self._starts: list[int] = []
        # As TOML counts: other characters that end a line elsewhere are part of one here.
        for number, line in enumerate(text.split("\n"), 1):
            key = _KEY.match(line)
            if header.match(line):
                self._starts.append(number)
                self._keys.append({})
            elif key and self._keys:
                self._keys[-1].setdefault(key[1], number)
        self._is_sure = len(self._starts) == count

    def line(self, entry: int, key: str) -> Optional[int]:
        """Return the line of an entry's key, else of its start; None where it cannot be told."""
        if not self._is_sure:
            return None
        return self._keys[entry - 1].get(key, self._starts[entry - 1])
