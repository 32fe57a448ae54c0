"""Names the events of the log: each is one kind of line, with its levels and its meaning."""

from __future__ import annotations

from typing import NamedTuple

REQUEST = "imds_request"
STARTED = "analyzer_started"
STOPPED = "analyzer_stopped"
HEARTBEAT = "heartbeat"
LOST = "events_lost"
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
    """What a line of this event says, and the levels that it may have."""

    meaning: str
    levels: tuple[str, ...]


# In the order of docs/log-format.md.
EVENTS: dict[str, Event] = {
    REQUEST: Event(
        "A program called the metadata service. One line per request, or per second of a caller"
        " that repeats itself (`imds.repeated`).",
        (INFO, WARNING),
    ),
    STARTED: Event("The analyzer watches from now on, or `replay` begins.", (INFO,)),
    STOPPED: Event("The analyzer ends. The counts are totals since its start.", (INFO,)),
    HEARTBEAT: Event(
        "The analyzer runs. The counts are of the interval since the last heartbeat.", (INFO,)
    ),
    LOST: Event("Events were dropped. Requests may be missing from the log.", (WARNING,)),
    RELOADED: Event("The analyzer read its configuration again and applied it.", (INFO,)),
    REJECTED: Event("The analyzer refused a changed configuration; nothing changed.", (ERROR,)),
    CAPTURE_READ: Event("`replay` read a capture file.", (INFO, WARNING)),
    PACKET_FILE: Event("The state of the file of `--write-pcap` changed.", (INFO, WARNING, ERROR)),
    METRICS: Event("Counts in CloudWatch's embedded metric format (`[metrics] emf`).", (INFO,)),
    METRICS_FAILED: Event("A metrics output fails. It is retried.", (WARNING,)),
    METRICS_RESTORED: Event("A metrics output works again.", (INFO,)),
    LOG_ROTATED: Event("The log was renamed, and continues in a new file.", (INFO, WARNING)),
    LOG_NOT_ROTATED: Event("The log cannot be renamed. It continues and grows.", (WARNING,)),
    LOG_DELETED: Event("An old log file was deleted.", (INFO,)),
    LOG_NOT_DELETED: Event("An old log file cannot be deleted. It is retried.", (WARNING,)),
    LOG_COMPRESSION_FAILED: Event(
        "An old log file cannot be compressed. It is retried.", (WARNING,)
    ),
    LOG_NOT_SYNCED: Event(
        "The kernel reports that it could not write the log to disk.", (WARNING,)
    ),
    LOG_REOPENED: Event("The log was moved or deleted, and was opened again.", (INFO, WARNING)),
    LOG_RESUMED: Event("The log can be written again after a pause.", (WARNING,)),
    LOG_REPAIRED: Event("A crash had left half a line; it was cut off.", (WARNING,)),
}
