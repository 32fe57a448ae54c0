"""Declares the fields of the lines about the analyzer itself, and which fields an event has.

See fields.py. A field has one type in all events, because databases want it so.
"""

from __future__ import annotations

from typing import Annotated, TypedDict

from analyzer.logline import events
from analyzer.logline import output_fields as output
from analyzer.logline.envelope import File
from analyzer.logline.evidence_fields import CallerEvidence
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
# Each with what it means; docs/log-format.md has them in one cell.
LOSSES = {
    "ring_buffer_full": "the ring buffer had no room for sends",
    "answers_ring_buffer_full": "it had no room for answers",
    "senders_ring_buffer_full": "it had no room for callers",
    "senders_torn": "the analyzer could not read a caller",
    "probe_busy": "the kernel skipped the probe at TCP sends, not only at those to IMDS",
    "answers_probe_busy": "the same at receives",
    "packet_ring_full": "the packet ring was full",
    "fragment": "the packet was an IP fragment",
    "cut_headers": "the capture has only a part of the headers",
    "malformed": "the lengths in the packet contradict each other",
    "unknown_link": "the link layer of the packet is unknown",
    "connections_evicted": "the table of open connections was full",
    "log_not_written": "the log's destination was full or slow",
}
_LOSSES_MEANING = "; ".join(f"`{reason}`: {meaning}" for reason, meaning in LOSSES.items()) + "."
SETTING = matching("(capture|log|metrics|evidence|kubernetes)\\.[a-z_]+")
_PLAIN = {"type": ["string", "number", "boolean", "array"], "items": {"type": "string"}}
SECTION = {"additionalProperties": _PLAIN, "propertyNames": {"pattern": "^[a-z_]+$"}}
NAMES = items(matching("[A-Za-z0-9_]+"))


class Boot(TypedDict, total=False):
    """The host's start."""

    time: Annotated[str, Fact("Boot time of the kernel.", rule=TIME)]


class Attached(TypedDict, total=False):
    """The time from which calls are seen."""

    since_boot_s: Annotated[float, Fact("Seconds from boot to attaching.", rule=SECONDS)]
    since_start_s: Annotated[
        float, Fact("Seconds from the start of the process to attaching.", rule=SECONDS)
    ]


class Kernel(TypedDict, total=False):
    """The running kernel."""

    release: Annotated[str, Fact("As `uname -r`.", rule=TEXT)]
    machine: Annotated[str, Fact("As `uname -m`.", rule=TEXT)]


class Witnesses(TypedDict, total=False):
    """The probes that watch calls and packets."""

    call: Annotated[str, Fact("The probe that records calls.", "with `--source packet`", TEXT)]
    wire: Annotated[str, Fact("The probe that records packets.", "if there is none", TEXT)]
    wire_lacks: Annotated[str, Fact("Reason why `wire` is missing.", "with `wire`", TEXT)]
    wire_remedy: Annotated[str, Fact("Fix for that reason.", "with `wire`", TEXT)]
    meaning: Annotated[str, Fact("Consequence for the log.", "with `wire`", TEXT)]


class Tried(TypedDict, total=False):
    """A probe that does not work here."""

    probe: Annotated[str, Fact("The probe.", rule=TEXT)]
    lacks: Annotated[str, Fact("Reason why it does not work.")]
    remedy: Annotated[str, Fact("Fix for that reason.")]


class Missing(TypedDict, total=False):
    """A resource that the analyzer's container lacks."""

    lacks: Annotated[str, Fact("What is missing, and the consequence.", rule=TEXT)]
    remedy: Annotated[str, Fact("The line to add.", rule=TEXT)]


class Sandbox(TypedDict, total=False):
    """The analyzer's own container."""

    runtime: Annotated[str, Fact("Its runtime or orchestrator.", rule=TEXT)]
    lacks: Annotated[list[Missing], Fact("What it lacks to see and name all callers.")]


class Configuration(TypedDict, total=False):
    """The settings, as in the configuration file; those that are "" are left out."""

    capture: Annotated[dict[str, object], Fact("Section `[capture]`.", rule=SECTION)]
    log: Annotated[dict[str, object], Fact("Section `[log]`.", FROM_REPLAY, SECTION)]
    metrics: Annotated[dict[str, object], Fact("Section `[metrics]`.", FROM_REPLAY, SECTION)]
    evidence: Annotated[dict[str, object], Fact("Section `[evidence]`.", FROM_REPLAY, SECTION)]
    kubernetes: Annotated[dict[str, object], Fact("Section `[kubernetes]`.", FROM_REPLAY, SECTION)]


