"""More v1 calls, losses, gaps, damage or instances never make a verdict better."""

from __future__ import annotations

import dataclasses
import datetime

from hypothesis import assume, given
from hypothesis import strategies as st

from analyzer.report.callers import Sighting
from analyzer.report.cloudwatch.differences import Account, Comparison, Difference
from analyzer.report.findings import Damage
from analyzer.report.hosts import Loss, Span
from analyzer.report.result import Judgement
from analyzer.report.roster.instances import Instance, Roster
from analyzer.report.verdict.intervals import DENSE_KNOWN_AFTER, RARE, rhythm
from analyzer.report.verdict.spans import extent
from tests.property.verdict_logs import (
    MINUTE,
    MOMENTS,
    Judged,
    Log,
    hosts,
    logs,
    odds,
    of_callers,
    rank,
    shortfalls,
    sightings,
    spans_of,
    times,
)
from tests.unit.report_samples import DAY, HOUR, NOW

NOT_SAFE, NOT_ENOUGH = rank(Judgement.NOT_SAFE), rank(Judgement.NOT_ENOUGH_EVIDENCE)
SAFE = rank(Judgement.SAFE)
NO, YES = st.just(False), st.just(True)


def indices(log: Log) -> st.SearchStrategy[int]:
    """Return which host to change."""
    return st.integers(0, len(log.of.hosts) - 1)


def made_no_better(before: Log, after: Log) -> Judged:
    """Check that nothing became better, and return what it became."""
    judged = after.judged()
    assert judged.is_no_better_than(before.judged())
    return judged


@given(logs(), st.data())
def test_a_further_v1_caller(log: Log, data: st.DataObject) -> None:
    """Whenever and however often it called."""
    index = data.draw(indices(log))
    caller = data.draw(sightings("new", log.of.hosts[index].key))
    made_no_better(log, log.with_caller(index, caller))


@given(logs(rosters=NO), st.data())
def test_a_further_v1_caller_within_the_period(log: Log, data: st.DataObject) -> None:
    """That host is NOT SAFE, and so is the whole."""
    index = data.draw(indices(log))
    of = log.of.hosts[index]
    within = st.integers(0, int(log.period / HOUR)).map(lambda hours: of.last_at - hours * HOUR)
    earlier = [at for at in data.draw(st.lists(MOMENTS, max_size=2)) if at <= of.last_at]
    v1 = spans_of([data.draw(within), *earlier])
    after = made_no_better(log, log.with_caller(index, Sighting("new", of.key, v1, (), len(v1))))
    assert after.whole == after.hosts[of.key] == NOT_SAFE


@given(logs(callers_min=1), st.data())
def test_a_further_v1_call_of_a_known_caller(log: Log, data: st.DataObject) -> None:
    """Unless it shows that the caller runs more often, or not at boot alone."""
    accepted = {each.caller for each in log.accepted}
    known = [
        each
        for each in log.of.sightings
        if each.caller not in accepted and each.v1_at_boot in (0, each.all_v1)
    ]
    assume(known)
    was = data.draw(st.sampled_from(known))
    index = [each.key for each in log.of.hosts].index(was.host)
    moments = [moment for each in was.v1 for moment in (each.start, each.end)]
    v1 = spans_of([*moments, data.draw(MOMENTS)])
    at_boot = was.all_v1 + 1 if was.is_boot_only else was.v1_at_boot
    called = dataclasses.replace(was, v1=v1, all_v1=was.all_v1 + 1, v1_at_boot=at_boot)
    before, after = rhythm(was.v1), rhythm(called.v1)
    assume(after.silence(RARE) >= before.silence(RARE))
    # With v2 between, a longer history of v1 may show that it has switched.
    assume(not was.v2 or v1[-1].end > was.v1[-1].end)
    made_no_better(log, log.with_caller(index, called))


@given(logs(rosters=NO, acceptances=NO, callers_min=1), st.data())
def test_a_further_v1_call_of_a_known_caller_within_the_period(
    log: Log, data: st.DataObject
) -> None:
    """Whatever it shows: the host is NOT SAFE. After its v2 calls it has not switched."""
    was = data.draw(st.sampled_from(log.of.sightings))
    index = [each.key for each in log.of.hosts].index(was.host)
    of = log.of.hosts[index]
    moments = [moment for each in (*was.v1, *was.v2) for moment in (each.start, each.end)]
    at = max(of.last_at - data.draw(st.integers(0, int(log.period / HOUR))) * HOUR, *moments)
    v1 = spans_of([at, *(moment for each in was.v1 for moment in (each.start, each.end))])
    called = dataclasses.replace(was, v1=v1, all_v1=was.all_v1 + 1)
    after = made_no_better(log, log.with_caller(index, called))
    assert after.whole == after.hosts[of.key] == NOT_SAFE


@given(logs(), st.data(), MOMENTS, st.booleans())
def test_a_further_loss(
    log: Log, data: st.DataObject, at: datetime.datetime, is_request: bool
) -> None:
    """Of requests or of answers, whenever."""
    index = data.draw(indices(log))
    loss = Loss(at, "ring_full", 3, is_request)
    made_no_better(log, log.with_host(index, losses=(*log.of.hosts[index].losses, loss)))


@given(logs(), st.data(), MOMENTS, st.one_of(MOMENTS, st.none()))
def test_a_further_gap(
    log: Log, data: st.DataObject, one: datetime.datetime, other: datetime.datetime
) -> None:
    """Wherever it is, and however long."""
    index = data.draw(indices(log))
    short = one + data.draw(st.integers(1, 120)) * HOUR / 60
    gap = Span(min(one, other or short), max(one, other or short))
    left = tuple(
        Span(start, end)
        for each in log.of.hosts[index].covered
        for start, end in (
            (each.start, min(each.end, gap.start)),
            (max(each.start, gap.end), each.end),
        )
        if start < end
    )
    made_no_better(log, log.with_host(index, covered=left))


