"""The log: one JSON object per line, in the field names of the Elastic Common Schema."""

from __future__ import annotations

import contextlib
import functools
import logging
import socket
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Callable, NamedTuple, Optional

import structlog

from analyzer import __version__
from analyzer.config.settings import Config
from analyzer.config.settings import Log as Settings
from analyzer.host.identity import boot_id, instance_id
from analyzer.logline.caller import Identity
from analyzer.recorder.masking import mask_text
from analyzer.recorder.records import (
    Attribution,
    Caller,
    Connection,
    Process,
    Record,
    Repeated,
    Request,
    Response,
    User,
    Verdict,
)
from analyzer.recorder.sinks import level
from analyzer.recorder.sinks.bounds import (
    NOTE_BYTES,
    shorten_any,
    shorten_caller,
    shorten_event,
    shorten_request,
    size_of,
)
from analyzer.recorder.sinks.destination import is_same_place, open_writer, set_limits
from analyzer.recorder.sinks.encoding import members, present
from analyzer.recorder.sinks.log import Counters, Log
from analyzer.text import timestamp

# Characters kept of what a client may choose freely. Real paths and user agents are below 300;
# decode bounds a header block, this bounds a line.
PATH_MAX = 2048
QUERY_MAX = 2048
USER_AGENT_MAX = 1024
METHOD_MAX = 64
# Callers whose part of the line is kept ready; a busy host has some dozens. About 2 KB each, but
# sixteen ancestors with long arguments make 400, so the bytes are bounded too.
CALLERS_MAX = 512
CALLERS_BYTES_MAX = 4 << 20
# A caller that is cut is kept ready as well: for as many sizes of what stands beside it.
CUT_STEP_BYTES = 512
# A time of start that moves by less is the wall clock's drift, or its slewing, against the
# kernel's; one process must not seem to have started twice. By more, the clock was set.
CLOCK_SET_NS = 1_000_000_000

LINE_BYTES = Settings().line_bytes


class _Rendered(NamedTuple):
    """A caller's part of the line. Holds the caller, so that its id() stays its own."""

    caller: Caller
    start_at_ns: int
    text: bytes
    cut: tuple[str, ...]


# The caller's id(), and the room that its part was cut to; None for all of it.
_CallerKey = tuple[int, Optional[int]]


