"""What the clients' table is judged by finds each way in which a log can be wrong."""

from __future__ import annotations

import copy
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any, Callable

import pytest

from analyzer.lab.server import Answered
from tests.vmtest.clients.evidence import Line, LogReader, of_process, problems, whole_log_problems
from tests.vmtest.clients.expectations import SETTINGS, V1_ONLY
from tests.vmtest.clients.roster import Client
from tests.vmtest.clients.trial import Trial

PID = 4242
PATH = "/latest/meta-data/instance-id"
CLIENT = Client("old", ("old-sdk", "fetch"), ("old-sdk", "--version"), "old-sdk", V1_ONLY)
TRIAL = Trial(PID, CLIENT.argv, None, "", Counter({Answered("GET", PATH, 200, token=False): 1}))
RIGHT: Line = {
    "timestamp": "2026-11-21T18:50:01.123456Z",
    "event": "imds_request",
    "imds": {
        "version": "v1",
        "operation": "metadata",
        "reason": "no_token_header",
        "outcome": "success",
    },
    "http": {"request": {"method": "GET"}, "response": {"status_code": 200}},
    "url": {"path": PATH},
    "process": {
        "pid": PID,
        "name": "old-sdk",
        "args": ["/usr/bin/python3", "/usr/bin/old-sdk", "fetch"],
        "ancestors": [{"pid": os.getpid(), "name": "python"}],
    },
}


def _judge(*lines: Line) -> list[str]:
    return list(problems(CLIENT, SETTINGS[0], TRIAL, of_process(lines, PID)))


def test_a_right_record_has_no_problem() -> None:
    """A script is known by its arguments behind its interpreter's."""
    assert _judge(RIGHT) == []


def test_a_request_that_is_not_in_the_log_is_found() -> None:
    """IMDS counted what nobody recorded."""
    assert any(each.startswith("not in the log: 1 x GET") for each in _judge())


def test_a_request_that_is_recorded_twice_is_found() -> None:
    """IMDS counted one of the two."""
    assert any(each.startswith("never sent: 1 x GET") for each in _judge(RIGHT, RIGHT))


def _set(*way: str, to: Any) -> Callable[[Line], None]:
    def change(line: Line) -> None:
        for key in way[:-1]:
            line = line[key]
        line[way[-1]] = to

    return change


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (_set("imds", "version", to="v2"), "never sent"),
        (_set("imds", "reason", to="truncated"), "not as expected"),
        (_set("http", "response", "status_code", to=404), "never sent"),
        (_set("http", to={"request": {"method": "GET"}}), "never sent"),
        (_set("url", "path", to="/latest/user-data"), "never sent"),
        (_set("process", "name", to="python3"), "the caller is named python3"),
        (_set("process", "args", to=["old-sdk", "fetched"]), "the arguments are"),
        (_set("process", "ancestors", to=[]), "the test itself is not among"),
        (
            _set("process", "ancestors", to=[{"pid": PID}, {"pid": os.getpid()}]),
            "process 4242 is not where",
        ),
    ],
)
def test_a_record_that_is_wrong_is_found(change: Callable[[Line], None], problem: str) -> None:
    """Each field that the table vouches for is compared."""
    line = copy.deepcopy(RIGHT)
    change(line)
    if problem.startswith("process"):
        line["process"]["pid"] = PID + 1  # the child of the process that we started
    assert any(each.startswith(problem) for each in _judge(line))


def test_the_whole_log_has_no_secret_and_nothing_unexplained(tmp_path: Path) -> None:
    """A token, a request of nobody's and a loss are each found; others' requests are not ours."""
    theirs = copy.deepcopy(RIGHT)
    theirs["process"]["ancestors"] = [{"pid": 1, "name": "init"}]
    log = tmp_path / "log"
    log.write_text(f"{json.dumps(RIGHT)}\n{json.dumps(theirs)}\n")
    assert list(whole_log_problems(log, [PID])) == []
    (nobodys,) = whole_log_problems(log, [PID + 1])
    assert nobodys.startswith("nobody's: 1 x GET")
    with log.open("a") as more:
        more.write(json.dumps({"event": "events_lost", "count": 3}) + "\n")
        more.write(
            json.dumps({"event": "other", "said": "AQAEANxVDmHAxbXMGsSdu0pvtFbWNpTX"}) + "\n"
        )
    secret, lost = whole_log_problems(log, [PID])
    assert secret.startswith("a secret is in it")
    assert lost.startswith("events were lost")


def test_a_log_is_read_as_it_grows(tmp_path: Path) -> None:
    """Half a line waits for its other half; what stood there before is passed over."""
    log = tmp_path / "log"
    line = json.dumps(RIGHT) + "\n"
    log.write_text(line)
    reader = LogReader(log)
    with log.open("a") as more:
        more.write(line + line[:40])
    assert reader.answered_by(PID) == TRIAL.counted
    with log.open("a") as more:
        more.write(line[40:])
    assert reader.answered_by(PID) == TRIAL.counted + TRIAL.counted
