"""Requests meet their answers, and a token request that failed is remembered."""

from __future__ import annotations

from typing import Callable, Optional

import pytest

from analyzer.recorder.callers import Caller, NamedProcess, User
from analyzer.recorder.classify import classify
from analyzer.recorder.decode.head import NOT_HTTP, unread
from analyzer.recorder.decode.http import HEADER_TOO_LARGE, IN_BODY
from analyzer.recorder.exchanges import MAX_OUT_OF_STEP, Exchanges, response_of
from analyzer.recorder.records import (
    COUNTED_DIFFERENTLY,
    Classification,
    Outcome,
    Record,
    Request,
    Response,
    Token,
    Version,
)
from analyzer.recorder.source_events import Answer, Closed, Connection
from analyzer.recorder.token_failures import (
    FALLBACK,
    FALLBACK_WINDOW_S,
    GIVEN_UP_S,
    MAX_FAILURES,
)

S = 1_000_000_000
WAIT_S = 5.0


def record(path: str = "/", *, sock: int = 1, pid: int = 7, token: bool = False) -> Record:
    """Return a tokenless GET, or the token request, of one process on one socket."""
    verdict = (
        Classification(Version.V2, "token", "token_request", "aws")
        if token
        else Classification(Version.V1, "metadata", "no_token_header", "aws")
    )
    method = "PUT" if token else "GET"
    process = NamedProcess(pid, "app", None, None, False, 100 * pid, User(0, None))
    return Record(
        1,
        1,
        Connection(sock, 9, "10.0.0.1", 5000, "169.254.169.254", 80),
        pid,
        Request(method, path, Token.ABSENT, None, False, frozenset(), None),
        verdict,
        Caller(process, (), False, None, None),
    )


def answer(status: Optional[int], *, sock: int = 1, hop_limit: Optional[int] = None) -> Answer:
    return Answer(2 * S, (sock, 9), status, hop_limit)


def closed(*, sock: int = 1) -> Closed:
    return Closed(2 * S, (sock, 9))


@pytest.fixture
def exchanges() -> Exchanges:
    return Exchanges(WAIT_S)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, "success"),
        (204, "success"),
        (301, "error"),
        (400, "error"),
        (401, "rejected"),
        (402, "error"),
        (403, "rejected"),
        (404, "not_found"),
        (405, "error"),
        (503, "error"),
    ],
)
def test_a_status_has_its_outcome(status: int, outcome: str) -> None:
    """Each status code means one outcome and is kept."""
    assert response_of(status) == Response(Outcome(outcome), status)


@pytest.mark.parametrize("status", [0, 100, 103])
def test_what_does_not_tell_the_outcome_is_none(status: int) -> None:
    """An answer that could not be read, for which the kernel tells 0, and interim ones."""
    assert response_of(status) is None


def test_a_request_is_written_when_it_is_answered(exchanges: Exchanges) -> None:
    """Not before, and with the outcome."""
    assert exchanges.add(record(), 0, is_answered=True) == []
    (done,) = exchanges.answer(answer(200))
    assert done == record()._replace(response=Response(Outcome.SUCCESS, 200))
    assert len(exchanges) == 0


@pytest.mark.parametrize("status", [0, 200, 403])
def test_a_token_requests_hop_limit_is_its_answers(exchanges: Exchanges, status: int) -> None:
    """Whatever the answer was, also where its status could not be read."""
    exchanges.add(record(token=True), 0, is_answered=True)
    (done,) = exchanges.answer(answer(status, hop_limit=2))
    assert done.hop_limit == 2
    assert done.response == response_of(status)


def test_what_waits_on_a_connection_becomes_unknown(exchanges: Exchanges) -> None:
    """A token request in doubt is none: whether it was given up does not matter any more."""
    exchanges.add(record(token=True), 0, is_answered=True)
    exchanges.add(record(sock=2), 0, is_answered=True)
    request = unread("conflicting_bytes")
    assert exchanges.doubt((1, 9), request, classify(request)) == 1
    assert exchanges.doubt((3, 9), request, classify(request)) == 0
    (done,) = exchanges.answer(answer(200, hop_limit=2))
    assert (done.verdict.version, done.verdict.reason) == (Version.UNKNOWN, "conflicting_bytes")
    assert (done.response, done.hop_limit) == (Response(Outcome.SUCCESS, 200), None)
    (other,) = exchanges.answer(answer(200, sock=2))
    assert other.verdict.version is Version.V1
    assert exchanges.add(record(), 9 * S, is_answered=False) == [record()]


