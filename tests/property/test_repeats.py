"""Folding loses no call, whoever calls how often, and keeps the first and the last whole."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple, Optional, Union

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.recorder.callers import Container, User
from analyzer.recorder.origins import ORIGINS_OF_NO_REALM, ORIGINS_OF_REALM, bytes_of
from analyzer.recorder.records import Outcome, Record, Response, Version
from analyzer.recorder.repeats import (
    ALL_BURST,
    ALL_PER_S,
    ENDED_MAX,
    FAIR_LINES,
    LOG_BYTES,
    ORIGIN_BURST,
    Repeats,
)
from analyzer.recorder.windows import KINDS_MAX, WINDOW_NS
from tests.sends import process_of
from tests.unit.recorder.sinks.test_jsonl import RECORD

CallerId = Union[int, str]
Counts = Counter[tuple[CallerId, str, str, str]]

PER_S = 5
RESPONSES = (None, Response(Outcome.SUCCESS, 200), Response(Outcome.NOT_FOUND, 404))


class Call(NamedTuple):
    after_ns: int
    pid: int  # 0 for a caller that nobody knows
    version: Version
    operation: str
    response: int
    agent: str
    times: int


CALLS = st.lists(
    st.builds(
        Call,
        st.integers(0, 2 * WINDOW_NS),
        st.integers(0, 3),
        st.sampled_from(Version),
        st.sampled_from(["token", "credentials", "metadata"]),
        st.integers(0, len(RESPONSES) - 1),
        st.text("ab", max_size=4),
        st.integers(1, 40),
    ),
    max_size=12,  # so that no user's budget is used up: that is tested by itself
)


def record_of(call: Call, at_ns: int) -> Record:
    process = process_of(RECORD.caller)._replace(pid=call.pid)
    caller = RECORD.caller._replace(process=process if call.pid else None)
    verdict = RECORD.verdict._replace(version=call.version, operation=call.operation)
    request = RECORD.request._replace(user_agent=call.agent)
    response = RESPONSES[call.response]
    return RECORD._replace(
        at_ns=at_ns, caller=caller, verdict=verdict, request=request, response=response
    )


def caller_of(record: Record) -> CallerId:
    process = record.caller.process
    return record.connection.source_ip if process is None else process.pid


def what(record: Record) -> tuple[str, str, str]:
    response = record.response
    outcome = "unknown" if response is None else response.outcome.value
    return record.verdict.version.value, record.verdict.operation, outcome


def counted(lines: list[Record]) -> Counts:
    """Count as readers do."""
    counts: Counts = Counter()
    for line in lines:
        if line.repeated is None:
            version, operation, outcome = what(line)
            counts[caller_of(line), version, operation, outcome] += 1
            continue
        for version, operation, outcome, calls in line.repeated.counts:
            counts[caller_of(line), version, operation, outcome] += calls
    return counts


def run(calls: list[Call], per_s: int, *, ticks: bool = True) -> tuple[list[Record], list[Record]]:
    """Return the records, and the lines that are made of them."""
    repeats = Repeats(per_s)
    records: list[Record] = []
    lines: list[Record] = []
    now_ns = 1
    for call in calls:
        now_ns += call.after_ns
        if ticks:
            lines += repeats.expire(now_ns)
        for _ in range(call.times):
            record = record_of(call, now_ns)
            records.append(record)
            lines += repeats.add(record, now_ns)
    return records, lines + repeats.flush()


def plain(record: Record) -> Record:
    return record._replace(repeated=None)


@given(CALLS, st.booleans())
def test_every_call_is_counted_for_its_caller(calls: list[Call], ticks: bool) -> None:
    """By version, operation and outcome, as many as without folding."""
    records, lines = run(calls, PER_S, ticks=ticks)
    assert counted(lines) == counted(records)
    _, unfolded = run(calls, 0)
    assert unfolded == records


@given(CALLS)
def test_the_first_and_last_call_of_each_caller_are_whole(calls: list[Call]) -> None:
    records, lines = run(calls, PER_S)
    written = {id(each.request): each for each in map(plain, lines)}
    for caller in {caller_of(record) for record in records}:
        own = [record for record in records if caller_of(record) == caller]
        for record in (own[0], own[-1]):
            assert written[id(record.request)] == record


@given(CALLS)
def test_a_line_stands_only_for_what_its_own_fields_say(calls: list[Call]) -> None:
    """So that selecting lines by version or provider finds every call."""
    for line in run(calls, PER_S)[1]:
        if line.repeated is not None:
            assert {each.version for each in line.repeated.counts} == {line.verdict.version.value}
            assert what(line) in {each[:3] for each in line.repeated.counts}
            assert sum(each.calls for each in line.repeated.counts) > 1
            assert line.repeated.since_at_ns <= line.at_ns


def test_a_flood_becomes_few_lines() -> None:
    """One caller, 1001 calls in a second: those of the rate, and one with the others."""
    repeats = Repeats(50)
    lines: list[Record] = []
    for number in range(1001):
        lines += repeats.add(RECORD._replace(at_ns=number), number * 999_000)
    assert len(lines) == 50
    (folded,) = repeats.flush()
    assert folded.repeated is not None
    assert folded.repeated.counts == (("v1", "metadata", "unknown", 951),)
    assert (folded.at_ns, folded.repeated.since_at_ns) == (1000, 50)


def test_ordinary_work_is_not_folded() -> None:
    """Fifty calls in each second, for a minute."""
    repeats = Repeats(50)
    records = [RECORD._replace(at_ns=number) for number in range(3000)]
    lines = [
        line
        for number, record in enumerate(records)
        for line in repeats.add(record, number * WINDOW_NS // 50)
    ]
    assert lines + repeats.flush() == records


def test_one_call_without_a_token_among_many_with_one_is_whole() -> None:
    """Whatever the caller sends around it."""
    repeats = Repeats(50)
    lines: list[Record] = []
    hidden = RECORD._replace(at_ns=500)
    for number in range(1001):
        with_token = RECORD.verdict._replace(version=Version.V2, reason="token_header")
        record = hidden if number == 500 else RECORD._replace(at_ns=number, verdict=with_token)
        lines += repeats.add(record, number)
    assert hidden in lines


def of_process(pid: int, uid: int, *, realm: str = "", container: Optional[str] = None) -> Record:
    process = process_of(RECORD.caller)._replace(pid=pid, user=User(uid, None))
    place = None if container is None else Container(container, "docker")
    caller = RECORD.caller._replace(process=process, container=place, realm=realm)
    return RECORD._replace(at_ns=pid, caller=caller)


def test_many_callers_of_one_user_push_out_nobody() -> None:
    """The user has a budget, too, and another one's calls are whole all the while."""
    repeats = Repeats(PER_S)
    lines: list[Record] = []
    others = []
    for number in range(5000):
        lines += repeats.add(of_process(number + 10, 1001), number)
        if number % 500 == 0:
            others.append(of_process(5, number))
            lines += repeats.add(others[-1], number)
    lines += repeats.flush()
    assert all(other in lines for other in others)
    assert len(lines) < ORIGIN_BURST * PER_S + len(others) + KINDS_MAX + 5
    assert sum(counted(lines).values()) == 5000 + len(others)
    several = [line for line in lines if line.repeated is not None]
    assert all(line.repeated is not None and line.repeated.is_of_several for line in several)


