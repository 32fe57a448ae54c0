"""Recorded byte streams and what they mean: tests/golden/requests/NAME.http and NAME.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from analyzer.recorder.classify import classify
from analyzer.recorder.decode.http import INCOMPLETE, RequestParser
from analyzer.recorder.records import Request
from analyzer.recorder.sinks import level

STREAMS = sorted(Path(__file__).with_name("requests").glob("*.http"))


def _meaning(request: Request) -> dict[str, Any]:
    verdict = classify(request)
    return {
        "method": request.method,
        "target": request.target,
        "token": request.token.value,
        "user_agent": request.user_agent,
        "forwarded": request.forwarded,
        "hints": sorted(hint.value for hint in request.hints),
        "cut_off": request.reason,
        "version": verdict.version.value,
        "operation": verdict.operation,
        "reason": verdict.reason,
        "provider": verdict.provider,
        "level": level(verdict),
        **_relayed(request),
    }


def _relayed(request: Request) -> dict[str, Any]:
    if request.relayed is None:
        return {}
    return {"relayed": {**request.relayed._asdict(), "headers": list(request.relayed.headers)}}


def _meanings(stream: bytes, size: int) -> list[dict[str, Any]]:
    """Parse a stream that is sent in pieces of ``size`` bytes."""
    parser = RequestParser()
    requests: list[Request] = []
    for start in range(0, len(stream), size):
        requests += parser.feed(stream[start : start + size])
    requests += parser.finish(INCOMPLETE)
    return [_meaning(request) for request in requests]


@pytest.mark.parametrize("size", [1, 7, 1 << 20], ids=["bytewise", "in-sevens", "whole"])
@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.stem)
def test_stream_means_what_is_written_next_to_it(path: Path, size: int) -> None:
    """However it is split, a stream gives exactly the requests of its JSON file."""
    expected = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert _meanings(path.read_bytes(), size) == expected


def test_every_expectation_has_its_stream() -> None:
    """No JSON file is left behind without the stream it belongs to."""
    folder = Path(__file__).with_name("requests")
    assert {path.stem for path in folder.glob("*.json")} == {path.stem for path in STREAMS}
