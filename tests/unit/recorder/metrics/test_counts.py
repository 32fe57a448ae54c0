"""What metrics are made of: counting, and its bounds."""

from __future__ import annotations

import itertools
import threading
from collections import Counter

import pytest

from analyzer.recorder.attribute.identity import identified
from analyzer.recorder.callers import Container, User
from analyzer.recorder.metrics.counts import (
    NAME_MAX,
    NAMES_MAX,
    NAMES_OF_ORIGIN_MAX,
    NAMES_OF_PROGRAM_MAX,
    NAMES_OF_V2_MAX,
    OTHER,
    SERIES_MAX,
    SERIES_OF_NAME_MAX,
    SERIES_OF_OTHERS_MAX,
    UNKNOWN,
    Counts,
    Requests,
)
from analyzer.recorder.records import Outcome, Record, Response, Version
from analyzer.recorder.source_events import Lost
from tests.sends import process_of
from tests.unit.recorder.sinks.test_jsonl import RECORD

OK = Response(Outcome.SUCCESS, 200)


def named(name: str, record: Record = RECORD) -> Record:
    process = process_of(record.caller)._replace(name=name, args=None)
    return record._replace(caller=identified(record.caller._replace(process=process)))


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


def test_the_first_tokenless_call_of_each_caller_is_kept() -> None:
    """Of v1 and of what may be v1, to AWS alone; later calls and outcomes change nothing."""
    counts = Counts()
    for at_s, record in enumerate(
        (
            RECORD,
            RECORD._replace(response=OK),
            of_version(RECORD, Version.UNKNOWN),
            of_version(RECORD, Version.V2),
            of_version(RECORD, Version.V1, "gcp"),
            named("wget"),
            RECORD,
        ),
        1001,
    ):
        counts.request(record._replace(at_ns=at_s * 10**9))
    assert counts.snapshot().first_seen == {
        ("v1", "curl"): 1001.0,
        ("unknown", "curl"): 1003.0,
        ("v1", "wget"): 1006.0,
    }


def test_first_calls_are_bounded_as_names_are() -> None:
    """All names without a label of their own have one time together: that of the first of them."""
    counts = Counts()
    for number in range(NAMES_MAX + 501):
        for version in (Version.V1, Version.UNKNOWN):
            record = of_version(by_user(0, named(f"prog-{number}")), version)
            counts.request(record._replace(at_ns=number * 10**9))
    first_seen = counts.snapshot().first_seen
    assert len(first_seen) == 2 * (NAMES_MAX + 1)
    assert first_seen["v1", OTHER] == NAMES_MAX


def test_losses_are_counted_by_reason_from_0() -> None:
    """Known reasons are there before anything is lost, so that an increase can be seen."""
    counts = Counts(["ring_buffer_full", "probe_busy"])
    counts.lost(Lost(3, 0, "ring_buffer_full"))
    counts.lost(Lost(4, 0, "ring_buffer_full"))
    counts.lost(Lost(1, 0, "unheard_of", is_request=False))
    assert counts.snapshot().lost == {"ring_buffer_full": 7, "probe_busy": 0, "unheard_of": 1}
    assert counts.snapshot().requests_lost == 7


def by_user(uid: int, record: Record, executable: str = "/usr/bin/python3") -> Record:
    process = process_of(record.caller)._replace(user=User(uid, None), executable=executable)
    caller = record.caller._replace(process=process, container=None)
    return record._replace(caller=identified(caller))


def counted(*records: Record) -> dict[str, int]:
    """Return the requests by label."""
    counts = Counts()
    for record in records:
        counts.request(record)
    by_label: Counter[str] = Counter()
    for key, count in counts.snapshot().requests.items():
        by_label[key.process] += count
    return by_label


def test_callers_cannot_make_series_without_end() -> None:
    """The first names keep their series; all later ones share one. The host's root has them all."""
    records = [by_user(0, named(f"prog-{number}")) for number in range(NAMES_MAX + 501)]
    labels = counted(*records)
    assert len(labels) == NAMES_MAX + 1
    assert labels["prog-0"] == 1
    # The executable has no name of its own any more.
    assert labels[OTHER] == 501


def test_a_program_that_renames_itself_is_counted_by_its_executable() -> None:
    """And leaves the slots to others, whatever it asks for."""
    names = [by_user(1001, named(f"name-{number}"), "/srv/pypy3") for number in range(1001)]
    labels = counted(*names, by_user(1002, named("worker")))
    assert len(labels) == NAMES_OF_PROGRAM_MAX + 2
    assert labels["pypy3"] == 1001 - NAMES_OF_PROGRAM_MAX
    assert labels["worker"] == 1


