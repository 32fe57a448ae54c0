"""Which files a report is made of."""

from __future__ import annotations

import gzip
import io
import os
import sys
from pathlib import Path

import pytest

from analyzer.report.inputs import InputError, open_inputs

LINE = b'{"event":"heartbeat"}\n'


def names(*paths: Path) -> list[str]:
    with open_inputs([str(path) for path in paths]) as files:
        return [Path(file.name).name for file in files]


def made(path: Path, content: bytes = LINE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_a_directory_is_all_logs_in_it(tmp_path: Path) -> None:
    """However deep, under the names that the archive, logrotate and people give them."""
    for name in (
        "a/imds.jsonl",
        "a/imds.jsonl-20261121T233146Z.gz",
        "a/imds.jsonl.1",
        "b/c/imds.jsonl-20261122.gz",
        "b/fleet.parquet",
        "b/imds.log",
    ):
        made(tmp_path / name)
    for name in ("a/.hidden.jsonl", "a/imds.jsonl-20261121T233146Z.gz.part", "a/notes.txt"):
        made(tmp_path / name)
    assert names(tmp_path) == [
        "imds.jsonl",
        "imds.jsonl-20261121T233146Z.gz",
        "imds.jsonl.1",
        "fleet.parquet",
        "imds.log",
        "imds.jsonl-20261122.gz",
    ]


def test_a_file_that_is_named_twice_counts_once(tmp_path: Path) -> None:
    """By its name, by a link, and by its directory."""
    file = made(tmp_path / "imds.jsonl")
    (tmp_path / "link").symlink_to(file)
    os.link(file, tmp_path / "other.jsonl")
    assert names(file, tmp_path / "link", tmp_path) == ["imds.jsonl"]


def test_a_file_being_compressed_counts_once(tmp_path: Path) -> None:
    """The archive keeps the plain one until the compressed one is whole."""
    made(tmp_path / "imds.jsonl-20261121T233146Z")
    made(tmp_path / "imds.jsonl-20261121T233146Z.gz", gzip.compress(LINE))
    assert names(tmp_path) == ["imds.jsonl-20261121T233146Z"]


def test_what_a_file_is_stands_in_its_first_bytes(tmp_path: Path) -> None:
    """Not in its name."""
    paths = [
        str(made(tmp_path / "a", gzip.compress(LINE))),
        str(made(tmp_path / "b.gz", LINE)),
        str(made(tmp_path / "c", b"PAR1")),
    ]
    with open_inputs(paths) as files:
        assert [(each.is_gzip, each.is_parquet) for each in files] == [
            (True, False),
            (False, False),
            (False, True),
        ]


def test_standard_input_is_put_into_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read twice, and is gone with the report."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(LINE))))
    with open_inputs(["-"]) as (file,):
        assert file.name == "standard input"
        assert file.is_gzip
        assert gzip.decompress(Path(file.path).read_bytes()) == LINE
    assert not Path(file.path).exists()


def test_a_pipe_can_be_named() -> None:
    """As a shell's <(zcat ...) does."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as stream:
        stream.write(LINE)
    try:
        with open_inputs([f"/dev/fd/{reader}"]) as (file,):
            assert Path(file.path).read_bytes() == LINE
    finally:
        os.close(reader)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("not-there", None, "cannot read '.*not-there': No such file or directory. Name a file"),
        ("empty", (), "there is no log in the directory '.*empty'. Name"),
        ("packed.zst", b"\x28\xb5\x2f\xfd", "compressed with zstd. Unpack it, or use gzip"),
    ],
)
def test_what_cannot_be_read_is_said(
    tmp_path: Path, name: str, content: object, message: str
) -> None:
    """With what to do about it."""
    if content == ():
        (tmp_path / name).mkdir()
    elif isinstance(content, bytes):
        made(tmp_path / name, content)
    with pytest.raises(InputError, match=message), open_inputs([str(tmp_path / name)]):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_of_others_is_said(tmp_path: Path) -> None:
    """With the user that is needed."""
    made(tmp_path / "imds.jsonl").chmod(0)
    with pytest.raises(InputError, match="or as root"), open_inputs([str(tmp_path)]):
        pass
