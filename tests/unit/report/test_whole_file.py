"""A file that another program printed is read whole, or the error says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.errors import AnalyzerError
from analyzer.report.whole_file import read_whole

MIB = 1 << 20


def test_a_file_of_the_largest_size_is_read(tmp_path: Path) -> None:
    """A byte more is too much."""
    path = tmp_path / "figures"
    path.write_bytes(bytes(MIB))
    assert read_whole(path, MIB, "the figures", "Run it.") == bytes(MIB)
    path.write_bytes(bytes(MIB + 1))
    with pytest.raises(AnalyzerError, match=r"figures: is larger than 1 MiB\. Run it\.$"):
        read_whole(path, MIB, "the figures", "Run it.")
    with pytest.raises(AnalyzerError, match=r"figures: is larger than 1 MiB\. Ask for less\.$"):
        read_whole(path, MIB, "the figures", "Run it.", "Ask for less.")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        pytest.param("none", "No such file or directory", id="missing"),
        pytest.param(".", "Is a directory", id="directory"),
        pytest.param("a\0b", "this is not a valid path", id="NUL"),
        pytest.param("none\x1b[2J", r"\\x1b\[2J': No such file or directory", id="control"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, why: str) -> None:
    """With what to do, and without control characters."""
    with pytest.raises(AnalyzerError, match=rf"cannot read the figures .*{why}\. Run it\.$"):
        read_whole(tmp_path / name, MIB, "the figures", "Run it.")
