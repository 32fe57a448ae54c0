"""One report for each owner: what is whose, and a verdict over the owner's instances alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from analyzer.account.model import Period
from analyzer.report.account.inventory import Kind
from analyzer.report.account.snapshots import Snapshots
from analyzer.report.findings import Findings
from analyzer.report.hosts import Span
from analyzer.report.parts import Terms, by_owner, file_names
from analyzer.report.result import Entry, Judgement, Report
from analyzer.report.roster.owners import OWNER_TAGS, Owners, Patterns
from analyzer.report.verdict.intervals import RARE
from tests.unit import report_samples as samples
from tests.unit.report.account.samples import (
    CALLER,
    codes,
    counted,
    facts,
    findings,
    host,
    instance_id,
    report,
    snapshot,
    snapshots,
    v1,
)
from tests.unit.report_samples import DAY, NOW, WEEK

TEAMS = {1: "payments", 2: "search", 3: None}


def split(log: Findings, owners: Owners) -> dict[str, Report]:
    """Return the parts of a report over three instances, two of which have an owner."""
    of = snapshots(
        snapshot(
            *(
                facts(n, tags={"Name": f"web-{n}", **({"Team": team} if team else {})})
                for n, team in TEAMS.items()
            ),
            facts(4, tags={"Team": "search"}, calls=counted((NOW - DAY, 3))),
        )
    )
    made = report(of, log, owners)
    return {str(part.owner): part for part in by_owner(made, Terms(WEEK, RARE, owners))}


def keys(entries: tuple[Entry, ...]) -> list[str]:
    return [each.group.key.caller for each in entries]


def log(*numbers: int) -> Findings:
    """Return a log of three hosts, with a caller on some of them."""
    return findings([host(1), host(2), host(3)], [v1(n) for n in numbers])


def test_each_owner_has_a_verdict_of_its_own() -> None:
    parts = split(log(1), Owners())
    assert list(parts) == ["payments", "search", ""]
    assert {name: part.verdict.judgement for name, part in parts.items()} == {
        "payments": Judgement.NOT_SAFE,
        "search": Judgement.NOT_SAFE,  # AWS counted calls on an instance without a log
        "": Judgement.SAFE,
    }
    assert [len(part.findings.hosts) for part in parts.values()] == [1, 1, 1]
    assert [len(part.host_verdicts) for part in parts.values()] == [1, 1, 1]
    inventory = parts["search"].inventory
    assert inventory is not None
    assert inventory.of(Kind.V1_UNWATCHED).calls == 3


def parts_of(of: Snapshots, log: Findings) -> dict[str, Report]:
    made = report(of, log)
    return {str(part.owner): part for part in by_owner(made, Terms(WEEK, RARE, Owners()))}


@pytest.mark.parametrize(("former_group", "is_safe"), [("web", False), ("other", True)])
def test_callers_of_a_group_count_for_its_instances_whoever_owned_the_former(
    former_group: str, *, is_safe: bool
) -> None:
    """A team that is renamed leaves the old name on what it replaces."""
    of = snapshots(
        snapshot(
            facts(1, group="web", tags={"Team": "new name"}),
            facts(2, group=former_group, state="terminated", tags={"Team": "old name"}),
        )
    )
    parts = parts_of(of, findings([host(1), host(2)], [v1(2)]))
    assert (parts["new name"].verdict.judgement is Judgement.SAFE) is is_safe
    assert [each.host for each in parts["new name"].host_verdicts] == [instance_id(1)]
    assert [each.key for each in parts["new name"].findings.hosts] == [instance_id(1)]


def test_a_host_is_judged_to_the_end_of_all_logs() -> None:
    """As in the whole: its own log may have ended before."""
    of = snapshots(snapshot(facts(1, calls=None, tags={"Team": "a"}), facts(2)))
    for last_at, is_safe in ((NOW, True), (NOW - DAY / 2, False)):
        covered = (Span(NOW - 10 * DAY, last_at),)
        ended = host(1, last_at=last_at, covered=covered)
        log = findings([ended, host(2)])
        parts = parts_of(of, log)
        whole = report(of, log)
        (own,) = parts["a"].host_verdicts
        assert own.judgement is next(
            each.judgement for each in whole.host_verdicts if each.host == instance_id(1)
        )
        assert (parts["a"].verdict.judgement is Judgement.SAFE) is is_safe


@pytest.mark.parametrize(("days", "is_counted"), [(9, True), (40, False)])
def test_calls_that_aws_counted_are_judged_in_the_window_of_the_whole(
    days: int, *, is_counted: bool
) -> None:
    """A silent caller of another owner's makes it longer; the sum of the parts is the whole."""
    metrics = Period(NOW - 50 * DAY, NOW)
    hours = {"hours_counted": 50 * 24}
    of = snapshots(
        snapshot(
            facts(1, tags={"Team": "a"}, calls=None),
            facts(2, tags={"Team": "b"}, calls=None),
            facts(3, tags={"Team": "b"}, calls=counted((NOW - days * DAY, 3), **hours)),
            facts(4, tags={"Team": "c"}, calls=counted((NOW - days * DAY, 3), **hours)),
            metrics=metrics,
        )
    )
    long = Span(NOW - 60 * DAY, NOW)
    hosts = [host(n, covered=(long,), first_at=long.start) for n in (1, 2)]
    log = findings(hosts, [v1(1, NOW - 50 * DAY)])
    codes_of = {
        name: {each.code for each in part.verdict.reasons}
        for name, part in parts_of(of, log).items()
    }
    assert ("counted_unwatched" in codes(report(of, log))) is is_counted
    assert {name for name, said in codes_of.items() if "counted_unwatched" in said} == (
        {"b", "c"} if is_counted else set()
    )


