"""The log: one JSON object per line, in the field names of the Elastic Common Schema."""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import re
import socket
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Callable, NamedTuple, Optional

import structlog

from analyzer import __version__
from analyzer.config import Config
from analyzer.config import Log as Settings
from analyzer.masking import mask_text
from analyzer.records import (
    Attribution,
    Caller,
    Connection,
    Process,
    Record,
    Request,
    Response,
    User,
    Verdict,
)
from analyzer.sinks import level
from analyzer.sinks.log import Counters, Log
from analyzer.sinks.machine import boot_id, instance_id
from analyzer.sinks.opening import is_same_place, open_writer, set_limits
from analyzer.text import timestamp

# Characters kept of what a client may choose freely. Real paths and user agents are below 300;
# decode bounds a header block, this bounds a line.
PATH_MAX = 2048
QUERY_MAX = 2048
USER_AGENT_MAX = 1024
METHOD_MAX = 64
# Callers whose part of the line is kept ready; a busy host has some dozens. About 2 KB each, but
# sixteen ancestors with long arguments make 70, so their length is bounded too.
CALLERS_MAX = 512
CALLERS_CHARACTERS_MAX = 4 << 20
# A time of start that moves by less is the wall clock's drift, or its slewing, against the
# kernel's; one process must not seem to have started twice. By more, the clock was set.
CLOCK_SET_NS = 1_000_000_000

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode
# Valid in JSON, but: C1 controls act on terminals, some readers end lines at U+0085, U+2028
# and U+2029, and a lone surrogate cannot be written as UTF-8.
_SURROGATES = range(0xD800, 0xE000)
_STAND_INS = range(0xDC80, 0xDD00)  # Python's, for bytes 0x80 to 0xff that are not UTF-8
_UNSAFE = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class _Rendered(NamedTuple):
    """A caller's part of the line. Holds the caller, so that its id() stays its own."""

    caller: Caller
    start_at_ns: int
    text: str


