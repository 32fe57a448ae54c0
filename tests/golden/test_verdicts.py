"""Logs of every kind through ``report --verdict``: each that must not be SAFE, and its neighbour.

A pair shares all but one fact. Times end at ``NOW``, whenever this runs.
"""

from __future__ import annotations

import datetime
import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

import pytest
from click.testing import CliRunner

from analyzer.commands.report import report
from tests.duckdb_instance import opened_instance, shared_instance
from tests.fleet.histories import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    UTC,
    History,
    Line,
    every,
    instance_id,
)

__all__ = ["opened_instance", "shared_instance"]

NOW = datetime.datetime(2026, 11, 22, tzinfo=UTC)
SAFE, NOT_SAFE, NOT_ENOUGH = 0, 3, 4
AGENT = "agent"


@dataclass(frozen=True)
class Case:
    """One log, with the exit code of its verdict, and a reason's code that must be there."""

    name: str
    code: int
    reason: str
    write: Callable[[Path], Sequence[str]]  # returns further arguments


def quiet(
    name: str = "web-1", number: int = 1, days: float = 10, end: datetime.datetime = NOW, **run: Any
) -> History:
    """Return a host that was watched all of the time and calls with tokens only."""
    start = end - days * DAY
    host = History(name, instance_id(number) if number else None).watched(start, end, **run)
    return host.called(every(HOUR, start + 7 * MINUTE, end), "v2", AGENT)


def with_calls(
    days: float, *ago: float, key: str = "job", v2: Sequence[float] = (), **call: Any
) -> History:
    """Return a quiet host with v1 calls, and v2 calls of the same caller, so many days ago."""
    host = quiet(days=days).called([NOW - each * DAY for each in ago], "v1", key, **call)
    return host.called([NOW - each * DAY for each in v2], "v2", key, **call)


def one(
    host: History, *arguments: str, is_kept: Callable[[Line], bool] = lambda _line: True
) -> Any:
    """Write one host's log."""

    def write(folder: Path) -> Sequence[str]:
        host.write(folder / "a.jsonl", is_kept)
        return arguments

    return write


def several(*hosts: History, arguments: Sequence[str] = ()) -> Any:
    """Write the logs of hosts."""

    def write(folder: Path) -> Sequence[str]:
        for number, host in enumerate(hosts):
            host.write(folder / f"{number}.jsonl")
        return arguments

    return write


def rebooted(ago: datetime.timedelta, attached_s: float, *, at_boot: bool) -> History:
    """Return a host with a v1 caller at its first boot, that booted again."""
    first = NOW - 12 * DAY
    host = History("web-1", instance_id(1))
    start = first + 8 * SECOND
    host.watched(start, NOW - ago, booted=first, is_stopped=True)
    second = NOW - ago + MINUTE
    host.watched(second + attached_s * SECOND, NOW, booted=second)
    host.called([first + 70 * SECOND], "v1", "user-data", kind="boot", unit="cloud-final.service")
    if at_boot:
        times = [second + 70 * SECOND]
        host.called(times, "v2", "user-data", kind="boot", unit="cloud-final.service")
    return host.called(every(HOUR, start + 7 * MINUTE, NOW - ago), "v2", AGENT).called(
        every(HOUR, second + 30 * MINUTE, NOW), "v2", AGENT
    )


def launched(number: int, at: datetime.datetime) -> History:
    """Return a host that was launched, and watched from its start."""
    host = History(f"web-{number}", instance_id(number)).watched(at + 5 * SECOND, NOW, booted=at)
    return host.called(every(HOUR, at + 7 * MINUTE, NOW), "v2", AGENT)


def booted_once(*, tells_boot: bool = True) -> History:
    """Return a host with a v1 caller at the only boot there is."""
    booted = NOW - 12 * DAY
    host = History("web-1", instance_id(1)).watched(
        booted + 8 * SECOND, NOW, booted=booted, tells_boot=tells_boot
    )
    host.called([booted + 70 * SECOND], "v1", "user-data", kind="boot", unit="cloud-final.service")
    return host.called(every(HOUR, booted + 7 * MINUTE, NOW), "v2", AGENT)


