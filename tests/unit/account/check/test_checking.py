"""A check fails for what allows IMDSv1, says by which rule, and is excused as listed only."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path
from typing import Optional

import pytest

from analyzer.account.check.checking import Outcome, State, check
from analyzer.account.check.exceptions import Listed, read
from analyzer.account.check.resources import NOT_NEEDED
from analyzer.account.check.rules import RULES
from analyzer.account.check.words import as_text
from analyzer.account.model import Defaults, Failure, InstanceFacts, MetadataOptions, Part, Snapshot
from analyzer.errors import ConfigError
from tests.unit.account.check.snapshots import (
    AT,
    INSTANCE,
    OPTIONAL,
    REQUIRED,
    TEMPLATE,
    TODAY,
    region,
    safe,
    unread,
    unsafe,
)

DAY, MINUTE = datetime.timedelta(days=1), datetime.timedelta(minutes=1)


def failed(outcome: Outcome) -> list[tuple[str, str]]:
    return [(each.rule.name, each.examined.id) for each in outcome.failed]


def of_region(**changes: object) -> Snapshot:
    return replace(safe(), regions=(replace(region(REQUIRED), **changes),))  # type: ignore[arg-type]


def listed(rule: str, resource: str, **changes: object) -> Listed:
    given = Listed(rule, resource, by="Ana", why="it is retired", until=TODAY)
    return replace(given, **changes)  # type: ignore[arg-type]


def test_nothing_fails_where_all_requires_v2() -> None:
    outcome = check(safe(), now=AT)
    assert outcome.exit_code == 0
    assert failed(outcome) == []
    assert len(outcome.checked) == 8
    assert "Nothing allows IMDSv1." in as_text(outcome)


def test_each_rule_fails_by_its_resource() -> None:
    outcome = check(unsafe(), now=AT)
    assert failed(outcome) == [
        ("default", "default"),
        ("template", f"{TEMPLATE}:1"),
        ("template", f"{TEMPLATE}:2"),
        ("configuration", "old"),
        ("group", "web"),
        ("image", "ami-0123456789abcdef0"),
        ("instance", INSTANCE),
    ]
    assert outcome.exit_code == 11


def test_exit_codes_are_the_rules_own() -> None:
    assert len({each.exit_code for each in RULES}) == len(RULES)
    assert all(each.exit_code not in (0, 1, 2, 3, 130) for each in RULES)
    instance = InstanceFacts(INSTANCE, "stopped", OPTIONAL)
    assert check(of_region(instances=(instance,)), now=AT).exit_code == 16


def test_what_was_not_read_fails_and_cannot_be_excused() -> None:
    outcome = check(unread(safe()), (listed("instance", "*"),), now=AT, previous=unread(safe()))
    assert failed(outcome) == [("unread", "instances")]
    assert outcome.exit_code == 10
    assert "AccessDenied" in as_text(outcome)
    # A pipeline that tolerates what was found does not tolerate that not all was looked at.
    assert check(unread(unsafe()), now=AT).exit_code == 10


@pytest.mark.parametrize("part", Part)
def test_a_part_that_no_rule_needs_may_be_missing(part: Part) -> None:
    """Figures of CloudWatch say nothing of what is allowed."""
    failure = Failure(part, "AccessDenied", "Give it.")
    outcome = check(replace(safe(), failures=(failure,)), now=AT)
    assert (outcome.exit_code == 0) is (part in NOT_NEEDED)


@pytest.mark.parametrize(
    ("defaults", "fails"),
    [
        (None, True),
        (Defaults(), True),
        (Defaults(MetadataOptions(http_tokens="no-preference")), True),
        (Defaults(MetadataOptions(http_tokens="no-preference"), tokens_enforced="enabled"), False),
        (Defaults(MetadataOptions(http_endpoint="disabled")), False),
        (Defaults(REQUIRED), False),
    ],
)
def test_a_default_that_leaves_v1_possible_fails(defaults: Optional[Defaults], fails: bool) -> None:
    outcome = check(of_region(defaults=defaults), now=AT)
    assert (("default", "default") in failed(outcome)) is fails


def test_an_instance_of_which_nothing_is_said_fails() -> None:
    """What is unknown is never safe."""
    outcome = check(of_region(instances=(InstanceFacts(INSTANCE, "running"),)), now=AT)
    assert failed(outcome) == [("instance", INSTANCE)]
    assert not outcome.failed[0].examined.is_certain


@pytest.mark.parametrize(
    ("options", "state", "fails"),
    [
        (REQUIRED, "running", False),
        (replace(REQUIRED, state="pending"), "running", True),
        (MetadataOptions("optional", "disabled", state="applied"), "running", False),
        (MetadataOptions("optional", "disabled"), "running", True),
        (MetadataOptions("required", "enabled"), "running", True),
        (MetadataOptions("optional", "disabled", state="pending"), "running", True),
        (MetadataOptions("no-preference", "enabled"), "running", True),
        (MetadataOptions("Optional", "enabled"), "running", True),
        (OPTIONAL, "a state of next year", True),
        (OPTIONAL, "shutting-down", False),
    ],
)
def test_an_instance_fails_unless_it_is_said_to_refuse_v1(
    options: MetadataOptions, state: str, *, fails: bool
) -> None:
    outcome = check(of_region(instances=(InstanceFacts(INSTANCE, state, options),)), now=AT)
    assert (("instance", INSTANCE) in failed(outcome)) is fails


def test_what_could_not_be_told_before_excuses_nothing_that_is_certain_now() -> None:
    unknown, optional = of_region(defaults=None), of_region(defaults=Defaults(OPTIONAL))
    assert ("default", "default") in failed(check(optional, now=AT, previous=unknown))
    assert ("default", "default") not in failed(check(optional, now=AT, previous=optional))
    assert ("default", "default") not in failed(check(unknown, now=AT, previous=unknown))


def test_what_failed_before_is_not_new() -> None:
    new = InstanceFacts("i-0fffffffffffffff0", "running", OPTIONAL)
    now = unsafe()
    now = replace(
        now, regions=(replace(now.regions[0], instances=(*now.regions[0].instances, new)),)
    )
    outcome = check(now, now=AT, previous=unsafe())
    assert failed(outcome) == [("instance", new.id)]
    assert "7 not new" not in as_text(outcome)
    assert len([each for each in outcome.checked if each.state is State.UNCHANGED]) == 7


def test_an_exception_excuses_what_it_names_until_its_day() -> None:
    exceptions = (listed("instance", "web*"), listed("template", f"{TEMPLATE}:?"))
    outcome = check(unsafe(), exceptions, now=AT)
    assert not {"instance", "template"} & {rule for rule, _ in failed(outcome)}
    assert "excepted: 123456789012 eu-west-1 web <1> i-0123456789abcdef0 (Ana, until" in as_text(
        outcome
    )
    late = check(unsafe(), exceptions, now=AT + DAY)
    assert {"instance", "template"} <= {rule for rule, _ in failed(late)}
    assert any("ended on 2026-11-29" in note for note in late.notes)


@pytest.mark.parametrize(
    "of",
    [
        listed("instance", "i-0"),
        listed("group", INSTANCE),
        listed("instance", INSTANCE, account="999999999999"),
        listed("instance", INSTANCE, region="us-east-1"),
    ],
)
def test_an_exception_for_something_else_excuses_nothing(of: Listed) -> None:
    outcome = check(unsafe(), (of,), now=AT)
    assert ("instance", INSTANCE) in failed(outcome)
    assert any("covers nothing" in note for note in outcome.notes)


@pytest.mark.parametrize(
    ("resource", "name", "is_excused"),
    [
        ("web[1]", "web[1]", True),
        ("web[1]", "web1", False),
        ("i-0aaaaaaaaaaaaaaaa", "i-0aaaaaaaaaaaaaaaa", False),
        (INSTANCE, "i-0aaaaaaaaaaaaaaaa", True),
    ],
)
def test_a_name_is_excused_as_it_is_written_and_is_no_id(
    resource: str, name: str, *, is_excused: bool
) -> None:
    """Whoever tags an instance chooses its name."""
    found = InstanceFacts(INSTANCE, "running", OPTIONAL, tags={"Name": name})
    outcome = check(of_region(instances=(found,)), (listed("instance", resource),), now=AT)
    assert (("instance", INSTANCE) not in failed(outcome)) is is_excused


GIVEN = """[[exception]]
rule = "instance"
resource = "i-*"
region = "eu-west-1"
by = "Ana"
why = "it is retired"
until = 2026-12-31
"""


def test_exceptions_are_read(tmp_path: Path) -> None:
    path = tmp_path / "exceptions.toml"
    path.write_text(GIVEN, encoding="utf-8")
    until = datetime.date(2026, 12, 31)
    assert read(str(path)) == (listed("instance", "i-*", region="eu-west-1", until=until),)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('rule = "instance"', 'rule = "instances"', "there is no rule 'instances'"),
        ('rule = "instance"', 'rule = "unread"', "there is no rule 'unread'"),
        ('by = "Ana"', 'by = " "', "by is empty"),
        ('by = "Ana"\n', "", "by is missing"),
        ('why = "it', 'reason = "it', "unknown key 'reason'"),
        ('region = "eu-west-1"', "region = 1", "region must be a text"),
        ('region = "eu-west-1"', 'region = "Ireland"', "'Ireland' is not valid as region"),
        ('region = "eu-west-1"', 'account = "9848541023"', "such as '012345678901'"),
        ("until = 2026-12-31", 'until = "2026-12-31"', "until must be a day"),
        (GIVEN, "", "has no exception"),
        ("[[exception]]", "[[accept]]", "begins with [[exception]]"),
    ],
)
def test_a_fault_in_exceptions_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "exceptions.toml"
    assert old in GIVEN
    path.write_text(GIVEN.replace(old, new), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read(str(path))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("age", "reason"),
    [
        (DAY, None),
        (2 * DAY, None),
        (2 * DAY + MINUTE, "it was taken 2026-11-27 11:59 UTC, 2 days ago; --max-age is 2 days"),
        (90 * DAY, "it was taken 2026-08-31 12:00 UTC, 90 days ago; --max-age is 2 days"),
        (-5 * MINUTE, None),
        (
            -180 * MINUTE,
            "it was taken 2026-11-29 15:00 UTC, 3 hours from now: one of the",
        ),
    ],
)
def test_a_snapshot_has_an_age(age: datetime.timedelta, reason: Optional[str]) -> None:
    outcome = check(replace(safe(), taken_at=AT - age), now=AT)
    assert outcome.exit_code == (0 if reason is None else 17)
    assert [(each.examined.reason or "").startswith(reason or "!") for each in outcome.failed] == (
        [] if reason is None else [True]
    )


def test_an_age_cannot_be_excused_and_comes_first() -> None:
    """Whoever lets instances pass by their exit code does not let last year's file pass."""
    old = replace(unsafe(), taken_at=AT - 9 * DAY)
    assert check(old, now=AT).exit_code == 17
    assert check(old, now=AT, previous=old).exit_code == 17
    assert check(old, now=AT, previous=old, max_age=9 * DAY).exit_code == 0
