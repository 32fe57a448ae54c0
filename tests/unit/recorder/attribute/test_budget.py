"""Nobody's arguments take the time of others."""

from __future__ import annotations

import os
from pathlib import Path

from analyzer.recorder.attribute.budget import (
    ALL_SAVED_S,
    ALL_SHARE,
    ROOT,
    USER_SAVED_S,
    USER_SHARE,
    USERS_MAX,
    Budget,
)

HOST, CONTAINER = 4_026_531_841, 4_026_532_000


class Clock:
    """Seconds that pass, and those that are spent, as the test says."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.spent_s = 0.0
        self.budget = Budget(lambda: self.now_s, lambda: self.spent_s, HOST)

    def work(self, user_id: int, for_s: float, mounts: int = HOST) -> bool:
        """Spend so much for a user; returns whether that was allowed."""
        began_s = self.budget.begin(user_id, mounts)
        if began_s < 0:
            return False
        self.spent_s += for_s
        self.budget.end(user_id, mounts, began_s)
        return True


def test_a_user_spends_what_it_has_and_no_more() -> None:
    """The last piece of work is finished, however long it takes; the next is not begun."""
    clock = Clock()
    assert clock.work(1000, USER_SAVED_S * 0.9)
    assert clock.work(1000, USER_SAVED_S * 0.9)
    assert not clock.work(1000, 0)


def test_another_user_has_its_own() -> None:
    """And so has root, without a bound."""
    clock = Clock()
    assert clock.work(1000, USER_SAVED_S)
    assert not clock.work(1000, 0)
    assert clock.work(1001, 0)
    assert all(clock.work(ROOT, 10) for _ in range(3))
    assert clock.work(1001, 0)


def test_root_of_a_container_has_what_a_user_has() -> None:
    """It is told by its mounts; so is what is not known. Another user gains nothing by its own."""
    for mounts in (CONTAINER, 0):
        clock = Clock()
        assert clock.work(ROOT, USER_SAVED_S, mounts)
        assert not clock.work(ROOT, 0, mounts)
        assert clock.work(ROOT, 0, CONTAINER + 1)
        assert clock.work(ROOT, 0, HOST)
    clock = Clock()
    assert clock.work(1000, USER_SAVED_S, HOST)
    assert not clock.work(1000, 0, CONTAINER)


def test_the_hosts_mounts_are_those_of_the_first_process() -> None:
    """Where it may not be looked at, ours: nobody gave us others here."""
    first, own = Path("/proc/1/ns/mnt"), Path("/proc/self/ns/mnt")
    mounts = first if os.access(first, os.R_OK) else own
    spent_s = iter([0.0, 10.0, 10.0, 20.0])
    budget = Budget(lambda: 0.0, lambda: next(spent_s))
    for _ in range(2):
        began_s = budget.begin(ROOT, mounts.stat().st_ino)
        assert began_s >= 0
        budget.end(ROOT, mounts.stat().st_ino, began_s)


def test_time_brings_it_back() -> None:
    """At the share that a user has, and no faster."""
    clock = Clock()
    assert clock.work(1000, USER_SAVED_S + 1)
    clock.now_s += 0.9 / USER_SHARE
    assert not clock.work(1000, 0)
    clock.now_s += 0.2 / USER_SHARE
    assert clock.work(1000, 0)


def test_many_users_have_no_more_than_all_have() -> None:
    """Whoever may take any user id gains nothing by it."""
    clock = Clock()
    allowed = sum(clock.work(1000 + number, 0.1) for number in range(3 * USERS_MAX))
    assert ALL_SAVED_S / 0.1 <= allowed <= ALL_SAVED_S / 0.1 + 1
    clock.now_s += 1.0 / ALL_SHARE
    assert clock.work(10**6, 0.1)
