"""Defines the types that cross stages: source, decode, classify, attribute, sink.

All are immutable. They are named tuples rather than frozen dataclasses because one
of each is made per request, and a tuple is made in a third of the time.
Times ending in ``boottime_ns`` are nanoseconds on the source's clock (analyzer.recorder.clock):
CLOCK_BOOTTIME of a live one, the capture's own time of a recorded one. Those ending in
``at_ns`` are nanoseconds since the Unix epoch.
"""

from __future__ import annotations

import enum
from typing import NamedTuple, Optional, Union

from analyzer.logline.caller import Identity


class _Constants(enum.Enum):
    """Members are one object each, and compared as such; so they may be hashed, too.

    What many records have in common is looked up by what is in it, and Enum's own hash is
    a function in Python.
    """

    __hash__ = object.__hash__


# --- 1. source -> decode ---------------------------------------------------------------


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


class Attribution(_Constants):
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


class Problem(_Constants):
    """The reason why bytes of a send are missing. The value is ``imds.reason``."""

    TRUNCATED = "truncated"  # longer than the copy limit
    UNREADABLE = "unreadable_payload"  # user memory that was not resident
    NOT_USER_MEMORY = "payload_in_pages"  # sendfile, splice
    NOT_CAPTURED = "capture_gap"  # the packets that carried them were not seen
    # Bytes that are known, but not whether the server took them. What follows them on their
    # connection is not certain either: where a request begins depends on all before it.
    URGENT = "urgent_data"  # TCP's urgent data: most servers leave it out of the stream
    CONFLICTING = "conflicting_bytes"  # other bytes came with the same sequence numbers


# Reasons for which nothing is believed that was read, be it a token's header.
DOUBTS = frozenset({Problem.URGENT.value, Problem.CONFLICTING.value})


class Chunk(NamedTuple):
    """The bytes of one send.

    ``data`` holds the first ``len(data)`` of ``size`` bytes; the others could not be
    had, for the reason ``problem`` (None exactly when ``len(data) == size``).
    ``sequence`` is the TCP sequence number of the first byte (mod 2**32; None where there
    is none yet), ``offset`` the number of bytes the connection had taken before (mod 2**32,
    0 at its start; None where the kernel does not tell). ``tid`` is 0 and ``snapshot`` None
    where nobody knows who sent it. ``is_answered`` says whether answers on the connection
    are seen.
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


Event = Union[Chunk, Answer, Closed, Program, Passed, Doubt]


class Lost(NamedTuple):
    """Events that were dropped between kernel and decode.

    ``is_request`` says whether requests may be missing for it, or only what became of them.
    """

    events: int
    since_boottime_ns: int
    reason: str
    is_request: bool = True


# --- 2. decode -> classify -------------------------------------------------------------


class Token(_Constants):
    """All that is left of an X-aws-ec2-metadata-token header after decode."""

    ABSENT = "absent"
    PRESENT = "present"


class Hint(_Constants):
    """Header fields that tell another cloud's probe. Presence only, never values."""

    GOOGLE = "metadata-flavor: google"
    IBM = "metadata-flavor: ibm"
    AZURE = "metadata: true"
    ORACLE = "authorization: bearer oracle"
    GOOGLE_HOST = "host: metadata.google.internal"
    LINODE = "metadata-token"


# The reason of a head that was whole, but in memory that its sender could write to while it went
# out (MSG_ZEROCOPY). What was seen in it need not be what was sent.
CHANGEABLE = "changeable_payload"
# The reason of what looks like IMDSv2 on a connection of which not all before it was seen, or
# understood as every server would. It may be a part of another request, which has no token.
UNFRAMED = "uncertain_framing"
# Reasons of what servers may read as another number of requests, and so answer as often.
COUNTED_DIFFERENTLY = frozenset({"not_http", "request_in_body", "header_too_large"})


class Relayed(NamedTuple):
    """The marks in a request's head of somebody for whom it was sent on. Values hold no secret.

    ``client`` is the first address that a proxy's header names. ``host`` is the Host field, where
    it names none of the metadata service. ``headers`` are names of fields that browsers send.
    """

    via: Optional[str] = None
    client: Optional[str] = None
    host: Optional[str] = None
    headers: tuple[str, ...] = ()


