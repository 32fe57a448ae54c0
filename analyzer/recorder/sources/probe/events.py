"""Decodes the probe's raw events into chunks: the same for every loader."""

from __future__ import annotations

import functools
import ipaddress
import struct
from typing import Callable, Optional, Union

from analyzer.recorder.source_events import (
    Answer,
    Attribution,
    CgroupMade,
    Chunk,
    Closed,
    Connection,
    Event,
    KernelProcess,
    Problem,
    Program,
    Snapshot,
)
from analyzer.recorder.sources.probe import layout
from analyzer.recorder.sources.probe.segments import SEQUENCES, Segment, SegmentCall, SegmentSender

AF_INET = 2

# Different processes that one busy host shows in a while; each entry is about 300 bytes.
CACHED_PROCESSES = 4096
# Addresses are the two of IMDS plus those of the host's namespaces.
CACHED_ADDRESSES = 1024

# Paths of executables, each some 50 bytes: as many as programs that call IMDS.
CACHED_PATHS = 1024

# Of a struct imds_event, what tells who sends: its flags, where, and at its end the caller.
_FLAGS = struct.Struct("=4xI")
_SENDER = struct.Struct("=4xIQQQIIII")
_WHO = struct.Struct("=HHIQHHI56s")
_WHO_AT = layout.EVENT_SIZE - _WHO.size
# The cgroup stands there behind two sizes and the mount namespace.
_CGROUP = struct.Struct("=Q")
_CGROUP_AT = _WHO_AT + struct.calcsize("=HHI")
# ... and the time that stands in front, and behind what a process runs again.
_TIME = struct.Struct("=Q")
_TIME_AT = 8
# The kind of a sender that another CPU has just told, too: to be told twice does no harm.
_TOLD = 0
_SENDERS = (layout.KIND_SENDER, layout.KIND_CALL, _TOLD)
# The kinds that name a process, and have it where a send has it.
_NAMING = frozenset({*_SENDERS, layout.KIND_SEND, layout.KIND_PROGRAM, layout.KIND_HOLDER})
# The first send of TCP Fast Open has no number yet, and MPTCP numbers its bytes its own way.
_FLAGS_WITHOUT_SEQUENCE = layout.FLAG_FASTOPEN | layout.FLAG_NO_ANSWER

_NO_PAYLOAD_FLAGS = layout.FLAG_TRUNCATED | layout.FLAG_UNREADABLE | layout.FLAG_NOT_USER_MEMORY


class TornEventError(ValueError):
    """An event was changed while the kernel copied it. What it tells is lost."""


def decode_event(raw: bytes) -> Union[Event, SegmentSender, Segment]:
    """Decode one event as the probe wrote it.

    Raises ValueError when it is of no known kind or shorter than it says: the object and
    ``layout`` are then not of the same build.
    """
    return _DECODERS.get(raw[0], _decode_send)(raw)


def cgroup_of(raw: bytes) -> int:
    """Return the cgroup of the process that an event names, 0 if it names none."""
    if raw[0] in _NAMING and len(raw) >= layout.EVENT_SIZE:
        return int(_CGROUP.unpack_from(raw, _CGROUP_AT)[0])
    return 0


def _decode_send(raw: bytes) -> Chunk:
    (
        kind,
        flags,
        boottime_ns,
        sock,
        payload_size,
        write_seq,
        stream_offset,
        netns,
        tid,
        family,
        source_port,
        destination_port,
        payload_captured,
        source_ip,
        destination_ip,
        _args_captured,
        _ancestors_count,
        _mount_namespace,
        _cgroup_id,
        _executable_captured,
        event_size,
        _is_former_lost,
        _caller,
    ) = layout.EVENT.unpack_from(raw)
    end = event_size + payload_captured
    if kind != layout.KIND_SEND or end > len(raw):
        raise ValueError(f"an event of kind {kind} and {len(raw)} bytes says it has {end}")
    is_opening = flags & layout.FLAG_FASTOPEN
    is_answered = not flags & layout.FLAG_NO_ANSWER
    return Chunk(
        boottime_ns,
        Connection(
            sock,
            netns,
            _address(family, source_ip),
            source_port,
            _address(family, destination_ip),
            destination_port,
        ),
        None if is_opening else write_seq,
        stream_offset if is_answered else None,
        payload_size,
        raw[event_size:end],
        _problem(flags) if flags & _NO_PAYLOAD_FLAGS else None,
        tid,
        _snapshot(raw),
        is_answered,
    )


