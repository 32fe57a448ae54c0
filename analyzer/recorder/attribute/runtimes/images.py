"""Takes the reference of a container image apart: name, tag and digest."""

from __future__ import annotations

import re
from typing import NamedTuple

# An image's id, or its digest alone, is no name; see the distribution project's reference grammar.
_NO_NAME = re.compile(r"(?:sha256:)?[0-9a-f]{64}\Z")


class Reference(NamedTuple):
    """A reference without its digest; "" for what it does not have."""

    name: str
    tag: str


def reference(text: str) -> Reference:
    """Return name and tag of a reference, such as ``registry:5000/team/app:1.4@sha256:...``."""
    if _NO_NAME.match(text):
        return Reference("", "")
    text = text.partition("@")[0]
    # A colon before a slash is a port's.
    head, colon, tag = text.rpartition(":")
    return Reference(head, tag) if colon and "/" not in tag else Reference(text, "")
