"""What systemd is told arrives as it expects it, on a socket such as its own."""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from analyzer.errors import ServiceError
from analyzer.recorder.daemon.notify import Notifier
from analyzer.recorder.daemon.status import StatusListener

DEADLINE_S = 20


@contextlib.contextmanager
def _manager(address: str) -> Iterator[socket.socket]:
    """Listen as systemd does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + address[1:] if address.startswith("@") else address)
        listener.settimeout(DEADLINE_S)
        yield listener


@pytest.fixture(params=["path", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return a NOTIFY_SOCKET of each kind."""
    return str(tmp_path / "notify") if request.param == "path" else f"@{uuid.uuid4()}"


@pytest.fixture
def manager(address: str) -> Iterator[socket.socket]:
    """Return what listens there."""
    with _manager(address) as listener:
        yield listener


def _states(manager: socket.socket) -> list[str]:
    return manager.recv(4096).decode().split("\n")


def test_the_states_of_a_life(address: str, manager: socket.socket) -> None:
    """Each is one datagram."""
    notifier = Notifier(address)
    notifier.ready("core/fentry, 0 requests")
    assert _states(manager) == ["READY=1", "STATUS=core/fentry, 0 requests"]
    with notifier.reloading(lambda: "again"):
        reloading, monotonic = _states(manager)
    assert reloading == "RELOADING=1"
    assert 0 <= time.monotonic() - int(monotonic.split("=")[1]) / 1e6 < DEADLINE_S
    assert _states(manager) == ["READY=1", "STATUS=again"]
    notifier.stopping()
    assert _states(manager)[0] == "STOPPING=1"
    notifier.close()


def test_a_reload_that_fails_ends_too(address: str, manager: socket.socket) -> None:
    """Otherwise systemd would wait for its end."""
    notifier = Notifier(address)
    with pytest.raises(KeyError), notifier.reloading(lambda: "as before"):
        raise KeyError
    notifier.close()
    assert [_states(manager)[0], _states(manager)[0]] == ["RELOADING=1", "READY=1"]


def test_a_status_cannot_be_another_state(address: str, manager: socket.socket) -> None:
    """Line ends in it are spaces."""
    notifier = Notifier(address)
    notifier.ready("two\nMAINPID=1")
    notifier.close()
    assert _states(manager) == ["READY=1", "STATUS=two MAINPID=1"]


def test_the_watchdog_is_fed_in_time_and_not_with_every_tick(
    address: str, manager: socket.socket
) -> None:
    """At the first tick, and again before half of its time is over, with no change of status."""
    watchdog_s = 0.8
    notifier = Notifier(address, watchdog_s)
    manager.setblocking(False)
    fed_s: list[float] = []
    ticks = 0
    end = time.monotonic() + DEADLINE_S
    while len(fed_s) < 3:
        assert time.monotonic() < end
        notifier.advance("")
        ticks += 1
        with contextlib.suppress(BlockingIOError):
            assert _states(manager) == ["WATCHDOG=1"]
            fed_s.append(time.monotonic())
    notifier.close()
    assert ticks > len(fed_s)
    # The scheduler of a busy machine may add to it.
    assert fed_s[2] - fed_s[1] >= watchdog_s / 4 * 0.9


