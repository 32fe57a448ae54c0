"""The types that cross stages: source -> decode -> classify -> attribute -> sink.

All are immutable. They are named tuples rather than frozen dataclasses because one
of each is made per request, and a tuple is made in a third of the time.
Times ending in ``boottime_ns`` are CLOCK_BOOTTIME nanoseconds, those ending in
``at_ns`` nanoseconds since the Unix epoch.
"""

from __future__ import annotations

import enum
from typing import NamedTuple, Optional

# --- 1. source -> decode ---------------------------------------------------------------


class KernelProcess(NamedTuple):
    """One process (thread group leader) as the kernel saw it at the moment of the call."""

    start_boottime_ns: int
    pid: int  # in the initial pid namespace
    uid: int  # effective, in the initial user namespace
    comm: bytes  # without the trailing NULs; any byte may occur


class Snapshot(NamedTuple):
    """The caller as the kernel saw it. ``ancestors`` is nearest first.

    ``args`` is the raw argument vector, NUL-separated, and may hold secrets: only
    ``attribute`` reads it, and masks it there.
    """

    process: KernelProcess
    cgroup_id: int
    args: bytes
    args_truncated: bool
    ancestors: tuple[KernelProcess, ...]
    ancestors_truncated: bool


class Connection(NamedTuple):
    """Identity and addresses of one TCP connection. IPv4-mapped addresses are IPv4."""

    sock: int  # identity of the kernel's socket, valid while it lives
    netns: int  # inode number of the network namespace
    source_ip: str
    source_port: int
    destination_ip: str
    destination_port: int


class Problem(enum.Enum):
    """Why (part of) a send's bytes are not there. The value is the ``imds.reason``."""

    TRUNCATED = "truncated"  # longer than the copy limit
    UNREADABLE = "unreadable_payload"  # user memory that was not resident
    NOT_USER_MEMORY = "payload_in_pages"  # sendfile, splice


class Chunk(NamedTuple):
    """The bytes of one send.

    ``data`` holds the first ``len(data)`` of ``size`` bytes; the others could not be
    had, for the reason ``problem`` (None exactly when ``len(data) == size``).
    ``sequence`` is the TCP sequence number of the first byte (mod 2**32), ``offset``
    the number of bytes the connection had taken before (mod 2**32, 0 at its start).
    """

    boottime_ns: int
    connection: Connection
    sequence: int
    offset: int
    size: int
    data: bytes
    problem: Optional[Problem]
    tid: int
    snapshot: Snapshot


class Lost(NamedTuple):
    """Events that were dropped between kernel and decode."""

    events: int
    since_boottime_ns: int
    reason: str


# --- 2. decode -> classify -------------------------------------------------------------


class Token(enum.Enum):
    """All that is left of an X-aws-ec2-metadata-token header after decode."""

    ABSENT = "absent"
    PRESENT = "present"


class Hint(enum.Enum):
    """Header fields that tell another cloud's probe. Presence only, never values."""

    GOOGLE = "metadata-flavor: google"
    IBM = "metadata-flavor: ibm"
    AZURE = "metadata: true"
    ORACLE = "authorization: bearer oracle"
    LINODE = "metadata-token"


class Request(NamedTuple):
    r"""One HTTP request head, or what could be read of one. Holds no secret.

    ``reason`` is None for a complete head, else why it is not one: a ``Problem``
    value, ``not_http``, ``incomplete``, ``capture_gap`` or ``header_too_large``.
    ``method`` and ``target`` are None where they could not be read. Text is decoded
    as UTF-8 with ``\xNN`` escapes for the bytes that are not.
    """

    method: Optional[str]
    target: Optional[str]
    token: Token
    user_agent: Optional[str]
    forwarded: bool  # carries X-Forwarded-For
    hints: frozenset[Hint]
    reason: Optional[str]


class Captured(NamedTuple):
    """A request with where and by whom its first byte was sent."""

    boottime_ns: int
    connection: Connection
    tid: int
    snapshot: Snapshot
    request: Request


# --- 3. classify -> attribute ----------------------------------------------------------


class Version(enum.Enum):
    """IMDS version of a request, by AWS's rule."""

    V1 = "v1"
    V2 = "v2"
    UNKNOWN = "unknown"


class Verdict(NamedTuple):
    """What a request is. ``operation``, ``reason`` and ``provider`` as in the log."""

    version: Version
    operation: str
    reason: str
    provider: str


# --- 4. attribute -> sink --------------------------------------------------------------


class User(NamedTuple):
    """A numeric user id, and its name where the host's database knows it."""

    id: int
    name: Optional[str]


class Process(NamedTuple):
    """A process in words. None for what could not be learned; args have secrets masked."""

    pid: int
    name: str
    executable: Optional[str]
    args: Optional[tuple[str, ...]]
    args_truncated: bool
    start_boottime_ns: int
    user: User


class Container(NamedTuple):
    """The container a cgroup belongs to. ``runtime`` is None where the path does not tell."""

    id: str
    runtime: Optional[str]


class Caller(NamedTuple):
    """Who made a request. ``ancestors`` is nearest first."""

    process: Process
    ancestors: tuple[Process, ...]
    ancestors_truncated: bool
    container: Optional[Container]
    service: Optional[str]  # systemd unit


class Record(NamedTuple):
    """One line of the log."""

    at_ns: int
    process_start_at_ns: int
    connection: Connection
    tid: int
    request: Request
    verdict: Verdict
    caller: Caller