def test_a_user_with_many_programs_leaves_slots_to_others() -> None:
    """As where it makes a thousand copies of one."""
    copies = [
        by_user(1001, named(f"copy-{number}"), f"/srv/copy-{number}") for number in range(1001)
    ]
    others = [
        by_user(2000 + number, named(f"worker-{number}"))
        for number in range(NAMES_MAX - NAMES_OF_ORIGIN_MAX)
    ]
    labels = counted(*copies, *others)
    assert labels[OTHER] == 1001 - NAMES_OF_ORIGIN_MAX
    assert all(labels[f"worker-{number}"] == 1 for number in range(len(others)))


def test_a_container_has_a_budget_as_a_user_has() -> None:
    """Its root is not the host's."""
    container = Container("c" * 64, "docker")
    records = [
        record._replace(caller=record.caller._replace(container=container))
        for number in range(101)
        for record in [by_user(0, named(f"copy-{number}"), f"/copy-{number}")]
    ]
    assert counted(*records)[OTHER] == 101 - NAMES_OF_ORIGIN_MAX


@pytest.mark.parametrize("made_up", ["users", "containers"])
def test_who_makes_users_and_containers_up_takes_no_more_names(made_up: str) -> None:
    """Its slice is counted, whoever it calls itself; the host's root in a slice is not."""
    records = []
    for number in range(201):
        user = 100_000 + number if made_up == "users" else 1001
        record = by_user(user, named(f"copy-{number}"), f"/copy-{number}")
        container = Container(f"{number:064x}", "docker") if made_up == "containers" else None
        caller = record.caller._replace(container=container, realm="/user.slice/user-1001.slice")
        records.append(record._replace(caller=caller))
    roots = [by_user(0, named(f"root-{number}"), f"/root-{number}") for number in range(40)]
    roots = [
        each._replace(caller=each.caller._replace(realm="/user.slice/user-0.slice"))
        for each in roots
    ]
    labels = counted(*records, *roots)
    assert labels[OTHER] == 201 - NAMES_OF_ORIGIN_MAX
    assert all(labels[f"root-{number}"] == 1 for number in range(40))


def test_calls_without_a_token_have_slots_of_their_own() -> None:
    """However many names have asked with one before, root's too."""
    with_token = [
        of_version(by_user(0, named(f"prog-{number}")), Version.V2) for number in range(1001)
    ]
    without = [
        by_user(1000 + number, named(f"old-{number}"))
        for number in range(NAMES_MAX - NAMES_OF_V2_MAX)
    ]
    labels = counted(*with_token, *without)
    assert labels[OTHER] == 1001 - NAMES_OF_V2_MAX
    assert all(labels[f"old-{number}"] == 1 for number in range(len(without)))


def test_a_name_that_is_known_keeps_its_label() -> None:
    """Also where its program and user have used up what they may have."""
    names = [by_user(1001, named(f"name-{number}"), "/srv/pypy3") for number in range(101)]
    labels = counted(by_user(1001, named("curl")), *names, by_user(1001, named("curl")))
    assert labels["curl"] == 2


def all_kinds(name: str, version: Version) -> list[Record]:
    """Return requests of one name for seven clouds, with each outcome."""
    responses = [Response(outcome, None) for outcome in Outcome]
    providers = [f"cloud-{number}" for number in range(6)] + ["aws"]
    of_name = by_user(0, named(name))
    return [
        of_version(of_name, version, provider)._replace(response=response)
        for provider in providers
        for response in responses
    ]


def test_known_names_in_all_combinations_are_bounded_too() -> None:
    """Above the bound a new combination is counted, under the shared name."""
    counts = Counts()
    sent = 0
    for number in range(NAMES_MAX):
        for version in Version:
            for record in all_kinds(f"prog-{number}", version):
                counts.request(record)
                sent += 1
    assert sent > 3 * SERIES_MAX
    requests = counts.snapshot().requests
    assert len(requests) <= SERIES_MAX + 3 * len(all_kinds("", Version.V1))
    assert sum(requests.values()) == sent
    most = Counter(key.process for key in requests)
    assert max(count for label, count in most.items() if label != OTHER) == SERIES_OF_NAME_MAX


def test_series_of_other_kinds_leave_room_for_tokenless_calls() -> None:
    """What another has asked of other clouds, or with a token, takes none of it."""
    counts = Counts()
    for number in range(NAMES_OF_V2_MAX):
        for record in all_kinds(f"prog-{number}", Version.V2):
            counts.request(record)
    late = by_user(1001, named("late"))._replace(response=OK)
    counts.request(late)
    requests = counts.snapshot().requests
    assert len(requests) >= SERIES_OF_OTHERS_MAX
    assert requests[Requests("v1", "aws", "success", "late")] == 1


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
    of_names = [named(f"prog-{number}") for number in range(2 * NAMES_MAX)]
    records = list(itertools.islice(itertools.cycle(of_names), 20_001))
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
