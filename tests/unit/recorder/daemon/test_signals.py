"""Signals that are orders, also while the program is only being loaded."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from analyzer.recorder.daemon.signals import RELOAD, REOPEN, hold, hold_stops, take_stops, taken

# Runs the command line, and sends itself a signal when the first module of another's is imported.
EARLY = """
import os, runpy, sys

class Sender:
    def find_spec(self, name, path=None, target=None):
        if name == "click":
            os.kill(os.getpid(), int(sys.argv.pop()))

sys.meta_path.insert(0, Sender())
runpy.run_module("analyzer", run_name="__main__")
"""


@pytest.mark.parametrize("number", [RELOAD, REOPEN])
def test_an_order_that_comes_while_modules_are_imported_does_not_end_it(
    number: signal.Signals, tmp_path: Path
) -> None:
    """Whoever rotates logs does not know that the analyzer was started this very moment."""
    config = tmp_path / "config.toml"
    config.touch()
    done = subprocess.run(
        [sys.executable, "-c", EARLY, "run", "--check", "--config", config, str(int(number))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, f"{config}: nothing is wrong\n"), done.stderr


# Below, a signal is raised in this thread alone: a test runner has others, which do not hold it.


def test_what_was_held_is_carried_out_once_somebody_can() -> None:
    """And what comes at the very end ends nothing."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    carried_out: list[int] = []
    try:
        hold()
        signal.raise_signal(REOPEN)
        with taken(REOPEN, RELOAD) as orders:
            orders.hand_to(carried_out.append)
            assert carried_out == [REOPEN]
            signal.raise_signal(RELOAD)
            assert carried_out == [REOPEN, RELOAD]
        signal.raise_signal(REOPEN)
        assert signal.sigpending() == {REOPEN}
        signal.sigwait({REOPEN})
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_ends_it_waits_for_who_can_end_it_well(number: signal.Signals) -> None:
    """The probe may have seen something by then; a second one changes nothing."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    former = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}
    stopped: list[int] = []
    try:
        hold_stops()
        signal.raise_signal(number)
        assert signal.sigpending() == {number}
        take_stops(lambda: stopped.append(number))
        assert stopped == [number]
        signal.raise_signal(number)
        assert stopped == [number, number]
    finally:
        for each, handler in former.items():
            signal.signal(each, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
