"""Lines that are longer than any of the analyzer's: passed over, counted, in bounded memory."""

from __future__ import annotations

import contextlib
import gzip
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.logline.line import LINE_MAX, parse
from analyzer.tail.reading import openfile, source
from analyzer.tail.reading.openfile import FoundLine, OpenFile, backwards
from analyzer.tail.reading.source import Splitter
from tests.unit.log_files import request

LIMIT = 8
LONG_BYTES = 200 << 20
# Python and what tail imports have about 50 MiB of them: a line of LONG_BYTES does not fit.
MEMORY_BYTES = 200 << 20
# It takes a second. What copies all that it has for each MiB takes some minutes.
TIMEOUT_S = 90
CONTENT = st.lists(st.sampled_from([b"", b"a", b"1234567", b"12345678", b"x" * 9, b"y" * 40]))


@contextlib.contextmanager
def _short_limit() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module in (openfile, source):
            patch.setattr(module, "LINE_MAX", LIMIT)
        yield


@contextlib.contextmanager
def _file(content: bytes) -> Iterator[int]:
    fd = os.memfd_create("log")
    try:
        os.write(fd, content)
        yield fd
    finally:
        os.close(fd)


@given(CONTENT)
def test_backwards_each_line_once_with_where_it_is(lines: list[bytes]) -> None:
    """Whatever lengths they have: the same as by cutting all of it at the ends of lines."""
    content = b"".join(line + b"\n" for line in lines)
    starts = [sum(len(each) + 1 for each in lines[:at]) for at in range(len(lines))]
    expected = [
        FoundLine(start, line[:LIMIT], max(0, len(line) - LIMIT))
        for start, line in zip(starts, lines)
    ]
    with _short_limit(), _file(content) as fd:
        assert list(backwards(fd, len(content)))[::-1] == expected


@given(CONTENT, st.integers(1, 20), st.sampled_from([b"", b"rest", b"z" * 30]))
def test_in_pieces_each_line_once(lines: list[bytes], size: int, rest: bytes) -> None:
    """However they are cut, and the bytes that were passed over are all that is missing."""
    content = b"".join(line + b"\n" for line in lines) + rest
    told: list[int] = []
    with _short_limit():
        splitter = Splitter(told.append)
        found = [
            line
            for at in range(0, len(content), size)
            for line in splitter.feed(content[at : at + size])
        ]
        found += splitter.end()
    everything = [*lines, rest] if rest else lines
    assert found == [line[:LIMIT] for line in everything]
    assert told == [len(line) - LIMIT for line in everything if len(line) > LIMIT]


@given(CONTENT)
def test_forwards_each_line_once(lines: list[bytes]) -> None:
    """From a file that has all of them, and from one that grows by one line after the other."""
    told: list[int] = []
    with _short_limit(), _file(b"") as fd:
        file = OpenFile(Path(f"/proc/self/fd/{fd}"), told.append)
        grown: list[bytes] = []
        for line in lines:
            os.write(fd, line + b"\n")
            grown += file.lines()
        file.close()
        again = OpenFile(Path(f"/proc/self/fd/{fd}"), told.append)
        assert list(again.lines()) == grown
        again.close()
    # Of one that is exactly as long nothing is passed over.
    assert grown == [line[:LIMIT] for line in lines]
    assert told == [len(line) - LIMIT for line in lines if len(line) > LIMIT] * 2


def test_one_that_is_left_is_told_of(tmp_path: Path) -> None:
    """A line without an end that nobody goes on with."""
    told: list[int] = []
    path = tmp_path / "log"
    path.write_bytes(b"z" * 30)
    with _short_limit():
        file = OpenFile(path, told.append)
        assert list(file.lines()) == [b"z" * LIMIT]
        assert told == []
        file.close()
    assert told == [30 - LIMIT]


def test_the_beginning_of_a_long_line_is_none_of_the_analyzers() -> None:
    """Even where it is whole JSON with spaces behind it, as the rest may be anything."""
    own = request("v1")
    assert parse(own.ljust(LINE_MAX - 1)) is not None
    assert parse(own.ljust(LINE_MAX)) is None


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a log with a line of 200 MB, of zero bytes, between lines of the analyzer's."""
    path = tmp_path_factory.mktemp("long") / "imds.jsonl"
    own = request("v1").replace(b"}", b'},"host":{"name":"h"}', 1) + b"\n"
    with path.open("wb") as file:
        file.write(own * 20)
        file.seek(LONG_BYTES, os.SEEK_CUR)
        file.write(b"\n" + own * 20)
    with path.open("rb") as plain, gzip.open(f"{path}.gz", "wb", 1) as packed:
        while piece := plain.read(1 << 20):
            packed.write(piece)
    return path


@pytest.mark.parametrize(
    ("options", "shown", "is_passed"),
    [
        (("-n", "all"), 40, True),
        (("-n", "30"), 30, True),
        (("-n", "10"), 10, False),
    ],
)
@pytest.mark.parametrize("kind", ["plain", "compressed", "stdin"])
def test_a_line_of_200_mb(
    log: Path, kind: str, options: tuple[str, ...], shown: int, *, is_passed: bool
) -> None:
    """Takes a second and little memory, and is said with the number of its bytes."""
    if kind == "stdin" and options[1] != "all":
        pytest.skip("of standard input all is read")
    name = {"plain": str(log), "compressed": f"{log}.gz", "stdin": "-"}[kind]
    with log.open("rb") as stdin:
        done = subprocess.run(
            [sys.executable, "-m", "analyzer", "tail", name, "--no-follow", "--json", *options],
            stdin=stdin,
            capture_output=True,
            text=True,
            check=True,
            timeout=TIMEOUT_S,
            preexec_fn=lambda: resource.setrlimit(
                resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES)
            ),
        )
    assert len(done.stdout.splitlines()) == shown
    said = f"{LONG_BYTES - LINE_MAX} bytes of it were passed over"
    assert (said in done.stderr) == (is_passed or kind == "compressed")
