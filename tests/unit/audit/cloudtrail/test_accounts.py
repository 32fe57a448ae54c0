"""The instances to look up are those with tokenless calls, and those of which nobody can tell."""

from __future__ import annotations

import datetime
from typing import Optional

import pytest

from analyzer.account.model import (
    Calls,
    Hour,
    InstanceFacts,
    MetadataOptions,
    RegionFacts,
    Snapshot,
)
from analyzer.audit.cloudtrail.accounts import targets_of

AT = datetime.datetime(2026, 11, 29, 12, tzinfo=datetime.timezone.utc)
ID, ACCOUNT, REGION = "i-0123456789abcdef0", "009848541023", "eu-west-1"
OPTIONAL, REQUIRED = MetadataOptions("optional"), MetadataOptions("required", state="applied")
PENDING = MetadataOptions("required", state="pending")
SOME = Calls(3, hours=(Hour(AT, 3),), hours_counted=24)


def snapshot(*instances: InstanceFacts) -> Snapshot:
    return Snapshot(AT, "1.0", regions=(RegionFacts(ACCOUNT, REGION, instances=instances),))


@pytest.mark.parametrize(
    ("options", "calls", "is_wanted"),
    [
        (OPTIONAL, SOME, True),
        (REQUIRED, SOME, True),  # of before
        (OPTIONAL, Calls(hours_counted=24), False),
        (OPTIONAL, Calls(hours_counted=24, is_partial=True), True),
        (OPTIONAL, Calls(), True),  # CloudWatch has no figure
        (REQUIRED, Calls(), False),
        (OPTIONAL, None, True),
        (MetadataOptions(), None, True),
        (REQUIRED, None, False),
        (PENDING, None, True),
        (MetadataOptions("required"), None, True),
    ],
)
def test_an_instance_is_looked_up_if_it_may_have_called(
    options: MetadataOptions, calls: Optional[Calls], *, is_wanted: bool
) -> None:
    found = targets_of(snapshot(InstanceFacts(ID, "running", options, calls=calls)))
    assert [each.instance for each in found] == [ID] * is_wanted


def test_most_calls_come_first_and_accounts_and_regions_choose() -> None:
    more = Calls(9, hours=(Hour(AT, 9),), hours_counted=24)
    given = snapshot(
        InstanceFacts(ID, "running", OPTIONAL, calls=SOME),
        InstanceFacts("i-0123456789abcdef1", "running", OPTIONAL, calls=more),
    )
    assert [each.instance for each in targets_of(given)] == ["i-0123456789abcdef1", ID]
    assert targets_of(given, [ACCOUNT], [REGION]) == targets_of(given)
    assert targets_of(given, ["123456789012"]) == targets_of(given, [], ["us-east-1"]) == ()