def test_only_a_token_request_has_a_hop_limit(exchanges: Exchanges) -> None:
    """Not another request, nor one that had to share the answer, nor one without an answer."""
    exchanges.add(record(), 0, is_answered=True)
    exchanges.add(record(token=True), 0, is_answered=True)
    assert [each.hop_limit for each in exchanges.answer(answer(200, hop_limit=2))] == [None, None]
    exchanges.add(record(token=True), 0, is_answered=True)
    (done,) = exchanges.close(closed())
    assert done.hop_limit is None


def test_an_answer_that_was_not_seen_is_no_missing_answer(exchanges: Exchanges) -> None:
    """What it was is not known, and not guessed."""
    exchanges.add(record(), 0, is_answered=True)
    assert exchanges.answer(answer(None)) == [record()]
    assert exchanges.close(closed()) == []


def test_answers_find_their_own_connection(exchanges: Exchanges) -> None:
    """Two sockets' requests do not get each other's answers."""
    exchanges.add(record("/a", sock=1), 0, is_answered=True)
    exchanges.add(record("/b", sock=2), 0, is_answered=True)
    (done,) = exchanges.answer(answer(404, sock=2))
    assert done.request.target == "/b"
    assert exchanges.answer(answer(404, sock=2)) == []
    (done,) = exchanges.answer(answer(200, sock=1))
    assert done.request.target == "/a"


def test_of_pipelined_requests_only_the_first_has_an_outcome(exchanges: Exchanges) -> None:
    """What is not known of the others is left out, not guessed."""
    for path in ("/a", "/b", "/c"):
        exchanges.add(record(path), 0, is_answered=True)
    done = exchanges.answer(answer(200))
    assert [each.request.target for each in done] == ["/a", "/b", "/c"]
    assert [each.response for each in done] == [response_of(200), None, None]


def test_the_end_of_a_connection_is_no_response(exchanges: Exchanges) -> None:
    """What was not answered by then will not be."""
    exchanges.add(record(), 0, is_answered=True)
    (done,) = exchanges.close(closed())
    assert done.response == Response(Outcome.NO_RESPONSE, None)
    assert exchanges.close(closed()) == []


def test_the_wait_has_an_end(exchanges: Exchanges) -> None:
    """Five seconds after it was sent a request is written, and not earlier."""
    exchanges.add(record(), 1 * S, is_answered=True)
    assert exchanges.expire(6 * S - 1) == []
    (done,) = exchanges.expire(6 * S)
    assert done.response == Response(Outcome.NO_RESPONSE, None)


def test_a_socket_whose_answers_are_not_seen_is_not_waited_for(exchanges: Exchanges) -> None:
    """No outcome is told for it."""
    (done,) = exchanges.add(record(), 0, is_answered=False)
    assert done.response is None


def test_more_than_fit_are_written_without_outcome() -> None:
    """The oldest goes first; none is lost."""
    exchanges = Exchanges(WAIT_S, max_waiting=2)
    written = [
        each.request.target
        for number in range(5)
        for each in exchanges.add(record(str(number), sock=number), 0, is_answered=True)
    ]
    assert written == ["0", "1", "2"]
    assert [each.request.target for each in exchanges.flush()] == ["3", "4"]
    assert len(exchanges) == 0


def fail_token(exchanges: Exchanges, status: Optional[int]) -> None:
    exchanges.add(record(token=True), 0, is_answered=True)
    if status is None:
        exchanges.close(closed())
    else:
        exchanges.answer(answer(status))


@pytest.mark.parametrize("status", [None, 403, 404, 405, 503])
def test_a_tokenless_call_after_a_failed_token_request_is_a_fallback(
    exchanges: Exchanges, status: Optional[int]
) -> None:
    """The record names what became of the token request."""
    fail_token(exchanges, status)
    exchanges.add(record("/x", sock=2), 1 * S, is_answered=True)
    (done,) = exchanges.answer(answer(200, sock=2))
    assert done.verdict.version is Version.V1
    assert done.verdict.reason == FALLBACK
    expected = Response(Outcome.NO_RESPONSE, None) if status is None else response_of(status)
    assert done.token_failure == expected


def test_a_token_request_that_still_waits_has_failed_for_its_process(exchanges: Exchanges) -> None:
    """An SDK gives up after a second; its next call without a token tells."""
    exchanges.add(record(token=True), 0, is_answered=True)
    exchanges.add(record("/x", sock=2), 1 * S, is_answered=True)
    (done,) = exchanges.answer(answer(200, sock=2))
    assert done.verdict.reason == FALLBACK
    assert done.token_failure == Response(Outcome.NO_RESPONSE, None)


