"""Each line the sink writes keeps the log contract, whatever the record holds.

The goldens are whole lines. Readers depend on their names, types and order: a golden that has
to change is a change of the contract.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer import __version__
from analyzer.logline.line import CALLS_MAX
from analyzer.recorder.attribute import NOBODY, Attributor
from analyzer.recorder.attribute.identity import identified
from analyzer.recorder.callers import Caller, Container, NamedProcess, User, Workload
from analyzer.recorder.records import (
    Classification,
    Hint,
    Outcome,
    Record,
    Relayed,
    Repeated,
    Request,
    Response,
    Token,
    Version,
)
from analyzer.recorder.sinks.jsonl import JsonlSink
from analyzer.recorder.sinks.log import LineLog
from analyzer.recorder.sinks.stream import StreamWriter
from analyzer.recorder.source_events import Attribution, Connection, KernelProcess, Snapshot
from tests.schema import parsed

ATTRIBUTOR = Attributor()
GOLDEN = Path(__file__).parent / "log"
HOST_NAME, BOOT_ID = "ip-10-0-3-7", "0b5e8a52-7d3c-4c0e-9f5e-1c2d3e4f5a6b"
NO_PID = 4_194_305
TOKEN = "AQAEAN7Yc3VwZXItc2VjcmV0LXRva2VuLXZhbHVlLTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMw=="


def checked(lines: bytes, count: int) -> list[dict[str, Any]]:
    """Return the lines' objects; fails for whatever the contract does not allow."""
    assert lines.endswith(b"\n")
    parts = lines[:-1].split(b"\n")
    assert len(parts) == count
    assert len(lines.decode("utf-8").splitlines()) == count  # by any idea of a line's end
    read = []
    for part in parts:
        assert not re.search(rb"[\0-\x1f\x7f]", part)
        read.append(parsed(part.decode()))
    return read


def write(
    *records: Record, instance_id: str = "", host_name: str = HOST_NAME, boot_id: str = BOOT_ID
) -> bytes:
    """Return what the sink writes, into a file without a name."""
    fd = os.memfd_create("log")
    try:
        log = LineLog(StreamWriter(os.dup(fd), "log"))
        sink = JsonlSink(log, lambda: host_name, boot_id, instance_id)
        sink.set_probe("core/fentry")
        for record in records:
            sink.write(record._replace(caller=identified(record.caller)))
        sink.close()
        return os.pread(fd, 1 << 20, 0)
    finally:
        os.close(fd)


# --- goldens ---------------------------------------------------------------------------

