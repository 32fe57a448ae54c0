"""Has new callers looked at, and writes ``caller_evidence``. Not loaded before there is one."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from analyzer.config.settings import NAMES, Config
from analyzer.host.time_namespace import offset_ns
from analyzer.logline.events import EVIDENCE
from analyzer.lru import Lru
from analyzer.recorder.callers import Caller
from analyzer.recorder.evidence.jobs import Job, identity_of, job_of
from analyzer.recorder.evidence.queue import Queue
from analyzer.recorder.evidence.worker import Worker
from analyzer.recorder.origins import OriginId
from analyzer.recorder.records import Record
from analyzer.recorder.sinks.bounds import size_of
from analyzer.recorder.sinks.caller_text import caller_fields
from analyzer.recorder.sinks.request_text import caller_name

if TYPE_CHECKING:
    from analyzer.logline import evidence_fields as line
    from analyzer.recorder.evidence.listener import Note, Tell

# Callers of which it is known, by the object itself, that they need no look: the attributor gives
# the same one out for each call of a process.
_SEEN_MAX = 512
# Of ``code`` in bytes: a line has other fields, some KiB with long paths. A socket's message has
# room for the most that a line may have.
CODE_SHARE = 0.75
CODE_BYTES_MAX = 64 << 10
# At the end, for looks that are under way.
STOP_S = 0.5
# Of the process's fields in a request's line, those that say which file it is.
_OF_PROCESS = (
    *("pid", "name", "executable", "executable_inode", "executable_device"),
    *("mount_namespace", "start", "user"),
)


class Looks:
    """Holds the callers that were looked at, those that wait, and the worker."""

    def __init__(self, settings: Config, tell: Tell, note: Note) -> None:
        """``tell`` writes a line whose texts are masked already."""
        self._tell = tell
        self._note = note
        self._offset_ns = offset_ns()
        self._queue: Queue[tuple[Record, Job]] = Queue(settings.log.total_bytes)
        self._worker: Worker[Record] = Worker()
        self._seen: Lru[int, Caller] = Lru(_SEEN_MAX)
        self.set(settings)

    def request(self, record: Record) -> None:
        """Have a caller looked at if it is a new one."""
        caller = record.caller
        if self._seen.get(id(caller)) is caller:
            return
        job = job_of(record, self._offset_ns, with_text=self._with_text, room=self._room)
        if job is None:
            return
        identity = identity_of(record, job)
        if self._queue.is_new(identity):
            realm = _realm(record)
            if not self._queue.add(identity, realm, (record, job), time.monotonic_ns()):
                return
            self._ask()
        self._seen.put(id(caller), caller)

    def advance(self) -> None:
        """Write what was found, and have further callers looked at."""
        self._queue.refill()
        self._write(self._worker.answers())
        self._ask()

    def finish(self) -> None:
        """Wait shortly for the looks that are under way, and count the others as skipped."""
        self._worker.wait(STOP_S)
        self._write(self._worker.answers())
        self._queue.skipped += len(self._worker.stop())
        self._queue.drop()
        self._tell_skipped()

    def close(self) -> None:
        """End the worker."""
        self._worker.stop()

    def set(self, settings: Config) -> None:
        """Apply settings of lines."""
        self._with_text = settings.log.arguments != NAMES
        self._room = min(int(settings.log.line_bytes * CODE_SHARE), CODE_BYTES_MAX)

    def _ask(self) -> None:
        item = self._queue.next()
        while item is not None:
            record, job = item
            self._worker.ask(record, job)
            item = self._queue.next()

    def _write(self, answers: list[tuple[Record, dict[str, object]]]) -> None:
        for record, code in answers:
            fields = evidence_fields(record, code)
            self._tell(EVIDENCE, "info", **fields)
            self._queue.charge(_realm(record), size_of(fields), time.monotonic_ns())
        if answers:
            self._note(len(answers), 0)
        self._tell_skipped()

    def _tell_skipped(self) -> None:
        skipped = self._queue.take_skipped()
        if skipped:
            self._note(0, skipped)


def _realm(record: Record) -> OriginId:
    """Return whom a line counts for: a realm, or a user where nothing tells realms apart."""
    process = record.caller.process
    return record.caller.realm or (0 if process is None else process.user.id)


def evidence_fields(record: Record, code: Mapping[str, object]) -> line.CallerEvidence:
    """Return the fields of a caller's line; ``code`` is what the worker found."""
    known = caller_fields(record)
    process = {name: known["process"][name] for name in _OF_PROCESS if name in known["process"]}
    fields = {**known, "process": process}
    if code:
        fields["code"] = code
    identity = record.caller.identity
    named = {} if identity is None else {"imds": {"caller": caller_name(identity)}}
    return {**named, **fields}  # type: ignore[typeddict-item] # caller_fields has plain types
