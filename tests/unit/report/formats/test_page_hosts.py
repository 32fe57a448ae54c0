"""The table of hosts on the page: what is said of many is said once."""

from __future__ import annotations

from collections.abc import Sequence

from analyzer.report.formats.page_hosts import NAMED_MAX, SMALL_FLEET, Table, table
from analyzer.report.formats.page_words import labels
from analyzer.report.result import CallerStanding, Judgement, Reason, Report, Standing, Verdict
from analyzer.report.roster.instances import Instance, Roster
from tests.unit import report_samples as samples
from tests.unit import reports

SAFE, NOT_SAFE = Judgement.SAFE, Judgement.NOT_SAFE
REMARK = Reason("no_boot_seen", "no reboot within the window")
AGENT = "/usr/bin/agent"


def verdict(host: str, *reasons: Reason, name: str = "", callers: Sequence[str] = ()) -> Verdict:
    """Return a verdict that is SAFE without a reason."""
    standings = tuple(
        CallerStanding(each, host, Standing.CALLS, 3, samples.NOW) for each in callers
    )
    judgement = NOT_SAFE if any(each is not REMARK for each in reasons) else SAFE
    return Verdict(host, judgement, reasons, None, 0, name or host, standings)


def of(*verdicts: Verdict, limit: int = 500, **fields: object) -> Table:
    """Return the table of verdicts."""
    groups = [samples.group(AGENT, caller=n, unit=f"{n}.service") for n in ("a", "b", "c", "d")]
    hosts = [samples.host(each.host or "", instance_id=None) for each in verdicts]
    report: Report = reports.report(
        samples.findings(groups, hosts), entries=(), host_verdicts=verdicts, **fields
    )
    return table(report, labels(groups), limit)


def calls(text: str) -> Reason:
    """Return a reason that is in the way."""
    return Reason("v1_calls", text)


def test_a_small_fleet_has_its_own_sentences_beside_each_host() -> None:
    found = of(verdict("a", calls("a calls")), verdict("b", calls("b calls"), REMARK))
    assert [each.sentences for each in found.rows.items] == [("a calls",), ("b calls",)]
    assert found.obstacles == ()
    assert [(each.code, each.hosts) for each in found.remarks] == [("no_boot_seen", 1)]


def test_what_two_hosts_share_is_said_once_above_them() -> None:
    shared = Reason("gaps", "not watched for 1 d")
    found = of(verdict("a", calls("a calls"), shared), verdict("b", shared))
    assert [each.sentences for each in found.rows.items] == [("a calls",), ()]
    assert [each.codes for each in found.rows.items] == [("v1_calls", "gaps"), ("gaps",)]
    (gaps,) = found.obstacles
    assert (gaps.name, gaps.hosts) == ("gaps", 2)
    assert [each.hosts.items for each in gaps.sentences.items] == [("a", "b")]


def test_a_large_fleet_has_names_of_reasons_beside_each_host_and_sentences_above() -> None:
    number = SMALL_FLEET + NAMED_MAX
    shared = [verdict(f"h{n}", calls("shared"), REMARK) for n in range(number)]
    found = of(*shared, verdict("own", calls("its own")))
    assert {each.sentences for each in found.rows.items} == {()}
    (reason,) = found.obstacles
    assert reason.hosts == number + 1
    first, last = reason.sentences.items
    assert (first.text, first.number, first.hosts.left_out) == ("shared", number, SMALL_FLEET)
    assert (last.text, last.hosts.items) == ("its own", ("own",))


def test_the_worst_hosts_come_first_and_the_rest_is_counted() -> None:
    found = of(verdict("a"), verdict("b", calls("b calls")), verdict("c"), limit=2)
    assert [each.name for each in found.rows.items] == ["b", "a"]
    assert found.rows.left_out == 1


def test_namesakes_show_their_ids() -> None:
    found = of(verdict("i-1", name="app"), verdict("i-2", name="app"), verdict("i-3", name="web"))
    assert [(each.name, each.id, each.has_namesake) for each in found.rows.items] == [
        ("app", "i-1", True), ("app", "i-2", True), ("web", "i-3", False),
    ]  # fmt: skip


def test_callers_in_the_way_are_named_as_above_and_cleared_ones_are_not() -> None:
    cleared = CallerStanding("d", "h", Standing.SPEAKS_V2, 3, samples.NOW, since=samples.NOW)
    one = verdict("h", calls("h calls"), callers=["a", "b", "c", "gone"])
    report_of = of(Verdict("h", NOT_SAFE, one.reasons, None, 0, "h", (*one.callers, cleared)))
    callers = report_of.rows.items[0].callers
    assert callers.items == ("agent (a.service)", "agent (b.service)", "agent (c.service)")
    assert callers.left_out == 1


def test_a_host_of_the_roster_has_its_group_and_owner() -> None:
    instance = Instance("i-1", "app", "running", "web", owner="payments", host="i-1")
    found = of(verdict("i-1"), verdict("i-2"), roster=Roster("list", (instance,)))
    assert [(each.group, each.owner) for each in found.rows.items] == [
        ("web", "payments"), ("", ""),
    ]  # fmt: skip
    assert found.groups == ("web",)
    assert found.has_owners
