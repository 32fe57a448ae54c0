"""Defines requests, the verdicts on them, and the records that become lines of the log.

All are immutable. They are named tuples rather than frozen dataclasses: one of each is made per
request, and a tuple is made in a third of the time. Times ending in ``at_ns`` are nanoseconds
since the Unix epoch; for ``boottime_ns`` see analyzer.recorder.source_events.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

from analyzer.recorder.callers import Caller
from analyzer.recorder.constants import Constants
from analyzer.recorder.source_events import Connection, Problem, Snapshot


class Token(Constants):
    """The only trace of an X-aws-ec2-metadata-token header that remains after decode."""

    ABSENT = "absent"
    PRESENT = "present"


class Hint(Constants):
    """Header fields that tell another cloud's probe. Presence only, never values."""

    GOOGLE = "metadata-flavor: google"
    IBM = "metadata-flavor: ibm"
    AZURE = "metadata: true"
    ORACLE = "authorization: bearer oracle"
    GOOGLE_HOST = "host: metadata.google.internal"
    LINODE = "metadata-token"


# Reasons for which nothing is believed that was read, be it a token's header.
DOUBTS = frozenset({Problem.URGENT.value, Problem.CONFLICTING.value})
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


class Version(Constants):
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


class Outcome(Constants):
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


NO_RESPONSE = Response(Outcome.NO_RESPONSE, None)


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
    ``through`` names the proxies that sent the request on; ``is_sent_on`` tells that a proxy made
    this request for one in another record (analyzer.recorder.proxied).
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
    through: Optional[str] = None
    is_sent_on: bool = False
