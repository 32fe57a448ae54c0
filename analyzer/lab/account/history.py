"""Writes the log of a watched instance: its days are generated, from request lines of one run.

A verdict needs a week, and the lab has a minute. So each line of the recorded run is repeated
twice a day with another date, host and instance id, between generated heartbeats. The last round
keeps its own times.
"""

from __future__ import annotations

import copy
import datetime
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from analyzer import __version__
from analyzer.lab.account.recording import Line
from analyzer.lab.account.story import HOUR, WATCHED, Calls, Machine
from analyzer.logline.events import HEARTBEAT, STARTED, STOPPED

_EVERY_H = 12
_BORN = datetime.timedelta(milliseconds=20)  # a program starts before it calls
_STEP = datetime.timedelta(milliseconds=50)
_USAGE = {"queue_high_water": 3, "cpu_s": 1.5, "rss_bytes": 31_000_000}
_OBSERVER = {"probe": "core/fentry", "version": __version__}
_NONE = {"v1": 0, "v2": 0, "unknown": 0}


class _Dated(NamedTuple):
    """A line at its time."""

    at: datetime.datetime
    fields: dict[str, Any]


def history(
    machine: Machine, instance: str, lines: Sequence[Line], now: datetime.datetime
) -> tuple[Line, ...]:
    """Return the lines of a machine's log, in order of time.

    ``lines`` are requests of one run that ended before ``now``.
    """
    chosen = [
        line for line in lines if machine.calls is Calls.ALL or line["imds"]["version"] == "v2"
    ]
    start = now - WATCHED
    end = now if machine.gone is None else now - machine.gone
    calls = list(_repeated(chosen, start, end))
    if machine.gone is None:
        calls += [_Dated(_time(line["timestamp"]), copy.deepcopy(dict(line))) for line in chosen]
    own = _own(calls, start, end, is_gone=machine.gone is not None)
    dated = sorted([*own, *calls], key=lambda line: line.at)
    # One host, one recorder: the lines of a log agree on what captured them.
    observer = chosen[0].get("observer", _OBSERVER) if chosen else _OBSERVER
    where = _Where(machine.name, instance, observer)
    return tuple(where.put_into(line.fields) for line in dated)


def counts(lines: Sequence[Line]) -> Mapping[datetime.datetime, int]:
    """Return what CloudWatch counts as MetadataNoToken of a log's calls, by the hour."""
    return Counter(
        _time(line["timestamp"]).replace(minute=0, second=0, microsecond=0)
        for line in lines
        if line.get("imds", {}).get("version") == "v1" and line["imds"]["outcome"] == "success"
    )


def write(lines: Sequence[Line], path: Path) -> None:
    """Write a log file."""
    texts = [json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in lines]
    path.write_text("".join(texts), encoding="utf-8")


class _Where:
    """Puts one host's identity into lines."""

    def __init__(self, name: str, instance: str, observer: Mapping[str, str]) -> None:
        digest = hashlib.sha256(instance.encode()).hexdigest()
        boot = f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}"
        self._host = {"name": name, "boot_id": boot}
        self._instance = instance
        self._observer = observer

    def put_into(self, fields: dict[str, Any]) -> Line:
        cloud = {**fields.get("cloud", {}), "instance": {"id": self._instance}}
        last = {"cloud": cloud, "host": self._host, "observer": self._observer}
        return {**{name: value for name, value in fields.items() if name not in last}, **last}


def _repeated(
    lines: Sequence[Line], start: datetime.datetime, end: datetime.datetime
) -> Iterator[_Dated]:
    """Yield the lines again every 12 hours, a moment apart."""
    at = start + HOUR / 2
    while at < end - HOUR:
        for number, line in enumerate(lines):
            called = at + number * _STEP
            fields = copy.deepcopy(dict(line))
            fields["timestamp"] = _text(called)
            if "start" in fields.get("process", {}):
                fields["process"]["start"] = _text(called - _BORN)
            yield _Dated(called, fields)
        at += _EVERY_H * HOUR


def _own(
    calls: Sequence[_Dated], start: datetime.datetime, end: datetime.datetime, *, is_gone: bool
) -> Iterator[_Dated]:
    """Yield the analyzer's own lines: its start with the host's, and a heartbeat each hour."""
    yield _Dated(start, {
        "timestamp": _text(start), "level": "info", "event": STARTED,
        "boot": {"time": _text(start - HOUR / 120)},
        "attached": {"since_boot_s": 12.5, "since_start_s": 0.5}, "library": "libbpf 1.5",
        "configuration": {"capture": {"wire": True}},
    })  # fmt: skip
    since = start
    while since < end:
        until = min(since + HOUR, end)
        requests = _requests(calls, since, until)
        yield _Dated(until, {
            "timestamp": _text(until), "level": "info", "event": HEARTBEAT,
            "interval_s": (until - since).total_seconds(), "requests": requests, "lost": 0,
            "not_written": _NONE, **_USAGE,
        })  # fmt: skip
        since = until
    if is_gone:
        yield _Dated(end, {
            "timestamp": _text(end), "level": "info", "event": STOPPED,
            "uptime_s": (end - start).total_seconds(), "requests": _requests(calls, start, end),
            "lost": 0, "not_written": _NONE, **_USAGE,
        })  # fmt: skip


def _requests(
    calls: Sequence[_Dated], since: datetime.datetime, until: datetime.datetime
) -> Mapping[str, int]:
    counted = Counter(call.fields["imds"]["version"] for call in calls if since < call.at <= until)
    return {**_NONE, **counted}


def _time(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def _text(at: datetime.datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
