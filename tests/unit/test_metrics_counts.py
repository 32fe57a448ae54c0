"""What metrics are made of: counting, and its bounds."""

from __future__ import annotations

import threading

from analyzer.records import Lost, Outcome, Record, Response, Version
from analyzer.sinks.metrics.counts import (
    NAME_MAX,
    NAMES_MAX,
    OTHER,
    SERIES_MAX,
    UNKNOWN,
    Counts,
    Requests,
)
from tests.sends import process_of
from tests.unit.test_jsonl import RECORD

OK = Response(Outcome.SUCCESS, 200)


def named(name: str, record: Record = RECORD) -> Record:
    process = process_of(record.caller)._replace(name=name)
    return record._replace(caller=record.caller._replace(process=process))


def of_version(record: Record, version: Version, provider: str = "aws") -> Record:
    return record._replace(verdict=record.verdict._replace(version=version, provider=provider))


def labels_of(*names: str) -> list[str]:
    counts = Counts()
    for name in names:
        counts.request(named(name))
    return [key.process for key in counts.snapshot().requests]


def test_requests_are_counted_by_what_they_were() -> None:
    """Version, provider, outcome and caller make a series; nothing else does."""
    counts = Counts()
    for record in (
        *[RECORD._replace(response=OK)] * 3,
        RECORD._replace(response=OK, tid=7, at_ns=1),
        RECORD,
        of_version(RECORD, Version.V2, "gcp")._replace(response=Response(Outcome.REJECTED, 401)),
    ):
        counts.request(record)
    assert counts.snapshot().requests == {
        Requests("v1", "aws", "success", "curl"): 4,
        Requests("v1", "aws", UNKNOWN, "curl"): 1,
        Requests("v2", "gcp", "rejected", "curl"): 1,
    }


def test_losses_are_counted_by_reason_from_0() -> None:
    """Known reasons are there before anything is lost, so that an increase can be seen."""
    counts = Counts(["ring_buffer_full", "probe_busy"])
    counts.lost(Lost(3, 0, "ring_buffer_full"))
    counts.lost(Lost(4, 0, "ring_buffer_full"))
    counts.lost(Lost(1, 0, "unheard_of", is_request=False))
    assert counts.snapshot().lost == {"ring_buffer_full": 7, "probe_busy": 0, "unheard_of": 1}


def test_callers_cannot_make_series_without_end() -> None:
    """The first names keep their series; all later ones share one."""
    counts = Counts()
    for number in range(NAMES_MAX + 501):
        counts.request(named(f"prog-{number}"))
    requests = counts.snapshot().requests
    assert len(requests) == NAMES_MAX + 1
    assert requests[Requests("v1", "aws", UNKNOWN, "prog-0")] == 1
    assert requests[Requests("v1", "aws", UNKNOWN, OTHER)] == 501
    assert sum(requests.values()) == NAMES_MAX + 501


def test_known_names_in_all_combinations_are_bounded_too() -> None:
    """Above the bound a new combination is counted, under the shared name."""
    counts = Counts()
    providers = [f"cloud-{number}" for number in range(7)]
    responses = [Response(outcome, None) for outcome in Outcome]
    sent = 0
    for number in range(NAMES_MAX):
        for provider in providers:
            for response in responses:
                record = of_version(named(f"prog-{number}"), Version.V2, provider)
                counts.request(record._replace(response=response))
                sent += 1
    assert sent > 3 * SERIES_MAX
    requests = counts.snapshot().requests
    assert len(requests) <= SERIES_MAX + len(providers) * len(responses)
    assert sum(requests.values()) == sent


def test_names_are_made_harmless() -> None:
    """What does not print is escaped, length is bounded, and no name is a name too."""
    assert labels_of("a\nb\r\x00\x1b[0m\x85", "\u2028", "\ud800", "日本", 'q"\\', "") == [
        "a\\nb\\r\\x00\\x1b[0m\\x85",
        "\\u2028",
        "\\ud800",
        "日本",
        'q"\\',
        UNKNOWN,
    ]
    (long,) = labels_of("\x01" * 255)
    assert len(long) == NAME_MAX


def test_the_high_water_mark_is_kept_and_then_forgotten() -> None:
    """A burst is seen for one to two windows."""
    counts = Counts()
    counts.tick(3, 1001)
    counts.tick(0, 5)
    assert counts.snapshot().queue_high_water == 1001
    assert counts.snapshot().queued == 0
    counts._window_ends = 0.0
    counts.tick(0, 7)
    assert counts.snapshot().queue_high_water == 1001
    counts._window_ends = 0.0
    counts.tick(0, 6)
    assert counts.snapshot().queue_high_water == 7


def test_snapshots_are_whole_while_another_thread_counts() -> None:
    """Each is what was counted at one moment, and no count is missing at the end."""
    counts = Counts()
    records = [named(f"prog-{number % (2 * NAMES_MAX)}") for number in range(20_001)]
    done = threading.Event()
    totals = [0]

    def take() -> None:
        while not done.is_set():
            totals.append(sum(counts.snapshot().requests.values()))

    thread = threading.Thread(target=take)
    thread.start()
    try:
        for record in records:
            counts.request(record)
    finally:
        done.set()
        thread.join()
    assert totals == sorted(totals)
    assert sum(counts.snapshot().requests.values()) == len(records)
