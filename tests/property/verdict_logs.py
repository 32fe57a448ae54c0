"""Makes logs, rosters and changes to them that the verdict's properties are tested with."""

from __future__ import annotations

import dataclasses
import datetime
import functools
from collections.abc import Sequence
from typing import Any, Optional

from hypothesis import strategies as st

from analyzer.report.callers import Sighting
from analyzer.report.cloudwatch.differences import Comparison
from analyzer.report.findings import Findings
from analyzer.report.hosts import Boot, Host, Loss, Odd, Shortfall, Span
from analyzer.report.result import Acceptance, Judgement, Verdict
from analyzer.report.roster.instances import Instance, Roster
from analyzer.report.verdict.judging import judge_hosts
from analyzer.report.verdict.rules import ORDER
from tests.unit.report_samples import DAY, HOUR, NOW, WEEK, findings, host, v2_only

LOG = 80 * DAY
MINUTE = datetime.timedelta(minutes=1)
PERIODS = st.sampled_from([DAY, WEEK, 14 * DAY])
# Near the end of the log, where most rules have their borders, and over all of it.
MOMENTS = st.one_of(
    st.integers(0, 20 * 24),
    st.integers(0, int(LOG / HOUR)),
).map(lambda hours: NOW - hours * HOUR)
ACCEPTED = (Acceptance("a0", "Ana", "it goes away", (NOW + WEEK).date()),)
EITHER = st.booleans()
MOSTLY = st.sampled_from([True, True, True, False])
CALLS = st.lists(MOMENTS, min_size=1, max_size=4)
LENGTHS = st.integers(2, 9)
MAYBE_MOMENT = st.none() | MOMENTS
NUMBERS_OF_HOSTS = st.integers(1, 3)
KINDS = ("not_understood", "before_boot", "too_early", "unreadable_loss")


# Hypothesis looks at each strategy that it has not seen: that takes longer than to draw from it. So
# each is made once.
@functools.lru_cache(maxsize=256, typed=True)
def among(*choices: Any) -> st.SearchStrategy[Any]:
    """Return one of the choices."""
    return st.sampled_from(choices)


@functools.lru_cache(maxsize=8)
def some_moments(most: int) -> st.SearchStrategy[set[datetime.datetime]]:
    """Return that many moments, or fewer."""
    return st.sets(MOMENTS, max_size=most)


@dataclasses.dataclass(frozen=True)
class Judged:
    """How bad the whole and each host are."""

    whole: int
    hosts: dict[Optional[str], int]

    def is_no_better_than(self, before: Judged) -> bool:
        """Tell whether nothing became better."""
        return self.whole >= before.whole and all(
            self.hosts[key] >= rank for key, rank in before.hosts.items()
        )


@dataclasses.dataclass(frozen=True)
class Log:
    """What is judged."""

    of: Findings
    period: datetime.timedelta
    now: datetime.datetime = NOW
    comparison: Optional[Comparison] = None
    roster: Optional[Roster] = None
    accepted: tuple[Acceptance, ...] = ()

    def judged(self) -> Judged:
        """Return what becomes of it."""
        whole, hosts, _ = judge_hosts(
            self.of, self.period, self.now, self.comparison, self.roster, self.accepted
        )
        return Judged(_rank(whole), {each.host: _rank(each) for each in hosts})

    def having(self, **fields: Any) -> Log:
        """Return the log with other findings."""
        return dataclasses.replace(self, of=dataclasses.replace(self.of, **fields))

    def with_host(self, index: int, **fields: Any) -> Log:
        """Return the log with one host changed."""
        hosts = [*self.of.hosts]
        hosts[index] = dataclasses.replace(hosts[index], **fields)
        return self.having(hosts=tuple(hosts))

    def with_caller(self, index: int, caller: Sighting) -> Log:
        """Return the log with one caller of a host put in, for what was known of it."""
        kept = [
            each
            for each in self.of.sightings
            if (each.caller, each.host) != (caller.caller, caller.host)
        ]
        callers = (*kept, caller)
        changed = of_callers(self.of.hosts[index], callers)
        return self.having(sightings=callers).with_host(
            index, last_v1_at=changed.last_v1_at, requests=changed.requests
        )