def test_many_containers_leave_each_other_some_lines() -> None:
    """Everybody's first calls are whole; without known realms those of some dozens of users."""
    for origins, in_realms in ((500, True), (ORIGINS_OF_NO_REALM, False)):
        repeats = Repeats(PER_S)
        lines: list[Record] = []
        for number in range(1, 5001):
            name = str(number % origins)
            record = of_process(number, int(name), realm=name if in_realms else "")
            lines += repeats.add(record, 1)
        whole = {each.at_ns for each in lines if each.repeated is None}
        assert set(range(1, origins + 1)) <= whole
        lines += repeats.flush()
        assert sum(counted(lines).values()) == 5000


@pytest.mark.parametrize("made_up", ["users", "containers", "users of no known realm"])
def test_who_makes_users_and_containers_up_has_no_more_lines(made_up: str) -> None:
    """A user with subordinate ids, or with a service manager of its own, pushes out nobody."""
    repeats = Repeats(PER_S)
    lines: list[Record] = []
    others = []
    realm = "" if made_up.endswith("realm") else "/user.slice/user-1001.slice"
    for number in range(20_000):
        now_ns = number * WINDOW_NS // 10_000
        is_container = made_up == "containers"
        lines += repeats.expire(now_ns) if number % 100 == 0 else []
        lines += repeats.add(
            of_process(
                number + 10,
                1001 if is_container else 100_000 + number,
                realm=realm,
                container=f"{number:064x}" if is_container else None,
            ),
            now_ns,
        )
        if number % 500 == 0:
            others.append(of_process(5, 1, realm="/system.slice/other.service"))
            lines += repeats.add(others[-1], now_ns)
    lines += repeats.flush()
    assert all(other in lines for other in others)
    assert sum(counted(lines).values()) == 20_000 + len(others)
    # All together have their burst, then their rate for two seconds; and a share that is fair.
    fair = 2 * (1 + (ORIGINS_OF_REALM if realm else ORIGINS_OF_NO_REALM)) * (FAIR_LINES + KINDS_MAX)
    assert len(lines) < (ALL_BURST + 3 * ALL_PER_S) * PER_S + fair + len(others)


