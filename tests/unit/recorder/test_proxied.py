"""A pod's call and the one that a proxy makes for it are found, and no others."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.logline.caller import Identity
from analyzer.recorder.callers import Caller, NamedProcess, User
from analyzer.recorder.classify import classify
from analyzer.recorder.exchanges import Exchanges
from analyzer.recorder.proxied import LOOKED_AT_MAX, PROXIES, RULES, THROUGH_MAX, maybe_proxy
from analyzer.recorder.records import Record, Relayed, Request, Token
from analyzer.recorder.source_events import Answer, Closed, Connection
from analyzer.recorder.windows import Window

S = 1_000_000_000
POD_IP, NODE_IP = "10.8.0.7", "10.9.0.2"
PATH = "/latest/meta-data/instance-id"
AGENT = "Botocore/1.12.253"


def record(
    sock: int,
    *,
    program: str = "app",
    pid: Optional[int] = None,
    target: Optional[str] = PATH,
    agent: Optional[str] = AGENT,
    token: Token = Token.ABSENT,
    method: str = "GET",
    reason: Optional[str] = None,
    client: Optional[str] = None,
    source: str = POD_IP,
) -> Record:
    """Return a request on a socket of its own, by default of a pod's program."""
    number = sock if pid is None else pid
    process = NamedProcess(number, program, f"/bin/{program}", None, False, 1, User(0, None))
    identity = Identity(program, "", "program", program)
    relayed = None if client is None else Relayed(client=client)
    request = Request(
        method, target, token, agent, client is not None, frozenset(), reason, relayed
    )
    return Record(
        1,
        1,
        Connection(sock, 9, source, 5000, "169.254.169.254", 80),
        number,
        request,
        classify(request),
        Caller(process, (), False, None, None, identity=identity),
    )


def own(sock: int = 2, program: str = "kube2iam", **fields: object) -> Record:
    """Return a proxy's request."""
    values: dict[str, object] = {"source": NODE_IP, **fields}
    return record(sock, program=program, **values)  # type: ignore[arg-type]


def answer(sock: int, hop_limit: Optional[int] = None) -> Answer:
    return Answer(2 * S, (sock, 9), 200, hop_limit)


def sent_on(pods: Record, proxys: Record) -> tuple[Record, Record]:
    """Return both as written: the pod asks, the proxy asks and is answered, the pod is."""
    exchanges = Exchanges(5.0)
    assert not exchanges.add(pods, 1 * S, is_answered=True)
    assert not exchanges.add(proxys, 2 * S, is_answered=True)
    (first,) = exchanges.answer(answer(proxys.connection.socket_id[0], 2))
    (second,) = exchanges.answer(answer(pods.connection.socket_id[0], 63))
    return second, first


@pytest.mark.parametrize(
    ("program", "name"),
    [
        ("kube2iam", "kube2iam"),
        ("kiam", "kiam"),
        ("envoy", "Envoy"),
        ("envoy-1.30", "Envoy"),
        ("istio-proxy", "Envoy"),
        ("linkerd2-proxy", "linkerd-proxy"),
        ("slirp4netns", "slirp4netns"),
        ("pasta", "pasta"),
        ("pasta.avx2", "pasta"),
        ("passt", None),  # of virtual machines, whose own calls no kernel here sees
        ("curl", None),
        ("metadataproxy", None),
        ("notkiam", None),
    ],
)
def test_a_proxy_is_known_by_its_programs(program: str, name: Optional[str]) -> None:
    pods, proxys = sent_on(record(1), own(program=program))
    assert (pods.through, proxys.is_sent_on) == (name, name is not None)
    assert (pods.is_sent_on, proxys.through) == (False, None)


def test_a_renamed_program_is_known_by_its_file() -> None:
    made = own()
    caller = made.caller._replace(identity=Identity("x", "", "program", "x"))
    found = maybe_proxy(made._replace(caller=caller))
    assert found is not None
    assert found.name == "kube2iam"
    assert maybe_proxy(made._replace(caller=made.caller._replace(process=None))) is None