def _rank(verdict: Verdict) -> int:
    return ORDER.index(verdict.judgement)


def rank(judgement: Judgement) -> int:
    """Return how bad a judgement is."""
    return ORDER.index(judgement)


def spans_of(times: Sequence[datetime.datetime]) -> tuple[Span, ...]:
    """Return a span for each day with calls, as engines do."""
    days: dict[datetime.date, list[datetime.datetime]] = {}
    for at in sorted(times):
        days.setdefault(at.date(), []).append(at)
    return tuple(Span(day[0], day[-1]) for day in days.values())


def of_callers(of: Host, callers: Sequence[Sighting]) -> Host:
    """Return a host with the numbers that fit its callers."""
    own = [each for each in callers if each.host == of.key]
    v1 = sum(each.all_v1 for each in own)
    last = max((each.last_v1_at for each in own), default=None)
    return dataclasses.replace(of, requests={**of.requests, "v1": v1}, last_v1_at=last)


@st.composite
def times(draw: st.DrawFn) -> list[datetime.datetime]:
    """Return calls: some alone, or one after the other in a rhythm."""
    if draw(EITHER):
        return draw(CALLS)
    last, days = draw(MOMENTS), draw(among(1, 2, 7, 10, 30))
    return [last - n * days * DAY for n in range(draw(LENGTHS))]


TIMES = times()
NEVER: st.SearchStrategy[list[datetime.datetime]] = st.just([])
RARE_TIMES = st.one_of(NEVER, NEVER, TIMES)
V2_TIMES = st.one_of(NEVER, TIMES, st.none())


def _daily_since(at: datetime.datetime) -> list[datetime.datetime]:
    """Return a call for each day since, as of a caller that was mended."""
    return [at + HOUR + n * DAY for n in range((NOW - at).days)]


@functools.lru_cache(maxsize=64)
@st.composite
def sightings(draw: st.DrawFn, caller: str, key: str) -> Sighting:
    """Return a caller on a host: of any rhythm, at boot or not, with v2 or not."""
    v1 = draw(TIMES)
    v2 = draw(V2_TIMES)
    if v2 is None:
        v2 = _daily_since(max(v1))
    at_boot = draw(among(0, 0, 1, len(v1)))
    offset = draw(among(None, 20.0, 400.0)) if at_boot else None
    refused = draw(among(0, 0, len(v1)))
    unclear = spans_of(draw(RARE_TIMES))
    numbers = (len(v1), refused, at_boot, offset)
    return Sighting(caller, key, spans_of(v1), spans_of(v2), *numbers, unclear=unclear)


@st.composite
def covered(draw: st.DrawFn) -> tuple[Span, ...]:
    """Return stretches of time, in order and apart; mostly all of it, with a few short holes."""
    if draw(EITHER):
        cuts = sorted(draw(some_moments(6)))
        return tuple(Span(a, b) for a, b in zip(cuts[::2], cuts[1::2]))
    holes = sorted(draw(some_moments(3)))
    length = draw(among(MINUTE, 30 * MINUTE, 90 * MINUTE))
    starts, ends = [NOW - LOG, *(each + length for each in holes)], [*holes, NOW]
    return tuple(Span(a, b) for a, b in zip(starts, ends) if a < b)


COVERED = covered()


@functools.lru_cache(maxsize=64)
@st.composite
def boots(draw: st.DrawFn, first_at: datetime.datetime) -> list[Boot]:
    """Return boots: of known time or not, watched from the start or not."""
    later = sorted(draw(some_moments(2)))
    made = []
    for at in (first_at, *(each for each in later if each > first_at)):
        attached = draw(among(5.0, 5.0, 90.0, None))
        booted_at = None if attached is None else at
        made.append(Boot(f"{at}", at, at, booted_at, attached, draw(among(None, at))))
    return made