def test_a_changed_status_is_told_but_not_with_every_tick(
    address: str, manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a watchdog the status is all there is to say."""
    notifier = Notifier(address)
    notifier.ready("0 requests")
    assert _states(manager)[0] == "READY=1"
    manager.setblocking(False)
    notifier.advance("1 request")
    with pytest.raises(BlockingIOError):
        manager.recv(4096)
    monkeypatch.setattr("analyzer.recorder.daemon.notify.STATUS_EVERY_S", 0.0)
    notifier.advance("0 requests")
    with pytest.raises(BlockingIOError):
        manager.recv(4096)
    notifier.advance("2 requests")
    assert _states(manager) == ["STATUS=2 requests"]
    notifier.close()


def _fill(address: str) -> None:
    """Have no room left for datagrams: the manager is busy."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as filler:
        filler.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                filler.sendto(b"X=1", "\0" + address[1:] if address[0] == "@" else address)


def _take_all(manager: socket.socket) -> list[list[str]]:
    """Return the states of all datagrams that wait, without what filled the room."""
    manager.setblocking(False)
    waiting = []
    with contextlib.suppress(BlockingIOError):
        while True:
            waiting.append(_states(manager))
    return [each for each in waiting if each != ["X=1"]]


def test_what_could_not_be_sent_is_sent_with_the_next_tick(
    address: str, manager: socket.socket
) -> None:
    """A manager that takes nothing for a while neither stops the pipeline nor its watchdog."""
    notifier = Notifier(address, 3600.0)
    _fill(address)
    notifier.advance("")
    assert _take_all(manager) == []
    notifier.advance("")
    assert _take_all(manager) == [["WATCHDOG=1"]]
    notifier.close()


def test_a_busy_manager_learns_of_the_start_with_the_next_tick(
    address: str, manager: socket.socket
) -> None:
    """It is no reason to end: the manager waits for that one datagram."""
    notifier = Notifier(address)
    _fill(address)
    notifier.ready("attached")
    notifier.advance("attached")
    assert _take_all(manager) == []
    notifier.advance("attached")
    notifier.advance("attached")
    assert _take_all(manager) == [["READY=1", "STATUS=attached"]]
    notifier.close()


def test_a_busy_manager_learns_of_a_reload_too(address: str, manager: socket.socket) -> None:
    """In the order in which it was, and only of the last one."""
    notifier = Notifier(address)
    _fill(address)
    for number in range(3):
        with notifier.reloading(functools.partial(str, number)):
            pass
    assert _take_all(manager) == []
    notifier.advance("2")
    reloading, ready = _take_all(manager)
    assert reloading[0] == "RELOADING=1"
    assert ready == ["READY=1", "STATUS=2"]
    notifier.close()


def test_a_rejected_configuration_stays_in_the_status(address: str, manager: socket.socket) -> None:
    """Until one is accepted: `systemctl reload` has no other way to tell."""
    notifier = Notifier(address)
    status = StatusListener(notifier, "core/fentry")
    accepted = [False, True]
    reload = status.reloading(lambda: accepted.pop(0))
    reload()
    reload()
    said = [each[1] for each in _take_all(manager) if each[0] == "READY=1"]
    counts = "core/fentry, 0 requests (0 v1), 0 lost"
    assert said == [f"STATUS=new configuration rejected, see the log; {counts}", f"STATUS={counts}"]
    notifier.close()


def test_nobody_listening_is_an_error_only_when_it_says_ready(tmp_path: Path) -> None:
    """A start that cannot be told would end with systemd's time-out, and no word why."""
    notifier = Notifier(str(tmp_path / "none"), 0.001)
    notifier.advance("x")
    notifier.stopping()
    with pytest.raises(ServiceError, match="none"):
        notifier.ready("x")
    notifier.close()


def test_what_systemd_says_is_taken_out_of_the_environment(address: str) -> None:
    """A child that speaks for the service would be believed."""
    environment = {
        "NOTIFY_SOCKET": address,
        "WATCHDOG_USEC": "2000000",
        "WATCHDOG_PID": str(os.getpid()),
        "HOME": "/",
    }
    with _manager(address) as manager:
        notifier = Notifier.take(environment)
        notifier.advance("")
        assert _states(manager)[0] == "WATCHDOG=1"
        notifier.close()
    assert environment == {"HOME": "/"}


def test_without_a_manager_nothing_is_sent() -> None:
    """As when it is run by hand."""
    notifier = Notifier.take({})
    notifier.ready("x")
    notifier.advance("x")
    with notifier.reloading(lambda: "x"):
        pass
    notifier.stopping()
    notifier.close()


def test_a_watchdog_of_another_process_is_not_fed(address: str, manager: socket.socket) -> None:
    """WATCHDOG_PID names who is watched."""
    notifier = Notifier.take(
        {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1000", "WATCHDOG_PID": str(os.getppid())}
    )
    notifier.ready("x")
    assert _states(manager)[0] == "READY=1"
    notifier.advance("x")
    manager.setblocking(False)
    with pytest.raises(BlockingIOError):
        manager.recv(4096)
    notifier.close()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NOTIFY_SOCKET", "relative/path"),
        ("NOTIFY_SOCKET", "vsock:2:1234"),
        ("WATCHDOG_USEC", "soon"),
        ("WATCHDOG_USEC", "0"),
        ("WATCHDOG_USEC", "-1"),
    ],
)
def test_what_systemd_would_not_say_is_an_error(name: str, value: str) -> None:
    """The message names the variable and its value."""
    with pytest.raises(ServiceError, match=f"{name}={value}"):
        Notifier.take({name: value})
