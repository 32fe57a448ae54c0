"""Writes what was seen as packets for Wireshark, with secrets covered and callers named."""

from __future__ import annotations

from collections.abc import Sequence

from analyzer.logline.events import PACKET_FILE
from analyzer.recorder.callers import Caller, NamedProcess
from analyzer.recorder.listener import PacketListener, Say
from analyzer.recorder.packet_export.framing import Framing
from analyzer.recorder.packet_export.pcapng import PacketFile
from analyzer.recorder.packet_export.redaction import Noted, Redactor
from analyzer.recorder.records import Record
from analyzer.recorder.source_events import Answer, Attribution, Chunk, Closed

# C0 and C1 controls act on terminals, and a comment is shown on one.
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}


class PacketExport(PacketListener):
    """Writes what passes the pipeline to a packet file."""

    def __init__(self, file: PacketFile) -> None:
        self._file = file
        self._redactor = Redactor()
        self._framing = Framing()
        self._epoch_offset_ns = 0  # what to add to the times of events

    def clock_set(self, epoch_offset_ns: int) -> None:
        """Write packets with this from now on."""
        self._epoch_offset_ns = epoch_offset_ns

    def sent(self, chunk: Chunk, caller: Caller, records: Sequence[Record]) -> None:
        """Take a send, who made it, and the requests that are whole with it."""
        self._write(self._redactor.feed(chunk, _comment(caller, records)))

    def answered(self, answer: Answer) -> None:
        """Take a status line."""
        frame = self._framing.maybe_answered(answer)
        if frame.data:
            self._file.write(answer.boottime_ns + self._epoch_offset_ns, frame, _STATUS_ALONE)

    def closed(self, closed: Closed) -> None:
        """Take the end of a connection."""
        self._write(self._redactor.close(closed))
        frame = self._framing.maybe_closed(closed)
        if frame.data:
            self._file.write(closed.boottime_ns + self._epoch_offset_ns, frame, "")

    def expire(self, now_boottime_ns: int, say: Say) -> None:
        """Write what waits too long and what is buffered; ``say`` what there is to say of it."""
        self._write(self._redactor.expire(now_boottime_ns))
        self._pass_on(say)

    def flush(self, say: Say) -> None:
        """Write what is left, and say how much there was."""
        self._write(self._redactor.flush())
        self._pass_on(say)
        say(
            PACKET_FILE,
            "info",
            packets_written=self._file.written,
            packets_not_written=self._file.not_written,
        )

    def _pass_on(self, say: Say) -> None:
        self._file.flush()
        for notice in self._file.notices():
            say(PACKET_FILE, notice.level, **notice.fields)

    def close(self) -> None:
        """Close the file. May be called twice."""
        self._file.close()

    def _write(self, ready: Sequence[Noted]) -> None:
        for chunk, note in ready:
            at_ns = chunk.boottime_ns + self._epoch_offset_ns
            for frame in self._framing.opened(chunk):
                self._file.write(at_ns, frame, "")
            self._file.write(at_ns, self._framing.sent(chunk), note)


def open_export(path: str, limit_bytes: int) -> PacketExport:
    """Make the file; raises SinkError where that cannot be."""
    return PacketExport(PacketFile(path, limit_bytes))


_STATUS_ALONE = "Of the answer only the status was read; the length is not the server's"


def _comment(caller: Caller, records: Sequence[Record]) -> str:
    """Return who sent it, and what each request is that it completes."""
    lines = []
    if caller.process is None:
        lines.append("process: not known")
    else:
        lines += _process(caller.process)
    if caller.attribution is Attribution.SOCKET:
        lines.append("attribution: by socket")
    for record in records:
        request, verdict = record.request, record.verdict
        lines.append(
            f"IMDS {verdict.version.value} ({verdict.reason}): "
            f"{request.method or '?'} {request.target or '?'}"
        )
    return "\n".join(line.translate(_CONTROLS) for line in lines)


def _process(process: NamedProcess) -> list[str]:
    lines = [f"process: {process.name} (pid {process.pid})"]
    if process.executable:
        lines.append(f"executable: {process.executable}")
    if process.args:
        lines.append(f"args: {' '.join(process.args)}")
    return lines
