"""Finds the commands of a script that hold one of some texts, without a look at each command.

A script has thousands of commands, and some ten of interest. One search over all of them costs
what patterns cost for a few.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import accumulate


class Lines:
    """The commands of a script, searched together."""

    def __init__(self, commands: Sequence[str]) -> None:
        """Join the commands."""
        self.commands = commands
        self.whole = "\n".join(commands)
        self._lower = self.whole.lower()
        self._starts = [0, *accumulate(len(each) + 1 for each in commands)]
        if len(self._lower) != len(self.whole):  # letters that are longer in lower case
            self._lower = self.whole

    def start(self, number: int) -> int:
        """Return where a command begins in the joined text ``whole``."""
        return self._starts[number]

    def with_texts(self, texts: Iterable[str]) -> set[int]:
        """Return the numbers of commands that have one of the texts, in lower case."""
        return {number for text in texts for number in self._with(text)}

    def with_names(self, names: Collection[str]) -> set[int]:
        """Return the numbers of commands that have one of the names as a word."""
        if not names:
            return set()
        pattern = re.compile(rf"\b(?:{'|'.join(map(re.escape, names))})\b")
        return self.with_pattern(pattern)

    def with_pattern(self, pattern: re.Pattern[str]) -> set[int]:
        """Return the numbers of commands in which a pattern begins to match."""
        return {self._number(match.start()) for match in pattern.finditer(self.whole)}

    def has(self, pattern: re.Pattern[str]) -> bool:
        """Tell whether a pattern that looks at nothing around it is anywhere."""
        return pattern.search(self.whole) is not None

    def _with(self, text: str) -> Iterator[int]:
        at = self._lower.find(text)
        while at >= 0:
            number = self._number(at)
            yield number
            at = self._lower.find(text, self._starts[number + 1])

    def _number(self, at: int) -> int:
        return bisect_right(self._starts, at) - 1
