"""All commands of a script are searched together; each hit is of the right command."""

from __future__ import annotations

import re

from analyzer.software.script_lines import Lines

COMMANDS = ["URL=169.254.169.254", "", "Curl $URL; CURL $URL", "curly", "İ curl", "end"]


def test_texts_are_found_in_any_case() -> None:
    """Once for each command; letters whose lower case is longer shift nothing."""
    assert Lines(COMMANDS[:4]).with_texts(("curl", "169.254.")) == {0, 2, 3}
    assert Lines(COMMANDS).with_texts(("curl",)) == {3, 4}


def test_names_are_whole_words() -> None:
    """A name within a longer one is another name; no names are nowhere."""
    assert Lines(COMMANDS).with_names({"URL", "end"}) == {0, 2, 5}
    assert Lines(COMMANDS).with_names({"Cur"}) == set()
    assert Lines(COMMANDS).with_names(()) == set()


def test_a_pattern_s_first_and_last_command() -> None:
    """The bounds belong to their commands."""
    lines = Lines(COMMANDS)
    assert lines.with_pattern(re.compile("end|^URL")) == {0, 5}
    assert lines.has(re.compile("end"))
    assert not lines.has(re.compile("wget"))


def test_a_script_without_commands() -> None:
    """Nothing is found in nothing."""
    assert Lines([]).with_texts(("curl",)) == set()