def test_a_caller_is_the_one_owners_of_its_hosts() -> None:
    parts = split(log(1), Owners())
    assert keys(parts["payments"].entries) == [CALLER]
    assert not parts["search"].entries
    assert not parts[""].entries


def test_a_caller_of_several_owners_is_nobodys_and_named_by_each() -> None:
    parts = split(log(1, 2), Owners())
    assert keys(parts[""].entries) == [CALLER]
    assert not parts["payments"].entries
    assert keys(parts["payments"].shared) == [CALLER]
    assert keys(parts["search"].shared) == [CALLER]
    assert not parts[""].shared


def test_a_pattern_says_whose_a_caller_is() -> None:
    owners = Owners(OWNER_TAGS, (Patterns("platform", callers=("/srv/app/*",)),))
    parts = split(log(1, 2), owners)
    assert keys(parts["platform"].entries) == [CALLER]
    assert not parts["platform"].findings.hosts


def test_a_caller_of_more_hosts_than_are_known_is_nobodys() -> None:
    of = log(1)
    group = replace(of.groups[0], host_count=2)
    parts = split(replace(of, groups=(group,)), Owners())
    assert keys(parts[""].entries) == [CALLER]


def test_a_host_that_no_snapshot_has_is_nobodys_or_a_patterns() -> None:
    gone = replace(host(9), last_at=NOW - 8 * DAY)
    of = findings([host(1), gone])
    of = replace(of, hosts=(replace(host(1)), gone))
    assert [each.key for each in split(of, Owners())[""].findings.hosts] == [instance_id(9)]
    owners = Owners((), (Patterns("old", names=("web-9",)),))
    assert [each.key for each in split(of, owners)["old"].findings.hosts] == [instance_id(9)]


def test_names_of_files_are_those_of_owners() -> None:
    part = split(log(1), Owners())[""]
    owners = ("Payments", "payments", "a/../b", "../..", "unowned", "…", "x" * 300, "")
    names = file_names([replace(part, owner=each) for each in owners], "html")
    assert names == (
        "payments.html", "payments-2.html", "a-..-b.html", "owner.html", "unowned-2.html",
        "owner-2.html", f"{'x' * 100}.html", "unowned.html",
    )  # fmt: skip
    assert samples.HOST
