"""Reads decisions that people write down in TOML: what, who, why, and until when."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from analyzer.errors import ConfigError


def check_keys(entry: Mapping[str, Any], known: Sequence[str], place: str) -> None:
    """Raise ConfigError for a key that an entry does not have."""
    unknown = sorted(entry.keys() - set(known))
    if unknown:
        raise ConfigError(f"{place}: unknown key {unknown[0]!r}. The keys are {', '.join(known)}")


def text(entry: Mapping[str, Any], key: str, place: str, missing: str) -> str:
    """Return a text that must be there; ``missing`` says what an entry needs."""
    value = entry.get(key)
    if value is None:
        raise ConfigError(f"{place}: {key} is missing: {missing}")
    if not isinstance(value, str):
        raise ConfigError(f"{place}: {key} must be a text in quotes")
    if not value.strip():
        raise ConfigError(f"{place}: {key} is empty")
    return value


def until(value: object, place: str) -> datetime.date:
    """Return the day on which a decision ends."""
    # A TOML time of day is a datetime, and a datetime is a date to Python.
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return value
    is_missing = "is missing: a decision ends on a day" if value is None else "must be a day"
    raise ConfigError(f"{place}: until {is_missing}, without quotes: until = 2027-03-31")