def _snapshot(raw: bytes) -> Snapshot:
    """Decode who sends, from an event whose parts follow each other."""
    (flags,) = _FLAGS.unpack_from(raw)
    args, ancestors, namespace, cgroup_id, executable, size, _, caller = _WHO.unpack_from(
        raw, _WHO_AT
    )
    args_at = layout.EVENT_SIZE + ancestors * layout.PROCESS_SIZE
    executable_at = args_at + args
    if executable_at + executable != size or size > len(raw):
        raise ValueError(f"an event of {len(raw)} bytes does not add up to its {size}")
    return Snapshot(
        _process(caller),
        cgroup_id,
        raw[args_at:executable_at],
        bool(flags & layout.FLAG_ARGS_TRUNCATED),
        _ancestors(raw[layout.EVENT_SIZE : args_at]),
        bool(flags & layout.FLAG_ANCESTORS_TRUNCATED),
        executable=_path(raw[executable_at:size]),
        mount_namespace=namespace,
        is_executable_replaced=bool(flags & layout.FLAG_EXECUTABLE_REPLACED),
    )


def _decode_sender(raw: bytes) -> SegmentSender:
    flags, told_ns, sock, size, sequence, offset, netns, tid = _SENDER.unpack_from(raw)
    if _is_torn(raw):
        raise TornEventError(f"an event of {len(raw)} bytes was changed while it was copied")
    return SegmentSender(
        (sock, netns),
        None if flags & _FLAGS_WITHOUT_SEQUENCE else sequence,
        tid,
        _snapshot(raw),
        is_other=False,
        size=None if flags & _FLAGS_WITHOUT_SEQUENCE else size,
        told_ns=told_ns,
        start=None if flags & _FLAGS_WITHOUT_SEQUENCE else (sequence - offset) % SEQUENCES,
    )


def _decode_program(raw: bytes) -> Program:
    (boottime_ns,) = _TIME.unpack_from(raw, _TIME_AT)
    return Program(boottime_ns, None if _is_torn(raw) else _snapshot(raw))


def _decode_cgroup(raw: bytes) -> CgroupMade:
    _kind, size, boottime_ns, cgroup_id, path = layout.CGROUP.unpack(raw)
    return CgroupMade(boottime_ns, cgroup_id, path[:size])


def _is_torn(raw: bytes) -> bool:
    """Tell whether the kernel used the place for another event while the probe copied it."""
    end = len(raw) - _TIME.size
    size = _WHO.unpack_from(raw, _WHO_AT)[5]
    return size != end or _TIME.unpack_from(raw, end) != _TIME.unpack_from(raw, _TIME_AT)


def _decode_holder(raw: bytes) -> SegmentSender:
    event, ancestors, args, executable = layout.HOLDER.unpack_from(raw)
    flags, _, sock, _, sequence, _, netns, tid = _SENDER.unpack_from(event)
    args_size, count, namespace, cgroup_id, executable_size, _, _, caller = _WHO.unpack_from(
        event, _WHO_AT
    )
    return SegmentSender(
        (sock, netns),
        sequence,
        tid,
        Snapshot(
            _process(caller),
            cgroup_id,
            args[:args_size],
            bool(flags & layout.FLAG_ARGS_TRUNCATED),
            _ancestors(ancestors[: count * layout.PROCESS_SIZE]),
            bool(flags & layout.FLAG_ANCESTORS_TRUNCATED),
            Attribution.WIRE,
            _path(executable[:executable_size]),
            namespace,
            bool(flags & layout.FLAG_EXECUTABLE_REPLACED),
        ),
        is_other=bool(flags & layout.FLAG_OTHER_SENDER),
    )


