"""Writes the log of a host from what happened there: runs of the analyzer, calls and losses.

Heartbeats count the calls of their interval, as the recorder's do, so that a log is consistent
until a test takes a line away.
"""

from __future__ import annotations

import datetime
import json
import uuid
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Optional

UTC = datetime.timezone.utc
DAY = datetime.timedelta(days=1)
HOUR = datetime.timedelta(hours=1)
MINUTE = datetime.timedelta(minutes=1)
SECOND = datetime.timedelta(seconds=1)
VERSIONS = ("v1", "v2", "unknown")

Line = dict[str, Any]


@dataclass
class Run:
    """One run of the analyzer. ``attached_s`` is when the probe was attached, after the boot."""

    boot: str
    booted_at: datetime.datetime
    start: datetime.datetime
    end: datetime.datetime
    attached_s: float
    is_stopped: bool = False
    tells_boot: bool = True


@dataclass
class Call:
    """Calls of one caller at one time."""

    at: datetime.datetime
    version: str
    key: str
    kind: str = "program"
    unit: Optional[str] = None
    outcome: Optional[str] = "success"
    provider: str = "aws"
    operation: str = "metadata"
    reason: Optional[str] = None


@dataclass
class History:
    """What happened on one host."""

    name: str
    instance: Optional[str] = None
    probe: str = "core/fentry"
    runs: list[Run] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    others: list[tuple[datetime.datetime, Line]] = field(default_factory=list)

    def watched(
        self,
        start: datetime.datetime,
        end: datetime.datetime,
        *,
        booted: Optional[datetime.datetime] = None,
        is_stopped: bool = False,
        tells_boot: bool = True,
        boot: Optional[str] = None,
    ) -> History:
        """Add a run of the analyzer; without ``booted`` the host had been up for 90 days."""
        booted_at = booted if booted is not None else start - 90 * DAY
        self.runs.append(
            Run(
                boot or str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{self.name} {booted_at}")),
                booted_at,
                start,
                end,
                (start - booted_at).total_seconds(),
                is_stopped,
                tells_boot,
            )
        )
        return self

    def called(
        self, times: Sequence[datetime.datetime], version: str, key: str, **more: Any
    ) -> History:
        """Add calls."""
        self.calls += [Call(at, version, key, **more) for at in times]
        return self

    def said(self, at: datetime.datetime, event: str, **fields: Any) -> History:
        """Add a line of another event."""
        self.others.append((at, {"level": "warning", "event": event, **fields}))
        return self

    def lines(self) -> list[Line]:
        """Return the lines in the order of their times."""
        found = [*self._own(), *(self._call(each) for each in self.calls)]
        found += [self._line(at, **fields) for at, fields in self.others]
        return sorted(found, key=lambda line: str(line["timestamp"]))

    def write(self, path: Path, is_kept: Callable[[Line], bool] = lambda _line: True) -> None:
        """Write the log, without the lines that are not to be kept."""
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = [json.dumps(line) + "\n" for line in self.lines() if is_kept(line)]
        path.write_text("".join(kept), encoding="utf-8")

    def _own(self) -> Iterator[Line]:
        times = {
            version: sorted(call.at for call in self.calls if call.version == version)
            for version in VERSIONS
        }

        def counts(start: datetime.datetime, end: datetime.datetime) -> dict[str, int]:
            return {
                version: bisect_left(own, end) - bisect_left(own, start)
                for version, own in times.items()
            }

        for run in self.runs:
            boot = {"boot": {"time": _text(run.booted_at)}} if run.tells_boot else {}
            attached = {"since_boot_s": run.attached_s, "since_start_s": 0.4}
            more = {"attached": attached} if run.tells_boot else {}
            yield self._line(
                run.start, level="info", event="analyzer_started", library="libbpf 1.5", **boot,
                **more,
            )  # fmt: skip
            at = run.start
            while at + HOUR <= run.end:
                at += HOUR
                yield self._line(
                    at, level="info", event="heartbeat", interval_s=3600.0,
                    requests=counts(at - HOUR, at), lost=0, not_written=_none(),
                    queue_high_water=1, cpu_s=1.0, rss_bytes=31_000_000,
                )  # fmt: skip
            if run.is_stopped:
                yield self._line(
                    run.end, level="info", event="analyzer_stopped",
                    uptime_s=(run.end - run.start).total_seconds(),
                    requests=counts(run.start, run.end), lost=0, not_written=_none(),
                )  # fmt: skip

    def _call(self, call: Call) -> Line:
        reasons = {"v1": "no_token_header", "v2": "token_header", "unknown": "truncated"}
        imds = {
            "version": call.version,
            "operation": call.operation,
            "reason": call.reason or reasons[call.version],
            "provider": call.provider,
            **({"outcome": call.outcome} if call.outcome else {}),
            "caller": {"program": call.key, "kind": call.kind, "key": call.key},
        }
        return self._line(
            call.at,
            level="info" if call.version == "v2" else "warning",
            event="imds_request",
            imds=imds,
            http={"request": {"method": "GET"}},
            url={"path": "/latest/meta-data/instance-id"},
            source={"ip": "10.0.0.5", "port": 40000},
            destination={"ip": "169.254.169.254", "port": 80},
            process={
                "pid": 1234,
                "name": call.key[:15],
                "executable": f"/usr/bin/{call.key}",
                "args": [call.key],
                "start": _text(call.at - SECOND),
                "user": {"id": "0", "name": "root"},
                "ancestors": [],
            },
            **({"service": {"name": call.unit}} if call.unit else {}),
        )

    def _line(self, at: datetime.datetime, **fields: Any) -> Line:
        boot = next(
            (run.boot for run in self.runs if run.start <= at <= run.end), self.runs[0].boot
        )
        return {
            "timestamp": _text(at),
            **fields,
            "host": {"name": self.name, "boot_id": boot},
            **({"cloud": {"instance": {"id": self.instance}}} if self.instance else {}),
            "observer": {"probe": self.probe, "version": "0.2.0"},
        }


def every(
    length: datetime.timedelta, start: datetime.datetime, end: datetime.datetime
) -> list[datetime.datetime]:
    """Return times from ``start`` to before ``end``."""
    times = []
    while start < end:
        times.append(start)
        start += length
    return times


def instance_id(number: int) -> str:
    """Return an instance id."""
    return f"i-{number:017x}"


def _none() -> dict[str, int]:
    return dict.fromkeys(VERSIONS, 0)


def _text(at: datetime.datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
