"""Makes logs, rosters and changes to them that the verdict's properties are tested with."""

from __future__ import annotations

import dataclasses
import datetime
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
KINDS = ("not_understood", "before_boot", "too_early", "unreadable_loss")


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
    if draw(st.booleans()):
        return draw(st.lists(MOMENTS, min_size=1, max_size=4))
    last, days = draw(MOMENTS), draw(st.sampled_from([1, 2, 7, 10, 30]))
    return [last - n * days * DAY for n in range(draw(st.integers(2, 9)))]


def _daily_since(at: datetime.datetime) -> list[datetime.datetime]:
    """Return a call for each day since, as of a caller that was mended."""
    return [at + HOUR + n * DAY for n in range((NOW - at).days)]


@st.composite
def sightings(draw: st.DrawFn, caller: str, key: str) -> Sighting:
    """Return a caller on a host: of any rhythm, at boot or not, with v2 or not."""
    v1 = draw(times())
    v2 = draw(st.one_of(st.just([]), times(), st.just(_daily_since(max(v1)))))
    at_boot = draw(st.sampled_from([0, 0, 1, len(v1)]))
    offset = draw(st.sampled_from([None, 20.0, 400.0])) if at_boot else None
    refused = draw(st.sampled_from([0, 0, len(v1)]))
    unclear = spans_of(draw(st.one_of(st.just([]), st.just([]), times())))
    numbers = (len(v1), refused, at_boot, offset)
    return Sighting(caller, key, spans_of(v1), spans_of(v2), *numbers, unclear=unclear)


@st.composite
def covered(draw: st.DrawFn) -> tuple[Span, ...]:
    """Return stretches of time, in order and apart; mostly all of it, with a few short holes."""
    if draw(st.booleans()):
        cuts = sorted(draw(st.sets(MOMENTS, max_size=6)))
        return tuple(Span(a, b) for a, b in zip(cuts[::2], cuts[1::2]))
    holes = sorted(draw(st.sets(MOMENTS, max_size=3)))
    length = draw(st.sampled_from([MINUTE, 30 * MINUTE, 90 * MINUTE]))
    starts, ends = [NOW - LOG, *(each + length for each in holes)], [*holes, NOW]
    return tuple(Span(a, b) for a, b in zip(starts, ends) if a < b)


@st.composite
def boots(draw: st.DrawFn, first_at: datetime.datetime) -> list[Boot]:
    """Return boots: of known time or not, watched from the start or not."""
    later = sorted(draw(st.sets(MOMENTS, max_size=2)))
    made = []
    for at in (first_at, *(each for each in later if each > first_at)):
        attached = draw(st.sampled_from([5.0, 5.0, 90.0, None]))
        booted_at = None if attached is None else at
        made.append(Boot(f"{at}", at, at, booted_at, attached, draw(st.sampled_from([None, at]))))
    return made


@st.composite
def hosts(draw: st.DrawFn, key: str) -> Host:
    """Return a host without IMDSv1 calls: in most logs nothing else is in the way, either."""
    if draw(st.sampled_from([True, True, False])):
        last_at = draw(st.sampled_from([NOW, NOW - 40 * MINUTE]))
        attached = [NOW - LOG, draw(st.sampled_from([NOW - 30 * DAY, last_at - 30 * MINUTE]))]
        return host(key, first_at=NOW - LOG, last_at=last_at, boots=attached, deployed_at=None)
    first_at = draw(st.sampled_from([NOW - LOG, NOW - LOG, NOW - 3 * DAY]))
    last_at = draw(st.sampled_from([NOW, NOW, NOW - 40 * MINUTE, NOW - 2 * HOUR, NOW - 2 * DAY]))
    watched = draw(covered()) if draw(st.booleans()) else (Span(first_at, last_at),)
    made = host(
        key,
        first_at=first_at,
        last_at=last_at,
        covered=[Span(a.start, min(a.end, last_at)) for a in watched if a.start < last_at],
        requests={"v1": 0, "v2": draw(st.sampled_from([9, 9, 0])), "unknown": 0},
        last_unknown_at=draw(st.sampled_from([None, None, NOW - 10 * DAY, NOW - DAY])),
        losses=[Loss(at, "ring_full", 1, True) for at in draw(st.sets(MOMENTS, max_size=1))],
        boots=draw(boots(first_at)),
        deployed_at=draw(st.none() | MOMENTS),
    )
    odd = tuple(draw(odds()) for _ in range(draw(st.sampled_from([0, 0, 0, 1]))))
    short = tuple(draw(shortfalls()) for _ in range(draw(st.sampled_from([0, 0, 0, 1]))))
    return dataclasses.replace(made, odd=odd, shortfalls=short)


@st.composite
def odds(draw: st.DrawFn) -> Odd:
    """Return lines that cannot count as they are."""
    at = draw(MOMENTS)
    return Odd(draw(st.sampled_from(KINDS)), 1, at, at, "event: x")


@st.composite
def shortfalls(draw: st.DrawFn) -> Shortfall:
    """Return lines that heartbeats counted, and that are not there."""
    at = draw(MOMENTS)
    return Shortfall(Span(at - HOUR, at), draw(st.sampled_from(["v1", "v2"])), 3, 1)


@st.composite
def instances(draw: st.DrawFn, key: Optional[str], group: Optional[str]) -> Instance:
    """Return an instance of the roster."""
    state = draw(st.sampled_from(["running", "running", "terminated", "stopped"]))
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
    for key in "abc"[: draw(st.integers(1, 3))]:
        least = 0 if made else callers_min
        count = max(least, draw(st.sampled_from([0, 0, 1, 2])))
        callers += (draw(sightings(f"{key}{n}", key)) for n in range(count))
        made.append(of_callers(draw(hosts(key)), callers))
    listed: Optional[Roster] = None
    if draw(rosters):
        groups = st.sampled_from([None, "g", "g"])
        known = [draw(instances(each.key, draw(groups))) for each in made if draw(MOSTLY)]
        listed = Roster("instances.json", tuple(known))
    whole = findings((v2_only(),), made, damaged=draw(st.sampled_from([0] * 9 + [2])))
    accepted = ACCEPTED if draw(acceptances) else ()
    of = dataclasses.replace(whole, sightings=tuple(callers))
    return Log(of, draw(PERIODS), roster=listed, accepted=accepted)