APP = User(1001, "app")
ROOT = User(0, "root")
WORKER = NamedProcess(
    4242,
    "python3",
    "/usr/bin/python3.9",
    ("python3", "/srv/app/worker.py"),
    False,
    1_000_000_000,
    APP,
)
GUNICORN = NamedProcess(
    4200, "gunicorn", "/usr/bin/python3.9", ("gunicorn", "app:app"), False, 1, APP
)
INIT = NamedProcess(1, "systemd", "/usr/lib/systemd/systemd", ("/sbin/init",), False, 1, ROOT)
CONTRACT = Record(
    at_ns=1_795_287_001_123_456_000,
    process_start_at_ns=1_795_286_400_000_000_000,
    connection=Connection(1, 1, "10.0.3.7", 41234, "169.254.169.254", 80),
    tid=4242,
    request=Request(
        "GET",
        "/latest/meta-data/iam/security-credentials/",
        Token.ABSENT,
        "Boto3/1.9.253 Python/3.7.4 Linux/4.14 Botocore/1.12.253",
        False,
        frozenset(),
        None,
    ),
    verdict=Classification(Version.V1, "credentials", "no_token_header", "aws"),
    caller=Caller(WORKER, (GUNICORN, INIT), False, Container("3f1c" * 16, "docker"), "app.service"),
    response=Response(Outcome.SUCCESS, 200),
)
HOSTILE = NamedProcess(
    666,
    "new\nline",
    '/tmp/\\xff\n"quoted"',  # noqa: S108 -- a caller's path, nothing is written there
    ("a\nb", "", '{"event":"forged"}', "\u2028\x9b2J\x7f", "käse 💾"),
    True,
    1,
    User(4_294_967_295, None),
)
GOLDENS = {
    "contract-example": CONTRACT,
    "token-request-over-ipv6": CONTRACT._replace(
        connection=Connection(1, 1, "fd00:ec2::7", 50000, "fd00:ec2::254", 80),
        request=Request("PUT", "/latest/api/token", Token.ABSENT, None, False, frozenset(), None),
        verdict=Classification(Version.V2, "token", "token_request", "aws"),
        caller=CONTRACT.caller._replace(container=Container("web-1", "lxc"), service=None),
        hop_limit=2,
    ),
    "from-a-kubernetes-pod": CONTRACT._replace(
        caller=CONTRACT.caller._replace(
            container=Container("90de" * 16, "containerd"),
            service=f"cri-containerd-{'90de' * 16}.scope",
            workload=Workload("kubernetes", "pod", "8a4ef2b1-65b5-4a52-9f2c-0c1f0a4e6d3b"),
        ),
    ),
    "from-a-container-with-names": CONTRACT._replace(
        caller=CONTRACT.caller._replace(
            container=Container(
                "90de" * 16, "containerd", "app", "registry.example/payments/api", "1.4"
            ),
            service=f"cri-containerd-{'90de' * 16}.scope",
            workload=Workload(
                "kubernetes",
                "pod",
                "8a4ef2b1-65b5-4a52-9f2c-0c1f0a4e6d3b",
                "payments",
                "api-7d4b9c6f5d-x2x4z",
                "Deployment",
                "api",
                "prod-1",
                "node-7",
                ("team:payments",),
            ),
        ),
    ),
    "from-a-service-of-compose": CONTRACT._replace(
        caller=CONTRACT.caller._replace(
            container=Container("3f1c" * 16, "docker", "shop-front-1", "nginx"),
            service=f"docker-{'3f1c' * 16}.scope",
            workload=Workload("compose", "service", "", "shop", "front"),
        ),
    ),
    "from-an-ecs-task": CONTRACT._replace(
        caller=CONTRACT.caller._replace(workload=Workload("ecs", "task", "5a1b9c2d" * 4)),
    ),
    "unreadable-from-a-thread-that-is-gone": CONTRACT._replace(
        tid=4299,
        request=Request(None, None, Token.ABSENT, None, False, frozenset(), "unreadable_payload"),
        verdict=Classification(Version.UNKNOWN, "other", "unreadable_payload", "aws"),
        caller=Caller(
            NamedProcess(4242, "curl", None, None, False, 1, User(1001, None)),
            (),
            False,
            None,
            None,
        ),
        response=None,
    ),
    "after-a-token-request-without-an-answer": CONTRACT._replace(
        verdict=Classification(Version.V1, "credentials", "fallback_after_token_failure", "aws"),
        response=Response(Outcome.REJECTED, 401),
        token_failure=Response(Outcome.NO_RESPONSE, None),
    ),
    "sent-while-opening-the-connection": CONTRACT._replace(
        connection=Connection(1, 1, "0.0.0.0", 0, "169.254.169.254", 80),  # noqa: S104 (no server)
    ),
    "from-a-caller-found-by-its-socket": CONTRACT._replace(
        caller=CONTRACT.caller._replace(attribution=Attribution.SOCKET),
    ),
    "forwarded-from-nobody-knows-whom": CONTRACT._replace(
        process_start_at_ns=0,
        connection=CONTRACT.connection._replace(is_forwarded=True),
        tid=0,
        caller=NOBODY,
    ),
    "from-a-socket-of-nobody-known": CONTRACT._replace(
        process_start_at_ns=0,
        tid=0,
        caller=Caller(
            None,
            (),
            False,
            Container("3f1c" * 16, "docker"),
            "docker.service",
            attribution=Attribution.WIRE,
            others=(CONTRACT.caller.ancestors[0],),
        ),
    ),
    # Nothing in it is long but together; a line was torn by it, so nobody could read it.
    "sent-by-many-with-many-arguments": CONTRACT._replace(
        tid=4299,
        caller=CONTRACT.caller._replace(others=(GUNICORN._replace(args=("a",) * 2048),) * 6),
    ),
    "hostile-text": CONTRACT._replace(
        tid=666,
        request=Request(
            "GET", '/a b?x=\\xff&"y"\n', Token.ABSENT, 'Evil"\\\r\n\0', True, frozenset(), None
        ),
        verdict=Classification(Version.V1, "other", "no_token_header", "aws"),
        caller=Caller(HOSTILE, (HOSTILE,), True, Container("3f1c" * 16, None), "a\\x2db.service"),
    ),
    "sent-on-for-a-browser": CONTRACT._replace(
        request=CONTRACT.request._replace(
            user_agent="Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0",
            forwarded=True,
            relayed=Relayed(
                "1.1 proxy (squid/5.7)", "203.0.113.9", "www.example.com", ("cookie", "referer")
            ),
        ),
    ),
    # Two lines of one call: readers count the pod's.
    "from-a-pod-through-a-proxy": CONTRACT._replace(
        connection=CONTRACT.connection._replace(source_ip="10.8.0.7"),
        through="Envoy, kube2iam",
        caller=CONTRACT.caller._replace(
            container=Container("90de" * 16, "containerd", "app"),
            service=f"cri-containerd-{'90de' * 16}.scope",
            workload=Workload(
                "kubernetes", "pod", "8a4ef2b1-65b5-4a52-9f2c-0c1f0a4e6d3b", "payments", "api-0"
            ),
        ),
    ),
    "sent-on-by-a-proxy-for-a-pod": CONTRACT._replace(
        request=CONTRACT.request._replace(forwarded=True, relayed=Relayed(client="10.8.0.7")),
        is_sent_on=True,
        caller=CONTRACT.caller._replace(
            process=WORKER._replace(
                name="kube2iam", executable="/bin/kube2iam", args=("/bin/kube2iam",), user=ROOT
            ),
            ancestors=(INIT,),
            container=Container("5a1b" * 16, "containerd", "kube2iam"),
            service=f"cri-containerd-{'5a1b' * 16}.scope",
        ),
    ),
    "probe-of-another-cloud": CONTRACT._replace(
        request=Request(
            "GET",
            "/computeMetadata/v1/instance/id?alt=text",
            Token.ABSENT,
            "Go-http-client/1.1",
            False,
            frozenset({Hint.GOOGLE}),
            None,
        ),
        verdict=Classification(Version.V1, "other", "other_cloud_probe", "gcp"),
        response=Response(Outcome.NOT_FOUND, 404),
    ),
}