def test_who_goes_on_for_long_does_not_push_out_what_was_before() -> None:
    """Ten minutes of all that one realm can think of are a fifth of the log, all counted."""
    repeats = Repeats(50)
    kinds = [(version, operation) for version in Version for operation in ("token", "metadata")]
    written, lines, others = 0, [], []
    for number in range(60_000):
        now_ns = number * WINDOW_NS // 100
        version, operation = kinds[number % len(kinds)]
        record = of_process(number + 10, 1000 + number % 20, realm="/user.slice/user-1001.slice")
        record = record._replace(
            at_ns=now_ns,
            caller=record.caller._replace(size_bytes=40_000),
            verdict=record.verdict._replace(version=version, operation=operation),
            response=RESPONSES[number // 7 % len(RESPONSES)],
        )
        found = [*(repeats.expire(now_ns) if number % 100 == 0 else ()),
                 *repeats.add(record, now_ns)]  # fmt: skip
        written += sum(bytes_of(each.caller) for each in found)
        lines += found
        if number % 6000 == 0:
            others.append(of_process(5, 1, realm="/system.slice/other.service"))
            lines += repeats.add(others[-1], now_ns)
    assert written < LOG_BYTES / 5
    assert all(other in lines for other in others)
    lines += repeats.flush()
    assert sum(counted(lines).values()) == 60_000 + len(others)
    # Whoever looks for calls without a token finds one of each minute.
    v1 = {line.at_ns // (60 * WINDOW_NS) for line in lines if line.verdict.version is Version.V1}
    assert v1 >= set(range(10))


def test_ordinary_work_is_never_folded_however_long() -> None:
    """Three calls in each second, of a caller with five ancestors, for an hour."""
    repeats = Repeats(50)
    caller = RECORD.caller._replace(size_bytes=4000)
    records = [RECORD._replace(at_ns=number, caller=caller) for number in range(3 * 3600)]
    lines = [
        line
        for number, record in enumerate(records)
        for line in repeats.add(record, number * WINDOW_NS // 3)
    ]
    assert lines + repeats.flush() == records


def test_callers_that_all_repeat_themselves_do_not_multiply_lines() -> None:
    """Beyond so many folded lines in a second those of one user become one."""
    repeats = Repeats(PER_S)
    lines: list[Record] = []
    callers, each_calls = 400, PER_S + 3
    for number in range(callers * each_calls):
        record = of_process(number % callers + 10, 1001)
        agent = f"agent-{number // callers}"
        lines += repeats.add(record._replace(request=record.request._replace(user_agent=agent)), 1)
    before = len(lines)
    lines += repeats.expire(1 + WINDOW_NS)
    lines += repeats.expire(2 + 2 * WINDOW_NS)
    assert len(lines) - before <= ENDED_MAX + 2 * (KINDS_MAX + 1)
    lines += repeats.flush()
    assert sum(counted(lines).values()) == callers * each_calls


def test_another_rate_holds_at_once() -> None:
    repeats = Repeats(1)
    assert [each for _ in range(4) for each in repeats.add(RECORD, 1)] == [RECORD]
    (folded,) = repeats.set_rate(0)
    assert folded.repeated is not None
    assert repeats.add(RECORD, 1) == [RECORD]
    assert repeats.flush() == []
