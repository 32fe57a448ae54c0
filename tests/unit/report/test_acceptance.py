"""Accepted callers: what a file must say, and what is said of one that does not."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from analyzer.errors import ConfigError
from analyzer.report.acceptance import notes, read
from analyzer.report.result import Acceptance
from tests.unit.report_samples import DAY, NOW, curl_script, findings

TOMORROW = (NOW + DAY).date()
WHOLE = """
[[accept]]
caller = "/opt/old/inventory.sh"
by = "Ana, platform team"
why = "it is retired in December"
until = 2026-12-31
"""


def written(path: Path, text: str) -> str:
    file = path / "accept.toml"
    file.write_text(text)
    return str(file)


def acceptance(caller: str, until: datetime.date = TOMORROW) -> Acceptance:
    return Acceptance(caller, "Ana", "retired", until)


def test_an_entry_says_who_why_and_until_when(tmp_path: Path) -> None:
    """And where, if not on all hosts."""
    text = WHOLE + WHOLE + 'hosts = ["i-0123456789abcdef0", "web-group"]\n'
    everywhere, there = read(written(tmp_path, text))
    assert everywhere == Acceptance(
        caller="/opt/old/inventory.sh",
        by="Ana, platform team",
        why="it is retired in December",
        until=datetime.date(2026, 12, 31),
    )
    assert there.hosts == ("i-0123456789abcdef0", "web-group")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "accepts no caller"),
        ("[accept]\n", "double brackets"),
        ("accept = 3\n", "double brackets"),
        ("[[accepted]]\n", "unknown key 'accepted'"),
        ("[[accept\n", "is not TOML"),
        (WHOLE + "untill = 2027-01-01\n", r"entry 1 \('/opt/old/inventory.sh'\): unknown key 'unt"),
        (WHOLE.replace('caller = "/opt/old/inventory.sh"', ""), "caller is missing"),
        (WHOLE.replace('by = "Ana, platform team"', ""), "by is missing"),
        (WHOLE.replace('"Ana, platform team"', '" "'), "by is empty"),
        (WHOLE.replace('"it is retired in December"', "3"), "why must be a text"),
        (WHOLE.replace("until = 2026-12-31", ""), "until is missing"),
        (WHOLE.replace("2026-12-31", '"2026-12-31"'), "until must be a day, without quotes"),
        (WHOLE.replace("2026-12-31", "2026-12-31T00:00:00Z"), "until must be a day"),
        (WHOLE + "hosts = []\n", "hosts must be a list"),
        (WHOLE + 'hosts = "web-1"\n', "hosts must be a list"),
        (WHOLE + WHOLE.replace("until = 2026-12-31", ""), "entry 2"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, message: str) -> None:
    """With the entry: nobody's decision is guessed."""
    with pytest.raises(ConfigError, match=message):
        read(written(tmp_path, text))


def test_a_file_that_cannot_be_read_names_the_option(tmp_path: Path) -> None:
    """The same reader as the configuration's, with other words."""
    with pytest.raises(
        ConfigError, match=r"cannot read the accepted callers .* leave out --accept"
    ):
        read(str(tmp_path / "no.toml"))


def test_a_day_in_the_past_is_said() -> None:
    """On the day itself the decision still counts."""
    of = findings((curl_script(),))
    (said,) = notes((acceptance("/usr/bin/curl", (NOW - DAY).date()),), of, NOW)
    assert "was accepted by Ana until 2026-11-21. That is past" in said
    assert not list(notes((acceptance("/usr/bin/curl", NOW.date()),), of, NOW))


def test_a_caller_that_nobody_has_is_said() -> None:
    """By its key and by its program it is known; a part of one is none."""
    of = findings((curl_script(caller="uid=0;program=curl"),))
    known = (acceptance("uid=0;program=curl"), acceptance("/usr/bin/curl"))
    assert not list(notes(known, of, NOW))
    (said,) = notes((*known, acceptance("curl\x1b[2J")), of, NOW)
    assert said == "'curl\\x1b[2J' is accepted, but no caller in the log has this key or program."