def gap(start: datetime.datetime, length: datetime.timedelta) -> History:
    """Return a host whose analyzer did not run for a time."""
    host = History("web-1", instance_id(1)).watched(NOW - 10 * DAY, start)
    host.watched(start + length, NOW)
    before = every(HOUR, NOW - 10 * DAY + 7 * MINUTE, start)
    return host.called([*before, *every(HOUR, start + length, NOW)], "v2", AGENT)


def broken(days: float, start: datetime.datetime, *ago: float) -> History:
    """Return a host with v1 calls so many days ago, and with a gap of an hour."""
    begin = NOW - days * DAY
    booted = begin - 90 * DAY
    host = History("web-1", instance_id(1)).watched(begin, start, booted=booted)
    host.watched(start + HOUR, NOW, booted=booted)
    before = every(HOUR, begin + 7 * MINUTE, start)
    host.called([*before, *every(HOUR, start + HOUR + 7 * MINUTE, NOW)], "v2", AGENT)
    return host.called([NOW - each * DAY for each in ago], "v1", "job")


def off_for(length: datetime.timedelta) -> History:
    """Return a host with one v1 call 37.5 days ago that was off until three days ago."""
    begin, back = NOW - 50 * DAY, NOW - 3 * DAY
    host = History("web-1", instance_id(1))
    host.watched(begin, back - length, is_stopped=True)
    host.watched(back + 6 * SECOND, NOW, booted=back)
    before = every(HOUR, begin + 7 * MINUTE, back - length)
    host.called([*before, *every(HOUR, back + 7 * MINUTE, NOW)], "v2", AGENT)
    return host.called([NOW - 37.5 * DAY], "v1", "job")


def recurring(length: datetime.timedelta) -> History:
    """Return a host whose analyzer did not run at one hour of each night."""
    host = History("web-1", instance_id(1))
    at = NOW - 10 * DAY
    while at < NOW:
        host.watched(at + 3 * HOUR + length, min(NOW, at + DAY + 3 * HOUR))
        at += DAY
    return host.called(every(HOUR, NOW - 9 * DAY + 37 * MINUTE, NOW), "v2", AGENT)


def accept(until: str, caller: str = "job") -> Callable[[Path], Sequence[str]]:
    """Write a log with a v1 caller, and a decision on it."""

    def write(folder: Path) -> Sequence[str]:
        with_calls(20, 1).write(folder / "logs" / "a.jsonl")
        decision = folder / "accept.toml"
        decision.write_text(
            f'[[accept]]\ncaller = "{caller}"\nby = "ops"\nwhy = "goes away"\nuntil = {until}\n'
        )
        return ("--accept", str(decision))

    return write


def roster(hosts: Sequence[History], instances: Sequence[tuple[str, str]]) -> str:
    """Return what describe-instances prints, of ids and states. A first boot is the launch."""
    launched = {each.instance: each.runs[0].booted_at for each in hosts}
    return json.dumps(
        {
            "Reservations": [
                {
                    "Instances": [
                        {
                            "InstanceId": identity,
                            "State": {"Name": state},
                            "LaunchTime": launched.get(identity, NOW - 9 * DAY).isoformat(),
                            "Tags": [{"Key": "aws:autoscaling:groupName", "Value": "web"}],
                        }
                    ]
                }
                for identity, state in instances
            ]
        }
    )


def listed(hosts: Sequence[History], *instances: tuple[str, str]) -> Any:
    """Write logs and a roster."""

    def write(folder: Path) -> Sequence[str]:
        for number, host in enumerate(hosts):
            host.write(folder / "logs" / f"{number}.jsonl")
        (folder / "instances.json").write_text(roster(hosts, instances))
        return ("--instances", str(folder / "instances.json"))

    return write


