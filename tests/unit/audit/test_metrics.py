"""CloudWatch is asked by instance and hour, and what it leaves out is told."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import ANY

from analyzer.account.model import Calls, Hour, Part, Period
from analyzer.audit.access import Access, Requests, open_access
from analyzer.audit.failures import Place
from analyzer.audit.metrics import (
    DAYS_MAX,
    METRICS,
    POINTS_MAX,
    QUERIES_MAX,
    instances_of_a_call,
    period_of,
    read_calls,
)
from analyzer.audit.region import Attempts
from tests.aws import Answers, AwsServer

REGION = "eu-west-1"
NOW = datetime.datetime(2026, 11, 29, 12, 34, 56, tzinfo=datetime.timezone.utc)
NOON = datetime.datetime(2026, 11, 29, 12, tzinfo=datetime.timezone.utc)
HOUR = datetime.timedelta(hours=1)
PERIOD = period_of(NOW, 14)


@pytest.fixture
def access(aws: AwsServer) -> Access:
    del aws  # its environment
    return open_access(None, Requests())


@pytest.fixture
def stub(access: Access) -> Iterator[Answers]:
    with Answers(access._client("cloudwatch", REGION)) as stubber:
        yield stubber


def result(name: str, status: str = "Complete", **hours: int) -> dict[str, Any]:
    """Return one result; ``h3`` is three hours before noon."""
    at = [NOON - int(key[1:]) * HOUR for key in hours]
    return {"Id": name, "Timestamps": at, "Values": list(hours.values()), "StatusCode": status}


def answer(*results: dict[str, Any], **more: str) -> dict[str, Any]:
    return {"MetricDataResults": list(results), **more}


def test_whole_hours_and_the_one_that_runs_are_asked_for() -> None:
    assert Period(NOON + HOUR - 14 * 24 * HOUR - HOUR, NOON + HOUR) == PERIOD


@pytest.mark.parametrize("days", [1, 7, 14, 63, DAYS_MAX])
def test_an_answer_of_a_call_fits_its_limits(days: int) -> None:
    period = period_of(NOW, days)
    queries = instances_of_a_call(period) * len(METRICS)
    hours = (period.end - period.start) // HOUR
    assert 0 < queries <= QUERIES_MAX
    assert queries * hours <= POINTS_MAX
    # One instance more would not fit.
    assert queries + len(METRICS) > min(QUERIES_MAX, POINTS_MAX // hours)


def test_a_query_names_metric_and_instance(access: Access, stub: Answers) -> None:
    def query(name: str, metric: str, id_: str) -> dict[str, Any]:
        dimensions = [{"Name": "InstanceId", "Value": id_}]
        found = {"Namespace": "AWS/EC2", "MetricName": metric, "Dimensions": dimensions}
        return {"Id": name, "MetricStat": {"Metric": found, "Period": 3600, "Stat": "Sum"}}

    stub.add_response(
        "get_metric_data",
        answer(*(result(name) for name in ("a0", "r0", "a1", "r1"))),
        {
            "MetricDataQueries": [
                query("a0", "MetadataNoToken", "i-0"),
                query("r0", "MetadataNoTokenRejected", "i-0"),
                query("a1", "MetadataNoToken", "i-1"),
                query("r1", "MetadataNoTokenRejected", "i-1"),
            ],
            "StartTime": PERIOD.start,
            "EndTime": PERIOD.end,
            "ScanBy": "TimestampAscending",
        },
    )
    assert list(read_calls(access, REGION, ["i-0", "i-1"], PERIOD)) == [
        ("i-0", Calls()),
        ("i-1", Calls()),
    ]
    stub.assert_no_pending_responses()


def test_pages_of_one_answer_are_joined(access: Access, stub: Answers) -> None:
    stub.add_response(
        "get_metric_data",
        answer(result("a0", "PartialData", h5=2, h4=0), NextToken="more"),
        {"MetricDataQueries": ANY, "StartTime": ANY, "EndTime": ANY, "ScanBy": ANY},
    )
    stub.add_response(
        "get_metric_data",
        answer(result("a0", h3=4), result("r0", h2=1)),
        {
            "MetricDataQueries": ANY,
            "StartTime": ANY,
            "EndTime": ANY,
            "ScanBy": ANY,
            "NextToken": "more",
        },
    )
    assert dict(read_calls(access, REGION, ["i-0"], PERIOD)) == {
        "i-0": Calls(
            no_token=6,
            no_token_rejected=1,
            last_no_token_at=NOON - 3 * HOUR,
            last_rejected_at=NOON - 2 * HOUR,
            hours=(Hour(NOON - 5 * HOUR, 2), Hour(NOON - 3 * HOUR, 4)),
            hours_counted=3,
        )
    }


@pytest.mark.parametrize(
    ("results", "found"),
    [
        # partial to the end
        (
            (result("a0", "PartialData", h3=4), result("r0")),
            {"no_token": 4, "is_partial": True},
        ),
        ((result("a0"), result("r0", "PartialData")), {"no_token": 0, "is_partial": True}),
        # nothing that could be taken for none
        ((result("a0", "InternalError"), result("r0")), None),
        ((result("a0", "Forbidden"), result("r0")), None),
        ((result("r0"),), None),
        ((), None),
    ],
)
def test_what_is_left_out_is_told(
    access: Access, stub: Answers, results: tuple[dict[str, Any], ...], found: dict[str, Any] | None
) -> None:
    others = (result("a1", h1=1), result("r1"))
    stub.add_response("get_metric_data", answer(*results, *others))
    attempts = Attempts(Place())
    given = dict(
        attempts.all_of(Part.METRICS, lambda: read_calls(access, REGION, ["i-0", "i-1"], PERIOD))
    )
    (failure,) = attempts.failures
    assert failure.code == "PartialData"
    assert "for 1 of 2 instances" in failure.text
    assert given["i-1"].no_token == 1
    if found is None:
        assert "i-0" not in given
    else:
        assert {name: getattr(given["i-0"], name) for name in found} == found


def test_an_error_of_a_later_call_leaves_what_came(access: Access, stub: Answers) -> None:
    size = instances_of_a_call(PERIOD)
    ids = [f"i-{number}" for number in range(size + 1)]
    whole = [result(f"{letter}{number}") for number in range(size) for letter in "ar"]
    stub.add_response("get_metric_data", answer(*whole))
    stub.add_client_error("get_metric_data", "InternalServiceFault")
    given: list[str] = []
    with pytest.raises(ClientError):
        given.extend(id_ for id_, _ in read_calls(access, REGION, ids, PERIOD))
    assert given == ids[:size]


def test_no_instances_ask_nothing(access: Access, stub: Answers) -> None:
    assert list(read_calls(access, REGION, [], PERIOD)) == []
    stub.assert_no_pending_responses()
