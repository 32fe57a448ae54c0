"""Each caller has one look, and nobody can have all of them."""

from __future__ import annotations

from analyzer.recorder.evidence.jobs import FileIdentity
from analyzer.recorder.evidence.queue import (
    LOG_SHARE,
    PER_S,
    TOLD_MAX,
    WAITING_MAX,
    WAITING_OF_REALM_MAX,
    Queue,
)
from analyzer.recorder.origins import STOCK_SHARE

LOG_BYTES = 200 << 20
S = 1_000_000_000


def identity(number: int) -> FileIdentity:
    return f"key-{number}", 1, number, 7, ""


def filled(number: int, realm: str = "", first: int = 0) -> Queue[int]:
    queue: Queue[int] = Queue(LOG_BYTES)
    for each in range(first, first + number):
        queue.add(identity(each), realm or f"realm-{each % 4}", each, 0)
    return queue


def taken(queue: Queue[int]) -> list[int]:
    return [item for item in iter(queue.next, None) if item is not None]


def test_callers_have_their_turn_in_order_and_once() -> None:
    """Who waits, or was looked at, is no longer new."""
    queue = filled(2)
    assert not queue.is_new(identity(0))
    assert taken(queue) == [0, 1]
    assert not queue.is_new(identity(0))
    assert queue.is_new(identity(2))


def test_each_part_of_the_identity_tells_callers_apart() -> None:
    queue: Queue[str] = Queue(LOG_BYTES)
    queue.add(("key", 1, 2, 3, "/a.sh"), "", "", 0)
    for other in (
        *(("other", 1, 2, 3, "/a.sh"), ("key", 9, 2, 3, "/a.sh"), ("key", 1, 9, 3, "/a.sh")),
        *(("key", 1, 2, 9, "/a.sh"), ("key", 1, 2, 3, "/b.sh")),
    ):
        assert queue.is_new(other)


def test_a_second_has_so_many_looks() -> None:
    queue = filled(3 * PER_S)
    assert len(taken(queue)) == PER_S
    assert taken(queue) == []
    queue.refill()
    assert taken(queue) == list(range(PER_S, 2 * PER_S))
    assert len(queue) == PER_S


def test_what_finds_no_room_is_counted_once_and_may_come_again() -> None:
    """Its next call, when there is room, has it looked at."""
    queue = filled(WAITING_MAX)
    last = identity(WAITING_MAX)
    for _ in range(3):
        assert not queue.add(last, "another", -1, 0)
    assert queue.take_skipped() == 1
    assert queue.take_skipped() == 0
    assert queue.is_new(last)
    taken(queue)
    assert queue.add(last, "another", -1, 0)
    assert not queue.is_new(last)


def test_a_thousand_callers_are_looked_at_or_counted() -> None:
    queue = filled(1000)
    assert len(queue) == WAITING_MAX
    assert queue.take_skipped() == 1000 - WAITING_MAX


def test_one_realm_leaves_room_for_others() -> None:
    """Whoever can make callers up fills its own part."""
    queue = filled(1000, realm="user-1000.slice")
    assert len(queue) == WAITING_OF_REALM_MAX
    assert queue.add(identity(-1), "system.slice/app.service", -1, 0)
    taken(queue)
    assert queue.add(identity(-2), "user-1000.slice", -2, 0)


def test_a_realm_that_has_written_its_share_waits() -> None:
    """A hostile host could else push out its requests by long lines on made-up callers."""
    queue: Queue[int] = Queue(LOG_BYTES)
    share = int(LOG_BYTES * LOG_SHARE * STOCK_SHARE)
    queue.charge("user-1000.slice", share, 0)
    assert not queue.add(identity(1), "user-1000.slice", 1, 0)
    assert queue.add(identity(2), "user-1001.slice", 2, 0)
    assert queue.add(identity(1), "user-1000.slice", 1, 60 * S)


def test_what_waits_at_the_end_is_counted() -> None:
    queue = filled(5)
    queue.drop()
    assert (len(queue), queue.take_skipped()) == (0, 5)


def test_it_remembers_a_bounded_number() -> None:
    queue: Queue[int] = Queue(LOG_BYTES)
    for number in range(TOLD_MAX + 1):
        queue.add(identity(number), "", number, 0)
        queue.refill()
        queue.next()
    assert queue.is_new(identity(0))
    assert not queue.is_new(identity(TOLD_MAX))