@given(logs(), st.integers(1, 5))
def test_further_damage(log: Log, damaged: int) -> None:
    """And a damaged log is never SAFE."""
    assert made_no_better(log, log.having(damaged=log.of.damaged + damaged)).whole >= NOT_ENOUGH


@given(logs())
def test_a_file_that_was_not_read(log: Log) -> None:
    """Then the log is never SAFE."""
    unread = (Damage("a.json.gz", None, "ends early"),)
    assert made_no_better(log, log.having(unread=unread)).whole >= NOT_ENOUGH


@given(logs(), st.data(), odds())
def test_further_odd_lines(log: Log, data: st.DataObject, odd: object) -> None:
    """Of any kind, at any time."""
    index = data.draw(indices(log))
    made_no_better(log, log.with_host(index, odd=(*log.of.hosts[index].odd, odd)))


@given(logs(), st.data(), shortfalls())
def test_further_missing_lines(log: Log, data: st.DataObject, missing: object) -> None:
    """Of any version, at any time."""
    index = data.draw(indices(log))
    known = log.of.hosts[index].shortfalls
    made_no_better(log, log.with_host(index, shortfalls=(*known, missing)))


@given(logs(), st.data(), MOMENTS)
def test_a_further_unknown_request(log: Log, data: st.DataObject, at: datetime.datetime) -> None:
    """It may have been v1."""
    index = data.draw(indices(log))
    last = max(each for each in (log.of.hosts[index].last_unknown_at, at) if each is not None)
    made_no_better(log, log.with_host(index, last_unknown_at=last))


# At the second time, lines of an hour before NOW are more than a day old, and later ones not.
@given(logs(), st.data(), st.sampled_from([NOW, NOW + DAY - 20 * MINUTE]))
def test_a_further_host(log: Log, data: st.DataObject, now: datetime.datetime) -> None:
    """In the roster, or not; its lines may end later than those of the others.

    In the group of another it may speak for that one: this is what groups are for.
    """
    callers = [data.draw(sightings("d0", "d"))] if data.draw(st.booleans()) else []
    further = of_callers(data.draw(hosts("d")), callers)
    after = log.having(hosts=(*log.of.hosts, further), sightings=(*log.of.sightings, *callers))
    if log.roster is not None and data.draw(st.booleans()):
        state = data.draw(st.sampled_from(["running", "stopped", "terminated"]))
        entry = Instance("i-d", "d", state, group=data.draw(st.sampled_from([None, "x"])), host="d")
        roster = Roster(log.roster.source, (*log.roster.instances, entry))
        after = dataclasses.replace(after, roster=roster)
    assume(log.roster is None or any(each.is_running for each in log.roster.instances))
    made_no_better(dataclasses.replace(log, now=now), dataclasses.replace(after, now=now))


@given(
    logs(rosters=YES),
    st.sampled_from([None, "g", "x"]),
    st.sampled_from([None, "running", "pending"]),
)
def test_a_running_instance_without_a_log(log: Log, group: str, state: str) -> None:
    """Then the whole is never SAFE."""
    assert log.roster is not None
    entry = Instance("i-new", "new", state, group=group)
    roster = Roster(log.roster.source, (*log.roster.instances, entry))
    assert made_no_better(log, dataclasses.replace(log, roster=roster)).whole >= NOT_ENOUGH


@given(logs(), st.data(), MOMENTS, st.integers(1, 9), st.booleans())
def test_a_call_that_aws_counted_and_the_log_lacks(
    log: Log, data: st.DataObject, at: datetime.datetime, calls: int, is_covered: bool
) -> None:
    """Watched or not, of one host or of all, with gaps that AWS's figures close or not."""
    keys = [each.key for each in log.of.hosts]
    accounts = {key: Account(0, 0, False) for key in keys if data.draw(st.booleans())}
    silent = {key: (Span(NOW - 20 * HOUR, NOW),) for key in accounts}
    compared = Comparison(1, calls, 0, (), (), silent, data.draw(st.booleans()), accounts)
    of = data.draw(st.sampled_from([None, *keys]))
    missing = Difference("MetadataNoToken", Span(at, at + HOUR), calls, 0, 0, is_covered, of)
    before = dataclasses.replace(log, comparison=compared)
    differs = dataclasses.replace(compared, differences=(missing,))
    made_no_better(before, dataclasses.replace(log, comparison=differs))


@given(logs(), st.integers(0, 90))
def test_the_whole_is_never_better_than_a_host(log: Log, later_h: int) -> None:
    """Nor does time that passes unwatched make anything better."""
    later = dataclasses.replace(log, now=NOW + later_h * HOUR)
    after = made_no_better(log, later)
    assert after.whole >= max(after.hosts.values())
    if log.roster is None:
        assert after.whole == max(after.hosts.values())


@given(times())
def test_a_caller_that_called_more_often_is_known_as_such(moments: list[datetime.datetime]) -> None:
    """A further call never makes the longest pause longer, unless it is the first or the last.

    Calls of a few days without a long pause are the exception: they may be one week of a month.
    """
    v1 = spans_of(moments)
    middle = v1[0].start + (v1[-1].end - v1[0].start) / 2
    more = rhythm(spans_of([*(m for each in v1 for m in (each.start, each.end)), middle]))
    known = rhythm(v1)
    is_week = extent(v1) < DENSE_KNOWN_AFTER
    assert known.interval is None or more.interval is not None or is_week
