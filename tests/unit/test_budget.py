"""Nobody's arguments take the time of others."""

from __future__ import annotations

from analyzer.attribute.budget import (
    ALL_SAVED_S,
    ALL_SHARE,
    ROOT,
    USER_SAVED_S,
    USER_SHARE,
    USERS_MAX,
    Budget,
)


class Clock:
    """Seconds that pass, and those that are spent, as the test says."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.spent_s = 0.0
        self.budget = Budget(lambda: self.now_s, lambda: self.spent_s)

    def work(self, user_id: int, for_s: float) -> bool:
        """Spend so much for a user; returns whether that was allowed."""
        began_s = self.budget.begin(user_id)
        if began_s < 0:
            return False
        self.spent_s += for_s
        self.budget.end(user_id, began_s)
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
