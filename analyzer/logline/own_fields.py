"""Declares the fields of the lines about the analyzer itself, and which fields an event has.

See fields.py. A field has one type in all events, because databases want it so.
"""

from __future__ import annotations

from typing import Annotated, TypedDict

from analyzer.logline import events
from analyzer.logline import output_fields as output
from analyzer.logline.envelope import File
from analyzer.logline.facts import (
    COUNT,
    COUNTED,
    SECONDS,
    TEXT,
    TIME,
    Fact,
    items,
    matching,
    one_of,
)
from analyzer.logline.fields import Request

FROM_REPLAY = "from `replay`"
LOSSES = (
    *("ring_buffer_full", "answers_ring_buffer_full", "senders_ring_buffer_full"),
    *("senders_torn", "probe_busy", "answers_probe_busy", "packet_ring_full"),
    *("connections_evicted", "log_not_written"),
)
SETTING = matching("(capture|log|metrics)\\.[a-z_]+")
_PLAIN = {"type": ["string", "number", "boolean"]}
SECTION = {"additionalProperties": _PLAIN, "propertyNames": {"pattern": "^[a-z_]+$"}}
NAMES = items(matching("[A-Za-z0-9_]+"))


class Boot(TypedDict, total=False):
    """The host's start."""

    time: Annotated[str, Fact("When the kernel started.", rule=TIME)]


class Attached(TypedDict, total=False):
    """From when on calls are seen."""

    since_boot_s: Annotated[float, Fact("Seconds from boot.", rule=SECONDS)]
    since_start_s: Annotated[float, Fact("Seconds from the analyzer's own start.", rule=SECONDS)]


class Kernel(TypedDict, total=False):
    """The running kernel."""

    release: Annotated[str, Fact("As `uname -r`.", rule=TEXT)]
    machine: Annotated[str, Fact("As `uname -m`.", rule=TEXT)]


class Witnesses(TypedDict, total=False):
    """By what calls and packets are watched."""

    call: Annotated[str, Fact("The probe that sees calls.", "with `--source packet`", TEXT)]
    wire: Annotated[str, Fact("What sees packets.", "if they are not watched", TEXT)]
    wire_lacks: Annotated[str, Fact("Why packets are not watched.", "if they are", TEXT)]
    wire_remedy: Annotated[str, Fact("How to have them watched.", "if they are", TEXT)]
    meaning: Annotated[str, Fact("What follows for the log.", "if they are", TEXT)]


class Tried(TypedDict, total=False):
    """A probe that does not work here."""

    probe: Annotated[str, Fact("The probe.", rule=TEXT)]
    lacks: Annotated[str, Fact("What is missing.")]
    remedy: Annotated[str, Fact("How to get it.")]


class Configuration(TypedDict, total=False):
    """The settings, as in the configuration file; those that are "" are left out."""

    capture: Annotated[dict[str, object], Fact("Section `[capture]`.", rule=SECTION)]
    log: Annotated[dict[str, object], Fact("Section `[log]`.", FROM_REPLAY, SECTION)]
    metrics: Annotated[dict[str, object], Fact("Section `[metrics]`.", FROM_REPLAY, SECTION)]


class Started(TypedDict, total=False):
    """The start."""

    boot: Annotated[Boot, Fact("The host's start.", FROM_REPLAY)]
    attached: Annotated[Attached, Fact("From when on calls are seen.", FROM_REPLAY)]
    kernel: Annotated[Kernel, Fact("The running kernel.", FROM_REPLAY)]
    library: Annotated[str, Fact("The library that loads the probe.", FROM_REPLAY, TEXT)]
    witnesses: Annotated[Witnesses, Fact("By what calls and packets are watched.", FROM_REPLAY)]
    python: Annotated[str, Fact("Version of Python.", FROM_REPLAY, TEXT)]
    tried: Annotated[list[Tried], Fact("Better probes that do not work here.", FROM_REPLAY)]
    configuration: Annotated[Configuration, Fact("The settings.")]
    capabilities: Annotated[
        list[str], Fact("Capabilities that the analyzer keeps.", FROM_REPLAY, NAMES)
    ]
    refused_system_calls: Annotated[
        list[str], Fact("System calls that it can no longer make.", FROM_REPLAY, NAMES)
    ]


