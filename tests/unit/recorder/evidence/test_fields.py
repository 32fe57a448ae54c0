"""Findings become members of the line: masked, bounded, and what goes is counted."""

from __future__ import annotations

import json

import pytest

from analyzer.recorder.evidence.fields import to_fields
from analyzer.recorder.sinks.bounds import size_of
from analyzer.software.found import EntryPoint, Found, Library, Origin, Package, ScriptLine
from analyzer.software.recorded import LIBRARIES_MAX, TEXT_MAX, Code, code_of, from_fields
from tests.sends import TOKEN

ROOM = 12_000
GUNICORN = EntryPoint("pypi", "gunicorn", "20.1.0", "/srv/app/bin/gunicorn")
FOUND: list[Found] = [
    Library("pypi", "botocore", "1.12.253", "/srv/app/botocore", ("s3transfer 0.1.13",)),
    Package("dpkg", "curl", "7.88.1", "/usr/bin/curl", "Debian"),
    GUNICORN,
    ScriptLine("/opt/facts.sh", 12, "curl http://169.254.169.254/latest/"),
    Origin("cron", "/etc/crontab", 3),
]


def test_what_is_written_is_read_again() -> None:
    code = code_of(FOUND, ["limit", "limit"])
    assert code.lacks == ("limit",)
    assert from_fields(json.loads(json.dumps(to_fields(code, ROOM)))) == code


def test_nothing_is_nothing() -> None:
    assert to_fields(code_of([], []), ROOM) == {}


def test_texts_are_left_out_where_arguments_are() -> None:
    fields = to_fields(code_of(FOUND, []), ROOM, with_text=False)
    assert fields["script"] == {"lines": [{"path": "/opt/facts.sh", "line": 12, "use": "call"}]}


def test_a_secret_is_masked_wherever_it_stands() -> None:
    """Finders mask script lines; names of files hold secrets, too."""
    text = f"curl -H 'X-aws-ec2-metadata-token: {TOKEN}' 169.254.169.254"
    found: list[Found] = [
        ScriptLine("/opt/facts.sh", 1, text),
        Library("pypi", "boto", "2.0", f"/srv/token={TOKEN}/boto"),
        Origin("unit", f"/etc/token={TOKEN}", 0, f"token={TOKEN}"),
    ]
    assert TOKEN not in json.dumps(to_fields(code_of(found, [f"token={TOKEN}"]), ROOM))


def test_long_texts_are_cut() -> None:
    """The end of a path says most; the beginning of a line does."""
    library = Library("npm", "aws-sdk", "2", f"/{'x' * 9000}")
    found: list[Found] = [library, ScriptLine("/a", 1, "y " * 4000)]
    fields = to_fields(code_of(found, []), ROOM)
    path = fields["libraries"][0]["path"]
    assert len(path) == TEXT_MAX
    assert path.startswith("…")
    text = fields["script"]["lines"][0]["text"]
    assert len(text) == TEXT_MAX
    assert text.endswith("…")


@pytest.mark.parametrize("room", [100, 1000, 3000, ROOM])
def test_a_line_has_its_bound(room: int) -> None:
    """What has no room is counted; what was found first stays."""
    found: list[Found]
    found = [Library("npm", f"n{each}", "1", f"/srv/{each}/" + "ä" * 300) for each in range(99)]
    found += [Library("npm", "n", "1", "/n", ("r" * 900,) * 9)]
    fields = to_fields(code_of([*found, *FOUND], ["reason"] * 3), room)
    assert size_of(fields) <= room
    kept = from_fields(fields)
    shown = len(kept.libraries) + len(kept.packages) + len(kept.lines) + len(kept.origins)
    shown += kept.entry_point is not None
    assert shown + len(kept.lacks) + kept.left_out == 100 + len(FOUND) + 1
    assert len(kept.libraries) <= LIBRARIES_MAX
    if kept.libraries:
        assert kept.libraries[0].name == "n0"


def test_a_further_application_is_counted() -> None:
    assert code_of([GUNICORN] * 2, []) == Code(entry_point=GUNICORN, left_out=1)
