"""Defines the events that sources give, with the callers as the kernel saw them.

All are immutable, and named tuples as in analyzer.recorder.records.
Times ending in ``boottime_ns`` are nanoseconds on the source's clock (analyzer.recorder.clock):
CLOCK_BOOTTIME of a live one, the capture's own time of a recorded one.
"""

from __future__ import annotations

from typing import NamedTuple, Optional, Union

from analyzer.recorder.constants import Constants


class KernelProcess(NamedTuple):
    """One process (thread group leader) as the kernel saw it at the moment of the call."""

    start_boottime_ns: int
    pid: int  # in the initial pid namespace
    uid: int  # effective, in the initial user namespace
    comm: bytes  # without the trailing NULs; any byte may occur
    # Of the executable; 0 where it is not known. The device is major << 20 | minor.
    executable_inode: int = 0
    executable_device: int = 0
    # Where its arguments lie, which is another place after each exec; 0 where not known.
    args_address: int = 0
    exec_id: int = 0


class Attribution(Constants):
    """The evidence that names a caller. The value is ``imds.attribution``."""

    CALL = "call"  # the kernel told with the call itself; the log says nothing of it
    SOCKET = "socket"  # found in the socket tables afterwards: best effort
    # No call was seen. The process held the socket's lock while the bytes went out; where none
    # did, only the socket's control group is known.
    WIRE = "wire"


class Snapshot(NamedTuple):
    """The caller as the kernel saw it. ``ancestors`` is nearest first.

    ``args`` is the raw argument vector, NUL-separated, and may hold secrets: only
    ``attribute`` reads it, and masks it there. ``process`` is None where only the socket is
    known: the control group is the one that it was made in.
    """

    process: Optional[KernelProcess]
    cgroup_id: int
    args: bytes
    args_truncated: bool
    ancestors: tuple[KernelProcess, ...]
    ancestors_truncated: bool
    attribution: Attribution = Attribution.CALL
    executable: Optional[bytes] = None  # its path as the kernel has it
    mount_namespace: int = 0  # inode number of the one in which that path leads to it
    is_executable_replaced: bool = False  # it has asked for another one to be shown


# The kernel's socket and its network namespace: what tells connections apart while they live.
# A connection that was seen in packets has a number of its own, and no namespace (0).
SocketId = tuple[int, int]


class Connection(NamedTuple):
    """Identity and addresses of one TCP connection. IPv4-mapped addresses are IPv4.

    ``source_port`` is 0, and ``source_ip`` means nothing, before there is a connection
    (TCP Fast Open). ``is_forwarded`` says that it passed through this host, from a guest or
    another network namespace; only sources that see packets can tell.
    """

    sock: int  # identity of the kernel's socket, valid while it lives
    netns: int  # inode number of the network namespace
    source_ip: str
    source_port: int
    destination_ip: str
    destination_port: int
    is_forwarded: bool = False

    @property
    def socket_id(self) -> SocketId:
        """The identity alone."""
        return self[:2]


class Problem(Constants):
    """The reason why bytes of a send are missing. The value is ``imds.reason``."""

    TRUNCATED = "truncated"  # longer than the copy limit
    UNREADABLE = "unreadable_payload"  # user memory that was not resident
    NOT_USER_MEMORY = "payload_in_pages"  # sendfile, splice
    NOT_CAPTURED = "capture_gap"  # the packets that carried them were not seen
    # Bytes that are known, but not whether the server took them. What follows them on their
    # connection is not certain either: where a request begins depends on all before it.
    URGENT = "urgent_data"  # TCP's urgent data: most servers leave it out of the stream
    CONFLICTING = "conflicting_bytes"  # other bytes came with the same sequence numbers


class Chunk(NamedTuple):
    """The bytes of one send.

    ``data`` holds the first ``len(data)`` of ``size`` bytes. ``problem`` is the reason why the
    others are missing, None exactly when ``len(data) == size``. ``sequence`` is the TCP sequence
    number of the first byte (mod 2**32; None where there is none yet). ``offset`` is the number of
    bytes the connection had taken before (mod 2**32). It is 0 at its start, and None where the
    kernel does not tell. ``tid`` is 0 and ``snapshot`` None where nobody knows who sent it.
    ``is_answered`` says whether answers on the connection are seen.
    """

    boottime_ns: int
    connection: Connection
    sequence: Optional[int]
    offset: Optional[int]
    size: int
    data: bytes
    problem: Optional[Problem]
    tid: int
    snapshot: Optional[Snapshot]
    is_answered: bool = True
    others: tuple[Snapshot, ...] = ()  # who else may have sent it
    is_changeable: bool = False  # the caller could write to it after it was looked at


class Answer(NamedTuple):
    """An answer has been received.

    ``status`` is 0 where its status line could not be read, None where its beginning was not
    seen. ``hop_limit`` is the TTL (IPv6: hop limit) of the packet that brought its first byte
    first, None where that is not known.
    """

    boottime_ns: int
    socket_id: SocketId
    status: Optional[int]
    hop_limit: Optional[int] = None


class Closed(NamedTuple):
    """A connection on which something was sent has ended."""

    boottime_ns: int
    socket_id: SocketId


class Program(NamedTuple):
    """The program of a process, sent before a call names the process as an ancestor.

    ``snapshot`` has no ancestors. It is None where another one took its place meanwhile.
    """

    boottime_ns: int
    snapshot: Optional[Snapshot]


class CgroupMade(NamedTuple):
    """A cgroup of version 2 was made, at ``path`` from the root of the hierarchy."""

    boottime_ns: int
    cgroup_id: int
    path: bytes


class Passed(NamedTuple):
    """Time has come this far, on a clock that does not run by itself."""

    boottime_ns: int


class Doubt(NamedTuple):
    """A doubt whether the server received the same bytes as were seen on a connection.

    It concerns all that the server has not answered. ``reason`` is URGENT or CONFLICTING.
    """

    boottime_ns: int
    connection: Connection
    tid: int
    snapshot: Optional[Snapshot]
    reason: Problem
    is_answered: bool = True


Event = Union[Chunk, Answer, Closed, Program, CgroupMade, Passed, Doubt]


class Lost(NamedTuple):
    """Events that were dropped between kernel and decode.

    ``is_request`` says whether requests may be missing for it, or only what became of them.
    """

    events: int
    since_boottime_ns: int
    reason: str
    is_request: bool = True
