"""What a person sees of a line."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from rich.cells import cell_len

from analyzer.errors import ConfigError
from analyzer.tail.filters import Filters, filters
from tests.unit.tail_lines import GOLDEN, cron_job, encoded, golden, shown

RED, GREEN, YELLOW, DIM = "\x1b[1;31m", "\x1b[32m", "\x1b[1;33m", "\x1b[2m"


def event(name: str, **fields: Any) -> bytes:
    return encoded(
        {"timestamp": "2026-11-21T18:50:02.000001Z", "level": "info", "event": name, **fields}
    )


LOST = event("events_lost", count=3, since="2026-11-21T18:49:00.000000Z", reason="ring_full")
STARTED = event("analyzer_started", observer={"probe": "core/fentry"})
STOPPED = event("analyzer_stopped", requests={"v1": 2, "v2": 30, "unknown": 0})
HEARTBEAT = event("heartbeat", requests={"v1": 2, "v2": 30, "unknown": 0}, lost=0)
ROTATED = event("log_rotated", log={"file": {"path": "/var/log/x-20261121T185002Z"}})
METRICS = encoded({"_aws": {"Timestamp": 1}, "requests": 5})
OWN = (STARTED, STOPPED, HEARTBEAT, ROTATED, METRICS)


def test_a_request_in_a_pipe() -> None:
    """Whole, with its date."""
    assert shown(encoded(cron_job())) == (
        "2026-11-21 18:50:01 v1 curl ← deploy.sh, unit cron.service "
        "  GET /latest/meta-data/placement/region 200\n"
    )


def test_requests_on_a_terminal() -> None:
    """No wider than it is; the day stands above."""
    names = ("after-a-token-request-without-an-answer", "probe-of-another-cloud")
    lines = [encoded(cron_job()), *(encoded(golden(name)) for name in names)]
    assert shown(*lines, columns=80).splitlines() == [
        "2026-11-21",
        "18:50:01 v1 curl ← deploy.sh, unit cron.service   GET …/placement/region 200",
        "18:50:01 v1 worker.py ← gunicorn        GET …/security-credentials/ 401 fallback",
        "18:50:01 v1 worker.py, docker 3f1c3f1c3f1c        GET …/id?alt=text 404 (gcp)",
    ]


@pytest.mark.parametrize("columns", [40, 57, 80, 81, 120, 200])
def test_no_row_is_wider_than_the_terminal(columns: int) -> None:
    """Whatever is in it."""
    lines = [path.read_bytes().strip() for path in GOLDEN.glob("*.jsonl")]
    wide = golden("contract-example")
    wide["process"]["args"] = ["python3", "/srv/" + "備" * 100]
    wide["url"]["path"] = "/" + "備/" * 100
    for row in shown(*lines, encoded(wide), LOST, b"x" * 500, columns=columns).splitlines():
        assert cell_len(row) <= columns, row


def test_versions_have_their_colours_and_their_words() -> None:
    """v1 red, but not another cloud's probe; unknown yellow, v2 green."""
    said = shown(
        encoded(golden("contract-example")),
        encoded(golden("probe-of-another-cloud")),
        encoded(golden("unreadable-from-a-thread-that-is-gone")),
        encoded(golden("token-request-over-ipv6")),
        LOST,
        STARTED,
        is_coloured=True,
    ).splitlines()
    styled = [f"{RED}v1", f"{DIM}v1", f"{YELLOW}unknown", f"{GREEN}v2"]
    styled += [f"{YELLOW}-- 3 events lost", f"{DIM}-- analyzer started"]
    assert [style in row for style, row in zip(styled, said)] == [True] * 6
    assert RED not in said[1]


def test_a_fallback_says_why_where_there_is_room() -> None:
    """The token request's fate."""
    line = encoded(golden("after-a-token-request-without-an-answer"))
    assert "401 rejected fallback (token request: no answer)\n" in shown(line)


def test_what_the_analyzer_says_of_itself() -> None:
    """In words; heartbeats and metrics only where they are asked for."""
    said = [row[20:] for row in shown(*OWN, LOST).splitlines()]
    assert said == [
        "-- analyzer started, core/fentry",
        "-- analyzer stopped; it saw 2 v1, 30 v2, 0 unknown",
        "-- log rotated: /var/log/x-20261121T185002Z",
        "-- 3 events lost since 2026-11-21T18:49:00.000000Z: ring_full",
    ]
    assert "-- heartbeat: 2 v1, 30 v2, 0 unknown, 0 lost" in shown(HEARTBEAT, heartbeats=True)


