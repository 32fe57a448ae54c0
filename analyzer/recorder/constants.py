"""Defines the base of the recorder's enumerations."""

from __future__ import annotations

import enum


class Constants(enum.Enum):
    """Members are one object each, and compared as such; so they may be hashed, too.

    Look-ups by content hash them for each record, and Enum's own hash is a function in Python.
    """

    __hash__ = object.__hash__