@pytest.mark.parametrize("name", GOLDENS)
def test_a_line_is_what_it_always_was(name: str) -> None:
    """Byte by byte, but for the version."""
    line = write(GOLDENS[name])
    checked(line, 1)
    text = line.decode().replace(f'"version":"{__version__}"', '"version":"VERSION"')
    assert text == (GOLDEN / f"{name}.jsonl").read_text("utf-8")


def test_an_instance_that_knows_its_id_tells_it() -> None:
    """And is otherwise the line that it is without."""
    (line,) = checked(write(CONTRACT, instance_id="i-0123456789abcdef0"), 1)
    assert line.pop("cloud") == {"instance": {"id": "i-0123456789abcdef0"}}
    assert [line] == checked(write(CONTRACT), 1)


def test_of_a_host_that_is_not_known_nothing_is_told() -> None:
    """A capture does not tell where it was made; the line is otherwise the same."""
    (line,) = checked(write(CONTRACT, host_name="", boot_id=""), 1)
    assert "host" not in line
    (named,) = checked(write(CONTRACT, boot_id=""), 1)
    assert named["host"] == {"name": HOST_NAME}


def test_each_golden_is_of_a_case() -> None:
    """No file is left over from a case that is gone."""
    assert {path.stem for path in GOLDEN.iterdir()} == set(GOLDENS)


