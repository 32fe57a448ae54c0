"""The screen is short, says what is unknown, and never more than the snapshot does."""

from __future__ import annotations

import dataclasses
import io

import pytest
from rich.console import Console

from analyzer.account.model import Defaults, Failure, InstanceFacts, MetadataOptions, Part, Snapshot
from analyzer.audit.changes import Change
from analyzer.audit.screen import ROWS_MAX, write
from tests.unit.audit.snapshots import ACCOUNT, REGION, facts, group, instance, snapshot, template

DENIED = Failure(Part.INSTANCES, "AccessDenied", "Attach it.", ACCOUNT, REGION)


def shown(
    given: Snapshot, *changes: Change, file: str | None = "a.json", is_new: bool = True
) -> str:
    stream = io.StringIO()
    console = Console(file=stream, width=80, color_system=None)
    write(given, console, changes=None if is_new else changes, file=file)
    return "\n".join(line.rstrip() for line in stream.getvalue().split("\n"))


def test_the_whole_screen() -> None:
    there = facts(
        instance("i-1", calls=1200, refused=3),
        instance("i-2", "required"),
        instance("i-3", state="terminated", calls=9),
        templates=(template(),),
        groups=(group(),),
    )
    assert (
        shown(snapshot(there, facts(region="us-east-1")))
        == """\
account, Region    instances  allow v1  v1 calls  refused  make v1  default
123456789012 shop
  eu-west-1                2         1     1,200        3        2     none
1 more Region has nothing in it.

2 would launch instances that allow v1.
  123456789012 eu-west-1 Auto Scaling group workers
    launch template web, version 1 ($Default, $Latest): template says optional: optional
  123456789012 eu-west-1 launch template web, version 1 ($Default, $Latest)
    template says optional: optional

2 instances, 1 allows v1; 1 made 1,200 v1 calls in 14 days.
Next: imds-analyzer report LOGS --account a.json
"""
    )


def test_what_failed_is_shown_and_makes_the_sum_incomplete() -> None:
    elsewhere = Failure(Part.INSTANCES, "AccessDenied", "Attach it.", ACCOUNT, "us-east-1")
    text = shown(snapshot(facts(), facts(region="us-east-1"), failures=(DENIED, elsewhere)))
    assert "  eu-west-1                ?         ?         ?        ?        0     none\n" in text
    assert (
        "Not read:\n  123456789012 eu-west-1, 123456789012 us-east-1: instances\n"
        "    AccessDenied: Attach it.\n"
    ) in text
    assert "Incomplete: at least 0 instances, 0 allow v1" in text


@pytest.mark.parametrize("other", [instance("i-2", calls=None), instance("i-2", hours=0)])
def test_figures_of_some_instances_are_no_figures_of_all(other: InstanceFacts) -> None:
    text = shown(snapshot(facts(instance("i-1", calls=5), other)))
    assert "  eu-west-1                2         2      5 +?     0 +?        0     none\n" in text
    assert "1 made 5 v1 calls in 14 days; of 1 running, CloudWatch has no figure.\n" in text


def test_an_instance_that_does_not_run_makes_no_calls() -> None:
    text = shown(snapshot(facts(instance(state="stopped", hours=0))))
    assert "0 made 0 v1 calls in 14 days.\n" in text


def test_no_figures_at_all_are_unknown() -> None:
    text = shown(snapshot(facts(instance(calls=None))))
    assert "  eu-west-1                1         1         ?        ?        0     none\n" in text


def test_an_option_that_nobody_told_may_allow_v1() -> None:
    text = shown(snapshot(facts(instance(tokens=None))))
    assert "1 instance, 1 allows v1" in text


def test_unknown_launches_are_counted_beside() -> None:
    text = shown(snapshot(facts(templates=(template(),), groups=(group(of="gone"),))))
    assert " 1 +2?     none\n" in text  # the group, and what it names
    assert "1 would launch instances that allow v1. 2 may, as not all is known." in text
    assert "template gone is gone" in text


def test_only_a_whole_snapshot_says_that_nothing_would_make_v1() -> None:
    there = facts(templates=(template("required"),))
    said = "No template, launch configuration, group or fleet would make v1."
    assert said in shown(snapshot(there))
    assert said not in shown(snapshot(there, failures=(DENIED,)))


@pytest.mark.parametrize(
    ("defaults", "word"),
    [
        (None, "?"),
        (Defaults(), "none"),
        (Defaults(MetadataOptions("no-preference")), "none"),
        (Defaults(MetadataOptions("optional")), "v1"),
        (Defaults(MetadataOptions("required")), "v2"),
        (Defaults(tokens_enforced="enabled"), "enforced"),
    ],
)
def test_the_default_for_new_instances_has_a_word(defaults: Defaults | None, word: str) -> None:
    there = dataclasses.replace(facts(instance()), defaults=defaults)
    row = next(line for line in shown(snapshot(there)).split("\n") if REGION in line)
    assert row.split()[-1] == word


def test_without_a_file_it_says_how_to_keep_it() -> None:
    text = shown(snapshot(facts(instance())), file=None)
    assert "--output" in text
    assert "--account" not in text


def test_without_figures_there_are_none_in_the_sum() -> None:
    text = shown(snapshot(facts(instance(calls=None)), metrics=None))
    assert "1 instance, 1 allows v1.\n" in text


@pytest.mark.parametrize("count", [1, ROWS_MAX, ROWS_MAX + 3])
def test_changes_are_listed_the_worse_first(count: int) -> None:
    better = [Change(ACCOUNT, REGION, f"i-{number}", "is gone") for number in range(count)]
    worse = Change(ACCOUNT, REGION, "i-x", "allows v1", is_worse=True)
    text = shown(snapshot(facts()), *better, worse, is_new=False)
    assert f"{count + 1} changes since the earlier snapshot, 1 for the worse:\n" in text
    listed = text.partition("for the worse:\n")[2].split("\n")
    assert listed[0] == f"  {ACCOUNT} {REGION} i-x allows v1"
    beyond = count + 1 - ROWS_MAX
    assert (f"{beyond:,} more changes: the snapshot has them." in text) is (beyond > 0)


def test_no_changes_are_said_to_be_none() -> None:
    assert "Nothing changed since" in shown(snapshot(facts()), is_new=False)
    assert "changed" not in shown(snapshot(facts()))


def test_names_cannot_act_on_the_terminal() -> None:
    odd = facts(templates=(template(name="a\x1b[31mb\nc"),))
    text = shown(snapshot(odd))
    assert "\x1b" not in text
    assert r"a\x1b[31mb\nc" in text


def test_hundreds_of_launchers_fit_a_screen() -> None:
    many = facts(templates=tuple(template(name=f"t{number}") for number in range(300)))
    text = shown(snapshot(many))
    assert f"{300 - ROWS_MAX} more templates, configurations, groups and fleets" in text
    assert text.count("\n") < 40
