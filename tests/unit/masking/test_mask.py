"""Masks in place of spans."""

from __future__ import annotations

import pytest

from analyzer.masking.mask import MASK, Span, cover, merged


@pytest.mark.parametrize(
    ("spans", "covered"),
    [
        ([], "abcdef"),
        ([(2, 4)], f"ab{MASK}ef"),
        ([(4, 6), (0, 2)], f"{MASK}cd{MASK}"),
        ([(0, 2), (2, 4), (1, 3)], f"{MASK}ef"),
        ([(3, 3), (5, 4)], "abcdef"),
    ],
)
def test_what_touches_has_one_mask_and_what_is_empty_none(spans: list[Span], covered: str) -> None:
    assert cover("abcdef", spans) == covered


def test_spans_are_in_order() -> None:
    assert merged([(4, 6), (0, 2), (1, 3), (9, 9)]) == [(0, 3), (4, 6)]
