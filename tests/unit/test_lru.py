"""The bounded mapping and the cache: they keep what was used last, and no more than they may."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from analyzer.lru import Cache, Lru

MOST = 3
# What is done to a key: it is put, or used.
STEPS = st.lists(st.tuples(st.sampled_from(["put", "use"]), st.integers(0, 5)), max_size=40)


@given(STEPS)
def test_the_most_recently_used_are_kept(steps: list[tuple[str, int]]) -> None:
    """Held against a list that is searched from its end."""
    lru: Lru[int, str] = Lru(MOST)
    model: list[int] = []  # the least recently used first
    for step, key in steps:
        if step == "use":
            assert lru.use(key) == (str(key) if key in model else None)
            if key not in model:
                continue
        else:
            dropped = lru.put(key, str(key))
            is_full = key not in model and len(model) == MOST
            assert dropped == ((model[0], str(model[0])) if is_full else None)
            if is_full:
                del model[0]
        model = [*(known for known in model if known != key), key]
        assert list(lru) == model
        assert lru.oldest() == (model[0], str(model[0]))


def test_looking_is_no_use() -> None:
    lru: Lru[str, int] = Lru(2)
    lru.put("first", 1)
    lru.put("second", 2)
    assert lru["first"] == lru.get("first") == 1
    assert lru.put("third", 3) == ("first", 1)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 60)), max_size=40))
def test_a_cache_keeps_both_bounds_and_the_last(puts: list[tuple[int, int]]) -> None:
    cache: Cache[int, int] = Cache(entries=MOST, keep_s=10.0, bytes_max=50)
    for key, size in puts:
        cache.put(key, size, 0.0, size=size)
        assert cache.get(key, 9.9) == size
        assert cache.get(key, 10.0) is None
        assert cache.maybe_old(key) == size
        held = [cache.maybe_old(known) for known in range(6)]
        assert cache.held_bytes == sum(size or 0 for size in held)
        assert len(cache) == sum(size is not None for size in held) <= MOST
        assert cache.held_bytes <= 50 or len(cache) == 1
    cache.clear()
    assert (len(cache), cache.held_bytes) == (0, 0)


def test_what_was_used_last_stays() -> None:
    """A look at a value counts as use; the one that was not looked at goes."""
    cache: Cache[str, int] = Cache(entries=2, keep_s=10)
    cache.put("a", 1, now=0)
    cache.put("b", 2, now=0)
    assert cache.get("a", now=1) == 1
    cache.put("c", 3, now=1)
    assert [cache.get(key, now=1) for key in "abc"] == [1, None, 3]


def test_an_old_value_is_only_given_to_who_takes_old_ones() -> None:
    """It is old at the very end of its time, its own or the cache's."""
    cache: Cache[str, int] = Cache(entries=2, keep_s=10)
    cache.put("a", 1, now=0)
    cache.put("b", 2, now=0, keep_s=20)
    assert (cache.get("a", now=10), cache.get("b", now=10)) == (None, 2)
    assert (cache.maybe_old("a"), cache.maybe_old("c")) == (1, None)


def test_bytes_are_bounded_and_the_last_value_is_kept_however_large() -> None:
    """A value that is put again counts once."""
    cache: Cache[str, int] = Cache(entries=9, keep_s=10, bytes_max=100)
    for size in (60, 40):
        cache.put("a", 1, now=0, size=size)
    cache.put("b", 2, now=0, size=60)
    assert (len(cache), cache.held_bytes) == (2, 100)
    cache.put("c", 3, now=0, size=500)
    assert (len(cache), cache.held_bytes, cache.get("c", now=1)) == (1, 500, 3)


def test_clearing_frees_all_that_is_counted() -> None:
    """So that a cache which is used again has its whole room."""
    cache: Cache[str, int] = Cache(entries=9, keep_s=10, bytes_max=100)
    cache.put("a", 1, now=0, size=90)
    cache.clear()
    assert (len(cache), cache.held_bytes, cache.maybe_old("a")) == (0, 0, None)
