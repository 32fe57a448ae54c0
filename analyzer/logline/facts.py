"""Describes one field of a line: its meaning, when it is left out, and its values.

A field's type is the annotation itself. What an annotation cannot say is a JSON Schema keyword.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

Rule = Mapping[str, object]


class Fact(NamedTuple):
    """The description of a field; ``absent`` is "" if the field is never left out."""

    meaning: str
    absent: str = ""
    rule: Rule = {}  # noqa: RUF012 -- a NamedTuple's default; never changed


def one_of(*values: object) -> Rule:
    """Allow only these values."""
    return {"enum": list(values)}


def matching(pattern: str) -> Rule:
    """Allow only texts that match as a whole."""
    return {"pattern": f"^{pattern}$"}


def between(low: float, high: float) -> Rule:
    """Allow only numbers from ``low`` to ``high``."""
    return {"minimum": low, "maximum": high}


def items(rule: Rule) -> Rule:
    """Allow only lists whose items keep a rule."""
    return {"items": rule}


# Text that is never empty: what is empty is left out.
TEXT: Rule = {"minLength": 1}
TRUE = one_of(True)
NOT_EMPTY: Rule = {"minItems": 1}
COUNT: Rule = {"minimum": 0}
COUNTED: Rule = {"minimum": 1}
SECONDS: Rule = {"minimum": 0}
# UTC, in microseconds.
TIME = matching(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
# Linux has pids up to 2**22; the field in the kernel has 32 bits.
PID = between(1, 2**32 - 1)