@pytest.mark.parametrize(
    "proxys",
    [
        own(target="/latest/meta-data/other"),
        own(target=f"{PATH}?x=1"),
        own(agent=None),
        own(agent="aws-sdk-go-v2/1.41"),
        own(method="HEAD"),
        own(token=Token.PRESENT),
        own(pid=1),
        own(client="10.8.0.9"),
        own(reason="truncated"),
        own(reason="incomplete", target=None),
    ],
    ids=[
        "path", "query", "no agent", "agent", "method", "token", "process", "client", "unreadable",
        "incomplete",
    ],
)  # fmt: skip
def test_what_differs_is_a_call_of_its_own(proxys: Record) -> None:
    pods, found = sent_on(record(1), proxys)
    assert (pods.through, found.is_sent_on) == (None, False)


def test_the_client_that_the_proxy_names_is_the_pod() -> None:
    pods, proxys = sent_on(record(1), own(client=POD_IP))
    assert (pods.through, proxys.is_sent_on) == ("kube2iam", True)


@pytest.mark.parametrize(
    ("asked", "sent", "is_pair"),
    [
        (f"http://169.254.169.254{PATH}", PATH, True),
        (PATH, f"http://169.254.169.254{PATH}", True),
        (f"http://instance-data{PATH}", f"HTTP://169.254.169.254:80{PATH}", True),
        (f"http://169.254.169.254{PATH}x", PATH, False),
        (f"http://169.254.169.254{PATH}?x=1", PATH, False),
        ("http://169.254.169.254", PATH, False),
    ],
)
def test_a_whole_url_is_the_same_call_as_its_path(asked: str, sent: str, is_pair: bool) -> None:
    """A pod's forward proxy names scheme and host, and the proxy behind it leaves them out."""
    pods, proxys = sent_on(record(1, target=asked), own(target=sent))
    assert (pods.through, proxys.is_sent_on) == ("kube2iam" if is_pair else None, is_pair)


def test_what_cannot_be_read_of_both_is_no_pair() -> None:
    pods, proxys = sent_on(record(1, reason="truncated"), own(reason="truncated"))
    assert (pods.through, proxys.is_sent_on) == (None, False)


def test_a_proxys_call_from_before_is_its_own() -> None:
    exchanges = Exchanges(5.0)
    exchanges.add(own(), 1 * S, is_answered=True)
    exchanges.add(record(1), 2 * S, is_answered=True)
    (found,) = exchanges.answer(answer(2))
    assert not found.is_sent_on


def test_a_pod_that_has_its_answer_waits_for_nobody() -> None:
    exchanges = Exchanges(5.0)
    exchanges.add(record(1), 1 * S, is_answered=True)
    exchanges.add(own(), 2 * S, is_answered=True)
    exchanges.answer(answer(1))
    (found,) = exchanges.answer(answer(2))
    assert not found.is_sent_on


def test_one_call_is_sent_on_once() -> None:
    exchanges = Exchanges(5.0)
    exchanges.add(record(1), 1 * S, is_answered=True)
    for sock in (2, 3):
        exchanges.add(own(sock), 2 * S, is_answered=True)
    assert [exchanges.answer(answer(sock))[0].is_sent_on for sock in (2, 3)] == [True, False]


def test_a_sidecar_and_a_proxy_of_the_node_are_one_way() -> None:
    exchanges = Exchanges(5.0)
    exchanges.add(record(1), 1 * S, is_answered=True)
    exchanges.add(own(2, "envoy", source=POD_IP), 2 * S, is_answered=True)
    exchanges.add(own(3), 3 * S, is_answered=True)
    (last,) = exchanges.answer(answer(3))
    (middle,) = exchanges.answer(answer(2))
    (first,) = exchanges.answer(answer(1))
    assert (last.through, last.is_sent_on) == (None, True)
    assert (middle.through, middle.is_sent_on) == ("kube2iam", True)
    assert (first.through, first.is_sent_on) == ("Envoy, kube2iam", False)


