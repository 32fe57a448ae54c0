"""Patterns are compiled when they are first needed, and once."""

from __future__ import annotations

import re
from functools import _lru_cache_wrapper

import pytest

from analyzer.masking import by_shape, commands, secret_names


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (secret_names.name_pattern, "password="),
        (secret_names.foreign_name_pattern, "passwort="),
        (by_shape._any_alarm, "ghp_"),
        (commands._any_alarm, "sshpass"),
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
