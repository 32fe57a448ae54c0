"""Every send path gives its record; what a probe cannot see stands in a table."""

from __future__ import annotations

import contextlib
import mmap
import os
from collections.abc import Iterator

import pytest

from analyzer.imds import IMDS_IPV4, IMDS_IPV6
from analyzer.lab.imds import ImdsProcess
from analyzer.lab.namespace import LabNamespace
from tests.live.conftest import REQUIRED, Row
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

# What a probe does not see, where it sees calls alone. Where the connection is known otherwise,
# its next send shows that bytes are missing.
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
# Where the sender can still write to what the wire has shown, no token counts.
CHANGEABLE = (
    "MSG_ZEROCOPY",
    "io_uring send_zc",
    "sendfile",
    "splice",
    "vmsplice",
    "send, then sendfile",
    "sendfile, then send",
)
# Ways that are tried without the wire as well: one of each kind.
WITHOUT_WIRE = [
    way
    for way in WAYS
    if way.name
    in (
        "sendmmsg of 50 messages",
        "io_uring send",
        "io_uring write_fixed",
        "sendfile",
        "send, then sendfile",
        "32-bit write",
        "writev of 300 segments",
    )
]


@pytest.fixture(scope="module")
def calls_alone(
    probe: str,
    namespace: LabNamespace,
    imds: ImdsProcess,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Watch]:
    """Return a running analyzer with this probe that does not watch the wire."""
    assert imds.listening
    watch = Watch(probe, namespace, tmp_path_factory.mktemp("calls"))
    with watch.running("--no-wire", required=probe in REQUIRED):
        assert not watch.has_wire
        yield watch


def _is_blind(way: Way, watch: Watch) -> bool:
    return not watch.has_wire and way.name in BLIND.get(watch.probe, ())


def _expected(way: Way, watch: Watch) -> tuple[list[Judged], str]:
    """Of four requests, the first and third sent this way: what is recorded; and in words."""
    reason = TRUNCATED if way.name in READ_IN_PART.get(watch.probe, ()) else way.reason
    if watch.has_wire and way.name in CHANGEABLE:
        return [V1, V1, unknown("changeable_payload"), V1], "v1, unknown: changeable_payload"
    if watch.has_wire or (reason is None and not _is_blind(way, watch)):
        return [V1, V1, V2, V1], "v1, v2"
    if not _is_blind(way, watch):
        assert reason is not None
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
    """It is recorded like a plain send; what follows is judged."""
    _try_way(watch, program, way, row)


@pytest.mark.parametrize("way", WITHOUT_WIRE, ids=lambda way: way.name)
def test_a_way_to_send_without_the_wire(
    calls_alone: Watch, program: Program, way: Way, row: Row
) -> None:
    """It is recorded like a plain send or in a stated other form; what follows is judged."""
    _try_way(calls_alone, program, way, row)


def _try_way(watch: Watch, program: Program, way: Way, row: Row) -> None:
    name = way.name if watch.has_wire else f"{way.name}, no wire"
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
                    row(name, f"not in this kernel ({error})")
                    return
                callers += [sent.pid, os.getpid()]
                assert read_answer(client).startswith(b"HTTP/1.1 40")
                client.sendall(request(marker))
                assert read_answer(client).startswith(b"HTTP/1.1 404")
    lines = log.settled()
    expected, words = _expected(way, watch)
    # IPv6 has ports of its own, which may be the same.
    found = [
        [judged(line) for line in of(lines, port) if (":" in line["source"]["ip"]) == is_ipv6]
        for port, is_ipv6 in ends
    ]
    row(name, words if found == [expected] * len(ends) else f"WRONG: {found}")
    assert found == [expected] * len(ends)
    assert TOKEN not in watch.log.read_text()
    if not _is_blind(way, watch):
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
    expected = [V1] if watch.has_wire else [unknown("unreadable_payload"), V1]
    row("a send that fails with EFAULT", "no event, then v1" if found == [V1] else str(found))
    assert found == expected
