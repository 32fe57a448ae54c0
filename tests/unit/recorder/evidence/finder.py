"""A finder for tests: tells what it was given, as its arguments ask for."""

from __future__ import annotations

import time
from collections.abc import Iterator

from analyzer.software.found import Found, Library, ScriptLine
from analyzer.software.subject import Subject

NAME = "evidence_test_finder"


def of_process(subject: Subject) -> Iterator[Found]:
    """Yield one library that says what the subject is, and its script's first line."""
    yield Library("cargo", subject.executable, str(subject.pid), subject.cwd)
    if subject.script:
        text = subject.root.read(subject.script, 100).decode()
        yield ScriptLine(subject.script, 1, text.splitlines()[0])
    if "burn" in subject.args:
        while True:
            subject.root.names("/")
    if "fail" in subject.args:
        raise ZeroDivisionError
    if "exhaust" in subject.args:
        taken = []
        while True:
            taken.append(bytearray(1 << 20))
    if "sleep" in subject.args:
        time.sleep(3600)
