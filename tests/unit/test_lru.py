"""The cache holds what was used last, within its bounds."""

from __future__ import annotations

from analyzer.lru import Cache


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