class Requests(TypedDict, total=False):
    """Counts by version."""

    v1: Annotated[int, Fact("IMDSv1.", rule=COUNT)]
    v2: Annotated[int, Fact("IMDSv2.", rule=COUNT)]
    unknown: Annotated[int, Fact("Neither can be told.", rule=COUNT)]


class NotWritten(TypedDict, total=False):
    """Dropped lines by version."""

    event: Annotated[int, Fact("Lines that are no requests.", "in totals, and if none", COUNT)]
    unknown: Annotated[int, Fact("Requests of unknown version.", "if none", COUNT)]
    v1: Annotated[int, Fact("IMDSv1.", "if none", COUNT)]
    v2: Annotated[int, Fact("IMDSv2.", "if none", COUNT)]


class Counts(TypedDict, total=False):
    """What was counted."""

    requests: Annotated[Requests, Fact("Requests.")]
    lost: Annotated[int, Fact("Events that may be requests and were dropped.", rule=COUNT)]
    not_written: Annotated[NotWritten, Fact("Requests that the log did not take.")]
    queue_high_water: Annotated[int, Fact("The most events that waited at once.", rule=COUNT)]


class Usage(TypedDict, total=False):
    """What the analyzer itself used."""

    cpu_s: Annotated[float, Fact("Seconds of CPU time.", rule=SECONDS)]
    rss_bytes: Annotated[int, Fact("Resident memory.", rule=COUNT)]


class _Interval(TypedDict, total=False):
    interval_s: Annotated[float, Fact("Seconds that it counts.", rule=SECONDS)]


class Heartbeat(_Interval, Counts, Usage, total=False):
    """An interval."""


class _Uptime(TypedDict, total=False):
    uptime_s: Annotated[float, Fact("Seconds since the start.", rule=SECONDS)]


class Stopped(_Uptime, Counts, Usage, total=False):
    """All of a run."""


class Lost(TypedDict, total=False):
    """A loss."""

    count: Annotated[int, Fact("Events that were dropped.", rule=COUNTED)]
    since: Annotated[str, Fact("When the loss began at the earliest.", rule=TIME)]
    reason: Annotated[str, Fact("Why; see below.", rule=one_of(*LOSSES))]
    not_written: Annotated[NotWritten, Fact("They by version.", "if the log is not the reason")]


class OfFile(TypedDict, total=False):
    """What a file belongs to."""

    file: Annotated[File, Fact("The file.")]


class Rejected(TypedDict, total=False):
    """A configuration that was refused."""

    config: Annotated[OfFile, Fact("The configuration file.")]
    reason: Annotated[str, Fact("What is wrong with it.", rule=TEXT)]


class Reloaded(TypedDict, total=False):
    """A configuration that was applied."""

    config: Annotated[OfFile, Fact("The configuration file.")]
    changed: Annotated[list[str], Fact("Settings that were applied.", rule=items(SETTING))]
    needs_restart: Annotated[
        list[str], Fact("Changed settings that only a restart applies.", rule=items(SETTING))
    ]


# What stands between a line's head and its tail.
FIELDS_OF: dict[str, type] = {
    events.REQUEST: Request,
    events.STARTED: Started,
    events.STOPPED: Stopped,
    events.HEARTBEAT: Heartbeat,
    events.LOST: Lost,
    events.RELOADED: Reloaded,
    events.REJECTED: Rejected,
    events.CAPTURE_READ: output.CaptureRead,
    events.PACKET_FILE: output.PacketFile,
    events.METRICS: output.Metrics,
    events.METRICS_FAILED: output.MetricsFailed,
    events.METRICS_RESTORED: output.MetricsRestored,
    events.LOG_ROTATED: output.LogRotated,
    events.LOG_NOT_ROTATED: output.LogFailed,
    events.LOG_DELETED: output.LogDeleted,
    events.LOG_NOT_DELETED: output.LogFailed,
    events.LOG_COMPRESSION_FAILED: output.LogFailed,
    events.LOG_NOT_SYNCED: output.LogFailed,
    events.LOG_REOPENED: output.LogReopened,
    events.LOG_RESUMED: output.LogResumed,
    events.LOG_REPAIRED: output.LogRepaired,
}
