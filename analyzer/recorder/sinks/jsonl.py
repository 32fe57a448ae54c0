"""Writes one JSON object per line, in the field names of the Elastic Common Schema."""

from __future__ import annotations

import contextlib
import logging
import time
from typing import Callable

import structlog

from analyzer import __version__
from analyzer.config.settings import Config
from analyzer.config.settings import LogSettings as Settings
from analyzer.host.identity import boot_id, host_name, instance_id
from analyzer.logline.events import REQUEST
from analyzer.recorder.records import Record
from analyzer.recorder.sinks import level
from analyzer.recorder.sinks.bounds import (
    NOTE_BYTES,
    shorten_any,
    shorten_caller,
    shorten_event,
    shorten_request,
    size_of,
)
from analyzer.recorder.sinks.caller_text import CallerTexts, caller_fields, with_thread
from analyzer.recorder.sinks.destination import is_same_place, open_writer, set_limits
from analyzer.recorder.sinks.encoding import members, present
from analyzer.recorder.sinks.log import Counters, LineLog
from analyzer.recorder.sinks.processors import event_processors
from analyzer.recorder.sinks.request_text import endpoints_text, request_fields, request_text
from analyzer.text import timestamp

# A caller that is cut is kept ready as well: for as many sizes of what stands beside it.
CUT_STEP_BYTES = 512
LINE_BYTES = Settings().line_bytes


class JsonlSink:
    """Writes records and the analyzer's own events; made by :func:`open_log`."""

    def __init__(
        self,
        log: LineLog,
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
        self._now_ns = now_ns
        self._log = log
        self._tell_host_name = host_name
        self._host_name = host_name()
        self._boot_id = boot_id
        self._instance_id = instance_id
        self._probe = ""
        self._callers = CallerTexts()
        self._last_text = b""
        self.set_probe("")
        self._logger: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
            log,
            processors=event_processors(now_ns, self._event_line),
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
        # Not through structlog: it would take a tenth of the time that a request may.
        self._log.append(self._record_line(record))

    def event(self, name: str, level: str, /, **fields: object) -> None:
        """Write one line about the analyzer itself; fields that are None or "" are left out.

        ``level`` is ``info``, ``warning`` or ``error``. Raises SinkError as :meth:`write` does.
        """
        getattr(self._logger, level)(name, **fields)

    def tell(self, name: str, level: str, /, **fields: object) -> None:
        """Write one line whose texts are masked already. Raises SinkError as :meth:`write` does."""
        event = {"timestamp": timestamp(self._now_ns()), "level": level, "event": name}
        self._log.append(self._event_line(self._log, level, {**event, **present(fields)}))

    @property
    def counters(self) -> Counters:
        """Counts of lines that were not written since the start."""
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
        """Open the log that new settings name; returns what applies them.

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
        """Apply the limits of these settings; the place stays."""
        self._line_bytes = settings.line_bytes
        set_limits(self._log.writer, settings)

    def flush(self) -> None:
        """Pass on to the file what was written. Raises SinkError where it takes no more."""
        self._log.flush()

    def close(self) -> None:
        """Flush and close. Raises SinkError as :meth:`flush` does."""
        self._log.close()

    def _event_line(self, _log: LineLog, _method: str, event: structlog.typing.EventDict) -> bytes:
        """Render an event as a line within the bound: the last of its processors."""
        fields = dict(event)
        first = _head(fields.pop("timestamp"), fields.pop("level"), fields.pop("event"))
        line = b"".join((first, members(fields), self._last_text))
        if len(line) < self._line_bytes:
            return line
        room = self._line_bytes - len(first) - len(self._last_text) - NOTE_BYTES
        shorten_event(fields, room)
        return b"".join((first, members(fields), self._last_text))

    def _record_line(self, record: Record) -> bytes:
        # None of the three has anything in it that JSON escapes.
        first = _head(timestamp(record.at_ns), level(record.verdict), REQUEST)
        ends, last = endpoints_text(record.connection), self._last_text
        request, caller = request_text(record), self._callers.of(record)
        line = b"".join((first, request, ends, with_thread(record, caller.text), last))
        if len(line) < self._line_bytes:
            return line
        room = self._line_bytes - 1 - (len(line) - len(caller.text)) - NOTE_BYTES
        caller = self._callers.of(record, max(0, room // CUT_STEP_BYTES * CUT_STEP_BYTES))
        text, names = caller.text, list(caller.cut)
        excess = len(text) - room
        if excess > 0:
            fields = request_fields(record)
            names += shorten_request(fields, size_of(fields) - excess)
            shorter = members(present(fields))
            excess -= len(request) - len(shorter)
            request = shorter
        if excess > 0:  # names of processes and units, and executables, of thousands of bytes
            fields = caller_fields(record)
            if fields:
                shorten_caller(fields, 0)
                names += shorten_any(fields, len(text) - excess)
                text = members(fields)
        note = members({"log": {"truncated": list(dict.fromkeys(names))}})
        return b"".join((first, request, ends, with_thread(record, text), note, last))


def _head(at: str, level: str, name: str) -> bytes:
    return f'{{"timestamp":"{at}","level":"{level}","event":"{name}",'.encode()


def open_log(settings: Settings) -> JsonlSink:
    """Open the log that the settings name. Raises SinkError where it cannot be written."""
    log = LineLog(open_writer(settings))
    return JsonlSink(log, host_name, boot_id(), instance_id(), line_bytes=settings.line_bytes)