def short_lives(*, is_v1_at: float = -1.0) -> list[History]:
    """Return a group in which an instance lives for six hours; launches are watched."""
    hosts = []
    for number in range(41):
        booted = NOW - 10 * DAY - 2 * HOUR + number * 6 * HOUR
        end = min(NOW, booted + 6 * HOUR + 5 * MINUTE)
        host = History(f"ip-{number}", instance_id(number + 1))
        host.watched(booted + 9 * SECOND, end, booted=booted, is_stopped=end < NOW)
        host.called(every(HOUR, booted + 7 * MINUTE, end), "v2", AGENT)
        if is_v1_at >= 0 and number == int(is_v1_at * 4):
            host.called([booted + 2 * HOUR], "v1", "job")
        hosts.append(host)
    return hosts


def named(name: str, *, is_gzip: bool = False, text: str = "") -> Callable[[Path], Sequence[str]]:
    """Write a clean log, and a file of another host's v1 call under some name."""

    def write(folder: Path) -> Sequence[str]:
        quiet().write(folder / "a.jsonl")
        other = folder / name
        with_calls(10, 1).write(other)
        if text:
            other.write_text(text)
        elif is_gzip:
            other.write_bytes(gzip.compress(other.read_bytes()))
        return ()

    return write


def beats_of(hour: int, minute: int = 0) -> Callable[[Line], bool]:
    """Keep all lines but the requests of an hour of the day before ``NOW``."""
    start = NOW - DAY + hour * HOUR + minute * MINUTE

    def is_kept(line: Line) -> bool:
        at = datetime.datetime.fromisoformat(line["timestamp"].replace("Z", "+00:00"))
        return line["event"] != "imds_request" or not start <= at < start + HOUR

    return is_kept