def test_of_two_token_requests_the_one_that_waits_tells(exchanges: Exchanges) -> None:
    """Two threads ask for a token, and one is answered."""
    exchanges.add(record(token=True, sock=3), 0, is_answered=True)
    exchanges.add(record(token=True, sock=4), 0, is_answered=True)
    exchanges.answer(answer(200, sock=3))
    exchanges.add(record("/x", sock=2), 1 * S, is_answered=True)
    (done,) = exchanges.answer(answer(200, sock=2))
    assert done.token_failure == Response(Outcome.NO_RESPONSE, None)


@pytest.mark.parametrize(
    ("waited_s", "reason"), [(GIVEN_UP_S - 0.01, "no_token_header"), (GIVEN_UP_S, FALLBACK)]
)
def test_a_token_request_that_was_just_sent_has_not_failed(
    exchanges: Exchanges, waited_s: float, reason: str
) -> None:
    """An old and a new SDK in one process call side by side."""
    exchanges.add(record(token=True, sock=3), 0, is_answered=True)
    exchanges.answer(answer(200, sock=3))
    exchanges.add(record(token=True), 10 * S, is_answered=True)
    exchanges.add(record("/x", sock=2), int((10 + waited_s) * S), is_answered=True)
    (done,) = exchanges.answer(answer(200, sock=2))
    assert done.verdict.reason == reason
    assert (done.token_failure is None) == (reason != FALLBACK)


@pytest.mark.parametrize(
    ("pid", "status", "at_s"),
    [(8, 403, 1.0), (7, 200, 1.0), (7, 403, FALLBACK_WINDOW_S + 1)],
    ids=["another process", "it succeeded", "long ago"],
)
def test_what_is_no_fallback(exchanges: Exchanges, pid: int, status: int, at_s: float) -> None:
    """Another process, a token request that succeeded, one of long ago."""
    fail_token(exchanges, status)
    exchanges.add(record("/x", sock=2, pid=pid), int(at_s * S), is_answered=True)
    (done,) = exchanges.answer(answer(200, sock=2))
    assert done.verdict.reason == "no_token_header"
    assert done.token_failure is None


@pytest.mark.parametrize(
    ("source_ip", "token_agent", "agent", "reason"),
    [
        ("10.0.0.1", "sdk/1", "sdk/1", FALLBACK),
        ("10.0.0.2", "sdk/1", "sdk/1", "no_token_header"),
        ("10.0.0.1", "sdk/1", "curl/8", "no_token_header"),
        ("10.0.0.1", "sdk/1", None, "no_token_header"),
        ("10.0.0.1", None, "sdk/1", "no_token_header"),
        ("10.0.0.1", None, None, "no_token_header"),
    ],
)
@pytest.mark.parametrize("is_answered", [True, False])
def test_of_unknown_callers_address_and_user_agent_tell_who_fell_back(
    exchanges: Exchanges,
    source_ip: str,
    token_agent: Optional[str],
    agent: Optional[str],
    reason: str,
    is_answered: bool,
) -> None:
    """Behind one address are several programs; where nothing tells them apart, nobody is blamed."""

    def unknown(sock: int, source_ip: str, agent: Optional[str], *, token: bool = False) -> Record:
        one = record(sock=sock, token=token)
        return one._replace(
            caller=one.caller._replace(process=None),
            connection=one.connection._replace(source_ip=source_ip),
            request=one.request._replace(user_agent=agent),
        )

    exchanges.add(unknown(1, "10.0.0.1", token_agent, token=True), 0, is_answered=True)
    if is_answered:
        (token,) = exchanges.answer(answer(403, sock=1))
        assert token.response == response_of(403)
    exchanges.add(unknown(2, source_ip, agent), S, is_answered=True)
    (done,) = exchanges.answer(answer(200, sock=2))
    assert done.verdict.reason == reason
    assert len(exchanges.flush()) == (not is_answered)


def _one_answered(exchanges: Exchanges, status: int = 200) -> Optional[Response]:
    """Return the response of a request that is sent and answered now."""
    exchanges.add(record("/later"), 9 * S, is_answered=True)
    (done,) = exchanges.answer(answer(status))
    assert done.request.target == "/later"
    return done.response


def _pipeline(exchanges: Exchanges) -> None:
    for path in ("/a", "/b"):
        exchanges.add(record(path), 0, is_answered=True)
    exchanges.answer(answer(404))


def _interim(exchanges: Exchanges) -> None:
    exchanges.add(record(), 0, is_answered=True)
    (done,) = exchanges.answer(answer(100))
    assert done.response is None


def _give_up(exchanges: Exchanges) -> None:
    exchanges.add(record(), 0, is_answered=True)
    (done,) = exchanges.expire(8 * S)
    assert done.response == Response(Outcome.NO_RESPONSE, None)


def _garbage(exchanges: Exchanges) -> None:
    for reason in (NOT_HTTP, HEADER_TOO_LARGE):
        exchanges.add(record()._replace(request=unread(reason)), 0, is_answered=True)
        exchanges.answer(answer(400))


