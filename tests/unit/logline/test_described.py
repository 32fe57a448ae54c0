"""The fields that are declared, read for the schema and the documentation."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from analyzer.logline.described import fields_of


class Undescribed(NamedTuple):
    """A line whose author forgot to say what a field means."""

    requests: int


def test_a_field_without_a_meaning_is_an_error() -> None:
    """So that none can be added that the documentation does not explain."""
    with pytest.raises(TypeError, match="requests is declared without its meaning"):
        list(fields_of(Undescribed))