@functools.lru_cache(maxsize=64)
@st.composite
def hosts(draw: st.DrawFn, key: str) -> Host:
    """Return a host without IMDSv1 calls: in most logs nothing else is in the way, either."""
    if draw(among(True, True, False)):
        last_at = draw(among(NOW, NOW - 40 * MINUTE))
        attached = [NOW - LOG, draw(among(NOW - 30 * DAY, last_at - 30 * MINUTE))]
        return host(key, first_at=NOW - LOG, last_at=last_at, boots=attached, deployed_at=None)
    first_at = draw(among(NOW - LOG, NOW - LOG, NOW - 3 * DAY))
    last_at = draw(among(NOW, NOW, NOW - 40 * MINUTE, NOW - 2 * HOUR, NOW - 2 * DAY))
    watched = draw(COVERED) if draw(EITHER) else (Span(first_at, last_at),)
    made = host(
        key,
        first_at=first_at,
        last_at=last_at,
        covered=[Span(a.start, min(a.end, last_at)) for a in watched if a.start < last_at],
        requests={"v1": 0, "v2": draw(among(9, 9, 0)), "unknown": 0},
        last_unknown_at=draw(among(None, None, NOW - 10 * DAY, NOW - DAY)),
        losses=[Loss(at, "ring_full", 1, True) for at in draw(some_moments(1))],
        boots=draw(boots(first_at)),
        deployed_at=draw(MAYBE_MOMENT),
    )
    odd = tuple(draw(ODDS) for _ in range(draw(among(0, 0, 0, 1))))
    short = tuple(draw(SHORTFALLS) for _ in range(draw(among(0, 0, 0, 1))))
    return dataclasses.replace(made, odd=odd, shortfalls=short)


@st.composite
def odds(draw: st.DrawFn) -> Odd:
    """Return lines that cannot count as they are."""
    at = draw(MOMENTS)
    return Odd(draw(among(*KINDS)), 1, at, at, "event: x")


ODDS = odds()


@st.composite
def shortfalls(draw: st.DrawFn) -> Shortfall:
    """Return lines that heartbeats counted, and that are not there."""
    at = draw(MOMENTS)
    return Shortfall(Span(at - HOUR, at), draw(among("v1", "v2")), 3, 1)


SHORTFALLS = shortfalls()


@functools.lru_cache(maxsize=64)
@st.composite
def instances(draw: st.DrawFn, key: Optional[str], group: Optional[str]) -> Instance:
    """Return an instance of the roster."""
    state = draw(among("running", "running", "terminated", "stopped"))
    return Instance(f"i-{key}", key, state, group=group, host=key)


@st.composite
def logs(
    draw: st.DrawFn,
    *,
    rosters: st.SearchStrategy[bool] = EITHER,
    acceptances: st.SearchStrategy[bool] = EITHER,
    callers_min: int = 0,
) -> Log:
    """Return findings of up to three hosts, as any log may have them.

    ``rosters`` and ``acceptances`` say if there are some; the first host has ``callers_min``.
    """
    made: list[Host] = []
    callers: list[Sighting] = []
    for key in "abc"[: draw(NUMBERS_OF_HOSTS)]:
        least = 0 if made else callers_min
        count = max(least, draw(among(0, 0, 1, 2)))
        callers += (draw(sightings(f"{key}{n}", key)) for n in range(count))
        made.append(of_callers(draw(hosts(key)), callers))
    listed: Optional[Roster] = None
    if draw(rosters):
        known = [
            draw(instances(each.key, draw(among(None, "g", "g")))) for each in made if draw(MOSTLY)
        ]
        listed = Roster("instances.json", tuple(known))
    whole = findings((v2_only(),), made, damaged=draw(among(*[0] * 9, 2)))
    accepted = ACCEPTED if draw(acceptances) else ()
    of = dataclasses.replace(whole, sightings=tuple(callers))
    return Log(of, draw(PERIODS), roster=listed, accepted=accepted)