class JsonlSink:
    """Writes records and the analyzer's own events; made by :func:`open_log`."""

    def __init__(
        self,
        log: Log,
        host_name: Callable[[], str],
        boot_id: str,
        instance_id: str = "",
        now_ns: Callable[[], int] = time.time_ns,
        line_bytes: int = LINE_BYTES,
    ) -> None:
        """``now_ns`` is what the lines about the analyzer itself are stamped with.

        No line has more than ``line_bytes``, with its end.
        """
        self._line_bytes = line_bytes
        self._log = log
        self._now_ns = now_ns
        self._tell_host_name = host_name
        self._host_name = host_name()
        self._boot_id = boot_id
        self._instance_id = instance_id
        self._probe = ""
        self._callers: OrderedDict[_CallerKey, _Rendered] = OrderedDict()
        self._callers_bytes = 0
        self._last_text = b""
        self.set_probe("")
        self._logger: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
            log,
            processors=[self._line],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            context_class=dict,
        ).bind()

    def set_probe(self, probe: str) -> None:
        """Say what captures, such as ``core/fentry``; it stands in every line from now on."""
        self._probe = probe
        observer = {"probe": probe, "version": __version__}
        host = {"name": self._host_name, "boot_id": self._boot_id}
        cloud = {"instance": {"id": self._instance_id}}
        last = {"cloud": cloud, "host": host, "observer": observer}
        self._last_text = members(present(last))[:-1] + b"}"

    def write(self, record: Record) -> None:
        """Write one request. Raises SinkError where the log takes no more."""
        # Not by way of structlog, which would take a tenth of the time that a request may.
        self._log.append(self._record_line(record))

    def event(self, name: str, level: str, /, **fields: object) -> None:
        """Write one line about the analyzer itself; fields that are None or "" are left out.

        ``level`` is ``info``, ``warning`` or ``error``. Raises SinkError as :meth:`write` does.
        """
        getattr(self._logger, level)(name, fields=fields)

    @property
    def counters(self) -> Counters:
        """What became of the lines since the start."""
        return self._log.counters

    def tick(self) -> None:
        """Look after the log, about once a second, and write what there is to say about it.

        Raises SinkError as :meth:`write` does.
        """
        host_name = self._tell_host_name()
        if host_name != self._host_name:  # cloud-init gives a host its name after our start
            self._host_name = host_name
            self.set_probe(self._probe)
        self._log.tick()
        for notice in self._log.notices():
            self.event(notice.event, notice.level, **notice.fields)

    def reopen(self) -> None:
        """Go on in a new file because the present one was moved. Raises SinkError."""
        self._log.reopen()

    def prepare(
        self, present: Config, new: Config, undo: contextlib.ExitStack
    ) -> Callable[[], None]:
        """Open the log that new settings name; returns what puts them into force.

        ``undo`` takes its closing, in case that does not come to pass. Raises SinkError where
        it cannot be written; then nothing has changed.
        """
        if is_same_place(present.log, new.log):
            return lambda: self.set_limits(new.log)
        writer = open_writer(new.log)
        undo.callback(writer.close)

        def commit() -> None:
            self._line_bytes = new.log.line_bytes
            self._log.replace(writer)

        return commit

    def set_limits(self, settings: Settings) -> None:
        """Put the limits of these settings into force; the place stays."""
        self._line_bytes = settings.line_bytes
        set_limits(self._log.writer, settings)

    def flush(self) -> None:
        """Pass on to the file what was written. Raises SinkError where it takes no more."""
        self._log.flush()

    def close(self) -> None:
        """Flush and close. Raises SinkError as :meth:`flush` does."""
        self._log.close()

    def _line(self, _log: Log, level: str, event: structlog.typing.EventDict) -> bytes:
        """Lay out and serialize (the last of structlog's processors, and the only one)."""
        first = _head(self._now_ns(), level, event["event"])
        # Error texts quote what was found: a setting, a file's name, an answer.
        kept = _masked(present(event["fields"]))
        line = b"".join((first, members(kept), self._last_text))
        if len(line) < self._line_bytes:
            return line
        room = self._line_bytes - len(first) - len(self._last_text) - NOTE_BYTES
        shorten_event(kept, room)
        return b"".join((first, members(kept), self._last_text))

    def _record_line(self, record: Record) -> bytes:
        # None of the three has anything in it that JSON escapes.
        first = _head(record.at_ns, level(record.verdict), "imds_request")
        ends, last = _endpoints_text(record.connection), self._last_text
        request, caller = _request_text(record), self._caller(record)
        line = b"".join((first, request, ends, _with_thread(record, caller.text), last))
        if len(line) < self._line_bytes:
            return line
        room = self._line_bytes - 1 - (len(line) - len(caller.text)) - NOTE_BYTES
        caller = self._caller(record, max(0, room // CUT_STEP_BYTES * CUT_STEP_BYTES))
        text, names = caller.text, list(caller.cut)
        excess = len(text) - room
        if excess > 0:
            fields = _request_fields(record)
            names += shorten_request(fields, size_of(fields) - excess)
            shorter = members(present(fields))
            excess -= len(request) - len(shorter)
            request = shorter
        if excess > 0:  # names of processes and units, and executables, of thousands of bytes
            fields = _caller_fields(record)
            if fields:
                shorten_caller(fields, 0)
                names += shorten_any(fields, len(text) - excess)
                text = members(fields)
        note = members({"log": {"truncated": list(dict.fromkeys(names))}})
        return b"".join((first, request, ends, _with_thread(record, text), note, last))

    def _caller(self, record: Record, room: Optional[int] = None) -> _Rendered:
        """Return ``"process":{...},...,`` without the thread, in at most ``room`` bytes."""
        caller = record.caller
        key = (id(caller), room)
        known = self._callers.get(key)
        if known and abs(known.start_at_ns - record.process_start_at_ns) > CLOCK_SET_NS:
            self._callers_bytes -= len(self._callers.pop(key).text)
            known = None
        if known is not None:
            self._callers.move_to_end(key)
            return known
        fields = _caller_fields(record)
        cut = [] if room is None else shorten_caller(fields, room)
        known = _Rendered(caller, record.process_start_at_ns, members(fields), tuple(cut))
        self._callers[key] = known
        self._callers_bytes += len(known.text)
        while len(self._callers) > CALLERS_MAX or self._callers_bytes > CALLERS_BYTES_MAX:
            _, dropped = self._callers.popitem(last=False)
            self._callers_bytes -= len(dropped.text)
        return known


def _head(at_ns: int, level: str, name: str) -> bytes:
    return f'{{"timestamp":"{timestamp(at_ns)}","level":"{level}","event":"{name}",'.encode()


_PROCESS = b'"process":{'


def _with_thread(record: Record, text: bytes) -> bytes:
    """Put the thread, which alone changes from call to call, into a caller's part."""
    process = record.caller.process
    if process is None or record.tid == process.pid:
        return text
    return b'%b"thread":{"id":%d},%b' % (_PROCESS, record.tid, text[len(_PROCESS) :])


def open_log(settings: Settings) -> JsonlSink:
    """Open the log that the settings name. Raises SinkError where it cannot be written."""
    log = Log(open_writer(settings))
    return JsonlSink(
        log, socket.gethostname, boot_id(), instance_id(), line_bytes=settings.line_bytes
    )


# Most callers repeat a few requests; what is kept of one holds no secret, and about 2 KiB. Longer
# ones than any client's are written anew each time, so that nobody can fill memory with them.
REQUESTS_MAX = 1024
TARGET_KEPT_MAX = 512


def _request_text(record: Record) -> bytes:
    """Return ``"imds":{...},...,``: the request, and in ``imds.caller`` who made it."""
    _, _, _, _, request, verdict, caller, response, token_failure, hop_limit, repeated = record
    if repeated is not None or len(request.target or "") > TARGET_KEPT_MAX:
        return members(_request_fields(record))
    imds, others = _usual_text(
        request, verdict, response, token_failure, caller.attribution, hop_limit
    )
    identity = caller.identity
    return imds + (b"" if identity is None else _identity_text(identity)) + others


@functools.lru_cache(maxsize=CALLERS_MAX)
def _identity_text(identity: Identity) -> bytes:
    return b"," + members({"caller": _identity_fields(identity)})[:-1]


@functools.lru_cache(maxsize=REQUESTS_MAX)
def _usual_text(
    request: Request,
    verdict: Verdict,
    response: Optional[Response],
    token_failure: Optional[Response],
    attribution: Attribution,
    hop_limit: Optional[int],
) -> tuple[bytes, bytes]:
    """Return all that does not depend on who asked, and when: ``"imds":{...`` and the rest."""
    fields = _fields_of(request, verdict, response, token_failure, attribution, hop_limit)
    imds = members({"imds": fields.pop("imds")})
    return imds[: -len("},")], b"}," + members(fields)


def _request_fields(record: Record) -> dict[str, Any]:
    return _fields_of(
        record.request,
        record.verdict,
        record.response,
        record.token_failure,
        record.caller.attribution,
        record.hop_limit,
        record.repeated,
        record.caller.identity,
    )


def _fields_of(
    request: Request,
    verdict: Verdict,
    response: Optional[Response],
    token_failure: Optional[Response],
    attribution: Attribution,
    hop_limit: Optional[int],
    repeated: Optional[Repeated] = None,
    identity: Optional[Identity] = None,
) -> dict[str, Any]:
    imds: dict[str, Any] = {
        "version": verdict.version.value,
        "operation": verdict.operation,
        "reason": verdict.reason,
        "provider": verdict.provider,
    }
    if response is not None:
        imds["outcome"] = response.outcome.value
    if hop_limit is not None:
        imds["hop_limit"] = hop_limit
    if repeated is not None:
        imds["repeated"] = [
            {"version": version, "operation": operation, "outcome": outcome, "count": calls}
            for version, operation, outcome, calls in repeated.counts
        ]
        imds["repeated_since"] = timestamp(repeated.since_at_ns)
        if repeated.is_of_several:
            imds["repeated_by_others"] = True
    if token_failure is not None:
        imds["token_request"] = present(
            {"outcome": token_failure.outcome.value, "status_code": token_failure.status}
        )
    if request.forwarded:
        imds["forwarded"] = True
    if attribution is not Attribution.CALL:
        imds["attribution"] = attribution.value
    if identity is not None:
        imds["caller"] = _identity_fields(identity)
    # An absolute-form target keeps its scheme and host in the path: it is what was sent.
    path, _, query = (request.target or "").partition("?")
    fields = {
        "imds": imds,
        "http": {
            "request": {"method": (request.method or "")[:METHOD_MAX]},
            "response": {"status_code": response.status if response is not None else None},
        },
        "url": {"path": path[:PATH_MAX], "query": query[:QUERY_MAX]},
        "user_agent": {"original": (request.user_agent or "")[:USER_AGENT_MAX]},
    }
    return present(fields)


def _identity_fields(identity: Identity) -> dict[str, Any]:
    return present(identity._asdict())


def _endpoints_text(connection: Connection) -> bytes:
    """Return ``"source":{...},"destination":{...},``; before there is a connection no source."""
    _, _, source_ip, source_port, ip, port, is_forwarded = connection
    source = f'"source":{{"ip":"{source_ip}","port":{source_port}}},' if source_port else ""
    network = '"network":{"forwarded":true},' if is_forwarded else ""
    return f'{source}"destination":{{"ip":"{ip}","port":{port}}},{network}'.encode()


def _caller_fields(record: Record) -> dict[str, Any]:
    caller = record.caller
    known, container = caller.process, caller.container
    process: dict[str, Any] = {}
    if known is not None:
        process = {**_process_fields(known), **_executable_fields(known)}
        process["start"] = timestamp(record.process_start_at_ns)
        process["user"] = _user_fields(known.user)
        if caller.ancestors:
            process["ancestors"] = _further_fields(caller.ancestors)
        if caller.ancestors_truncated:
            process["ancestors_truncated"] = True
    if caller.others:
        process["others"] = _further_fields(caller.others)
    fields: dict[str, Any] = {"process": process} if process else {}
    if container is not None:
        fields["container"] = present({"id": container.id, "runtime": container.runtime})
    if caller.workload is not None:
        orchestrator, kind, workload_id = caller.workload
        fields["orchestrator"] = {
            "type": orchestrator,
            "resource": {"type": kind, "id": workload_id},
        }
    if caller.service:
        fields["service"] = {"name": caller.service}
    return fields


def _further_fields(processes: tuple[Process, ...]) -> list[dict[str, Any]]:
    """Return processes in brief; where a path could not be had, the file's numbers stand for it."""
    return [
        {
            **_process_fields(each),
            **({} if each.executable else _file_fields(each)),
            # Of units and containers only the caller's are shown.
            **({"unverified": ["executable"]} if "executable" in each.unverified else {}),
            "user": _user_fields(each.user),
        }
        for each in processes
    ]


def _process_fields(process: Process) -> dict[str, Any]:
    fields: dict[str, Any] = {"pid": process.pid}
    if process.name:
        fields["name"] = process.name
    if process.executable:
        fields["executable"] = process.executable
    if process.args:
        fields["args"] = process.args
    if process.args_truncated:
        fields["args_truncated"] = True
    return fields


def _executable_fields(process: Process) -> dict[str, Any]:
    """Return what the kernel told of the executable at the call."""
    fields = _file_fields(process)
    if process.mount_namespace:
        fields["mount_namespace"] = process.mount_namespace
    if process.unverified:
        fields["unverified"] = list(process.unverified)
    return fields


def _file_fields(process: Process) -> dict[str, Any]:
    """Return which file the kernel knows as the executable; its device as /proc writes it."""
    if not process.executable_inode:
        return {}
    device = process.executable_device
    return {
        "executable_inode": process.executable_inode,
        "executable_device": f"{device >> 20}:{device & 0xFFFFF}",
    }


def _user_fields(user: User) -> dict[str, str]:
    return {"id": str(user.id), "name": user.name} if user.name else {"id": str(user.id)}


def _masked(value: Any) -> Any:  # noqa: ANN401 (what JSON holds)
    """Return a value with the secrets in all its texts masked."""
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, Mapping):
        return {key: _masked(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_masked(each) for each in value]
    return value