def test_a_way_is_bounded() -> None:
    exchanges = Exchanges(5.0)
    exchanges.add(record(1), 1 * S, is_answered=True)
    for sock in range(2, 40):
        exchanges.add(own(sock, ("kiam", "envoy")[sock % 2]), sock * S, is_answered=True)
    for sock in reversed(range(2, 40)):
        exchanges.answer(answer(sock))
    (pods,) = exchanges.answer(answer(1))
    assert pods.through is not None
    assert len(pods.through) == THROUGH_MAX


def test_only_imds_has_a_hop_limit() -> None:
    """A pod's token comes with the TTL that the proxy's answer has."""
    request = {"method": "PUT", "target": "/latest/api/token"}
    pods, proxys = sent_on(record(1, **request), own(**request))  # type: ignore[arg-type]
    assert (pods.through, pods.hop_limit, proxys.hop_limit) == ("kube2iam", None, 2)


def test_a_flood_is_looked_at_up_to_a_bound() -> None:
    exchanges = Exchanges(5.0)
    exchanges.add(record(1), 1 * S, is_answered=True)
    for sock in range(10, 10 + LOOKED_AT_MAX):
        exchanges.add(record(sock, target="/x"), 1 * S, is_answered=True)
    exchanges.add(own(), 2 * S, is_answered=True)
    assert not exchanges.answer(answer(2))[0].is_sent_on


def test_a_call_that_is_not_answered_is_a_pair_too() -> None:
    exchanges = Exchanges(5.0)
    exchanges.add(record(1), 1 * S, is_answered=True)
    exchanges.add(own(), 2 * S, is_answered=True)
    assert exchanges.close(Closed(3 * S, (2, 9)))[0].is_sent_on


def test_tables_say_why() -> None:
    assert all(reason for _, reason in RULES)
    assert all(each.reason for each in PROXIES)


def test_a_folded_line_never_mixes_what_was_sent_on_with_own_calls() -> None:
    """Neither where all kinds of lines are used up."""
    window = Window(0)
    for number in range(40):
        made = own(agent=f"agent {number}")._replace(is_sent_on=number % 2 == 0)
        window.fold(made, ("v1", "metadata", "success"))
    counted: Counter[bool] = Counter()
    for line in window.lines():
        repeated = line.repeated
        counted[line.is_sent_on] += 1 if repeated is None else sum(c.calls for c in repeated.counts)
    assert counted == {True: 20, False: 20}


class Step(NamedTuple):
    """A call is sent, or the oldest that waits on a socket is answered."""

    sock: int
    is_proxys: bool
    is_v2: bool
    path: str
    is_answer: bool


STEPS = st.lists(
    st.builds(
        Step, st.integers(1, 12), st.booleans(), st.booleans(), st.sampled_from("ab"), st.booleans()
    ),
    max_size=60,
)


@given(STEPS)
def test_no_call_without_a_token_is_counted_for_nobody(steps: list[Step]) -> None:
    """Whatever comes in whichever order: a call that does not count has one like it that does."""
    exchanges = Exchanges(5.0)
    written: list[Record] = []
    sent: Counter[str] = Counter()
    for number, step in enumerate(steps, 1):
        if step.is_answer:
            written += exchanges.answer(answer(step.sock))
            continue
        token = Token.PRESENT if step.is_v2 else Token.ABSENT
        made = (
            own(step.sock, token=token, target=step.path, pid=900)
            if step.is_proxys
            else record(step.sock, token=token, target=step.path)
        )
        sent[made.verdict.version.value] += 1
        written += exchanges.add(made, number * S // 100, is_answered=True)
    written += exchanges.flush()
    for version in ("v1", "v2"):
        of = [each for each in written if each.verdict.version.value == version]
        assert len(of) == sent[version]
        through = [each for each in of if each.through is not None]
        skipped = [each for each in of if each.is_sent_on]
        assert len(through) == len(skipped)
        assert not [each for each in skipped if each.tid != 900]
        assert not [each for each in through if each.tid == 900]
        if of:
            assert [each for each in of if not each.is_sent_on]
        if not [each for each in of if each.tid != 900]:
            assert not skipped
