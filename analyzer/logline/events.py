"""Names the events of the log: each is one kind of line, with its levels and its meaning."""

from __future__ import annotations

from typing import NamedTuple

REQUEST = "imds_request"
STARTED = "analyzer_started"
STOPPED = "analyzer_stopped"
HEARTBEAT = "heartbeat"
LOST = "events_lost"
EVIDENCE = "caller_evidence"
RELOADED = "configuration_reloaded"
REJECTED = "configuration_rejected"
CAPTURE_READ = "capture_read"
PACKET_FILE = "packet_file"
METRICS = "metrics"
METRICS_FAILED = "metrics_failed"
METRICS_RESTORED = "metrics_restored"
LOG_ROTATED = "log_rotated"
LOG_NOT_ROTATED = "log_not_rotated"
LOG_DELETED = "log_deleted"
LOG_NOT_DELETED = "log_not_deleted"
LOG_COMPRESSION_FAILED = "log_compression_failed"
LOG_NOT_SYNCED = "log_not_synced"
LOG_REOPENED = "log_reopened"
LOG_RESUMED = "log_resumed"
LOG_REPAIRED = "log_repaired"

INFO, WARNING, ERROR = "info", "warning", "error"


class Event(NamedTuple):
    """The meaning of an event's line, and the levels that it may have."""

    meaning: str
    levels: tuple[str, ...]


# In the order of docs/log-format.md.
EVENTS: dict[str, Event] = {
    REQUEST: Event(
        "A program called the metadata service. Each request has one line. A folded line stands for"
        " several requests (`imds.repeated`).",
        (INFO, WARNING),
    ),
    EVIDENCE: Event(
        "The code of a caller that used IMDSv1 of AWS: its libraries, packages and script lines."
        " Each caller key has one such line for each executable. `imds.caller.key` joins them to"
        " requests.",
        (INFO,),
    ),
    STARTED: Event("The analyzer begins to record, or `replay` begins.", (INFO,)),
    STOPPED: Event("The analyzer stops. The counts are totals since its start.", (INFO,)),
    HEARTBEAT: Event("The analyzer runs. The counts are those since the last heartbeat.", (INFO,)),
    LOST: Event("The kernel or the analyzer dropped events. Requests may be missing.", (WARNING,)),
    RELOADED: Event("The analyzer read its configuration again and applied it.", (INFO,)),
    REJECTED: Event(
        "The analyzer refused a changed configuration, and keeps the old one.", (ERROR,)
    ),
    CAPTURE_READ: Event("`replay` read a capture file.", (INFO, WARNING)),
    PACKET_FILE: Event(
        "The file of `--write-pcap` is full, failed, resumed or was closed.", (INFO, WARNING, ERROR)
    ),
    METRICS: Event("Counts in CloudWatch's embedded metric format (`[metrics] emf`).", (INFO,)),
    METRICS_FAILED: Event("A metrics output fails. The analyzer retries it.", (WARNING,)),
    METRICS_RESTORED: Event("A metrics output works again.", (INFO,)),
    LOG_ROTATED: Event("The analyzer rotated the log.", (INFO, WARNING)),
    LOG_NOT_ROTATED: Event("The analyzer cannot rotate the log. The file grows.", (WARNING,)),
    LOG_DELETED: Event("The analyzer deleted a rotated file.", (INFO,)),
    LOG_NOT_DELETED: Event("The analyzer cannot delete a rotated file. It retries.", (WARNING,)),
    LOG_COMPRESSION_FAILED: Event(
        "The analyzer cannot compress a rotated file. It retries.", (WARNING,)
    ),
    LOG_NOT_SYNCED: Event("The kernel could not write the log to the disk.", (WARNING,)),
    LOG_REOPENED: Event("The analyzer reopened the log.", (INFO, WARNING)),
    LOG_RESUMED: Event("The analyzer can write to the log again.", (WARNING,)),
    LOG_REPAIRED: Event("The analyzer repaired the end of the log after a crash.", (WARNING,)),
}