# --- the checker itself ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"level":"warning"', '"level":"error"'),
        ('"level":"warning",', ""),
        ('"version":"v1"', '"version":null'),
        ('"port":41234', '"port":"41234"'),
        ('"port":41234', '"port":41234,"port":1'),
        ('"outcome":"success"', '"outcome":"success","hop_limit":0'),
        ('"name":"app"', '"name":""'),
        ('"id":"1001"', '"id":1001'),
        (".123456Z", ".123Z"),
        ('"runtime":"docker"', '"runtime":"docker","pod":"x"'),
        ('"args":["gunicorn","app:app"],', '"args":[],'),
        ('"timestamp":', '"event":"imds_request","timestamp":'),
        ('"http":{', '"http":{"response":{},'),
        ("worker.py", "worker\n.py"),
        ("worker.py", "worker\u2028.py"),
    ],
)
def test_the_checker_finds_what_breaks_the_contract(before: str, after: str) -> None:
    """A line that is broken by hand is not accepted."""
    line = write(CONTRACT).decode()
    assert before in line
    with pytest.raises((AssertionError, ValueError)):
        checked(line.replace(before, after, 1).encode(), 1)


# --- any record ------------------------------------------------------------------------

# Lone surrogates too: nothing in the program makes them, and still no line may break.
ANY_TEXT = st.text(st.characters(), max_size=40) | st.text(
    st.sampled_from('\n\r\0\x1b\x7f\x85\x9b\u2028\u2029\ud800\udcff"\\{}[],:é💾'), max_size=20
)
MAYBE_TEXT = st.none() | ANY_TEXT
USERS = st.builds(User, st.integers(0, 2**32 - 1), MAYBE_TEXT)
PROCESSES = st.builds(
    NamedProcess,
    pid=st.integers(1, 2**32 - 1),
    name=ANY_TEXT,
    executable=MAYBE_TEXT,
    args=st.none() | st.lists(ANY_TEXT, min_size=1, max_size=4).filter(any).map(tuple),
    args_truncated=st.booleans(),
    start_boottime_ns=st.integers(0, 2**63),
    user=USERS,
    executable_inode=st.integers(0, 2**64 - 1),
    executable_device=st.integers(0, 2**32 - 1),
    mount_namespace=st.integers(0, 2**32 - 1),
    unverified=st.sampled_from([(), ("executable",), ("container", "service", "orchestrator")]),
)
CALLERS = st.just(NOBODY) | st.builds(
    Caller,
    process=st.none() | PROCESSES,
    ancestors=st.lists(PROCESSES, max_size=3).map(tuple),
    ancestors_truncated=st.booleans(),
    container=st.none()
    | st.builds(Container, ANY_TEXT.filter(bool), st.sampled_from([None, "docker", "cri-o"])),
    service=MAYBE_TEXT,
    workload=st.sampled_from(
        [None, Workload("kubernetes", "pod", "5a1b-9c2d"), Workload("ecs", "task", "5a1b9c2d")]
    ),
    attribution=st.sampled_from(Attribution),
    others=st.lists(PROCESSES, max_size=2).map(tuple),
    size_bytes=st.just(0),
    identity=st.none(),  # told by the sink's caller
)
RESPONSES = st.none() | st.builds(
    Response, st.sampled_from(Outcome), st.none() | st.integers(1, 999)
)
RECORDS = st.builds(
    Record,
    at_ns=st.integers(0, 4 * 10**18),
    process_start_at_ns=st.integers(0, 4 * 10**18),
    connection=st.builds(
        Connection,
        st.integers(0, 2**64 - 1),
        st.integers(0, 2**32 - 1),
        st.ip_addresses().map(str),
        st.integers(0, 65535),
        st.ip_addresses().map(str),
        st.just(80),
        st.booleans(),
    ),
    tid=st.integers(1, 2**32 - 1),
    request=st.builds(
        Request,
        MAYBE_TEXT,
        MAYBE_TEXT,
        st.sampled_from(Token),
        MAYBE_TEXT,
        st.booleans(),
        st.frozensets(st.sampled_from(Hint)),
        st.sampled_from([None, "truncated"]),
        st.none()
        | st.builds(
            Relayed,
            MAYBE_TEXT,
            st.sampled_from([None, "203.0.113.9", "2001:db8::1"]),
            MAYBE_TEXT,
            st.lists(st.sampled_from(["cookie", "referer"]), max_size=2).map(tuple),
        ),
    ),
    verdict=st.builds(
        Classification,
        st.sampled_from(Version),
        st.sampled_from(["token", "credentials", "metadata", "dynamic", "user-data", "other"]),
        st.sampled_from(["token_header", "no_token_header", "truncated"]),
        st.sampled_from(["aws", "gcp", "azure"]),
    ),
    response=RESPONSES,
    through=st.sampled_from([None, "kube2iam", "Envoy, kube2iam"]),
    token_failure=RESPONSES,
    caller=CALLERS,
    hop_limit=st.none() | st.integers(1, 255),
    repeated=st.none()
    | st.builds(
        Repeated,
        counts=st.lists(
            st.tuples(
                st.sampled_from(["v1", "v2", "unknown"]),
                st.sampled_from(["token", "credentials", "metadata"]),
                st.sampled_from(["success", "rejected", "unknown"]),
                st.integers(1, CALLS_MAX),
            ),
            min_size=1,
            max_size=3,
        ).map(tuple),
        since_at_ns=st.integers(0, 4 * 10**18),
        is_of_several=st.booleans(),
    ),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(RECORDS, min_size=1, max_size=3))
