"""Any caller gets a diagnosis, whatever it calls itself, and commands that are safe to copy."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from analyzer.clients.reading import load_clients
from analyzer.clients.versions import maybe_version
from analyzer.report.callers import Tally
from analyzer.report.diagnosis.rules import diagnose
from analyzer.report.result import Cause
from tests.unit.report_samples import group

CLIENTS = load_clients()
TEXTS = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        [
            "curl/8",
            "Botocore/1.2",
            "aws-sdk-java/9" * 99,
            "/usr/bin/node",
            "/",
            "$(id)",
            "a b",
            "/\ud800",
        ]
    ),
)
OUTCOMES = st.sampled_from([None, "success", "rejected", "not_found", "error", "no_response"])
TALLIES = st.builds(
    Tally,
    version=st.sampled_from(["v1", "v2", "unknown"]),
    reason=st.sampled_from(["no_token_header", "fallback_after_token_failure", "truncated"]),
    outcome=OUTCOMES,
    operation=st.sampled_from(["token", "credentials", "metadata"]),
    requests=st.integers(1, 1000),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
LINES = st.dictionaries(
    st.sampled_from(
        ["process", "url", "imds", "container", "orchestrator", "destination", "service"]
    ),
    JSON
    | st.dictionaries(
        st.sampled_from(["executable", "args", "path", "version", "id", "type", "resource", "ip"]),
        JSON | TEXTS,
    ),
)


@given(
    st.lists(TALLIES, min_size=1, max_size=5),
    TEXTS,
    st.fixed_dictionaries(
        {
            "launcher": st.none() | TEXTS,
            "unit": st.none() | TEXTS,
            "place": st.sampled_from(["host", "docker", "kubernetes"]) | TEXTS,
            "user_agent": st.none() | TEXTS,
            "provider": st.sampled_from(["aws", "aws", "gcp"]) | TEXTS,
            "paths": st.lists(st.tuples(TEXTS, st.integers(1, 9)), min_size=1, max_size=3),
            "forwarded": st.integers(0, 9),
            "token_failures": st.dictionaries(OUTCOMES.filter(bool), st.integers(1, 9)),
            "line": LINES,
        }
    ),
)
def test_any_caller_gets_a_diagnosis(tallies: list[Tally], name: str, fields: Any) -> None:
    """It never raises; v1 is never called harmless, and no command holds what a terminal obeys."""
    caller = group(name, tallies=tallies, **fields)
    diagnosis = diagnose(caller, CLIENTS)
    assert diagnosis.summary
    if caller.key.provider == "aws" and caller.count("v1"):
        assert diagnosis.cause not in (Cause.V2_ONLY, Cause.OTHER_CLOUD, Cause.UNREADABLE)
    assert all(each.isprintable() for each in diagnosis.commands)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=5),
       st.lists(st.integers(0, 10**6), min_size=1, max_size=5))  # fmt: skip
def test_versions_compare_as_their_numbers(one: list[int], other: list[int]) -> None:
    """Component by component; what is not there is 0."""
    length = max(len(one), len(other))
    padded = [each + [0] * (length - len(each)) for each in (one, other)]
    a, b = (maybe_version(".".join(map(str, each))) for each in (one, other))
    assert a is not None
    assert b is not None
    assert (a < b, a == b) == (padded[0] < padded[1], padded[0] == padded[1])


@given(st.text())
def test_any_text_is_a_version_or_none(text: str) -> None:
    """It never raises."""
    version = maybe_version(text)
    assert version is None or version == version[:]
