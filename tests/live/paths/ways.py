"""The ways to send, as a table: how, and what calls alone tell of bytes that are sent so."""

from __future__ import annotations

import mmap
import os
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Callable, NamedTuple, Optional

SOURCE = Path(__file__).with_name("send.c")
NOT_THERE = 77  # the program's exit code where the kernel lacks what a way needs
PAGES = "payload_in_pages"
TRUNCATED = "truncated"
UNREADABLE = "unreadable_payload"


class NotThereError(Exception):
    """The running kernel does not have this way of sending."""


class Sent(NamedTuple):
    """Who sent; ``said`` is what the program wrote."""

    pid: int
    said: str = ""


class Program:
    """The compiled client."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def send(self, way: str, sock: socket.socket, data: bytes) -> Sent:
        """Have it send the bytes on our socket, which it inherits; raises NotThereError."""
        child = subprocess.Popen(
            [self.path, way, str(sock.fileno())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[sock.fileno()],
        )
        out, said = child.communicate(data)
        if child.returncode == NOT_THERE:
            raise NotThereError(said.decode().strip())
        assert child.returncode == 0, said
        return Sent(child.pid, out.decode())


def compiled(directory: Path) -> Program:
    """Compile the client into a directory."""
    target = directory / "send"
    subprocess.run(["cc", "-O1", "-o", target, SOURCE], check=True)
    return Program(target)


Send = Callable[[Program, socket.socket, bytes], Sent]


class Way(NamedTuple):
    """A way to send. ``reason`` says why calls alone do not tell the bytes, None where they do."""

    name: str
    send: Send
    reason: Optional[str] = None


def by_program(name: str, reason: Optional[str] = None) -> Way:
    """Return a way that the compiled client goes."""
    return Way(name, lambda program, sock, data: program.send(name, sock, data), reason)


def by_us(name: str, send: Callable[[socket.socket, bytes], int], reason: Optional[str]) -> Way:
    """Return a way that this process goes."""

    def send_all(_program: Program, sock: socket.socket, data: bytes) -> Sent:
        assert send(sock, data) == len(data)
        return Sent(os.getpid())

    return Way(name, send_all, reason)


def not_resident(data: bytes) -> mmap.mmap:
    """Return memory with the bytes in it that the kernel must fetch first: a file's page."""
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        memory = mmap.mmap(file.fileno(), len(data), mmap.MAP_PRIVATE, mmap.PROT_READ)
    memory.madvise(mmap.MADV_DONTNEED)
    return memory


def _line_and_rest(data: bytes) -> tuple[bytes, bytes]:
    end = data.index(b"\n") + 1
    return data[:end], data[end:]


def _half_resident(sock: socket.socket, data: bytes) -> int:
    line, rest = _line_and_rest(data)
    return os.writev(sock.fileno(), [line, not_resident(rest)])


def _one_byte_segments(sock: socket.socket, data: bytes) -> int:
    return os.writev(sock.fileno(), [data[at : at + 1] for at in range(len(data))])


WAYS = (
    by_program("sendmmsg"),
    by_program("sendmmsg of 50 messages"),
    by_program("MSG_ZEROCOPY"),
    by_program("pwritev2"),
    by_program("io_submit"),
    by_program("io_uring send"),
    by_program("io_uring sendmsg"),
    by_program("io_uring write"),
    by_program("io_uring writev"),
    by_program("io_uring send_zc"),
    by_program("io_uring send, worker"),
    by_program("io_uring send, polled"),
    by_program("io_uring write_fixed", PAGES),
    by_program("sendfile", PAGES),
    by_program("splice", PAGES),
    by_program("vmsplice", PAGES),
    by_program("send, then sendfile", PAGES),
    by_program("sendfile, then send", PAGES),
    by_program("32-bit write"),
    by_us("writev of 300 segments", _one_byte_segments, TRUNCATED),
    by_us("page not resident", lambda sock, data: sock.send(not_resident(data)), UNREADABLE),
    by_us("page not resident, 2nd segment", _half_resident, UNREADABLE),
)
