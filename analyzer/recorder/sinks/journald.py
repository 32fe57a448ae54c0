"""Writes the log to journald by its native protocol: a datagram for each line.

See https://systemd.io/JOURNAL_NATIVE_PROTOCOL/. MESSAGE is the whole line; a few of its values
stand beside it in fields of their own, by which journalctl selects.
"""

from __future__ import annotations

import array
import errno
import fcntl
import os
import socket
from collections.abc import Iterable
from typing import Optional

from analyzer.recorder.sinks.writer import SEND_S, Busy, Notice, head_of, sink_error

SOCKET = "/run/systemd/journal/socket"
_IDENTIFIER = b"imds-analyzer"
_PRIORITIES = {"error": b"3", "warning": b"4", "info": b"6"}
# What does not fit a datagram is handed over in memory that can no longer be changed.
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
_TOO_LARGE = (errno.EMSGSIZE, errno.ENOBUFS)


def open_journal(path: str = SOCKET) -> JournalWriter:
    """Connect to journald. Raises SinkError where there is none."""
    writer = JournalWriter(path)
    try:
        writer.connect()
    except OSError as error:
        raise sink_error("open", writer.name, error) from None
    return writer


class JournalWriter:
    """Sends lines to journald; made by :func:`open_journal`."""

    name = "journald"
    may_pause = True

    def __init__(self, path: str) -> None:
        self._path = path
        self._socket: Optional[socket.socket] = None

    def connect(self) -> socket.socket:
        """Return the connected socket. Raises OSError."""
        if self._socket is None:
            journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            try:
                journal.settimeout(SEND_S)
                journal.connect(self._path)
            except BaseException:
                journal.close()
                raise
            self._socket = journal
        return self._socket

    def write(self, lines: bytearray) -> int:
        """Send the first of these lines; returns its length. Raises OSError."""
        length = lines.index(b"\n") + 1
        try:
            _send(self.connect(), _entry(bytes(lines[: length - 1])))
        except socket.timeout:
            raise Busy("journald takes no more") from None
        except OSError:
            self.close()  # journald may have been started anew
            raise
        return length

    def tick(self) -> Iterable[bytes]:
        """Do nothing: journald needs no upkeep."""
        return ()

    def reopen(self) -> Iterable[bytes]:
        """Connect anew with the next line."""
        self.close()
        return ()

    def notices(self) -> list[Notice]:
        """Return no notices."""
        return []

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _entry(line: bytes) -> bytes:
    """Return an entry; no value in it holds a line's end, so each is ``NAME=value``."""
    head = head_of(line)
    fields = {
        b"MESSAGE": line,
        b"PRIORITY": _PRIORITIES.get(head.level, b"6"),
        b"SYSLOG_IDENTIFIER": _IDENTIFIER,
        b"IMDS_EVENT": head.event.encode(),
        b"IMDS_VERSION": head.version.encode(),
        b"IMDS_OPERATION": head.operation.encode(),
        b"IMDS_PROVIDER": head.provider.encode(),
        b"IMDS_OUTCOME": head.outcome.encode(),
    }
    return b"".join(b"%s=%s\n" % item for item in fields.items() if item[1])


def _send(journal: socket.socket, entry: bytes) -> None:
    try:
        journal.send(entry)
    except OSError as error:
        if error.errno not in _TOO_LARGE:
            raise
        _hand_over(journal, entry)


def _hand_over(journal: socket.socket, entry: bytes) -> None:
    fd = os.memfd_create("imds-analyzer", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with os.fdopen(fd, "wb") as memory:
        memory.write(entry)
        memory.flush()
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))
        journal.sendmsg([], [rights])
