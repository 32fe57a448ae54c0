"""The release: where it is made, and by which commands."""

from __future__ import annotations

from typing import Any

import pytest

from analyzer.service_plan.pip_settings import pip_settings
from analyzer.service_plan.release import NEEDED_KIB, ReleaseFacts, release
from analyzer.service_plan.result import ResultFacts, result

PLAIN = "/opt/imds-analyzer/releases/1.0.0-abcdef01"
AGAIN = f"{PLAIN}.again"
USUAL = ReleaseFacts(
    base="/opt/imds-analyzer",
    version="1.0.0",
    digest="abcdef01",
    whole=frozenset(),
    present=frozenset(),
    in_use=frozenset(),
    free_kib=NEEDED_KIB,
    room="/opt",
    wheel="/tmp/wheel.whl",  # noqa: S108 (only named)
    lock="/tmp/requirements.lock",  # noqa: S108
    offline="",
    python="/usr/bin/python3",
    python_version="3.11",
    machine="x86_64",
    restorecon=False,
)


def lines_of(**facts: Any) -> list[tuple[str, ...]]:
    return release(USUAL._replace(**facts))


@pytest.mark.parametrize("place", [PLAIN, AGAIN])
def test_one_that_is_whole_is_taken(place: str) -> None:
    assert lines_of(whole=frozenset({place}), free_kib=0) == [("release", place)]


@pytest.mark.parametrize(
    ("in_use", "target"),
    [((), PLAIN), ((PLAIN,), AGAIN), ((AGAIN,), PLAIN), ((PLAIN, AGAIN), AGAIN)],
)
def test_one_that_runs_is_not_overwritten(in_use: tuple[str, ...], target: str) -> None:
    lines = lines_of(in_use=frozenset(in_use))
    assert ("make-release", target) in lines
    assert (("say", f"{PLAIN} is damaged") in lines) == (target == AGAIN)


def test_what_a_run_left_is_removed_first() -> None:
    removed = [line[2:] for line in lines_of(present=frozenset({PLAIN})) if "rm" in line]
    assert removed == [("rm", "-f", f"{PLAIN}/.complete"), ("rm", "-rf", PLAIN)]
    assert not [line for line in lines_of() if "rm" in line]


def test_too_little_room_changes_nothing() -> None:
    ((verb, what, _),) = lines_of(free_kib=NEEDED_KIB - 1)
    assert verb == "fail"
    assert what == "299 MiB are free in /opt, 300 are needed"


def test_no_interpreter_that_is_not_isolated() -> None:
    started = [line for line in lines_of() if line[0] == "run" and "/bin/python" in line[2]]
    assert len(started) == 6
    assert {line[3] for line in started} == {"-I"}


@pytest.mark.parametrize("offline", ["", "/wheels"])
def test_packages_are_those_that_were_locked(offline: str) -> None:
    (first, *_) = [line for line in lines_of(offline=offline) if "install" in line]
    assert first[-2:] == ("--requirement", USUAL.lock)
    assert {"--require-hashes", "--no-deps"} < set(first)
    assert ("--no-index" in first) == bool(offline)


def test_labels_where_there_is_selinux() -> None:
    assert [line[2:] for line in lines_of(restorecon=True) if "restorecon" in line] == [
        ("restorecon", "-R", "/opt/imds-analyzer")
    ]


def test_settings_of_pip() -> None:
    """Where packages are is heeded, where they go is not; what is set already wins."""
    listed = (
        "global.index-url='https://a.example/simple'\n"
        "global.find-links='\\n/one\\n/two'\n"
        "install.index-url='https://b.example/simple'\n"
        "install.target='/elsewhere'\n"
        "freeze.proxy='x'\n"
        "global.cert=__import__('os')\n"
        "global.no-index='true'\n"
        "nonsense\n"
    )
    assert pip_settings(listed, {"PIP_NO_INDEX": "0", "PIP_FIND_LINKS": ""}) == [
        ("environment", "PIP_INDEX_URL", "https://a.example/simple"),
        ("environment", "PIP_FIND_LINKS", "/one /two"),
        ("environment", "PIP_CONFIG_FILE", "/dev/null"),
    ]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({}, "is running."),
        ({"old": "0.9-x"}, "is running (before: 0.9-x)."),
        ({"changed": False}, "is installed and running."),
        ({"start": False, "was_active": True}, "takes it with: systemctl restart imds-analyzer"),
        ({"start": False, "old": "0.9-x", "is_enabled": False}, "is disabled, and stays so."),
        ({"start": False}, "or with: systemctl start imds-analyzer"),
        ({"dry_run": True}, "Nothing was changed."),
    ],
)
def test_what_is_said_at_the_end(facts: dict[str, Any], said: str) -> None:
    usual = ResultFacts(
        program="/opt/imds-analyzer/current/bin/imds-analyzer",
        version="1.0.0",
        dry_run=False,
        changed=True,
        start=True,
        was_active=False,
        old="",
        is_enabled=True,
    )
    assert result(usual._replace(**facts))[-1][1].endswith(said)
