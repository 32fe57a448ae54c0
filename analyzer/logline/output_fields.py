"""Declares the fields of the lines about what the analyzer reads and writes: files and metrics.

See own_fields.py.
"""

from __future__ import annotations

from typing import Annotated, TypedDict

from analyzer.logline.envelope import File
from analyzer.logline.facts import COUNT, COUNTED, NOT_EMPTY, SECONDS, TEXT, TIME, Fact, one_of


class CaptureRead(TypedDict, total=False):
    """A capture file."""

    file: Annotated[File, Fact("The capture file; its path is `-` for standard input.")]
    packets: Annotated[int, Fact("Packets in it.", rule=COUNT)]
    interval_s: Annotated[
        float, Fact("Seconds from its first packet to its last: what it covers.", rule=SECONDS)
    ]
    packets_without_time: Annotated[int, Fact("Packets without a timestamp.", "if none", COUNTED)]
    reason: Annotated[str, Fact("Reason why the end was not read.", "if it was read", TEXT)]


class PacketFile(TypedDict, total=False):
    """The file that packets are written to."""

    lacks: Annotated[str, Fact("The new state.", "at the end", TEXT)]
    file: Annotated[File, Fact("The file.", "at the end")]
    packets_written: Annotated[int, Fact("Packets in the file.", rule=COUNT)]
    packets_not_written: Annotated[int, Fact("Packets that were not written.", rule=COUNT)]


class MetricUnit(TypedDict, total=False):
    """A metric of CloudWatch's."""

    Name: Annotated[str, Fact("Name of the member that holds the value.", rule=TEXT)]
    Unit: Annotated[str, Fact("Unit of the value.", rule=one_of("Count", "Seconds", "Bytes"))]


class Directive(TypedDict, total=False):
    """The instruction to CloudWatch."""

    Namespace: Annotated[str, Fact("CloudWatch namespace.", rule=one_of("ImdsAnalyzer"))]
    Dimensions: Annotated[list[list[str]], Fact("Sets of members that are dimensions.")]
    Metrics: Annotated[list[MetricUnit], Fact("Members that are metrics.", rule=NOT_EMPTY)]


class EmbeddedMetrics(TypedDict, total=False):
    """CloudWatch's embedded metric format."""

    Timestamp: Annotated[int, Fact("Milliseconds since the Unix epoch.", rule=COUNT)]
    CloudWatchMetrics: Annotated[list[Directive], Fact("EMF metric directives.", rule=NOT_EMPTY)]


_PER_VERSION = "from the analyzer's own line"
_PER_ANALYZER = "from the line of a version"


class Metrics(TypedDict, total=False):
    """Counts of a version, of a version and a process, or of the analyzer."""

    _aws: Annotated[EmbeddedMetrics, Fact("What CloudWatch makes metrics of.")]
    ImdsVersion: Annotated[
        str, Fact("IMDS version.", _PER_VERSION, rule=one_of("v1", "v2", "unknown"))
    ]
    ProcessName: Annotated[
        str, Fact("Program name.", f"{_PER_VERSION}, and if no program used the version", TEXT)
    ]
    Requests: Annotated[int, Fact("Number of requests.", _PER_VERSION, COUNT)]
    EventsLost: Annotated[int, Fact("As `lost`.", _PER_ANALYZER, COUNT)]
    QueueHighWater: Annotated[int, Fact("As `queue_high_water`.", _PER_ANALYZER, COUNT)]
    LogErrors: Annotated[int, Fact("Failed writes to the log.", _PER_ANALYZER, COUNT)]
    LogLinesNotWritten: Annotated[int, Fact("Dropped log lines.", _PER_ANALYZER, COUNT)]
    CpuTime: Annotated[float, Fact("As `cpu_s`.", _PER_ANALYZER, SECONDS)]
    ResidentMemory: Annotated[int, Fact("As `rss_bytes`.", _PER_ANALYZER, COUNT)]


class _Output(TypedDict, total=False):
    output: Annotated[
        str, Fact("The metrics output.", rule=one_of("prometheus", "textfile", "emf"))
    ]


class MetricsFailed(_Output, total=False):
    """A failure."""

    reason: Annotated[str, Fact("Reason of the failure.", rule=TEXT)]


class MetricsRestored(_Output, total=False):
    """The end of a failure."""


class LogRotated(TypedDict, total=False):
    """A renamed log."""

    size_bytes: Annotated[int, Fact("Size of the file.", rule=COUNT)]
    warning: Annotated[str, Fact("A problem with the new file.", "if none", TEXT)]


class LogDeleted(TypedDict, total=False):
    """A deleted file. Its requests can no longer be counted."""

    size_bytes: Annotated[int, Fact("Size of the file.", rule=COUNT)]
    reason: Annotated[
        str,
        Fact(
            "`total_mib`: the files reached that size. `not_compressed`: compression fails, and"
            " all files reached twice that size.",
            rule=one_of("total_mib", "not_compressed"),
        ),
    ]
    since: Annotated[str, Fact("Time of its first line.", "if unreadable", TIME)]
    until: Annotated[str, Fact("Time of its last line.", "if unreadable", TIME)]


class LogFailed(TypedDict, total=False):
    """A failure with a file."""

    reason: Annotated[str, Fact("Reason of the failure.", rule=TEXT)]


class LogReopened(TypedDict, total=False):
    """A log that was opened again."""

    reason: Annotated[
        str,
        Fact(
            "The file was `deleted` or `moved`, or SIGUSR1 came (`signal`).",
            rule=one_of("deleted", "moved", "signal"),
        ),
    ]
    lost_bytes: Annotated[int, Fact("Bytes of lost lines.", "if none", COUNTED)]
    lost_reason: Annotated[str, Fact("Reason of the loss.", "if none", TEXT)]


class LogResumed(TypedDict, total=False):
    """The end of a pause."""

    reason: Annotated[str, Fact("Reason of the pause.", rule=TEXT)]
    since: Annotated[str, Fact("Start of the pause.", rule=TIME)]
    paused_s: Annotated[float, Fact("Length of the pause in seconds.", rule=SECONDS)]


class LogRepaired(TypedDict, total=False):
    """The remains of a crash."""

    torn_bytes: Annotated[int, Fact("Bytes of an unfinished line, removed.", "if none", COUNTED)]
    torn_text: Annotated[str, Fact("Beginning of that line.", "if empty", TEXT)]
    zero_bytes: Annotated[int, Fact("Zero bytes, removed.", "if none", COUNTED)]
