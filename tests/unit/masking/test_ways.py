"""Further ways to give a program a secret: which are masked, and what beside them stays."""

from __future__ import annotations

import pytest

from analyzer.masking import MASK, mask_args
from tests.unit.secret_samples import leaks
from tests.unit.secret_ways import INNOCENT_WAYS, OTHERS, WAYS


@pytest.mark.parametrize("way", WAYS)
def test_no_piece_of_the_password_is_left(way: str) -> None:
    """The program stays, its password goes, and masking again changes nothing."""
    masked = mask_args(WAYS[way])
    assert MASK in "\n".join(masked)
    assert leaks("\n".join(masked)) == []
    assert masked[0] == WAYS[way][0] or len(masked) == 1 or way == "directory"
    assert mask_args(masked) == masked


@pytest.mark.parametrize("way", OTHERS)
def test_secrets_of_other_forms_are_masked(way: str) -> None:
    """A number, an id, a phrase or a password of signs is known by its option or its shape."""
    args, secret = OTHERS[way]
    masked = mask_args(args)
    assert secret not in "\n".join(masked)
    assert MASK in "\n".join(masked)
    assert mask_args(masked) == masked


@pytest.mark.parametrize("way", INNOCENT_WAYS)
def test_their_neighbours_stay(way: str) -> None:
    """Digests, public keys, files, ports and names that are like secrets are kept."""
    assert mask_args(INNOCENT_WAYS[way]) == INNOCENT_WAYS[way]


@pytest.mark.no_cover  # counting lines takes most of the time, and other tests come by them
@pytest.mark.parametrize("way", [each for each, args in WAYS.items() if len(args) > 1])
def test_a_password_that_is_cut_is_masked_as_far_as_it_goes(way: str) -> None:
    """Wherever the kernel's copy of a vector ends, no piece of the password is left."""
    whole = "\0".join(WAYS[way])
    for end in range(1, len(whole) + 1):
        masked = mask_args(whole[:end].split("\0"), is_cut=True)
        assert leaks("\n".join(masked)) == [], (end, masked)
