"""Writes packets with comments to a pcapng file of bounded size."""

from __future__ import annotations

import os
import stat
import struct
from typing import NamedTuple

from analyzer import __version__
from analyzer.errors import SinkError
from analyzer.recorder.packet_export.framing import Frame
from analyzer.recorder.sinks.trusted import open_file

MODE = 0o640  # as the log's
# What is written at once; also the most that is lost when the process is killed.
BUFFER_BYTES = 64 * 1024
# An argument vector in a comment is cut above this.
COMMENT_MAX = 8192

# Block and option types of the pcapng specification, in this machine's byte order.
_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_ORDER_MAGIC = 0x1A2B3C4D
_COMMENT, _APPLICATION, _NAME, _DESCRIPTION, _RESOLUTION = 1, 4, 2, 3, 9
_RAW_IP = 101
_NANOSECONDS = bytes([9])


class FileNotice(NamedTuple):
    """A notice for the log."""

    level: str
    fields: dict[str, object]


class PacketFile:
    """An open file. Where it takes no more, packets are counted instead, and it is said so."""

    def __init__(self, path: str, limit_bytes: int) -> None:
        """Make it, or begin it anew where it is a capture; raises SinkError."""
        self._path = path
        self._limit = limit_bytes
        self._fd = _opened(path)
        self._buffer = bytearray(_beginning())
        self._buffered = 0  # packets in the buffer
        self._at = 0  # bytes in the file
        self._is_full = False
        self._is_paused = False
        self._notices: list[FileNotice] = []
        self.written = 0
        self.not_written = 0

    def write(self, at_ns: int, frame: Frame, comment: str) -> None:
        """Add a packet, seen at this time since the Unix epoch. Raises nothing."""
        if self._is_full or self._is_paused:
            self.not_written += 1
            return
        block = _packet(at_ns, frame, comment)
        if self._at + len(self._buffer) + len(block) > self._limit:
            self._is_full = True
            self.not_written += 1
            self._notices.append(
                FileNotice("warning", {"lacks": "it has reached its size", **self._state()})
            )
            return
        self._buffer += block
        self._buffered += 1
        if len(self._buffer) >= BUFFER_BYTES:
            self.flush()

    def flush(self) -> None:
        """Pass on what is buffered; where that fails, try again with the next call."""
        if not self._buffer:
            return
        try:
            # Not behind half a block that an earlier attempt may have left.
            os.ftruncate(self._fd, self._at)
            _write_all(self._fd, bytes(self._buffer), self._at)
        except OSError as error:
            if not self._is_paused:
                self._notices.append(
                    FileNotice("error", {"lacks": error.strerror or str(error), **self._state()})
                )
            self._is_paused = True
            return
        self._at += len(self._buffer)
        self.written += self._buffered
        self._buffer.clear()
        self._buffered = 0
        if self._is_paused:
            self._is_paused = False
            self._notices.append(FileNotice("info", {"lacks": "it goes on", **self._state()}))

    def notices(self) -> list[FileNotice]:
        """Return what happened since the last call."""
        notices, self._notices = self._notices, []
        return notices

    def close(self) -> None:
        """Write what is buffered and close. May be called twice."""
        if self._fd >= 0:
            self.flush()
            os.close(self._fd)
            self._fd = -1

    def _state(self) -> dict[str, object]:
        return {
            "file": {"path": self._path},
            "packets_written": self.written,
            "packets_not_written": self.not_written,
        }


def _opened(path: str) -> int:
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        fd = open_file(path, flags, MODE)
    except OSError as error:
        raise _unusable(path, error.strerror) from error
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise _unusable(path, "it is not a file")
        begin = os.pread(fd, 4, 0)
        if begin and begin != struct.pack("=I", _SECTION):
            raise _unusable(path, "it exists and is no pcapng file; it is not overwritten")
        os.fchmod(fd, MODE)
        os.ftruncate(fd, 0)
    except OSError as error:
        os.close(fd)
        raise _unusable(path, error.strerror) from error
    except SinkError:
        os.close(fd)
        raise
    return fd


def _unusable(path: str, reason: object) -> SinkError:
    return SinkError(f"--write-pcap {path}: {reason}. Name a new file that can be written.")


def _write_all(fd: int, data: bytes, at: int) -> None:
    done = 0
    while done < len(data):
        done += os.pwrite(fd, data[done:], at + done)


def _beginning() -> bytes:
    """Return the section's header and the one interface: IP packets, in nanoseconds."""
    application = f"imds-analyzer {__version__}".encode()
    note = b"Payloads as sent, secrets covered with *; headers made by imds-analyzer"
    section = struct.pack("=IHHq", _ORDER_MAGIC, 1, 0, -1) + _options(
        (_COMMENT, note), (_APPLICATION, application)
    )
    interface = struct.pack("=HHI", _RAW_IP, 0, 0) + _options(
        (_NAME, b"imds"), (_RESOLUTION, _NANOSECONDS)
    )
    return _block(_SECTION, section) + _block(_INTERFACE, interface)


def _packet(at_ns: int, frame: Frame, comment: str) -> bytes:
    body = struct.pack(
        "=IIIII", 0, at_ns >> 32, at_ns & 0xFFFFFFFF, len(frame.data), frame.length
    ) + _padded(frame.data)
    if comment:
        text = comment.encode()[:COMMENT_MAX].decode("utf-8", "ignore").encode()
        body += _options((_COMMENT, text))
    return _block(_PACKET, body)


def _options(*options: tuple[int, bytes]) -> bytes:
    return b"".join(
        struct.pack("=HH", code, len(value)) + _padded(value) for code, value in options
    ) + struct.pack("=HH", 0, 0)


def _block(kind: int, body: bytes) -> bytes:
    length = struct.pack("=I", 12 + len(body))
    return struct.pack("=I", kind) + length + body + length


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
