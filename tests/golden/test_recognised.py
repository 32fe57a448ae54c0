"""Callers that four recognisers named differently: there is one, and its answer is fixed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from analyzer.logline.caller import Identity, identify
from analyzer.logline.keys import Place
from analyzer.logline.recognition import Image

LINES = (Path(__file__).parent / "recognised" / "callers.jsonl").read_text("utf-8").splitlines()
EXPECTED = (
    Identity("curl", "deploy.sh", "program", "uid=0;program=curl;by=/opt/deploy.sh"),
    Identity("curl", "", "program", "uid=0;program=curl"),
    Identity("check.lua", "", "script", "uid=0;script=/opt/check.lua"),
    Identity("x.fish", "", "script", "uid=0;script=/opt/x.fish"),
    Identity("wget", "x.sh", "program", "uid=0;program=wget;by=/opt/x.sh"),
    Identity("f.py", "", "script", "uid=0;script=/opt/f.py"),
    Identity("a.R", "", "script", "uid=0;script=/opt/a.R"),
)


def image(process: dict[str, Any]) -> Image:
    return Image(
        process["pid"],
        int(process["user"]["id"]),
        process["name"],
        process["executable"],
        tuple(process["args"]),
    )


@pytest.mark.parametrize(("line", "expected"), [*zip(LINES, EXPECTED)])
def test_a_caller_is_recognised(line: str, expected: Identity) -> None:
    """By what the line says of it and its ancestors."""
    process = json.loads(line)["process"]
    assert identify(image(process), [*map(image, process["ancestors"])], Place()) == expected


def test_every_line_has_an_answer() -> None:
    """None is left out."""
    assert len(LINES) == len(EXPECTED)
