"""Defines the base of the recorder's enumerations."""

from __future__ import annotations

import enum


class Constants(enum.Enum):
    """Members are one object each, and compared as such; so they may be hashed, too.

    What many records have in common is looked up by what is in it, and Enum's own hash is
    a function in Python.
    """

    __hash__ = object.__hash__
