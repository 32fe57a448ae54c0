"""Compares versions as programs write them: by number, component by component."""

from __future__ import annotations

import re
from typing import NamedTuple, Optional

# Longer than any real version; what is hostile costs nothing.
LENGTH_MAX = 64
_DIGITS_MAX = 12

# A package's version may begin with an epoch, which is of the distribution, not of the program.
_VERSION = re.compile(r"(?:\d+:)?v?(\d+(?:[._-]\d+)*)(.*)", re.ASCII | re.IGNORECASE | re.DOTALL)
# Words only: the CloudWatch agent's builds are 1.300028.0b213, which is no beta.
_BEFORE_RELEASE = re.compile(
    r"[._~-]?(?:alpha|beta|rc|pre|preview|dev|devel|snapshot)(?![a-z])", re.IGNORECASE
)


class ProgramVersion(NamedTuple):
    """A version that can be compared; 1.2 and 1.2.0 are the same."""

    numbers: tuple[int, ...]
    is_release: bool  # what comes before a release is smaller than it


def maybe_version(text: Optional[str]) -> Optional[ProgramVersion]:
    """Return the version that a text begins with; None where it has none."""
    match = _VERSION.match(text.strip()[:LENGTH_MAX]) if text else None
    if match is None:
        return None
    parts = re.split(r"[._-]", match[1])
    if any(len(each) > _DIGITS_MAX for each in parts):
        return None
    numbers = [int(each) for each in parts]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return ProgramVersion(tuple(numbers), _BEFORE_RELEASE.match(match[2]) is None)