def tweaked(host: History, **change: Any) -> Callable[[Path], Sequence[str]]:
    """Write a log whose requests differ in one field of ``imds``."""

    def write(folder: Path) -> Sequence[str]:
        lines = host.lines()
        for line in lines:
            if line["event"] == "imds_request" and line["imds"]["caller"]["key"] == "odd":
                line["imds"].update(change)
        (folder / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        return ()

    return write


def daily(start: float, end: float) -> list[float]:
    """Return days ago, one a day."""
    return [start - number for number in range(int(start - end) + 1)]


WEEKLY = (34.0, 27.0, 20.0, 13.0)
CASES = [
    Case("nothing uses v1", SAFE, "", one(quiet())),
    Case("one v1 call yesterday", NOT_SAFE, "v1_calls", one(with_calls(10, 1))),
    # Who is it?
    Case(
        "one name, two instances, one watched for an hour",
        NOT_ENOUGH,
        "short",
        several(quiet("app", 1), quiet("app", 2, days=1 / 24)),
    ),
    Case(
        "one name, two instances, both watched", SAFE, "", several(quiet("app", 1), quiet("app", 2))
    ),
    Case(
        "one name, no ids, two boots at one time",
        NOT_ENOUGH,
        "ambiguous_host",
        several(quiet("app", 0), quiet("app", 0, booted=NOW - 60 * DAY)),
    ),
    Case(
        "one name, no id, two boots one after the other",
        SAFE,
        "",
        several(
            quiet("app", 0, days=5, end=NOW - 5 * DAY, is_stopped=True),
            quiet("app", 0, days=5 - 1 / 1440, booted=NOW - 5 * DAY + 30 * SECOND),
        ),
    ),
    Case(
        "renamed",
        SAFE,
        "",
        several(
            quiet("ip-10-0-0-5", days=7, end=NOW - 3 * DAY, boot="b"),
            quiet("web-1", days=3, boot="b"),
        ),
    ),
    # When does a v1 call no longer count?
    Case("one call 20 days ago", NOT_ENOUGH, "rare_caller", one(with_calls(36, 20))),
    Case("one call 35.5 days ago", NOT_ENOUGH, "rare_caller", one(with_calls(38, 35.5))),
    Case("one call 36.5 days ago", SAFE, "", one(with_calls(38, 36.5))),
    Case(
        "one call 20 days ago, asked for 14",
        SAFE,
        "less_silence",
        one(with_calls(36, 20), "--rare", "14d"),
    ),
    Case(
        "seven days of a month",
        NOT_ENOUGH,
        "rare_caller",
        one(with_calls(40, *(31.5 - day for day in range(7)))),
    ),
    Case(
        "ten days and more, and silent since",
        SAFE,
        "stopped_calling",
        one(with_calls(40, *(31.5 - day for day in range(12)))),
    ),
    Case(
        "weekly, silent for 7.5 days",
        NOT_ENOUGH,
        "rare_caller",
        one(with_calls(36, 28.5, 21.5, 14.5, 7.5)),
    ),
    Case("weekly, silent for 13 days", SAFE, "", one(with_calls(40, *WEEKLY))),
    Case("monthly, silent for 25 days", NOT_ENOUGH, "rare_caller", one(with_calls(62, 55, 25))),
    Case("monthly, silent for 40 days", SAFE, "", one(with_calls(72, 70, 40))),
    Case(
        "on first Mondays, and five weeks later",
        NOT_ENOUGH,
        "rare_caller",
        one(with_calls(70, 63, 35)),
    ),
    Case("on first Mondays, and six weeks later", SAFE, "", one(with_calls(72, 70, 42))),
    Case(
        "weekly, a gap an hour after it was due",
        NOT_ENOUGH,
        "rare_caller",
        one(broken(40, NOW - 25 * HOUR, 29.1, 22.1, 15.1, 8.1)),
    ),
    Case(
        "weekly, a gap six hours after it was due",
        SAFE,
        "small_gaps",
        one(broken(40, NOW - 20 * HOUR, 29.1, 22.1, 15.1, 8.1)),
    ),
    Case(
        "monthly, a gap 29 days after the last",
        NOT_ENOUGH,
        "rare_caller",
        one(broken(110, NOW - 12 * DAY, 101, 71, 41)),
    ),
    Case(
        "monthly, a gap 32 days after the last",
        SAFE,
        "small_gaps",
        one(broken(110, NOW - 9 * DAY, 101, 71, 41)),
    ),
    Case("one call, and off for a month", NOT_ENOUGH, "rare_caller", one(off_for(34 * DAY))),
    Case("one call, and off for six hours", SAFE, "off", one(off_for(6 * HOUR))),
    Case("a run over midnight", NOT_ENOUGH, "rare_caller", one(with_calls(36, 20.001, 19.999))),
    Case(
        "weekly runs over midnight",
        NOT_ENOUGH,
        "rare_caller",
        one(with_calls(36, 28.01, 27.99, 21.01, 20.99, 14.01, 13.99, 7.6, 7.59)),
    ),
    Case(
        "daily, v2 for nine days",
        SAFE,
        "",
        one(with_calls(20, *daily(19.5, 9.5), v2=daily(8.5, 0.5))),
    ),
    Case(
        "v2 for less than a day",
        NOT_SAFE,
        "v1_calls",
        one(with_calls(20, 2.9, 2.0, v2=(1.0, 0.1))),
    ),
    Case("v2 for a day", SAFE, "mended", one(with_calls(20, 3.1, 2.0, v2=(1.2, 0.1)))),
    Case(
        "daily, v2 but refused",
        NOT_SAFE,
        "v1_calls",
        one(
            with_calls(20, *daily(19.5, 2.5)).called(
                [NOW - each * DAY for each in daily(1.5, 0.5)], "v2", "job", outcome="rejected"
            )
        ),
    ),
    Case(
        "daily v1 and v2 at once",
        NOT_SAFE,
        "v1_calls",
        one(with_calls(20, *daily(19.5, 2.5), v2=daily(19.4, 0.4))),
    ),
    Case(
        "the others' v2 does not clear it",
        NOT_SAFE,
        "v1_calls",
        several(
            with_calls(20, *daily(19.5, 2.5)),
            quiet("b", 2).called([NOW - each * DAY for each in daily(8.5, 0.5)], "v2", "job"),
        ),
    ),
    Case(
        "--since does not hide a caller",
        NOT_ENOUGH,
        "rare_caller",
        one(with_calls(36, 20), "--since", "2026-11-10"),
    ),
    Case("accepted", SAFE, "accepted", accept("2026-12-31")),
    Case("accepted until a day that has been", NOT_SAFE, "v1_calls", accept("2026-11-20")),
    Case("another caller accepted", NOT_SAFE, "v1_calls", accept("2026-12-31", "cron")),
    # Boot and launch.
    Case("v1 at boot, no boot since", NOT_ENOUGH, "boot_caller", one(booted_once())),
    Case(
        "v1 at the first boot, which no line tells",
        NOT_ENOUGH,
        "boot_caller",
        one(booted_once(tells_boot=False)),
    ),
    Case("v1 at boot, a boot since was watched", SAFE, "", one(rebooted(3 * DAY, 5, at_boot=True))),
    Case(
        "v1 at boot, a boot since was watched too late",
        NOT_ENOUGH,
        "boot_caller",
        one(rebooted(3 * DAY, 400, at_boot=False)),
    ),
    Case(
        "v1 at launch of a group's instance, only rebooted since",
        NOT_ENOUGH,
        "boot_caller",
        listed([rebooted(9 * DAY, 5, at_boot=False)], (instance_id(1), "running")),
    ),
    Case(
        "v1 at launch of a group's instance, another launched since",
        SAFE,
        "stopped_calling",
        listed(
            [rebooted(9 * DAY, 5, at_boot=False), launched(2, NOW - 8 * DAY)],
            (instance_id(1), "running"),
            (instance_id(2), "running"),
        ),
    ),
    Case(
        "v1 at launch, rebooted since, no group",
        SAFE,
        "stopped_calling",
        one(rebooted(9 * DAY, 5, at_boot=False)),
    ),
    # Other clouds, and what nobody knows.
    Case(
        "another cloud's probe",
        SAFE,
        "",
        tweaked(quiet().called([NOW - DAY], "v1", "odd"), provider="gcp"),
    ),
    Case(
        "another cloud's probe, spelt otherwise",
        SAFE,
        "",
        tweaked(quiet().called([NOW - DAY], "v1", "odd"), provider="GCP"),
    ),
    Case(
        "a provider that nobody knows",
        NOT_ENOUGH,
        "not_understood",
        tweaked(quiet().called([NOW - DAY], "v1", "odd"), provider="aws2"),
    ),
    Case(
        "a version that nobody knows",
        NOT_ENOUGH,
        "not_understood",
        tweaked(quiet().called([NOW - DAY], "v1", "odd"), version="v3"),
    ),
    Case(
        "an event that nobody knows",
        NOT_ENOUGH,
        "not_understood",
        one(quiet().said(NOW - DAY, "imds_call")),
    ),
    # What the log says of itself.
    Case(
        "a heartbeat counts calls that are not there",
        NOT_ENOUGH,
        "missing_lines",
        one(with_calls(10, 0.5), is_kept=lambda line: line.get("imds", {}).get("version") != "v1"),
    ),
    Case(
        "an hour's lines are not there",
        NOT_ENOUGH,
        "missing_lines",
        one(quiet(), is_kept=beats_of(5)),
    ),
    Case(
        "events were lost",
        NOT_ENOUGH,
        "lost_events",
        one(quiet().said(NOW - DAY, "events_lost", count=3, reason="ring_full")),
    ),
    Case(
        "events were lost, nobody knows how many",
        NOT_ENOUGH,
        "lost_events",
        one(quiet().said(NOW - DAY, "events_lost", count="many", reason="ring_full")),
    ),
    Case(
        "a line from 2000",
        NOT_ENOUGH,
        "impossible_time",
        one(
            quiet().said(
                datetime.datetime(2000, 1, 1, tzinfo=UTC),
                "events_lost",
                count=0,
                reason="ring_full",
            )
        ),
    ),
    # Coverage.
    Case("a gap of two minutes", SAFE, "small_gaps", one(gap(NOW - 3 * DAY, 2 * MINUTE))),
    Case("a gap of three hours", NOT_ENOUGH, "gaps", one(gap(NOW - 3 * DAY, 3 * HOUR))),
    Case(
        "a gap at one hour of each night", NOT_ENOUGH, "recurring_gap", one(recurring(5 * MINUTE))
    ),
    Case("watched for three days", NOT_ENOUGH, "short", one(quiet(days=3))),
    Case(
        "ended two days ago",
        NOT_ENOUGH,
        "silent",
        several(quiet(), quiet("b", 2, days=8, end=NOW - 2 * DAY)),
    ),
    Case(
        "off for two days",
        SAFE,
        "off",
        one(
            History("web-1", instance_id(1))
            .watched(NOW - 12 * DAY, NOW - 4 * DAY, is_stopped=True)
            .watched(NOW - 2 * DAY + 6 * SECOND, NOW, booted=NOW - 2 * DAY)
            .called(every(HOUR, NOW - 12 * DAY + 7 * MINUTE, NOW - 4 * DAY), "v2", AGENT)
            .called(every(HOUR, NOW - 2 * DAY + 7 * MINUTE, NOW), "v2", AGENT)
        ),
    ),
    Case(
        "died, and booted two days later",
        NOT_ENOUGH,
        "gaps",
        one(
            History("web-1", instance_id(1))
            .watched(NOW - 12 * DAY, NOW - 4 * DAY)
            .watched(NOW - 2 * DAY + 6 * SECOND, NOW, booted=NOW - 2 * DAY)
            .called(every(HOUR, NOW - 12 * DAY + 7 * MINUTE, NOW - 4 * DAY), "v2", AGENT)
            .called(every(HOUR, NOW - 2 * DAY + 7 * MINUTE, NOW), "v2", AGENT)
        ),
    ),
    # Files.
    Case("a v1 call in host2.txt", NOT_SAFE, "v1_calls", named("host2.txt")),
    Case("a v1 call in web2.gz", NOT_SAFE, "v1_calls", named("web2.gz", is_gzip=True)),
    Case("a v1 call in host=b/x.jsonl", NOT_SAFE, "v1_calls", named("host=b/x.jsonl")),
    Case("a v1 call in event=x/host=y/v", NOT_SAFE, "v1_calls", named("event=x/host=y/v")),
    Case(
        "a file that is no log", NOT_ENOUGH, "unread_files", named("notes.txt", text="buy milk\n")
    ),
    # The roster.
    Case(
        "a running instance without a log",
        NOT_ENOUGH,
        "unwatched_instances",
        listed([quiet()], (instance_id(1), "running"), (instance_id(2), "running")),
    ),
    Case(
        "a stopped instance without a log",
        SAFE,
        "",
        listed([quiet()], (instance_id(1), "running"), (instance_id(2), "stopped")),
    ),
    Case(
        "a terminated instance is not silent",
        SAFE,
        "",
        listed(
            [quiet(), quiet("b", 2, days=8, end=NOW - 2 * DAY)],
            (instance_id(1), "running"),
            (instance_id(2), "terminated"),
        ),
    ),
    Case(
        "a terminated instance's caller",
        NOT_ENOUGH,
        "rare_caller",
        listed(
            [
                quiet(days=30),
                quiet("b", 2, days=20, end=NOW - 8 * DAY).called([NOW - 9 * DAY], "v1", "job"),
            ],
            (instance_id(1), "running"),
            (instance_id(2), "terminated"),
        ),
    ),
    Case(
        "a fleet of short lives",
        SAFE,
        "",
        listed(
            short_lives(),
            *((instance_id(n + 1), "running" if n >= 40 else "terminated") for n in range(41)),
        ),
    ),
    Case(
        "a fleet of short lives, one call",
        NOT_ENOUGH,
        "rare_caller",
        listed(
            short_lives(is_v1_at=1),
            *((instance_id(n + 1), "running" if n >= 40 else "terminated") for n in range(41)),
        ),
    ),
]


@pytest.mark.usefixtures("shared_instance")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_log(case: Case, tmp_path: Path) -> None:
    """The exit code is right, and the reason is the one that matters."""
    more = case.write(tmp_path)
    logs = tmp_path / "logs" if (tmp_path / "logs").is_dir() else tmp_path
    done = CliRunner().invoke(
        report,
        [
            "--verdict",
            "--format",
            "json",
            "--no-steps",
            "--until",
            NOW.isoformat(),
            *more,
            str(logs),
        ],
    )
    found = json.loads(done.stdout)["verdict"]
    assert done.exit_code == case.code, found["reasons"]
    if case.reason:
        assert case.reason in [reason["code"] for reason in found["reasons"]]