def test_every_record_becomes_a_line_that_keeps_the_contract(records: list[Record]) -> None:
    """Whatever text callers choose, it stays within its field."""
    records = records + records[:1]  # the second time from what is kept ready
    lines = checked(write(*records), len(records))
    for line, record in zip(lines, records):
        process = record.caller.process
        assert line.get("process", {}).get("pid") == (process.pid if process else None)
        ancestors = line.get("process", {}).get("ancestors", [])
        assert len(ancestors) == (len(record.caller.ancestors) if process else 0)
        agent = record.request.user_agent
        if agent and not re.search("[\ud800-\udfff]", agent):
            assert line["user_agent"]["original"] == agent
    assert lines[0] == lines[-1]


@settings(max_examples=200, deadline=None)
@given(
    comm=st.binary(max_size=15),
    raw=st.binary(max_size=60),
    ancestors=st.lists(st.binary(max_size=15), max_size=3),
    truncated=st.booleans(),
)
def test_every_snapshot_becomes_a_line_that_keeps_the_contract(
    comm: bytes, raw: bytes, ancestors: list[bytes], truncated: bool
) -> None:
    """From the kernel's bytes, without a record made by hand."""
    snapshot = Snapshot(
        KernelProcess(1, NO_PID, 0, comm),
        1,
        raw,
        truncated,
        tuple(KernelProcess(1, NO_PID + 1 + at, 0, each) for at, each in enumerate(ancestors)),
        False,
    )
    checked(write(CONTRACT._replace(caller=ATTRIBUTOR.attribute(snapshot))), 1)


@settings(deadline=None)
@given(
    before=st.text(max_size=10),
    style=st.sampled_from(
        [
            ("-H", "X-aws-ec2-metadata-token: {}"),
            ("-HX-AWS-EC2-Metadata-Token:{}",),
            ("--header=x-aws-ec2-metadata-token: {}", "--next"),
            ("sh", "-c", "curl -H 'X-aws-ec2-metadata-token: {}' http://x/"),
            ("TOKEN={}",),
            ("{}",),
        ]
    ),
)
def test_no_token_of_anybodys_arguments_is_in_a_line(before: str, style: tuple[str, ...]) -> None:
    """Wherever in a caller's argument vector it stood."""
    args = [before, *(each.format(TOKEN) for each in style)]
    raw = b"\0".join(arg.replace("\0", "").encode() for arg in args) + b"\0"
    snapshot = Snapshot(KernelProcess(1, NO_PID, 0, b"curl"), 1, raw, False, (), False)
    line = write(CONTRACT._replace(caller=ATTRIBUTOR.attribute(snapshot)))
    assert TOKEN[:40].encode() not in line
    assert b"[redacted]" in line
