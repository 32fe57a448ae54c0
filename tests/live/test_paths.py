"""Every send path gives its record; what a probe cannot see stands in a table."""

from __future__ import annotations

import contextlib
import mmap
import os

import pytest

from analyzer.lab.namespace import IMDS_IPV4, IMDS_IPV6
from tests.live.conftest import Row
from tests.live.paths.answers import read_answer
from tests.live.paths.records import (
    TOKEN,
    TOKEN_FIELD,
    V1,
    V2,
    Judged,
    Log,
    judged,
    of,
    port_of,
    request,
    unknown,
)
from tests.live.paths.ways import TRUNCATED, WAYS, NotThereError, Program, Way
from tests.live.watch import Watch, new_marker

GAP = unknown("capture_gap")

# What a probe does not see. Where the connection is known otherwise, its next send shows
# that bytes are missing.
BLIND: dict[str, frozenset[str]] = {
    "core/tracepoint": frozenset(
        {
            "io_submit",
            "io_uring send",
            "io_uring sendmsg",
            "io_uring write",
            "io_uring writev",
            "io_uring send_zc",
            "io_uring send, worker",
            "io_uring send, polled",
            "io_uring write_fixed",
            "sendfile",
            "splice",
            "vmsplice",
            "send, then sendfile",
            "sendfile, then send",
            "32-bit write",
        }
    ),
}
# What it reads only the beginning of.
READ_IN_PART: dict[str, frozenset[str]] = {
    "core/tracepoint": frozenset({"sendmmsg of 50 messages"}),
}


def _is_blind(way: Way, probe: str) -> bool:
    return way.name in BLIND.get(probe, ())


def _expected(way: Way, probe: str) -> tuple[list[Judged], str]:
    """Of four requests, the first and third sent this way: what is recorded; and in words."""
    reason = TRUNCATED if way.name in READ_IN_PART.get(probe, ()) else way.reason
    if not _is_blind(way, probe):
        if reason is None:
            return [V1, V1, V2, V1], "v1, v2"
        missed = unknown(reason)
        return [missed, V1, missed, V1], f"unknown: {reason}"
    if ", then " in way.name:
        return [GAP, V1, GAP, V1], "unknown: capture_gap (one half is not seen)"
    return [V1, GAP, V1], "not seen (capture_gap where the connection is known)"


def _addresses(watch: Watch) -> list[str]:
    plain = [IMDS_IPV4, f"::ffff:{IMDS_IPV4}"]
    return plain if watch.namespace.ipv6_problem else [*plain, IMDS_IPV6]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_a_way_to_send(watch: Watch, program: Program, way: Way, row: Row) -> None:
    """It is recorded like a plain send or in a stated other form; what follows is judged."""
    log = Log(watch)
    ends, callers = [], []
    with contextlib.ExitStack() as open_clients:
        for address in _addresses(watch):
            # Each stays open: the port of one that is closed may be the next one's.
            client = open_clients.enter_context(watch.connect(address))
            ends.append((port_of(client), ":" in address.removeprefix("::ffff:")))
            marker = new_marker()
            for field in ("Accept: */*", TOKEN_FIELD):
                try:
                    sent = way.send(program, client, request(marker, field))
                except NotThereError as error:
                    row(way.name, f"not in this kernel ({error})")
                    return
                callers += [sent.pid, os.getpid()]
                assert read_answer(client).startswith(b"HTTP/1.1 40")
                client.sendall(request(marker))
                assert read_answer(client).startswith(b"HTTP/1.1 404")
    lines = log.settled()
    expected, words = _expected(way, watch.probe)
    # IPv6 has ports of its own, which may be the same.
    found = [
        [judged(line) for line in of(lines, port) if (":" in line["source"]["ip"]) == is_ipv6]
        for port, is_ipv6 in ends
    ]
    row(way.name, words if found == [expected] * len(ends) else f"WRONG: {found}")
    assert found == [expected] * len(ends)
    assert TOKEN not in watch.log.read_text()
    if not _is_blind(way, watch.probe):
        assert [line["process"]["pid"] for line in lines] == callers
        statuses = [line["http"]["response"]["status_code"] for line in lines]
        assert statuses == [404, 404, 401, 404] * len(ends)


def test_a_head_in_many_sends_is_read_whole(watch: Watch, row: Row) -> None:
    """A token behind more bytes than one send's copy limit is found if no send is longer."""
    log = Log(watch)
    data = request(new_marker(), f"X-More: {'x' * 8000}", TOKEN_FIELD)
    with watch.connect() as client:
        port = port_of(client)
        for at in range(0, len(data), 4096):
            client.sendall(data[at : at + 4096])
        assert read_answer(client).startswith(b"HTTP/1.1 401")
    found = [judged(line) for line in of(log.settled(), port)]
    row("a head of 8 KiB in sends of 4 KiB", str(found[0].version))
    assert found == [V2]


def test_a_send_that_failed_does_not_hide_the_next(watch: Watch, row: Row) -> None:
    """Memory that may not be read is no request; what is sent in its place is judged."""
    log = Log(watch)
    with watch.connect() as client:
        port = port_of(client)
        with (
            mmap.mmap(-1, mmap.PAGESIZE, mmap.MAP_PRIVATE, prot=0) as forbidden,
            pytest.raises(OSError, match="Bad address"),
        ):
            client.send(forbidden)
        client.sendall(request(new_marker()))
        assert read_answer(client).startswith(b"HTTP/1.1 404")
    found = [judged(line) for line in of(log.settled(), port)]
    row("a send that fails with EFAULT", "unknown: unreadable_payload, then v1")
    assert found == [unknown("unreadable_payload"), V1]
