"""What the log says of a client, compared with what IMDS counted and what is known of it."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from analyzer.lab.server import NO_ANSWER, Answered
from tests.vmtest.clients.expectations import FALLBACK, Kind, Setting

if TYPE_CHECKING:
    from tests.vmtest.clients.roster import Client
    from tests.vmtest.clients.trial import Trial

Line = dict[str, Any]

# Of the lab's IMDS: how each of its tokens begins, and what its credentials have in them.
_SECRETS = (re.compile(r"AQAEA[0-9A-Za-z_-]{20,}"), re.compile(r"lab-not-a-real", re.IGNORECASE))


class LogReader:
    """The requests that are added to a log from now on."""

    def __init__(self, path: Path, *, whole: bool = False) -> None:
        """Take a log that exists; ``whole`` reads it from its beginning."""
        self._path = path
        self._offset = 0 if whole else path.stat().st_size
        self._partial = b""
        self.requests: list[Line] = []
        self.others: list[Line] = []

    def read(self) -> LogReader:
        """Take in what was added."""
        with self._path.open("rb") as log:
            log.seek(self._offset)
            data = log.read()
        self._offset += len(data)
        *lines, self._partial = (self._partial + data).split(b"\n")
        for line in map(json.loads, lines):
            (self.requests if line["event"] == "imds_request" else self.others).append(line)
        return self

    def answered_by(self, pid: int) -> Counter[Answered]:
        """Count the requests of a process and its descendants so far, as IMDS counts them."""
        return Counter(answered(line) for line in of_process(self.read().requests, pid))


def of_process(lines: Iterable[Line], pid: int) -> list[Line]:
    """Return the requests of a process and its descendants, in the order they were made."""
    found = [line for line in lines if pid in _pids(line)]
    return sorted(found, key=lambda line: str(line["timestamp"]))


def answered(line: Line) -> Answered:
    """Return what IMDS must have counted, if the line is right."""
    http, imds = line.get("http", {}), line["imds"]
    return Answered(
        http.get("request", {}).get("method", "?"),
        line.get("url", {}).get("path", "?"),
        http.get("response", {}).get("status_code", NO_ANSWER),
        imds["version"] == "v2" and imds["operation"] != "token",
    )


def kind(line: Line) -> Kind:
    """Return what the line says that the request is."""
    imds = line["imds"]
    return Kind(imds["version"], imds["reason"], imds.get("outcome"))


def problems(
    client: Client, setting: Setting, trial: Trial, lines: Sequence[Line]
) -> Iterable[str]:
    """Yield what is wrong with the lines that one trial left in the log."""
    if trial.trouble:
        yield trial.trouble
    if not trial.counted:
        yield "IMDS was asked nothing"
    logged = Counter(map(answered, lines))
    yield from (f"not in the log: {_words(*each)}" for each in (trial.counted - logged).items())
    yield from (f"never sent: {_words(*each)}" for each in (logged - trial.counted).items())
    expected, seen = client.expectation.kinds(setting), tuple(dict.fromkeys(map(kind, lines)))
    if seen != expected:
        yield f"not as expected; known of it: {client.expectation.why}"
    for line in lines:
        yield from _wrong_caller(client, trial, line["process"])
        if kind(line) == FALLBACK and line["imds"].get("token_request") != {
            "outcome": "no_response"
        }:
            yield "the record of a fallback does not name the token request's outcome"


def _wrong_caller(client: Client, trial: Trial, process: Line) -> Iterable[str]:
    ancestors = process.get("ancestors", [])
    if process["name"] != client.caller:
        yield f"the caller is named {process['name']}, not {client.caller}"
    if client.is_child:
        started: Optional[Line] = next((e for e in ancestors if e["pid"] == trial.pid), None)
    else:
        started = process if process["pid"] == trial.pid else None
    if started is None:
        yield f"process {trial.pid} is not where it should be"
        return
    # A script's name comes behind its interpreter's; what follows is as we gave it.
    given = list(trial.argv[1:])
    if given and started.get("args", [])[-len(given) :] != given:
        yield f"the arguments are {started.get('args')}"
    if os.getpid() not in [each["pid"] for each in ancestors]:
        yield "the test itself is not among the ancestors"


def whole_log_problems(log: Path, known_pids: Iterable[int]) -> Iterable[str]:
    """Yield what is wrong with the log as such: secrets, and requests that no trial explains."""
    text = log.read_text(encoding="utf-8")
    for secret in _SECRETS:
        if secret.search(text):
            yield f"a secret is in it: something that matches {secret.pattern}"
    known = set(known_pids)
    reader = LogReader(log, whole=True).read()
    for line in reader.requests:
        # Others on this host may run labs of their own; only what we started is ours to explain.
        if os.getpid() in _pids(line) and not known & _pids(line):
            yield f"nobody's: {_words(answered(line), 1)} by {line['process']['name']}"
    for line in reader.others:
        if line["event"] == "events_lost":
            yield f"events were lost: {line}"


def _pids(line: Line) -> set[int]:
    process = line["process"]
    return {process["pid"], *(each["pid"] for each in process.get("ancestors", ()))}


def _words(request: Answered, count: int) -> str:
    token = "with" if request.token else "without"
    status = request.status or "no answer"
    return f"{count} x {request.method} {request.path} {token} a token -> {status}"