class JsonlSink:
    """Writes records and the analyzer's own events; made by :func:`open_log`."""

    def __init__(
        self,
        log: Log,
        host_name: Callable[[], str],
        boot_id: str,
        instance_id: str = "",
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """``now_ns`` is what the lines about the analyzer itself are stamped with."""
        self._log = log
        self._now_ns = now_ns
        self._tell_host_name = host_name
        self._host_name = host_name()
        self._boot_id = boot_id
        self._instance_id = instance_id
        self._probe = ""
        self._callers: OrderedDict[int, _Rendered] = OrderedDict()
        self._callers_characters = 0
        self._last_text = ""
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
        self._last_text = _encode(_present(last))[1:]

    def write(self, record: Record) -> None:
        """Write one request. Raises SinkError where the log takes no more."""
        if level(record.verdict) == "warning":
            self._logger.warning("imds_request", record=record)
        else:
            self._logger.info("imds_request", record=record)

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
        return lambda: self._log.replace(writer)

    def set_limits(self, settings: Settings) -> None:
        """Put the limits of these settings into force; the place stays."""
        set_limits(self._log.writer, settings)

    def flush(self) -> None:
        """Pass on to the file what was written. Raises SinkError where it takes no more."""
        self._log.flush()

    def close(self) -> None:
        """Flush and close. Raises SinkError as :meth:`flush` does."""
        self._log.close()

    def _line(self, _log: Log, level: str, event: structlog.typing.EventDict) -> bytes:
        """Lay out and serialize (the last of structlog's processors, and the only one)."""
        record: Optional[Record] = event.get("record")
        if record is None:
            line = self._event_text(level, event["event"], event["fields"])
        else:
            line = self._record_text(level, event["event"], record)
        if not line.isascii() or "\x7f" in line:
            line = _UNSAFE.sub(_escape, line)
        return line.encode()

    def _event_text(self, level: str, name: str, fields: Mapping[str, object]) -> str:
        first = {"timestamp": timestamp(self._now_ns()), "level": level, "event": name}
        # Error texts quote what was found: a setting, a file's name, an answer.
        return f"{_encode({**first, **_masked(_present(fields))})[:-1]},{self._last_text}"

    def _record_text(self, level: str, name: str, record: Record) -> str:
        at_ns, _, connection, _, request, verdict, caller, response, token_failure = record
        # None of the first three has anything in it that JSON escapes.
        return (
            f'{{"timestamp":"{timestamp(at_ns)}","level":"{level}","event":"{name}",'
            f"{_request_text(request, verdict, response, token_failure, caller.attribution)}"
            f"{_endpoints_text(connection)}{self._caller_text(record)}{self._last_text}"
        )

    def _caller_text(self, record: Record) -> str:
        """Return ``"process":{...},...,`` with the thread, which alone changes, put in."""
        caller = record.caller
        if caller.process is None:
            return ""
        known = self._callers.get(id(caller))
        if known and abs(known.start_at_ns - record.process_start_at_ns) > CLOCK_SET_NS:
            self._callers_characters -= len(self._callers.pop(id(caller)).text)
            known = None
        if known is None:
            text = _encode(_caller_fields(record, caller.process))[1:-1] + ","
            known = _Rendered(caller, record.process_start_at_ns, text)
            self._callers[id(caller)] = known
            self._callers_characters += len(known.text)
            while (
                len(self._callers) > CALLERS_MAX
                or self._callers_characters > CALLERS_CHARACTERS_MAX
            ):
                _, dropped = self._callers.popitem(last=False)
                self._callers_characters -= len(dropped.text)
        else:
            self._callers.move_to_end(id(caller))
        if record.tid == caller.process.pid:
            return known.text
        opening = '"process":{'
        return f'{opening}"thread":{{"id":{record.tid}}},{known.text[len(opening) :]}'


def open_log(settings: Settings) -> JsonlSink:
    """Open the log that the settings name. Raises SinkError where it cannot be written."""
    return JsonlSink(Log(open_writer(settings)), socket.gethostname, boot_id(), instance_id())


# Most callers repeat a few requests; what is kept of one holds no secret, and about 2 KiB.
REQUESTS_MAX = 1024


@functools.lru_cache(maxsize=REQUESTS_MAX)
def _request_text(
    request: Request,
    verdict: Verdict,
    response: Optional[Response],
    token_failure: Optional[Response],
    attribution: Attribution,
) -> str:
    """Return ``"imds":{...},...,``: all that does not depend on who asked, and when."""
    imds: dict[str, Any] = {
        "version": verdict.version.value,
        "operation": verdict.operation,
        "reason": verdict.reason,
        "provider": verdict.provider,
    }
    if response is not None:
        imds["outcome"] = response.outcome.value
    if token_failure is not None:
        imds["token_request"] = _present(
            {"outcome": token_failure.outcome.value, "status_code": token_failure.status}
        )
    if request.forwarded:
        imds["forwarded"] = True
    if attribution is not Attribution.CALL:
        imds["attribution"] = attribution.value
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
    return _encode(_present(fields))[1:-1] + ","


def _endpoints_text(connection: Connection) -> str:
    """Return ``"source":{...},"destination":{...},``; before there is a connection no source."""
    _, _, source_ip, source_port, ip, port, is_forwarded = connection
    source = f'"source":{{"ip":"{source_ip}","port":{source_port}}},' if source_port else ""
    network = '"network":{"forwarded":true},' if is_forwarded else ""
    return f'{source}"destination":{{"ip":"{ip}","port":{port}}},{network}'


def _caller_fields(record: Record, known: Process) -> dict[str, Any]:
    caller = record.caller
    container = caller.container
    process = _process_fields(known)
    process["start"] = timestamp(record.process_start_at_ns)
    process["user"] = _user_fields(known.user)
    if caller.ancestors:
        process["ancestors"] = [
            {**_process_fields(each), "user": _user_fields(each.user)} for each in caller.ancestors
        ]
    if caller.ancestors_truncated:
        process["ancestors_truncated"] = True
    fields: dict[str, Any] = {"process": process}
    if container is not None:
        fields["container"] = _present({"id": container.id, "runtime": container.runtime})
    if caller.workload is not None:
        orchestrator, kind, workload_id = caller.workload
        fields["orchestrator"] = {
            "type": orchestrator,
            "resource": {"type": kind, "id": workload_id},
        }
    if caller.service:
        fields["service"] = {"name": caller.service}
    return fields


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


def _user_fields(user: User) -> dict[str, str]:
    return {"id": str(user.id), "name": user.name} if user.name else {"id": str(user.id)}


def _present(fields: Mapping[str, object]) -> dict[str, Any]:
    """Leave out what is None or empty, at any depth of dictionaries."""
    kept: dict[str, Any] = {}
    for key, value in fields.items():
        plain = _present(value) if isinstance(value, dict) else value
        if plain is not None and plain not in ("", {}):
            kept[key] = plain
    return kept


def _masked(value: Any) -> Any:  # noqa: ANN401 (what JSON holds)
    """Return a value with the secrets in all its texts masked."""
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, Mapping):
        return {key: _masked(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_masked(each) for each in value]
    return value


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code in _STAND_INS:
        return rf"\\x{code - _STAND_INS.start + 0x80:02x}"  # as analyzer.text writes it
    # Half a surrogate pair becomes text: escaped, it would be half a pair to the reader again.
    return rf"\\u{code:04x}" if code in _SURROGATES else rf"\u{code:04x}"
