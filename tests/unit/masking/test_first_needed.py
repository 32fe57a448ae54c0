"""Patterns are compiled when they are first needed, and once."""

from __future__ import annotations

import re
from functools import _lru_cache_wrapper

import pytest

from analyzer.masking import by_shape, commands, secret_names
from analyzer.masking.alarms import AnyOf


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (secret_names.name_pattern, "password="),
        (secret_names.foreign_name_pattern, "passwort="),
        (commands._any_program, "sshpass"),
    ],
)
def test_a_pattern_is_compiled_once(
    pattern: _lru_cache_wrapper[re.Pattern[str]], text: str
) -> None:
    pattern.cache_clear()
    compiled = pattern()
    assert compiled.search(text) is not None
    assert pattern() is compiled


@pytest.mark.parametrize(("alarms", "text"), [(by_shape._ANY, "ghp_"), (commands._ANY, "sshpass")])
def test_alarms_are_compiled_once(alarms: AnyOf, text: str) -> None:
    vars(alarms).pop("pattern", None)
    compiled = alarms.pattern
    assert compiled.search(text) is not None
    assert alarms.pattern is compiled


def test_a_long_text_may_have_all() -> None:
    """There, each string is looked for by itself."""
    alarms = AnyOf(["ghp_", "aqae"])
    assert alarms.may_be_in("an aqae")
    assert not alarms.may_be_in("a" * 256)
    assert alarms.may_be_in("a" * 257)