@pytest.mark.parametrize(
    "raw", [b"", b"not JSON \x1b[2J\xff", b"[1]", b"{}", b'{"event":5}', b"[" * 100_000, b"\0" * 99]
)
def test_what_is_no_line_of_the_log_is_shown_as_such(raw: bytes) -> None:
    """Escaped, and not at any length."""
    said = shown(raw)
    assert said.startswith("not a line of the log:")
    assert said.rstrip("\n").isprintable()
    assert len(said) < 5000


@pytest.mark.parametrize("field", json.loads((GOLDEN / "contract-example.jsonl").read_bytes()))
@pytest.mark.parametrize("value", [None, 5, "x", [], {}, [5], {"name": 5, "pid": "x", "args": 1}])
def test_fields_of_another_kind_do_no_harm(field: str, value: Any) -> None:
    """Somebody else may write to the file."""
    fields = {**golden("contract-example"), field: value}
    assert shown(encoded(fields)).count("\n") == 1


@pytest.mark.parametrize(
    "timestamp", ["", "x", "2026-13-40T99:99:99Z", "\uff19999-01-01T00:00:00Z"]
)
def test_a_time_that_is_none_does_no_harm(timestamp: str) -> None:
    """The line is shown."""
    row = shown(encoded({**cron_job(), "timestamp": timestamp}))
    assert "curl ← deploy.sh" in row


@pytest.mark.parametrize(
    ("asked", "is_shown"),
    [
        (Filters(versions=["v1"]), True),
        (Filters(versions=["v2", "unknown"]), False),
        (Filters(versions=["v2", "v1"], processes=["curl"]), True),
        (Filters(processes=["wget", "c?rl"]), True),
        (Filters(processes=["deploy.sh"]), True),
        (Filters(processes=["/srv/*"]), True),
        (Filters(processes=["cron"]), True),
        (Filters(processes=["systemd"]), False),  # pid 1 starts everything
        (Filters(processes=["url"]), False),
        (Filters(paths=["/latest/meta-data/"]), True),
        (Filters(paths=["*/region"]), True),
        (Filters(paths=["/latest/user-data"]), False),
        (Filters(containers=["docker"]), False),
        (filters([], [], [], [], ["cron"]), True),
        (Filters(units=["cron.*"]), True),
        (Filters(units=["app.service"]), False),
        (Filters(versions=["v1"], paths=["/x"]), False),
    ],
)
def test_filters_must_all_match_of_each_kind_one(asked: Filters, is_shown: bool) -> None:
    """The analyzer's own lines are not asked for then, but losses always are."""
    assert bool(shown(encoded(cron_job()), filters=asked)) == is_shown
    assert not shown(*OWN, filters=asked)
    assert "3 events lost" in shown(LOST, filters=asked)


@pytest.mark.parametrize(
    ("name", "container"),
    [
        ("contract-example", "3f1c3f"),
        ("contract-example", "docker"),
        ("from-a-kubernetes-pod", "8a4ef2b1-65"),
        ("from-a-kubernetes-pod", "kubernetes"),
        ("from-an-ecs-task", "5a1b"),
        ("token-request-over-ipv6", "lxc"),
    ],
)
def test_a_container_is_known_by_its_start(name: str, container: str) -> None:
    """By a pod's or task's as well."""
    line = encoded(golden(name))
    assert shown(line, filters=Filters(containers=[container]))
    assert not shown(line, filters=Filters(containers=["0" + container]))


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        (([], [""], [], [], []), "--process is empty: give a name"),
        (([], [], [""], [], []), "--container is empty"),
        (([], [], [], [""], []), "--path is empty"),
        (([], [], [], ["latest/"], []), 'begin with "/"'),
        (([], [], [], [], [""]), "--unit is empty"),
    ],
)
def test_filters_that_match_nothing_are_refused(given: Any, fault: str) -> None:
    """The error says what is allowed."""
    with pytest.raises(ConfigError, match=re.escape(fault)):
        filters(*given)