class Started(TypedDict, total=False):
    """The start."""

    boot: Annotated[Boot, Fact("The host's start.", FROM_REPLAY)]
    attached: Annotated[Attached, Fact("From when on calls are seen.", FROM_REPLAY)]
    kernel: Annotated[Kernel, Fact("The running kernel.", FROM_REPLAY)]
    library: Annotated[str, Fact("The library that loads the probe.", FROM_REPLAY, TEXT)]
    witnesses: Annotated[Witnesses, Fact("By what calls and packets are watched.", FROM_REPLAY)]
    python: Annotated[str, Fact("Python version.", FROM_REPLAY, TEXT)]
    tried: Annotated[list[Tried], Fact("Better probes that do not work here.", FROM_REPLAY)]
    sandbox: Annotated[Sandbox, Fact("The analyzer's own container.", "outside of one")]
    configuration: Annotated[Configuration, Fact("The settings.")]
    capabilities: Annotated[
        list[str], Fact("Capabilities that the analyzer keeps.", FROM_REPLAY, NAMES)
    ]
    refused_system_calls: Annotated[
        list[str], Fact("System calls that the seccomp filter refuses.", FROM_REPLAY, NAMES)
    ]


class Requests(TypedDict, total=False):
    """Counts by version."""

    v1: Annotated[int, Fact("IMDSv1 requests.", rule=COUNT)]
    v2: Annotated[int, Fact("IMDSv2 requests.", rule=COUNT)]
    unknown: Annotated[int, Fact("Requests of unknown version.", rule=COUNT)]


class NotWritten(TypedDict, total=False):
    """Dropped lines by version."""

    event: Annotated[int, Fact("Dropped lines of other events.", "from totals, and if none", COUNT)]
    unknown: Annotated[int, Fact("Dropped requests of unknown version.", "if none", COUNT)]
    v1: Annotated[int, Fact("Dropped IMDSv1 requests.", "if none", COUNT)]
    v2: Annotated[int, Fact("Dropped IMDSv2 requests.", "if none", COUNT)]


class Counts(TypedDict, total=False):
    """The counts."""

    requests: Annotated[Requests, Fact("Requests.")]
    lost: Annotated[int, Fact("Dropped events that may be requests.", rule=COUNT)]
    not_written: Annotated[NotWritten, Fact("Requests that the log did not take.")]
    queue_high_water: Annotated[int, Fact("Highest number of waiting events.", rule=COUNT)]
    evidence_skipped: Annotated[
        int,
        Fact("Callers without a `caller_evidence` line: too many waited.", "if none", COUNTED),
    ]


class Usage(TypedDict, total=False):
    """The resources that the analyzer used."""

    cpu_s: Annotated[float, Fact("CPU time in seconds.", rule=SECONDS)]
    rss_bytes: Annotated[int, Fact("Resident memory in bytes.", rule=COUNT)]


class _Interval(TypedDict, total=False):
    interval_s: Annotated[float, Fact("Length of the interval in seconds.", rule=SECONDS)]


class Heartbeat(_Interval, Counts, Usage, total=False):
    """An interval."""


class _Uptime(TypedDict, total=False):
    uptime_s: Annotated[float, Fact("Seconds since the start.", rule=SECONDS)]


class Stopped(_Uptime, Counts, Usage, total=False):
    """The counts of a whole run."""


class Lost(TypedDict, total=False):
    """A loss."""

    count: Annotated[int, Fact("Number of dropped events.", rule=COUNTED)]
    since: Annotated[str, Fact("Earliest time of the loss.", rule=TIME)]
    reason: Annotated[str, Fact(_LOSSES_MEANING, rule=one_of(*LOSSES))]
    not_written: Annotated[
        NotWritten,
        Fact("Dropped lines by version.", "with any other reason than `log_not_written`"),
    ]


class OfFile(TypedDict, total=False):
    """The file of the event."""

    file: Annotated[File, Fact("The file.")]


class Rejected(TypedDict, total=False):
    """A configuration that was refused."""

    config: Annotated[OfFile, Fact("The configuration file.")]
    reason: Annotated[str, Fact("The error in the file.", rule=TEXT)]


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
    events.EVIDENCE: CallerEvidence,
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
