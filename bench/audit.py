"""What an audit costs: time, memory and requests, by the number of instances."""

from __future__ import annotations

import argparse
import datetime
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from bench.figure import CannotMeasureError, Row, show, show_table

SIZES = (500, 5_000)
REGIONS = ("eu-west-1", "eu-central-1", "us-east-1", "us-west-2")
DAYS = 14
HOUR = datetime.timedelta(hours=1)
# Requests to CloudWatch cost that much for 1,000 metrics (us-east-1).
DOLLARS_PER_1000 = 0.01
_RUN_AT_ONCE = 250
_CALLING = 50  # every so many instances make calls
_START_S = 600


class Cost(NamedTuple):
    """What one audit took."""

    instances: int
    elapsed_s: float
    cpu_s: float
    rss_bytes: int
    file_bytes: int
    requests: Counter[str]


def main(argv: Sequence[str]) -> None:
    """Audit accounts of several sizes at moto's server, which runs in a process of its own."""
    parser = argparse.ArgumentParser(prog="python -m bench audit", description=__doc__)
    parser.add_argument("--instances", type=int, action="append", help="in all; may be repeated")
    parser.add_argument("--days", type=int, default=DAYS)
    given = parser.parse_args(argv)
    sizes = given.instances or SIZES
    costs = [_measure(size, given.days) for size in sizes]
    options = [f"--instances={size}" for size in given.instances or ()]
    title = f"audit of {len(REGIONS)} Regions, {given.days} days of CloudWatch"
    show("audit", title, _rows(costs), options)
    show_table(
        ("requests", *(f"{cost.instances:,}" for cost in costs)),
        [
            (name, *(f"{cost.requests[name]:,}" for cost in costs))
            for name in sorted(costs[-1].requests)
        ],
    )


def _rows(costs: Sequence[Cost]) -> list[Row]:
    rows = []
    for cost in costs:
        metrics = 2 * cost.instances
        what = f"{cost.instances:,} instances"
        rows += [
            Row(f"{what}: elapsed, with moto's share", f"{cost.elapsed_s:.1f} s"),
            Row(f"{what}: CPU of the audit", f"{cost.cpu_s:.1f} s"),
            Row(f"{what}: resident at most", f"{cost.rss_bytes / 1e6:.0f} MB"),
            Row(f"{what}: snapshot", f"{cost.file_bytes / 1e6:.2f} MB"),
            Row(
                f"{what}: CloudWatch",
                f"{cost.requests['GetMetricData']} requests, {metrics:,} metrics,"
                f" {metrics / 1000 * DOLLARS_PER_1000:.2f} USD",
            ),
        ]
    if len(costs) > 1:
        first, last = costs[0], costs[-1]
        growth = (last.cpu_s / first.cpu_s) / (last.instances / first.instances)
        rows.append(
            Row(
                f"CPU for an instance, {last.instances:,} to {first.instances:,}",
                f"{growth:.2f}",
                "1.2 at most: linear",
            )
        )
    return rows


def _measure(instances: int, days: int) -> Cost:
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    server = context.Process(target=_serve, args=(there, instances), daemon=True)
    server.start()
    try:
        if not here.poll(_START_S):
            raise CannotMeasureError("moto's server was not filled in ten minutes")
        environment: dict[str, str] = here.recv()
        with tempfile.TemporaryDirectory(prefix="imds-bench-") as folder:
            return _audit(instances, days, environment, here, Path(folder))
    finally:
        server.kill()
        server.join()


def _audit(
    instances: int, days: int, environment: dict[str, str], server: Connection, folder: Path
) -> Cost:
    path = folder / "accounts.json.gz"
    regions = [option for region in REGIONS for option in ("--region", region)]
    began = time.monotonic()
    program = subprocess.Popen(
        [
            *(sys.executable, "-m", "analyzer", "audit", "--days", str(days)),
            *("--output", str(path), *regions),
        ],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(program.pid, 0)
    elapsed_s = time.monotonic() - began
    program.returncode = os.waitstatus_to_exitcode(status)
    if program.returncode != 0:
        raise CannotMeasureError(f"the audit ended with {program.returncode}")
    server.send("requests")
    requests: Counter[str] = server.recv()
    _check(path, instances)
    return Cost(
        instances,
        elapsed_s,
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss * 1024,
        path.stat().st_size,
        requests,
    )


def _check(path: Path, instances: int) -> None:
    """See that the snapshot has all of them: a quick audit of nothing is no figure."""
    from analyzer.account.file import read  # noqa: PLC0415 (an extra)

    found = [instance for facts in read(path).regions for instance in facts.instances]
    calling = sum(instance.calls is not None and instance.calls.no_token > 0 for instance in found)
    if len(found) != instances or calling != -(-instances // _CALLING):
        raise CannotMeasureError(f"{len(found)} instances in the snapshot, {calling} with calls")


def _serve(pipe: Connection, instances: int) -> None:
    """Fill moto's server, and tell how often it was asked what."""
    from moto.cloudwatch.models import CloudWatchBackend  # noqa: PLC0415 (only here)

    from tests.aws import AwsServer  # noqa: PLC0415 (only here)

    with (
        AwsServer() as aws,
        mock.patch.object(CloudWatchBackend, "get_metric_data", _metric_data),
    ):
        number = 0
        for index, region in enumerate(REGIONS):
            ec2 = aws.client("ec2", region)
            image = ec2.register_image(Name="old")["ImageId"]
            left = instances * (index + 1) // len(REGIONS) - instances * index // len(REGIONS)
            while left:
                count = min(left, _RUN_AT_ONCE)
                made = ec2.run_instances(ImageId=image, MinCount=count, MaxCount=count)
                for instance in made["Instances"]:
                    if number % _CALLING == 0:
                        _CALLERS.add(instance["InstanceId"])
                    number += 1
                left -= count
        aws.requests.clear()
        pipe.send(aws.environment)
        pipe.recv()
        pipe.send(Counter(request.operation for request in aws.requests))
        pipe.recv()


_CALLERS: set[str] = set()


def _metric_data(
    _self: object,
    queries: list[dict[str, Any]],
    start_time: datetime.datetime,
    end_time: datetime.datetime,
    **_others: object,
) -> list[dict[str, Any]]:
    """Answer as CloudWatch does, with a figure for each hour.

    moto itself has only what was put in, and searches all of it for each figure.
    """
    hours = (end_time - start_time) // HOUR
    at = [start_time + number * HOUR for number in range(hours)]
    results = []
    for query in queries:
        metric = query["MetricStat"]["Metric"]
        is_calling = metric["Dimensions"][0]["Value"] in _CALLERS
        value = 3.0 if is_calling and metric["MetricName"] == "MetadataNoToken" else 0.0
        results.append(
            {
                "id": query["Id"],
                "label": metric["MetricName"],
                "values": [value] * hours,
                "timestamps": at,
                "status_code": "Complete",
            }
        )
    return results
