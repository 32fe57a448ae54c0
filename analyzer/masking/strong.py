"""Finds passwords by their shape: letters of both cases, digits and signs in turn.

Signs end the words that ``random_values`` judges. Whole words are judged here. The manual pages,
modules and scripts of a Debian machine have one word of this shape: a password's hash.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from analyzer.masking.mask import Span
from analyzer.masking.random_values import changes

# A text with none of these holds no such word.
SUSPECT = r"[!#$%^&*?][A-Za-z0-9]{1,12}[!#$%^&*?]"

_WORD = re.compile(r"(?<![^\s\"'=])[A-Za-z0-9!#$%^&*?@+_~.-]{12,64}(?![^\s\"';])")
_SIGN = re.compile(r"[!#$%^&*?]")
_NO_LETTER = re.compile(r"[^A-Za-z0-9]+")
_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")
_LEAST = 2  # of each kind
# Of a random word, 62 of 100 neighbours are of two kinds.
_CHANGES = 0.45


def find_strong(text: str) -> Iterator[Span]:
    """Yield where words stand that look like passwords of a generator."""
    if _SIGN.search(text) is None:
        return
    for match in _WORD.finditer(text):
        if _is_strong(match[0]):
            yield match.span()


def _is_strong(word: str) -> bool:
    if len(_SIGN.findall(word)) < _LEAST or _PERCENT.search(word) is not None:
        return False
    letters = _NO_LETTER.sub("", word)
    counts = (sum(map(kind, letters)) for kind in (str.isdigit, str.isupper, str.islower))
    return min(counts) >= _LEAST and changes(letters) >= _CHANGES * len(letters)
