"""More v1 calls, losses, gaps or damage never make a verdict better."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from analyzer.report.findings import Findings, Group, Host, Loss, Span
from analyzer.report.result import Comparison, Difference, Judgement
from analyzer.report.verdict.rules import ORDER, judge_hosts
from tests.unit.report_samples import DAY, HOUR, NOW, WEEK, group, host, v2_only

LOG = 40 * DAY
PERIODS = st.sampled_from([DAY, WEEK, 14 * DAY])
MOMENTS = st.integers(0, int(LOG / HOUR)).map(lambda hours: NOW - hours * HOUR)


@st.composite
def spans(draw: st.DrawFn) -> tuple[Span, ...]:
    """Return stretches of time, in order and apart."""
    cuts = sorted(draw(st.sets(MOMENTS, max_size=8)))
    edges = [NOW - LOG, *cuts, NOW] if draw(st.booleans()) else cuts
    return tuple(Span(a, b) for a, b in zip(edges[::2], edges[1::2]) if a < b)


def _caller(name: str, host_name: str, times: Sequence[datetime.datetime]) -> Group:
    days = sorted({each.date() for each in times})
    return group(
        name, hosts=(host_name,), first_at=min(times), last_at=max(times), days=days, v1_days=days
    )


@st.composite
def logs(draw: st.DrawFn) -> Findings:
    """Return findings of up to three hosts, as any log may have them."""
    hosts: list[Host] = []
    groups: list[Group] = [v2_only()]
    for name in ("a", "b", "c")[: draw(st.integers(1, 3))]:
        callers = [
            _caller(f"/srv/{name}{number}", name, draw(st.lists(MOMENTS, min_size=1, max_size=4)))
            for number in range(draw(st.integers(0, 2)))
        ]
        groups += callers
        last = max((each.last_v1_at for each in callers if each.last_v1_at), default=None)
        hosts.append(
            host(
                name,
                first_at=NOW - LOG,
                last_at=NOW,
                covered=draw(st.one_of(st.just((Span(NOW - LOG, NOW),)), spans())),
                last_v1_at=last,
                last_unknown_at=draw(st.none() | MOMENTS),
                losses=[
                    Loss(each, "ring_full", 1, True) for each in draw(st.lists(MOMENTS, max_size=1))
                ],
                boots=[NOW - LOG, *sorted(draw(st.sets(MOMENTS, max_size=2)))],
                deployed_at=draw(st.none() | MOMENTS),
            )
        )
    damaged = draw(st.sampled_from([0, 0, 0, 2]))
    return Findings(1, 100, damaged, (), tuple(groups), tuple(hosts), 3600)


def ranks(log: Findings, period: datetime.timedelta, now: datetime.datetime = NOW) -> list[int]:
    """Return how bad the whole and each host are."""
    whole, hosts = judge_hosts(log, period, now)
    return [ORDER.index(each.judgement) for each in (whole, *hosts)]


def with_host(log: Findings, index: int, changed: Host) -> Findings:
    hosts = [*log.hosts]
    hosts[index] = changed
    return dataclasses.replace(log, hosts=tuple(hosts))


def never_better(before: list[int], after: list[int]) -> None:
    assert all(now >= then for then, now in zip(before, after))


@given(logs(), PERIODS, st.data())
def test_a_further_v1_call_within_the_period(
    log: Findings, period: datetime.timedelta, data: st.DataObject
) -> None:
    """Of a new caller or of one that is known: that host is NOT SAFE."""
    index = data.draw(st.integers(0, len(log.hosts) - 1))
    of = log.hosts[index]
    at = NOW - data.draw(st.integers(0, int(period / HOUR))) * HOUR
    last = max(each for each in (of.last_v1_at, at) if each is not None)
    called = with_host(log, index, dataclasses.replace(of, last_v1_at=last))
    known: list[int] = [n for n, each in enumerate(log.groups) if each.v1_hosts == (of.name,)]
    groups = [*log.groups]
    if known and data.draw(st.sampled_from([False, True])):
        was = groups[known[0]]
        days = tuple(sorted({*was.v1_days, at.date()}))
        last_v1 = max(each for each in (was.last_v1_at, at) if each is not None)
        groups[known[0]] = dataclasses.replace(was, v1_days=days, days=days, last_v1_at=last_v1)
    else:
        groups.append(_caller("/srv/new", of.name, [at]))
    after = ranks(dataclasses.replace(called, groups=tuple(groups)), period)
    never_better(ranks(log, period), after)
    assert after[0] == after[index + 1] == ORDER.index(Judgement.NOT_SAFE)


@given(logs(), PERIODS, st.data())
def test_a_further_v1_caller_before_the_period(
    log: Findings, period: datetime.timedelta, data: st.DataObject
) -> None:
    """However often it called."""
    index = data.draw(st.integers(0, len(log.hosts) - 1))
    of = log.hosts[index]
    times = data.draw(st.lists(MOMENTS, min_size=1, max_size=4))
    last = max((*times, *((of.last_v1_at,) if of.last_v1_at else ())))
    called = with_host(log, index, dataclasses.replace(of, last_v1_at=last))
    groups = (*log.groups, _caller("/srv/new", of.name, times))
    after = ranks(dataclasses.replace(called, groups=groups), period)
    never_better(ranks(log, period), after)


@given(logs(), PERIODS, st.data(), MOMENTS)
def test_a_further_loss(
    log: Findings, period: datetime.timedelta, data: st.DataObject, at: datetime.datetime
) -> None:
    """Of requests or of answers, whenever."""
    index = data.draw(st.integers(0, len(log.hosts) - 1))
    of = log.hosts[index]
    loss = Loss(at, "ring_full", 3, data.draw(st.booleans()))
    lossy = with_host(log, index, dataclasses.replace(of, losses=(*of.losses, loss)))
    never_better(ranks(log, period), ranks(lossy, period))


@given(logs(), PERIODS, st.data(), MOMENTS, MOMENTS)
def test_a_further_gap(
    log: Findings,
    period: datetime.timedelta,
    data: st.DataObject,
    one: datetime.datetime,
    other: datetime.datetime,
) -> None:
    """Wherever it is, and however long."""
    index = data.draw(st.integers(0, len(log.hosts) - 1))
    of = log.hosts[index]
    gap = Span(min(one, other), max(one, other))
    covered = tuple(
        Span(start, end)
        for each in of.covered
        for start, end in (
            (each.start, min(each.end, gap.start)),
            (max(each.start, gap.end), each.end),
        )
        if start < end
    )
    gapped = with_host(log, index, dataclasses.replace(of, covered=covered))
    never_better(ranks(log, period), ranks(gapped, period))


@given(logs(), PERIODS, st.integers(1, 5))
def test_further_damage(log: Findings, period: datetime.timedelta, damaged: int) -> None:
    """And a damaged log is never SAFE."""
    broken = dataclasses.replace(log, damaged=log.damaged + damaged)
    after = ranks(broken, period)
    never_better(ranks(log, period), after)
    assert min(after) > ORDER.index(Judgement.SAFE)


@given(logs(), PERIODS, st.data(), MOMENTS)
def test_a_further_unknown_request(
    log: Findings, period: datetime.timedelta, data: st.DataObject, at: datetime.datetime
) -> None:
    """It may have been v1."""
    index = data.draw(st.integers(0, len(log.hosts) - 1))
    of = log.hosts[index]
    last = max(each for each in (of.last_unknown_at, at) if each is not None)
    unread = with_host(log, index, dataclasses.replace(of, last_unknown_at=last))
    never_better(ranks(log, period), ranks(unread, period))


@given(logs(), PERIODS, MOMENTS, st.integers(1, 9), st.booleans())
def test_a_call_that_aws_counted_and_the_log_lacks(
    log: Findings, period: datetime.timedelta, at: datetime.datetime, calls: int, is_covered: bool
) -> None:
    """Watched or not."""
    missing = Difference("MetadataNoToken", Span(at, at + HOUR), calls, 0, 0, is_covered)
    whole, hosts = judge_hosts(log, period, NOW, Comparison(1, calls, 0, (missing,)))
    after = [ORDER.index(each.judgement) for each in (whole, *hosts)]
    never_better(ranks(log, period), after)


@given(logs(), PERIODS, st.integers(0, 90))
def test_the_whole_is_never_better_than_a_host(
    log: Findings, period: datetime.timedelta, later_h: int
) -> None:
    """Nor does time that passes unwatched make anything better."""
    whole, *hosts = ranks(log, period, NOW + later_h * HOUR)
    assert whole == max(hosts)
    if whole == ORDER.index(Judgement.SAFE):
        assert all(
            each.covered and each.covered[-1].end > NOW - DAY and each.last_v1_at != NOW
            for each in log.hosts
        )
