"""LookupEvents: its pages, its pace, its errors, and going on where it was stopped."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from analyzer.account.credentials.file import Found, read, save
from analyzer.audit.cloudtrail.lookup import PAGE, Call, Clock, Pace, Target, look_up
from analyzer.audit.failures import Incomplete
from tests.unit.account.credentials.records import (
    ACCOUNT,
    AT,
    HOUR,
    INSTANCE,
    MINUTE,
    OTHER,
    REGION,
    record,
)

TARGET = Target(ACCOUNT, REGION, INSTANCE)
SECOND = Target(ACCOUNT, REGION, OTHER)
START = AT - 24 * HOUR
NOTHING = Found(START, AT)


class _Time:
    """A clock that waiting moves, and nothing else."""

    def __init__(self) -> None:
        self.at = 100.0
        self.calls: list[float] = []

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.at, self.sleep)

    def sleep(self, seconds: float) -> None:
        self.at += seconds


@pytest.fixture
def client() -> Any:
    return boto3.client(
        "cloudtrail",
        region_name=REGION,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",  # noqa: S106 (none)
    )


def event(number: int, at: datetime.datetime, **changes: Any) -> dict[str, Any]:
    text = json.dumps(record(at, number=number, **changes))
    return {"EventId": f"event-{number}", "EventTime": at, "CloudTrailEvent": text}


def asked(end: datetime.datetime, instance: str = INSTANCE, **more: str) -> dict[str, Any]:
    return {
        "LookupAttributes": [{"AttributeKey": "Username", "AttributeValue": instance}],
        "StartTime": START,
        "EndTime": end,
        "MaxResults": PAGE,
        **more,
    }


def of(client: Any) -> Any:
    return lambda _target: client.lookup_events


def is_foreseen(error: Exception) -> bool:
    return isinstance(error, ClientError)


def test_all_pages_are_read_and_counted(client: Any) -> None:
    """The answers are checked by botocore's model of the API, as are the questions."""
    saved: list[Found] = []
    with Stubber(client) as stub:
        page = {"Events": [event(1, AT), event(2, AT, delivery="2.0")], "NextToken": "more"}
        stub.add_response("lookup_events", page, asked(AT))
        stub.add_response(
            "lookup_events", {"Events": [event(3, AT - MINUTE)]}, asked(AT, NextToken="more")
        )
        found = look_up([TARGET], NOTHING, of(client), saved.append, _Time().clock)
        stub.assert_no_pending_responses()
    assert found.is_complete
    assert [row.calls for row in found.uses] == [2]
    assert found.progress[TARGET.key].events == 3
    assert saved[-1].uses == found.uses


def test_no_more_than_two_calls_a_second_in_an_account_and_region() -> None:
    time = _Time()
    pace = Pace(time.clock)
    at = []
    for region in ("a", "a", "b", "a", "b"):
        pace.wait(ACCOUNT, region)
        at.append((region, time.at - 100.0))
    assert at == [("a", 0.0), ("a", 0.5), ("b", 0.5), ("a", 1.0), ("b", 1.0)]


def test_calls_are_paced() -> None:
    time = _Time()
    pages = 7

    def call(**_parameters: Any) -> Mapping[str, Any]:
        time.calls.append(time.at)
        return {"Events": [], **({"NextToken": str(time.at)} if len(time.calls) < pages else {})}

    look_up([TARGET], NOTHING, lambda _target: call, lambda _found: None, time.clock)
    gaps = [later - earlier for earlier, later in zip(time.calls, time.calls[1:])]
    assert len(time.calls) == pages
    assert min(gaps) >= 0.5


def test_a_look_up_that_was_stopped_goes_on(client: Any, tmp_path: Path) -> None:
    """From the oldest event that it had; events of that second are not counted twice."""
    path = tmp_path / "uses.json"

    def interrupted(**parameters: Any) -> Mapping[str, Any]:
        if "NextToken" in parameters:
            raise KeyboardInterrupt
        return {"Events": [event(1, AT), event(2, AT - MINUTE)], "NextToken": "more"}

    with pytest.raises(KeyboardInterrupt):
        look_up(
            [TARGET], NOTHING, lambda _target: interrupted, lambda it: save(path, it), _Time().clock
        )
    stopped = read(path)
    assert not stopped.is_complete
    with Stubber(client) as stub:
        page = {"Events": [event(2, AT - MINUTE), event(3, AT - MINUTE), event(4, AT - HOUR)]}
        stub.add_response("lookup_events", page, asked(AT - MINUTE))
        found = look_up([TARGET], stopped, of(client), lambda it: save(path, it), _Time().clock)
    assert found.is_complete
    assert sum(row.calls for row in found.uses) == 4
    assert read(path) == found
    again = look_up([TARGET], found, _never, lambda _found: None, _Time().clock)
    assert again == found


def _never(_target: Target) -> Call:
    pytest.fail("it was looked up already")


def test_an_error_of_aws_ends_one_instance_and_is_named(client: Any) -> None:
    with Stubber(client) as stub:
        stub.add_client_error("lookup_events", "AccessDeniedException", "not allowed")
        stub.add_response("lookup_events", {"Events": [event(1, AT, instance=OTHER)]})
        found = look_up(
            [TARGET, SECOND], NOTHING, of(client), lambda _found: None, _Time().clock, is_foreseen
        )
    assert not found.is_complete
    assert "AccessDeniedException" in (found.progress[TARGET.key].error or "")
    assert found.progress[SECOND.key].is_done
    assert [row.instance for row in found.uses] == [OTHER]


def test_a_token_that_comes_again_ends_the_instance() -> None:
    """Else it would be looked up for ever."""
    tokens = iter(["a", "b"] * 9)

    def call(**_parameters: Any) -> Mapping[str, Any]:
        return {"Events": [], "NextToken": next(tokens)}

    found = look_up(
        [TARGET],
        NOTHING,
        lambda _target: call,
        lambda _found: None,
        _Time().clock,
        lambda error: isinstance(error, Incomplete),
    )
    assert not found.is_complete
    assert "came twice" in (found.progress[TARGET.key].error or "")


def test_an_error_that_is_not_foreseen_is_raised_and_what_was_read_is_saved() -> None:
    saved: list[Found] = []

    def call(**parameters: Any) -> Mapping[str, Any]:
        if "NextToken" in parameters:
            raise RuntimeError
        return {"Events": [event(1, AT)], "NextToken": "more"}

    with pytest.raises(RuntimeError):
        look_up([TARGET], NOTHING, lambda _target: call, saved.append, _Time().clock)
    assert [row.calls for row in saved[-1].uses] == [1]


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"userIdentity": 1}'])
def test_an_event_without_a_record_counts_for_nothing(text: Any) -> None:
    page = {"Events": [{"EventId": "a", "EventTime": AT, "CloudTrailEvent": text}]}
    found = look_up([TARGET], NOTHING, lambda _t: lambda **_p: page, lambda _f: None, _Time().clock)
    assert found.is_complete
    assert found.uses == ()
