"""Grouped by what to change, no caller, host or call of a report is lost or counted twice."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Optional

from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.report.formats import fixes, fleet
from analyzer.report.formats.json import document
from analyzer.report.result import CallerStanding, Cause, Entry, Judgement, Report, Standing
from analyzer.report.targets import Act, Seen, Target
from tests.unit import report_fleet_samples as fleets
from tests.unit import report_samples as samples
from tests.unit import reports

HOSTS = st.integers(0, 5)
TARGETS = st.builds(
    Target,
    st.sampled_from([Act.UPGRADE_LIBRARY, Act.EDIT_SCRIPT, Act.RESPOND, Act.LOOK]),
    st.sampled_from(["botocore", "/opt/a.sh", "x"]),
    st.sampled_from(["", "/srv/app-*.jar", "image team/app"]),
    st.sampled_from([None, "1.13.25"]),
    st.lists(
        st.builds(
            Seen,
            st.sampled_from(["", "/srv/app-1.jar", "/srv/app-2.jar"]),
            st.sampled_from(["", "1.9", "1.10", "odd"]),
            st.integers(0, 3),
            st.sampled_from([(), (fleets.instance_id(0),)]),
        ),
        max_size=3,
    ).map(tuple),
)


@st.composite
def _reports(draw: st.DrawFn) -> Report:
    """Return a report with some callers: judged or not, with any targets, listed or not."""
    entries: list[Entry] = []
    standings: dict[int, list[CallerStanding]] = {}
    for number in range(draw(st.integers(0, 6))):
        program = f"/srv/{number}"
        if draw(st.integers(0, 4)):
            entry = reports.entry(samples.old_botocore(program=program), Cause.OLD_SDK)
            wanted = tuple(dict.fromkeys(draw(st.lists(TARGETS, max_size=3))))
            entries.append(dataclasses.replace(entry, targets=wanted))
        for host in draw(st.sets(HOSTS, max_size=4)):
            former: Optional[str] = draw(st.sampled_from([None, None, fleets.instance_id(9)]))
            standing = fleets.standing(
                draw(st.sampled_from(list(Standing))),
                caller=program,
                host=fleets.instance_id(host),
                calls=draw(st.integers(1, 50)) if former is None else 7,
                former=former,
            )
            standings.setdefault(host, []).append(standing)
    judgement = Judgement.NOT_SAFE
    verdicts = tuple(fleets.verdict(n, judgement, standings.get(n, ())) for n in range(6))
    return reports.report(
        samples.findings(
            tuple(each.group for each in entries), tuple(fleets.host(n) for n in range(6))
        ),
        entries=tuple(entries),
        host_verdicts=verdicts,
    )


@settings(max_examples=60)
@given(_reports())
def test_sums_over_the_fixes_are_those_of_the_report(report: Report) -> None:
    """Each caller in the way counts once, with its hosts and calls."""
    callers, found = fleet.in_the_way(report), fixes.of(report)
    counted = Counter(each.key for fix in found for each in fix.callers)
    assert counted == Counter(each.key for each in callers)
    assert sum(each.calls for each in found) == sum(each.calls for each in callers)
    assert {host for fix in found for host in fix.hosts} == {
        host for each in callers for host in each.hosts
    }
    assert len({each.target for each in found}) == len(found)


@settings(max_examples=60)
@given(_reports())
def test_a_fix_split_by_host_is_the_fix(report: Report) -> None:
    """The hosts are the fix's, each once; so are callers, and the calls of those that were judged.

    A former instance's calls count for several hosts, and once for the fix.
    """
    for fix in fixes.of(report):
        shares = fix.by_host()
        assert sorted(each.host for each in shares) == sorted(fix.hosts)
        assert {one.key for each in shares for one in each.callers} == {
            each.key for each in fix.callers if each.hosts
        }
        if all(each.former is None for one in fix.callers for each in one.standings.values()):
            judged = [each for each in fix.callers if each.standings or each.host_count == 1]
            assert sum(each.calls for each in shares) == sum(each.calls for each in judged)


@settings(max_examples=30)
@given(_reports())
def test_a_caller_counts_for_its_first_target_and_is_named_by_the_others(report: Report) -> None:
    """The rule for a caller with two causes."""
    for fix in fixes.of(report):
        assert all(fixes.targets(each)[0] == fix.target for each in fix.callers)
        assert all(fix.target in fixes.targets(each.caller)[1:] for each in fix.also)
    every = document(report)["fixes"]
    wanted = sum(len(fixes.targets(each)) for each in fleet.in_the_way(report))
    assert wanted == sum(len(each["callers"]) + len(each["also"]) for each in every)
