"""Whatever is in an event or a request, its line has no more bytes than it may."""

from __future__ import annotations

import json
import os
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from analyzer.recorder.attribute.identity import identified
from analyzer.recorder.callers import Container, NamedProcess, User
from analyzer.recorder.records import Record
from analyzer.recorder.sinks.jsonl import JsonlSink
from analyzer.recorder.sinks.log import LineLog
from analyzer.recorder.sinks.stream import StreamWriter
from tests.schema import parsed
from tests.unit.recorder.sinks.test_jsonl import RECORD

# One byte, two, three and four, and what JSON or the log escapes to six and twelve.
CHARACTERS = st.sampled_from(["a", "/", '"', "\x01", "\x85", "é", "日", "\U0001f600", "\ud800"])
# Long texts are one character repeated: what counts is how many bytes each comes to.
TEXT = st.builds(lambda each, times: each * times, CHARACTERS, st.integers(1, 4096))
NAME = st.builds(lambda each, times: each * times, CHARACTERS, st.integers(1, 255))
# Many short arguments: there is no text in them to cut.
ARGS = st.one_of(
    st.none(),
    st.lists(TEXT, min_size=1, max_size=3).map(tuple),
    st.integers(1, 2048).map(lambda times: ("a",) * times),
)
PROCESSES = st.builds(
    lambda name, executable, args, is_cut: NamedProcess(
        4242, name, executable, args, is_cut, 7, User(1001, "app")
    ),
    NAME,
    st.one_of(st.none(), TEXT),
    ARGS,
    st.booleans(),
)


def record_of(
    process: NamedProcess,
    ancestors: list[NamedProcess],
    others: list[NamedProcess],
    target: str,
    agent: str,
    unit: str,
    tid: int,
) -> Record:
    caller = RECORD.caller._replace(
        process=process,
        ancestors=tuple(ancestors),
        ancestors_truncated=False,
        others=tuple(others),
        service=unit,
        container=Container("f" * 64, "docker"),
    )
    request = RECORD.request._replace(target=target, user_agent=agent)
    return RECORD._replace(caller=identified(caller), request=request, tid=tid)


RECORDS = st.builds(
    record_of,
    PROCESSES,
    st.lists(PROCESSES, max_size=16),
    st.lists(PROCESSES, max_size=12),
    st.builds(lambda path, query: f"/{path}?{query}", TEXT, TEXT),
    TEXT,
    NAME,
    st.sampled_from([4242, 4243]),
)
BOUNDS = st.sampled_from([4096, 16384])


def lines_of(line_bytes: int, *records: Record, **fields: object) -> list[bytes]:
    memory = os.memfd_create("log")
    log = LineLog(StreamWriter(os.dup(memory), "memory"))
    sink = JsonlSink(log, lambda: "h" * 64, "b" * 36, "i-0abc", line_bytes=line_bytes)
    sink.set_probe("core/tracepoint")
    for record in records:
        sink.write(record)
    if fields:
        sink.event("analyzer_started", "info", **fields)
    sink.close()
    with os.fdopen(memory, "rb") as written:
        written.seek(0)
        return written.read().splitlines(keepends=True)


@given(RECORDS, BOUNDS)
def test_every_request_keeps_bound_and_contract(record: Record, line_bytes: int) -> None:
    """The same line is written again from what is kept of the caller."""
    first, second = lines_of(line_bytes, record, record)
    assert first == second
    assert len(first) <= line_bytes
    line = parsed(first.decode())
    assert line["process"]["pid"] == 4242
    (whole,) = lines_of(1 << 20, record)
    assert is_told(json.loads(whole), line)
    if len(whole) <= line_bytes:
        assert first == whole


def is_told(whole: dict[str, Any], line: dict[str, Any]) -> bool:
    """Tell whether each part that differs from the whole line is named, and none else."""
    truncated = line.get("log", {}).get("truncated", [])
    changed = set(changes(whole, line, ()))
    for relatives in ("process.ancestors", "process.others"):
        if relatives in truncated:  # what goes with them
            changed = {each for each in changed if not each.startswith(f"{relatives}.")}
            truncated = [each for each in truncated if not each.startswith(f"{relatives}.")]
    return changed == set(truncated)


def changes(whole: Any, line: Any, path: tuple[str, ...]) -> list[str]:
    """Return the names of the texts and arguments that are not as in the whole line."""
    if isinstance(whole, dict):
        found = []
        for key, value in whole.items():
            if not isinstance(line, dict) or key not in line:
                found += leaves(value, (*path, key))
            else:
                found += changes(value, line[key], (*path, key))
        return found
    if isinstance(whole, list) and whole and isinstance(whole[0], dict):
        if len(whole) != len(line):
            return [".".join(path)]
        return [name for one, other in zip(whole, line) for name in changes(one, other, path)]
    return [] if whole == line else [".".join(path)]


def leaves(value: Any, path: tuple[str, ...]) -> list[str]:
    if not isinstance(value, dict):
        return [".".join(path)]
    return [name for key, inner in value.items() for name in leaves(inner, (*path, key))]


KEY = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=20)
JSON = st.recursive(
    TEXT | st.integers() | st.booleans(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEY, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["configuration", "tried", "log", "reason"]),
                       st.dictionaries(KEY, JSON, max_size=4), min_size=1), BOUNDS)  # fmt: skip
def test_every_event_keeps_the_bound(fields: dict[str, Any], line_bytes: int) -> None:
    """One that says more, such as a long configuration, is cut and says so."""
    lines = lines_of(line_bytes, **fields)
    for raw in lines:
        assert len(raw) <= line_bytes
        line = json.loads(raw)
        assert line["observer"]["probe"] == "core/tracepoint"
    (whole,) = lines_of(1 << 24, **fields) or [b""]
    if len(whole) > line_bytes:
        assert json.loads(lines[0])["log"]["truncated"]


@given(RECORDS)
def test_what_says_least_goes_first(record: Record) -> None:
    """Nothing of the request is cut while an ancestor has arguments or an executable."""
    (raw,) = lines_of(16384, record)
    line = json.loads(raw)
    truncated = line.get("log", {}).get("truncated", [])
    ancestors = line["process"].get("ancestors", [])
    kept = [set(each) & {"args", "executable"} for each in ancestors]
    if {"url.path", "url.query", "user_agent.original"} & set(truncated):
        assert not any(kept)
        assert "args" not in line["process"]
    if "process.args" in truncated:
        assert not any(kept)
    # The farthest first: who still has arguments is nearer than all that lost them.
    originals = record.caller.ancestors
    lost = [at for at, each in enumerate(ancestors) if originals[at].args and "args" not in each]
    having = [at for at, each in enumerate(ancestors) if "args" in each]
    assert not lost or not having or max(having) < min(lost)