def _in_body(exchanges: Exchanges) -> None:
    inside = record()._replace(request=unread(IN_BODY))
    assert exchanges.add(inside, 0, is_answered=False) == [inside]


@pytest.mark.parametrize("before", [_pipeline, _interim, _give_up, _garbage, _in_body])
def test_an_answer_that_may_be_anothers_tells_nothing(
    exchanges: Exchanges, before: Callable[[Exchanges], None]
) -> None:
    """Of two requests before, the second one's answer may come when a third one has been sent."""
    before(exchanges)
    assert [_one_answered(exchanges) for _ in range(2)] == [None, None]
    # Nor is it known whether there will be one.
    exchanges.add(record(), 9 * S, is_answered=True)
    assert [each.response for each in exchanges.expire(99 * S)] == [None]
    exchanges.add(record(token=True), 100 * S, is_answered=True)
    (token,) = exchanges.answer(answer(200, hop_limit=2))
    assert (token.response, token.hop_limit) == (None, None)
    exchanges.add(record("/x", sock=2), 100 * S, is_answered=True)
    (other,) = exchanges.answer(answer(200, sock=2))
    assert (other.response, other.verdict.reason) == (response_of(200), "no_token_header")
    # On the next connection of this socket all is known again.
    exchanges.close(closed())
    assert _one_answered(exchanges, 401) == response_of(401)


def test_answers_that_come_in_turn_are_believed(exchanges: Exchanges) -> None:
    """However many there are on one connection."""
    assert [_one_answered(exchanges, status) for status in (401, 200, 404)] == [
        response_of(status) for status in (401, 200, 404)
    ]


def test_connections_out_of_step_are_bounded(exchanges: Exchanges) -> None:
    """The longest out of step is forgotten."""
    for sock in range(MAX_OUT_OF_STEP + 1):
        inside = record(sock=sock)._replace(request=unread(IN_BODY))
        exchanges.add(inside, 0, is_answered=False)
    assert len(exchanges._out_of_step) == MAX_OUT_OF_STEP


def test_what_is_counted_differently_are_reasons_of_decode() -> None:
    """They are named where all stages find them."""
    assert {NOT_HTTP, IN_BODY, HEADER_TOO_LARGE} == COUNTED_DIFFERENTLY


def test_a_longer_wait_holds_for_what_waits_already(exchanges: Exchanges) -> None:
    """Reloading the configuration sets it while requests are under way."""
    exchanges.add(record(), S, is_answered=True)
    exchanges.set_wait(2 * WAIT_S)
    assert exchanges.expire(S + int(1.5 * WAIT_S * S)) == []
    assert len(exchanges.expire(S + int(2.5 * WAIT_S * S))) == 1


def test_failed_token_requests_are_remembered_up_to_a_bound(exchanges: Exchanges) -> None:
    """The oldest failure is forgotten: that process' next call is an ordinary V1 call."""
    for pid in range(1, MAX_FAILURES + 2):
        exchanges.add(record(token=True, pid=pid), S, is_answered=True)
        exchanges.answer(answer(403))
    reasons = []
    for pid in (1, 2, MAX_FAILURES + 1):
        exchanges.add(record(pid=pid), 2 * S, is_answered=True)
        (done,) = exchanges.answer(answer(200))
        reasons.append(done.verdict.reason)
    assert reasons == ["no_token_header", FALLBACK, FALLBACK]


def test_requests_of_one_caller_share_its_bytes(exchanges: Exchanges) -> None:
    """What a caller takes is counted once, and freed with its last request."""
    caller = record().caller._replace(size_bytes=500)
    first = record("/a")._replace(caller=caller)
    exchanges.add(first, S, is_answered=True)
    one = exchanges.waiting_bytes
    exchanges.add(first._replace(connection=record(sock=2).connection), S, is_answered=True)
    assert one < exchanges.waiting_bytes < 2 * one
    exchanges.answer(answer(200))
    assert exchanges.waiting_bytes == one
    exchanges.answer(answer(200, sock=2))
    assert exchanges.waiting_bytes == 0


def test_the_oldest_is_given_up_where_too_many_wait_on_one_connection() -> None:
    """The others on its connection still wait, and flushing returns them."""
    exchanges = Exchanges(WAIT_S, max_waiting=2)
    for path in ("/a", "/b"):
        assert exchanges.add(record(path), S, is_answered=True) == []
    (given_up,) = exchanges.add(record("/c"), S, is_answered=True)
    assert given_up.request.target == "/a"
    assert [each.request.target for each in exchanges.flush()] == ["/b", "/c"]
    assert (len(exchanges), exchanges.waiting_bytes) == (0, 0)
