"""Defines what the probe's wire and its calls tell, before they are joined (see witness)."""

from __future__ import annotations

from typing import NamedTuple, Optional

from analyzer.recorder.source_events import Connection, Problem, Snapshot, SocketId

SEQUENCES = 1 << 32  # numbers of TCP's bytes there are


class SegmentSender(NamedTuple):
    """A process that sends on a connection from a sequence number on; None is from now on.

    ``size`` bytes at most; None where it is not known. ``is_other`` says that a call by another
    process may have brought the same bytes. ``told_ns`` is by what further calls of the same
    process name it; 0 where they do not. ``start`` is where the connection's
    numbers began.
    """

    socket_id: SocketId
    sequence: Optional[int]
    tid: int
    snapshot: Snapshot
    is_other: bool
    size: Optional[int] = None
    told_ns: int = 0
    start: Optional[int] = None


class SegmentCall(NamedTuple):
    """A call by the process that was told at ``told_ns``: which bytes it offered, by which thread.

    ``told_ns`` is 0 where there is none.
    """

    told_ns: int
    sequence: int
    size: int
    tid: int


NO_CALL = SegmentCall(0, 0, 0, 0)


class Segment(NamedTuple):
    """Bytes as they went out, without who sent them. ``urgent`` is the packet's pointer, or 0.

    ``is_held`` says that a process held the socket then: the latest one that sends on it.
    ``call`` is the latest one on the connection. ``is_sender_lost`` says that who sends could not
    be told.
    """

    boottime_ns: int
    connection: Connection
    sequence: int
    offset: int
    size: int
    data: bytes
    problem: Optional[Problem]
    urgent: int
    cgroup_id: int
    is_changeable: bool
    is_held: bool = True
    call: SegmentCall = NO_CALL
    is_sender_lost: bool = False
