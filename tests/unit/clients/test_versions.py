"""Versions compare by number, in every form that clients write."""

from __future__ import annotations

from typing import Optional

import pytest

from analyzer.clients.versions import LENGTH_MAX, maybe_version

ASCENDING = (
    ("1.13.24", "1.13.25"),
    ("1.9.253", "1.12.6"),
    ("1.12.253", "1.13.25"),
    ("3.78.0", "3.79.0"),
    ("3.9.0", "3.79.0"),
    ("1.247359.0", "1.300028.0"),
    ("1.300027.9b111", "1.300028.0b213"),
    ("2.0.0-preview", "2.0.0"),
    ("1.9.9", "2.0.0-preview"),
    ("2.0.0rc1", "2.0.0"),
    ("2.0.0.dev3", "2"),
    ("7.64.0-devel+git.1", "7.64.0"),
    ("1.2.1", "1.2.1_20"),
    ("1.1-11", "1.1-12"),
    ("3.2.1040.9", "3.2.1041.0"),
    ("3005.1", "3006"),
    ("v0.4.0", "0.5.0"),
)
EQUAL = (
    ("1.2", "1.2.0"),
    ("v1.2.3", "1.2.3"),
    ("1.2.3+build.7", "1.2.3"),
    ("1.300028.0b213", "1.300028.0"),
    (" 1.2.3 ", "1.2.3"),
    ("1.2.3-eksbuild.1", "1.2.3"),
    ("1.02.3", "1.2.3"),
    ("0", "0.0.0"),
    ("3006.previous", "3006"),
    ("1:3.23.0+dfsg1-1", "3.23.0"),
)


@pytest.mark.parametrize(("lower", "higher"), ASCENDING)
def test_a_lower_version_is_less(lower: str, higher: str) -> None:
    """By numbers, not by letters; what comes before a release is less than it."""
    below, above = maybe_version(lower), maybe_version(higher)
    assert below is not None
    assert above is not None
    assert below < above
    assert not above < below


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_the_same_version_is_equal(one: str, other: str) -> None:
    """Zeros at the end, a leading v and what a build adds make no difference."""
    assert maybe_version(one) == maybe_version(other) is not None


@pytest.mark.parametrize("text", [None, "", "(devel)", "unknown", "latest", "-1.2", "9" * 40])
def test_what_is_no_version_is_none(text: Optional[str]) -> None:
    """None, not a guess."""
    assert maybe_version(text) is None


def test_a_very_long_version_costs_nothing() -> None:
    """Only the beginning is looked at."""
    version = maybe_version("1." * 1_000_000)
    assert version is not None
    assert len(version.numbers) <= LENGTH_MAX
