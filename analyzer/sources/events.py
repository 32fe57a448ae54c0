"""From the probe's raw events to chunks: the same for every loader."""

from __future__ import annotations

import functools
import ipaddress
from typing import Optional

from analyzer import _abi
from analyzer.records import (
    Answer,
    Chunk,
    Closed,
    Connection,
    Event,
    KernelProcess,
    Problem,
    Snapshot,
)

AF_INET = 2

# Different processes that one busy host shows in a while; each entry is about 300 bytes.
CACHED_PROCESSES = 4096
# Addresses are the two of IMDS plus those of the host's namespaces.
CACHED_ADDRESSES = 1024

_NO_PAYLOAD_FLAGS = _abi.FLAG_TRUNCATED | _abi.FLAG_UNREADABLE | _abi.FLAG_NOT_USER_MEMORY


def decode_event(raw: bytes) -> Event:
    """Decode one event as the probe wrote it.

    Raises ValueError when it is of no known kind or shorter than it says: the object and
    ``_abi`` are then not of the same build.
    """
    if len(raw) == _abi.ANSWER_SIZE:
        return _decode_answer(raw)
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
        args_captured,
        ancestors_count,
        cgroup_id,
        caller,
    ) = _abi.EVENT.unpack_from(raw)
    args_at = _abi.EVENT_SIZE + ancestors_count * _abi.PROCESS_SIZE
    payload_at = args_at + args_captured
    end = payload_at + payload_captured
    if kind != _abi.KIND_SEND or end > len(raw):
        raise ValueError(f"an event of kind {kind} and {len(raw)} bytes says it has {end}")
    is_opening = flags & _abi.FLAG_FASTOPEN
    is_answered = not flags & _abi.FLAG_NO_ANSWER
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
        raw[payload_at:end],
        _problem(flags) if flags & _NO_PAYLOAD_FLAGS else None,
        tid,
        Snapshot(
            _process(caller),
            cgroup_id,
            raw[args_at:payload_at],
            bool(flags & _abi.FLAG_ARGS_TRUNCATED),
            _ancestors(raw[_abi.EVENT_SIZE : args_at]),
            bool(flags & _abi.FLAG_ANCESTORS_TRUNCATED),
        ),
        is_answered,
    )


def _decode_answer(raw: bytes) -> Event:
    kind, status, boottime_ns, sock, netns = _abi.ANSWER.unpack(raw)
    if kind == _abi.KIND_ANSWER:
        return Answer(boottime_ns, (sock, netns), status)
    if kind == _abi.KIND_CLOSED:
        return Closed(boottime_ns, (sock, netns))
    raise ValueError(f"an event is of the unknown kind {kind}")


def _problem(flags: int) -> Optional[Problem]:
    if flags & _abi.FLAG_NOT_USER_MEMORY:
        return Problem.NOT_USER_MEMORY
    if flags & _abi.FLAG_UNREADABLE:
        return Problem.UNREADABLE
    return Problem.TRUNCATED


@functools.lru_cache(CACHED_ADDRESSES)
def _address(family: int, raw: bytes) -> str:
    if family == AF_INET:
        return str(ipaddress.IPv4Address(raw[:4]))
    return str(ipaddress.IPv6Address(raw))


@functools.lru_cache(CACHED_PROCESSES)
def _process(raw: bytes) -> KernelProcess:
    start_boottime_ns, pid, uid, comm = _abi.PROCESS.unpack(raw)
    return KernelProcess(start_boottime_ns, pid, uid, comm.split(b"\0", 1)[0])


@functools.lru_cache(CACHED_PROCESSES)
def _ancestors(raw: bytes) -> tuple[KernelProcess, ...]:
    size = _abi.PROCESS_SIZE
    return tuple(_process(raw[at : at + size]) for at in range(0, len(raw), size))
