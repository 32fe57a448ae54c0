"""Makes lines of hosts for the tests of an engine, and asks DuckDB."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Optional

from analyzer.report.engine.duckdb import gather
from analyzer.report.engine.gathering import Options
from analyzer.report.findings import Findings
from analyzer.report.inputs import open_inputs

START = datetime.datetime(2026, 11, 1, tzinfo=datetime.timezone.utc)
MINUTE = datetime.timedelta(minutes=1)
HOUR = datetime.timedelta(hours=1)
DAY = datetime.timedelta(days=1)

Line = dict[str, Any]


def written(at: datetime.datetime) -> str:
    """Return a time as the log has it."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Boot:
    """Makes the lines of one boot of one host."""

    def __init__(self, name: str, boot: str, instance: Optional[str] = None) -> None:
        """Without an instance, its lines have no id of one."""
        self.name, self.boot, self.instance = name, boot, instance

    def event(self, at: datetime.datetime, event: str, **fields: Any) -> Line:
        """Return a line about the analyzer itself."""
        cloud = {"cloud": {"instance": {"id": self.instance}}} if self.instance else {}
        return {
            "timestamp": written(at),
            "event": event,
            **fields,
            "host": {"name": self.name, "boot_id": self.boot},
            **cloud,
            "observer": {"probe": "core/fentry"},
        }

    def started(
        self,
        at: datetime.datetime,
        booted: Optional[datetime.datetime] = None,
        attached_s: Optional[float] = None,
    ) -> Line:
        """Return the first line of a run."""
        fields: dict[str, Any] = {} if booted is None else {"boot": {"time": written(booted)}}
        if attached_s is not None:
            fields["attached"] = {"since_boot_s": attached_s}
        return self.event(at, "analyzer_started", **fields)

    def beat(self, at: datetime.datetime, interval_s: float = 3600, **counts: Any) -> Line:
        """Return a heartbeat; ``counts`` are the requests by version."""
        return self.event(at, "heartbeat", interval_s=interval_s, **_requests(counts))

    def stopped(self, at: datetime.datetime, uptime_s: float, **counts: Any) -> Line:
        """Return the last line of a run; ``counts`` are all of its requests by version."""
        return self.event(at, "analyzer_stopped", uptime_s=uptime_s, **_requests(counts))

    def call(
        self,
        at: datetime.datetime,
        version: str = "v1",
        key: str = "app",
        unit: str = "app.service",
        **imds: Any,
    ) -> Line:
        """Return a request's line."""
        who = {"program": key, "kind": "program", "key": key}
        asked = {"version": version, "operation": "metadata", "reason": "a", "provider": "aws"}
        return self.event(
            at,
            "imds_request",
            imds={**asked, "outcome": "success", "caller": who, **imds},
            process={"pid": 1, "name": key, "executable": f"/opt/{key}", "user": {"id": "0"}},
            service={"name": unit},
        )


def _requests(counts: dict[str, Any]) -> dict[str, Any]:
    lost = counts.pop("lost", 0)
    return {"requests": {"v1": 0, "v2": 0, "unknown": 0, **counts}, "lost": lost}


def on_hosts_of_their_own(logs: Iterable[Sequence[Line]]) -> list[Line]:
    """Return all lines of logs, those of each by a host of its own: ``name_of`` its number."""
    return [
        {
            **line,
            "host": {"name": f"app-{number}", "boot_id": f"b{number}"},
            "cloud": {"instance": {"id": name_of(number)}},
        }
        for number, lines in enumerate(logs)
        for line in lines
    ]


def name_of(number: int) -> str:
    """Return the id of a host by the number of its log."""
    return f"i-{number:017x}"


def found_in(directory: Path, lines: list[Line], **options: Any) -> Findings:
    """Return the findings of lines that have no damage."""
    file = directory / "imds.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with open_inputs([str(file)]) as files:
        found = gather(files, Options(**options))
    assert found.damaged == 0
    return found
