"""The picture of the fleet: its bars by verdict, and its columns over time."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence

from analyzer.report.callers import Sighting
from analyzer.report.formats.fleet_chart import DAYS_MAX, GROUPS_MAX, ChartColumn, picture
from analyzer.report.hosts import Host, Span
from analyzer.report.result import GroupVerdict, Judgement, Report, Verdict
from analyzer.report.roster.instances import Instance, Roster
from tests.unit import report_samples as samples
from tests.unit import reports

SAFE, NOT_SAFE, NOT_ENOUGH = Judgement.SAFE, Judgement.NOT_SAFE, Judgement.NOT_ENOUGH_EVIDENCE
NOON = samples.NOW - samples.DAY / 2


def of(
    hosts: Sequence[Host], judgements: Sequence[Judgement] = (), sightings: Sequence[Sighting] = ()
) -> Report:
    """Return a report on hosts."""
    found = dataclasses.replace(samples.findings((), hosts), sightings=tuple(sightings))
    verdicts = tuple(
        Verdict(host.key, judgement, (), None, 0) for host, judgement in zip(hosts, judgements)
    )
    return reports.report(found, entries=(), host_verdicts=verdicts)


def counts(column: ChartColumn) -> tuple[int, ...]:
    """Return how many called IMDSv1, were not watched, and were quiet."""
    return tuple(column.counts.values())


class TestBars:
    """Instances by verdict."""

    def test_each_verdict_and_what_has_no_log(self) -> None:
        hosts = [samples.host(f"h{n}") for n in range(4)]
        report = dataclasses.replace(
            of(hosts, (SAFE, NOT_SAFE, SAFE, NOT_ENOUGH)),
            roster=Roster("list", (Instance("i-1", None), Instance("i-2", None, "stopped"))),
        )
        whole = picture(report).whole
        assert [(each.slug, each.number) for each in whole.pieces] == [
            ("not-safe", 1), ("not-enough-evidence", 1), ("safe", 2), ("unwatched", 1),
        ]  # fmt: skip
        assert whole.total == 5
        assert [each.width for each in whole.pieces] == [20, 20, 40, 20]

    def test_one_of_thousands_is_seen(self) -> None:
        hosts = [samples.host(f"h{n}") for n in range(3000)]
        pieces = picture(of(hosts, (NOT_SAFE, *[SAFE] * 2999))).whole.pieces
        assert pieces[0].number == 1
        assert pieces[0].width > 0.9
        assert sum(each.width for each in pieces) == 100

    def test_the_worst_groups_come_first_and_the_rest_is_counted(self) -> None:
        hosts = [samples.host(f"h{n}") for n in range(20)]
        groups = tuple(
            GroupVerdict(f"g{n}", "AMI", NOT_SAFE if n == 19 else SAFE, (f"h{n}",), 2, 1, 1, 7200)
            for n in range(20)
        )
        drawn = picture(dataclasses.replace(of(hosts, [SAFE] * 20), groups=groups))
        assert drawn.groups[0].name == "g19"
        assert drawn.groups[0].total == 2
        assert drawn.groups[0].note == "watched 2 h, 1 launch seen from the start"
        assert len(drawn.groups) == GROUPS_MAX
        assert drawn.left_out == 20 - GROUPS_MAX


class TestColumns:
    """What was seen of the instances each day."""

    def test_a_day_is_v1_or_a_gap_or_quiet(self) -> None:
        start = samples.NOW - 3 * samples.DAY
        gap = (Span(start, start + samples.DAY), Span(start + 2 * samples.DAY, samples.NOW))
        hosts = [
            samples.host("quiet", first_at=start),
            samples.host("gap", first_at=start, covered=gap),
            samples.host("v1", first_at=start),
        ]
        calls = Sighting("a", "v1", (Span(start + samples.HOUR, start + 2 * samples.HOUR),), (), 2)
        columns = picture(of(hosts, sightings=[calls])).whole.columns
        assert [counts(each) for each in columns] == [(1, 0, 2), (0, 1, 2), (0, 0, 3)]
        assert [part.state for part in columns[1].parts] == ["gap", "quiet"]

    def test_the_last_v1_call_counts_without_a_sighting(self) -> None:
        host = samples.host(first_at=samples.NOW - 2 * samples.DAY, last_v1_at=NOON)
        assert [counts(each) for each in picture(of([host])).whole.columns] == [
            (0, 0, 1), (1, 0, 0),
        ]  # fmt: skip

    def test_an_instance_is_counted_only_while_it_lives(self) -> None:
        start = samples.NOW - 3 * samples.DAY
        short = samples.host("short", first_at=start, last_at=start + 6 * samples.HOUR)
        long = samples.host("long", first_at=start)
        assert [counts(each) for each in picture(of([short, long])).whole.columns] == [
            (0, 0, 2), (0, 0, 1), (0, 0, 1),
        ]  # fmt: skip

    def test_days_are_put_together_until_they_fit(self) -> None:
        for days in (1, DAYS_MAX, DAYS_MAX + 1, 366):
            host = samples.host(first_at=samples.NOW - days * samples.DAY)
            drawn = picture(of([host]))
            assert drawn.days == -(-days // DAYS_MAX)
            assert len(drawn.whole.columns) == -(-days // drawn.days)
            assert all(counts(each) == (0, 0, 1) for each in drawn.whole.columns)

    def test_a_log_of_one_line_is_one_column(self) -> None:
        host = samples.host(first_at=samples.NOW, last_at=samples.NOW, covered=())
        assert len(picture(of([host])).whole.columns) == 1

    def test_without_a_host_there_is_no_picture(self) -> None:
        drawn = picture(reports.empty())
        assert drawn.whole.total == 0
        assert drawn.whole.columns == ()

    def test_a_clock_that_was_wrong_hides_nothing(self) -> None:
        """Lines from the year 1 and from the last: the days that matter are still told apart."""
        zone = datetime.timezone.utc
        first = datetime.datetime.min.replace(tzinfo=zone)
        last = datetime.datetime.max.replace(tzinfo=zone)
        host = samples.host(first_at=first, last_at=last, last_v1_at=NOON)
        columns = picture(of([host, samples.host("good")])).whole.columns
        assert columns[-1].start < samples.NOW
        assert columns[-1].start > samples.NOW - 7 * samples.DAY
        assert counts(columns[-1]) == (1, 0, 1)
        assert counts(columns[0]) == (0, 0, 1)

    def test_hosts_of_another_time_are_not_drawn(self) -> None:
        """A host with lines from long ago only has no column; the others keep theirs."""
        long_ago = samples.NOW - 5000 * samples.DAY
        old = samples.host("old", first_at=long_ago, last_at=long_ago + samples.DAY)
        columns = picture(of([old, samples.host("good")])).whole.columns
        assert sum(sum(counts(each)) for each in columns) > 0
        assert max(sum(counts(each)) for each in columns) == 1
