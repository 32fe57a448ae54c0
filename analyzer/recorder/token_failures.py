"""Remembers which processes' token requests failed, and marks their tokenless calls after it.

No I/O.
"""

from __future__ import annotations

from typing import NamedTuple, Optional, Union

from analyzer.imds import AWS
from analyzer.lru import Lru
from analyzer.recorder.records import NO_RESPONSE, Outcome, Record, Response, Version

# An SDK that falls back makes its tokenless call as soon as it has given up the token, which is
# after a second, or after what its user has set, and repeats it while it starts up.
FALLBACK_WINDOW_S = 60.0
# A token request that has waited this long at the time of a tokenless call was given up by its
# process: IMDS answers within milliseconds, and the most impatient agent waits 0.3 s. One that
# was sent just before is somebody else's in the same process, such as a second SDK.
GIVEN_UP_S = 0.2
# Processes whose token request failed that recently.
MAX_FAILURES = 4096

FALLBACK = "fallback_after_token_failure"

_S = 1_000_000_000

# Of a caller that is not known, its address and user agent: behind one address are several
# programs, and one that asks with a token must not pass for having fallen back because another
# asks without.
ProcessId = Union[tuple[int, int], tuple[str, str]]


class _Failure(NamedTuple):
    boottime_ns: int
    response: Response


class TokenFailures:
    """Knows by process the token requests that wait for an answer, and the latest that failed."""

    def __init__(self) -> None:
        self._failures: Lru[ProcessId, _Failure] = Lru(MAX_FAILURES)
        # When each token request that waits was sent, by process, oldest first.
        self._unanswered: dict[ProcessId, list[int]] = {}

    def wait_for(self, record: Record, boottime_ns: int) -> None:
        """Take a token request whose answer is awaited."""
        process_id = _maybe_process_id(record)
        if process_id is not None:
            self._unanswered.setdefault(process_id, []).append(boottime_ns)

    def take_answer(self, record: Record, boottime_ns: int, response: Optional[Response]) -> None:
        """Take how a token request ended; None where that is not known."""
        process_id = self.forget(record, boottime_ns)
        if process_id is None or response is None:
            return
        if response.outcome is Outcome.SUCCESS:
            self._failures.pop(process_id, None)
            return
        self._failures.put(process_id, _Failure(boottime_ns, response))

    def forget(self, record: Record, boottime_ns: int) -> Optional[ProcessId]:
        """Wait for this token request no longer; returns whose it was, if that is known."""
        process_id = _maybe_process_id(record)
        if process_id is not None:
            unanswered = self._unanswered[process_id]
            unanswered.remove(boottime_ns)
            if not unanswered:
                del self._unanswered[process_id]
        return process_id

    def mark(self, record: Record, boottime_ns: int) -> Record:
        """Mark a tokenless call of a process whose token request has failed."""
        if not (self._failures or self._unanswered):
            return record
        if record.verdict.version is not Version.V1 or record.verdict.provider != AWS:
            return record
        process_id = _maybe_process_id(record)
        if process_id is None:
            return record
        failure = self._failures.get(process_id)
        oldest_ns, *_ = self._unanswered.get(process_id) or (boottime_ns,)
        if failure is not None and boottime_ns - failure.boottime_ns <= FALLBACK_WINDOW_S * _S:
            response = failure.response
        elif boottime_ns - oldest_ns >= GIVEN_UP_S * _S:
            # The process waits no longer, after a time-out of its own.
            response = NO_RESPONSE
        else:
            return record
        return record._replace(
            verdict=record.verdict._replace(reason=FALLBACK), token_failure=response
        )


def is_token_request(record: Record) -> bool:
    """Tell whether a request asks AWS for a token."""
    verdict = record.verdict
    return verdict.reason == "token_request" and verdict.provider == AWS


def _maybe_process_id(record: Record) -> Optional[ProcessId]:
    """Return what tells the calls of one process; None where nothing does."""
    process = record.caller.process
    if process is not None:
        return process.pid, process.start_boottime_ns
    user_agent = record.request.user_agent
    return None if user_agent is None else (record.connection.source_ip, user_agent)