def _decode_segment(raw: bytes) -> Segment:
    (
        _kind,
        flags,
        boottime_ns,
        sock,
        cgroup_id,
        sequence,
        offset,
        netns,
        size,
        family,
        source_port,
        destination_port,
        captured,
        urgent,
        _unused,
        source_ip,
        destination_ip,
        told_ns,
        call_sequence,
        call_size,
        tid,
        _unused_2,
    ) = layout.SEGMENT.unpack_from(raw)
    end = layout.SEGMENT_SIZE + captured
    if end > len(raw) or captured > size:
        raise ValueError(f"a segment of {len(raw)} bytes says it has {end}")
    return Segment(
        boottime_ns,
        Connection(
            sock,
            netns,
            _address(family, source_ip),
            source_port,
            _address(family, destination_ip),
            destination_port,
        ),
        sequence,
        offset,
        size,
        raw[layout.SEGMENT_SIZE : end],
        _problem(flags) if flags & _NO_PAYLOAD_FLAGS else None,
        urgent,
        cgroup_id,
        bool(flags & layout.FLAG_CHANGEABLE),
        bool(flags & layout.FLAG_HELD),
        SegmentCall(told_ns, call_sequence, call_size, tid),
        bool(flags & layout.FLAG_SENDER_LOST),
    )


def _decode_answer(raw: bytes) -> Event:
    kind, status, boottime_ns, sock, netns, hop_limit = layout.ANSWER.unpack(raw)
    if kind == layout.KIND_ANSWER:
        return Answer(boottime_ns, (sock, netns), status, hop_limit or None)
    return Closed(boottime_ns, (sock, netns))


@functools.lru_cache(CACHED_PATHS)
def _path(names: bytes) -> Optional[bytes]:
    """Put a path together from its names, each with a NUL behind it, the last one first."""
    if not names:
        return None
    return b"/" + b"/".join(reversed(names[:-1].split(b"\0")))


def _problem(flags: int) -> Optional[Problem]:
    if flags & layout.FLAG_NOT_USER_MEMORY:
        return Problem.NOT_USER_MEMORY
    if flags & layout.FLAG_UNREADABLE:
        return Problem.UNREADABLE
    return Problem.TRUNCATED


@functools.lru_cache(CACHED_ADDRESSES)
def _address(family: int, raw: bytes) -> str:
    if family == AF_INET:
        return str(ipaddress.IPv4Address(raw[:4]))
    return str(ipaddress.IPv6Address(raw))


@functools.lru_cache(CACHED_PROCESSES)
def _process(raw: bytes) -> KernelProcess:
    start_boottime_ns, inode, args_address, pid, uid, device, exec_id, comm = layout.PROCESS.unpack(
        raw
    )
    name = comm.split(b"\0", 1)[0]
    return KernelProcess(start_boottime_ns, pid, uid, name, inode, device, args_address, exec_id)


@functools.lru_cache(CACHED_PROCESSES)
def _ancestors(raw: bytes) -> tuple[KernelProcess, ...]:
    size = layout.PROCESS_SIZE
    return tuple(_process(raw[at : at + size]) for at in range(0, len(raw), size))


_DECODERS: dict[int, Callable[[bytes], Union[Event, SegmentSender, Segment]]] = {
    layout.KIND_SEGMENT: _decode_segment,
    layout.KIND_ANSWER: _decode_answer,
    layout.KIND_CLOSED: _decode_answer,
    layout.KIND_HOLDER: _decode_holder,
    **dict.fromkeys(_SENDERS, _decode_sender),
    layout.KIND_PROGRAM: _decode_program,
    layout.KIND_CGROUP: _decode_cgroup,
}