class Request(NamedTuple):
    r"""One HTTP request head, or what could be read of one. Holds no secret.

    ``reason`` is None for a complete head, else why it is not one: a ``Problem``
    value, ``not_http``, ``incomplete``, ``capture_gap`` or ``header_too_large``.
    One of ``DOUBTS``, CHANGEABLE or UNFRAMED also where all of the head was read.
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
    relayed: Optional[Relayed] = None  # None without any such mark


class Captured(NamedTuple):
    """A request with where and when its first byte was sent, and who completed it."""

    boottime_ns: int
    connection: Connection
    tid: int
    snapshot: Optional[Snapshot]
    request: Request
    is_answered: bool  # whether an answer to it would be seen
    others: tuple[Snapshot, ...] = ()  # further processes that sent parts of it


# --- 3. classify -> attribute ----------------------------------------------------------


class Version(_Constants):
    """IMDS version of a request, by AWS's rule."""

    V1 = "v1"
    V2 = "v2"
    UNKNOWN = "unknown"


class Classification(NamedTuple):
    """The verdict on a request. ``operation``, ``reason`` and ``provider`` as in the log."""

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
    # Of the executable, as the kernel had it at the call; 0 where it did not tell.
    executable_inode: int = 0
    executable_device: int = 0
    mount_namespace: int = 0
    # Fields that only /proc told, later, where nothing shows that it is the same program still, and
    # those that come from names which the caller's user may choose.
    unverified: tuple[str, ...] = ()


class Container(NamedTuple):
    """The container a cgroup belongs to. ``runtime`` is None where the path does not tell."""

    id: str
    runtime: Optional[str]


class Workload(NamedTuple):
    """A workload of an orchestrator: a pod of ``kubernetes`` or a task of ``ecs``, by its id."""

    orchestrator: str
    kind: str
    id: str


class Caller(NamedTuple):
    """The process that made a request. ``ancestors`` is nearest first.

    ``process`` is None if it is unknown. So is each other field but ``ancestors``.
    """

    process: Optional[Process]
    ancestors: tuple[Process, ...]
    ancestors_truncated: bool
    container: Optional[Container]
    service: Optional[str]  # systemd unit
    workload: Optional[Workload] = None
    attribution: Attribution = Attribution.CALL
    others: tuple[Process, ...] = ()  # further processes that sent parts of the request
    size_bytes: int = 0  # of its text in memory; see attribute.sizes
    realm: str = ""  # what its processes cannot leave; see attribute.realms
    identity: Optional[Identity] = None  # None exactly when ``process`` is


class Outcome(_Constants):
    """The result of a request."""

    SUCCESS = "success"  # 2xx
    REJECTED = "rejected"  # 401, 403
    NOT_FOUND = "not_found"  # 404
    ERROR = "error"  # any other answer
    NO_RESPONSE = "no_response"  # none within the wait, or before the connection ended


class Response(NamedTuple):
    """An outcome with the status code it comes from, None where there was none."""

    outcome: Outcome
    status: Optional[int]


class Count(NamedTuple):
    """The number of calls that were alike; ``outcome`` is ``unknown`` if no answer was seen."""

    version: str
    operation: str
    outcome: str
    calls: int


class Repeated(NamedTuple):
    """The calls that one line stands for, its own included, and the time of the first.

    ``is_of_several`` says that other processes than the line's own made some of them.
    """

    counts: tuple[Count, ...]
    since_at_ns: int
    is_of_several: bool = False


class Record(NamedTuple):
    """One line of the log.

    ``process_start_at_ns`` and ``tid`` are 0 where nobody is known, ``response`` is None
    where it cannot be known. ``token_failure`` is what became of the
    token request that failed before this request, where there was one. ``hop_limit`` is the TTL
    with which the answer to a token request arrived; None for every other request. ``repeated``
    is what a folded line stands for (analyzer.recorder.repeats), None on an ordinary one.
    """

    at_ns: int
    process_start_at_ns: int
    connection: Connection
    tid: int
    request: Request
    verdict: Classification
    caller: Caller
    response: Optional[Response] = None
    token_failure: Optional[Response] = None
    hop_limit: Optional[int] = None
    repeated: Optional[Repeated] = None
