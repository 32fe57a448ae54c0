"""What a look has to know of a caller comes from its record."""

from __future__ import annotations

from analyzer.recorder.callers import NamedProcess, User
from analyzer.recorder.evidence.jobs import decoded, identity_of, job_of
from tests.unit.recorder.evidence.callers import record_of

ROOT = User(0, "root")
CURL = NamedProcess(9, "curl", "/usr/bin/curl", ("curl", "-s", "x"), False, 5 * 10**9, ROOT,
               11, 1 << 20 | 2, 4026531841)  # fmt: skip
SHELL = NamedProcess(
    8, "facts.sh", "/usr/bin/bash", ("/bin/bash", "/opt/facts.sh"), False, 10**9, ROOT
)
TIMEOUT = NamedProcess(7, "timeout", "/usr/bin/timeout", ("timeout", "5"), False, 10**9, ROOT)
WORKER = NamedProcess(
    6, "python3", "/usr/bin/python3", ("python3", "/srv/w.py"), False, 10**9, ROOT
)


def test_a_tool_is_looked_at_with_the_script_that_called_it() -> None:
    """Wrappers between them are passed over."""
    record = record_of(CURL, (TIMEOUT, SHELL))
    job = job_of(record, 0, with_text=True, room=1000)
    assert job is not None
    assert job.process.script == ""
    assert job.launcher is not None
    assert (job.launcher.pid, job.launcher.script) == (8, "/opt/facts.sh")
    assert job.process.start_ticks == 500
    assert job.ways == ((7, 100), (8, 100))
    assert job.unit == "app.service"
    assert identity_of(record, job)[1:] == (1 << 20 | 2, 11, 4026531841, "/opt/facts.sh")


def test_a_script_is_looked_at_alone() -> None:
    """Who started it has other libraries."""
    job = job_of(record_of(WORKER, (SHELL,)), 0, with_text=True, room=1000)
    assert job is not None
    assert (job.process.script, job.launcher) == ("/srv/w.py", None)


def test_times_are_those_of_our_time_namespace() -> None:
    job = job_of(record_of(CURL), 2 * 10**9, with_text=True, room=1000)
    assert job is not None
    assert job.process.start_ticks == 700


def test_nobody_known_is_not_looked_at() -> None:
    assert job_of(record_of(None), 0, with_text=True, room=1000) is None


def test_it_comes_through_the_socket_as_it_was() -> None:
    for record in (record_of(CURL, (SHELL,)), record_of(WORKER)):
        job = job_of(record, 0, with_text=False, room=1000)
        assert job is not None
        assert decoded(job.encoded()) == job
