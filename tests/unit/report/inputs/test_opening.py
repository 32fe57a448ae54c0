"""Which files a report is made of."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import os
import socket
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from analyzer.report.inputs import InputError, open_inputs

NOBODY = 65534
LINE = b'{"event":"heartbeat"}\n'


def names(*paths: Path) -> list[str]:
    with open_inputs([str(path) for path in paths]) as files:
        return [Path(file.name).name for file in files]


def made(path: Path, content: bytes = LINE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def unread(*paths: Path) -> dict[str, str]:
    with open_inputs([str(path) for path in paths]) as inputs:
        return {Path(each.file).name: each.problem for each in inputs.unread}


def test_a_directory_is_all_logs_in_it(tmp_path: Path) -> None:
    """However deep, and under any name; what is no log is named."""
    for name in (
        "a/.hidden.jsonl",
        "a/imds.jsonl",
        "a/imds.jsonl-20261121T233146Z.gz",
        "a/imds.jsonl.1",
        "a/notes.txt",
        "b/imds.log",
        "b/no suffix",
        "b/c/host=web-2/imds.jsonl-20261122.gz",
        "b/c/web2.gz",
    ):
        packed = gzip.compress(LINE) if name.endswith("Z.gz") else LINE
        made(tmp_path / name, packed)
    made(tmp_path / "a/README", b"Logs of the fleet.\n")
    assert names(tmp_path) == [
        ".hidden.jsonl",
        "imds.jsonl",
        "imds.jsonl-20261121T233146Z.gz",
        "imds.jsonl.1",
        "notes.txt",
        "imds.log",
        "no suffix",
        "web2.gz",
        "imds.jsonl-20261122.gz",
    ]
    assert unread(tmp_path) == {"README": "is not a log of the analyzer's"}


FOREIGN = {
    "README": (b"Logs of the fleet.\n", "is not a log of the analyzer's"),
    "metrics.prom": (b"# TYPE imds_requests counter\nimds_requests 3\n", "is not a log"),
    "metrics.json": (b'{"requests":{"v1":3}}\n', "is not a log"),
    "other.jsonl": (b'{"timestamp":"2026-11-21T18:50:01Z","msg":"hello"}\n', "is not a log"),
    "binary": (bytes(range(256)) * 100, "is not a log"),
    "other.gz": (gzip.compress(b"text\n"), "is not a log"),
    "twice.gz": (gzip.compress(gzip.compress(LINE)), "is compressed twice"),
    "table.gz": (gzip.compress(b"PAR1....PAR1"), "is gzip of Parquet"),
    "log.zst": (b"\x28\xb5\x2f\xfd....", "is compressed with zstd: unpack it"),
    "log.xz": (lzma.compress(LINE), "is compressed with xz: unpack it"),
    "log.bz2": (bz2.compress(LINE), "is compressed with bzip2: unpack it"),
    "capture.pcap": (b"\xd4\xc3\xb2\xa1" + bytes(20), "is a packet capture"),
    "capture.pcapng": (b"\n\r\r\n" + bytes(20), "is a packet capture"),
    "utf-16": (LINE.decode().encode("utf-16"), "is UTF-16: convert it"),
    "utf-16-le": (LINE.decode().encode("utf-16-le"), "is UTF-16: convert it"),
    "utf-16-be": (LINE.decode().encode("utf-16-be"), "is UTF-16: convert it"),
    "cut.parquet": (b"PAR1" + bytes(100), "is Parquet without its end"),
    "short.parquet": (b"PAR1", "is Parquet without its end"),
    "secret.parquet": (b"PARE" + bytes(100) + b"PARE", "is encrypted Parquet"),
    "broken.gz": (b"\x1f\x8b\x08\x00" + b"\xff" * 100, "its compressed data is damaged"),
    "begun.gz": (gzip.compress(LINE)[:10], "its compressed data ends early"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_is_no_log_is_named_with_its_reason(tmp_path: Path, name: str) -> None:
    """And what is beside it is read."""
    content, problem = FOREIGN[name]
    made(tmp_path / name, content)
    made(tmp_path / "imds.jsonl")
    assert names(tmp_path) == ["imds.jsonl"]
    found = unread(tmp_path)
    assert list(found) == [name]
    assert found[name].startswith(problem)


def test_a_tar_archive_is_named(tmp_path: Path) -> None:
    """Also a compressed one, although lines of the analyzer's are in it."""
    file = made(tmp_path / "imds.jsonl")
    plain = tmp_path / "logs.tar"
    with tarfile.open(plain, "w") as archive:
        archive.add(file)
    made(tmp_path / "logs.tar.gz", gzip.compress(plain.read_bytes()))
    assert names(tmp_path) == ["imds.jsonl"]
    assert unread(tmp_path) == dict.fromkeys(
        ("logs.tar", "logs.tar.gz"), "is a tar archive: unpack it"
    )


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\n \r\n", id="blank"),
        pytest.param(gzip.compress(b""), id="gzip of nothing"),
        pytest.param(b"not JSON\n" * 1000 + LINE, id="after damage"),
        pytest.param(b"\0" * 4096 + LINE, id="after zeros"),
        pytest.param(b"\xef\xbb\xbf" + LINE * 2, id="after a byte order mark"),
        pytest.param(b'{"timestamp":"2026-11-21T18:50:01.123456Z","ev', id="one torn line"),
        pytest.param(LINE.replace(b"\n", b"\r\n"), id="CRLF"),
        pytest.param(gzip.compress(b"\n") + gzip.compress(LINE), id="second member"),
        pytest.param(gzip.compress(b"") + gzip.compress(LINE)[:-8], id="cut"),
        pytest.param(b'{"event":"of a later release"}', id="a later release"),
    ],
)
def test_a_log_is_known_by_any_of_its_first_lines(tmp_path: Path, content: bytes) -> None:
    """Whatever is wrong with the others; a file without a line holds nothing unread."""
    made(tmp_path / "anything", content)
    assert (names(tmp_path), unread(tmp_path)) == (["anything"], {})


def test_empty_files_count_only_if_there_is_nothing_else(tmp_path: Path) -> None:
    """A lock, a mark, an output that is not written yet: they hold no line, and are not missed."""
    made(tmp_path / "lock", b"")
    assert (names(tmp_path), unread(tmp_path)) == (["lock"], {})
    made(tmp_path / "imds.jsonl")
    assert (names(tmp_path), unread(tmp_path)) == (["imds.jsonl"], {})
    assert names(tmp_path, tmp_path / "lock") == ["imds.jsonl", "lock"]


def test_text_that_is_named_is_read(tmp_path: Path) -> None:
    """Also if no line of it is the analyzer's: then each of them is damage."""
    made(tmp_path / "imds.jsonl")
    file = made(tmp_path / "notes.txt", b"not a line\n")
    assert unread(tmp_path) == {"notes.txt": "is not a log of the analyzer's"}
    for paths in ((file, tmp_path), (tmp_path, file)):
        assert sorted(names(*paths)) == ["imds.jsonl", "notes.txt"]
        assert unread(*paths) == {}


def test_a_file_that_is_named_twice_counts_once(tmp_path: Path) -> None:
    """By its name, by a link, and by its directory."""
    file = made(tmp_path / "imds.jsonl")
    (tmp_path / "link").symlink_to(file)
    os.link(file, tmp_path / "other.jsonl")
    assert names(file, tmp_path / "link", tmp_path) == ["imds.jsonl"]


MANY = b"".join(b'{"event":"heartbeat","n":%d}\n' % at for at in range(2000))


@pytest.mark.parametrize(
    ("name", "copy"),
    [
        pytest.param("imds.jsonl-20261121T233146Z.gz", gzip.compress(MANY), id="whole"),
        pytest.param("imds.jsonl-20261121T233146Z.gz.part", gzip.compress(MANY)[:3000], id="part"),
        pytest.param("imds.jsonl-20261121T233146Z.gz.part", b"", id="begun"),
        pytest.param("imds.jsonl-20261121T233146Z.gz.part", gzip.compress(MANY)[:5], id="header"),
    ],
)
def test_a_file_being_compressed_counts_once(tmp_path: Path, name: str, copy: bytes) -> None:
    """The archive keeps the plain one until the compressed one is whole."""
    made(tmp_path / "imds.jsonl-20261121T233146Z", MANY)
    made(tmp_path / name, copy)
    assert (names(tmp_path), unread(tmp_path)) == (["imds.jsonl-20261121T233146Z"], {})


@pytest.mark.parametrize(
    ("name", "other", "is_read"),
    [
        pytest.param("imds.jsonl.gz", gzip.compress(b'{"event":"other"}\n'), True, id="others"),
        pytest.param("imds.jsonl.gz", gzip.compress(MANY + LINE), True, id="more"),
        pytest.param("imds.jsonl.gz", gzip.compress(MANY)[:-1], True, id="cut"),
        pytest.param("imds.jsonl.gz", LINE, True, id="plain"),
        pytest.param("imds.jsonl.gz.part", gzip.compress(LINE)[:-1], True, id="other part"),
        pytest.param("imds.jsonl.gz.part", b"something else", False, id="foreign part"),
        pytest.param("old.jsonl.gz.part", gzip.compress(MANY)[:3000], True, id="part alone"),
    ],
)
def test_only_what_is_there_plain_is_a_copy(
    tmp_path: Path, name: str, other: bytes, is_read: bool
) -> None:
    """By its content: a line that is nowhere else counts."""
    made(tmp_path / "imds.jsonl", MANY)
    made(tmp_path / name, other)
    if is_read:
        assert names(tmp_path) == ["imds.jsonl", name]
    else:
        assert unread(tmp_path) == {name: "is not a log of the analyzer's"}
    assert names(tmp_path / name, tmp_path)[1:] == ["imds.jsonl"]


def test_a_compressed_file_alone_is_no_copy(tmp_path: Path) -> None:
    """Its plain one is there, but is not read."""
    made(tmp_path / "imds.jsonl", MANY)
    packed = made(tmp_path / "imds.jsonl.gz", gzip.compress(MANY))
    assert names(packed) == ["imds.jsonl.gz"]


def test_files_of_the_command_itself_are_not_missed(tmp_path: Path) -> None:
    """The report before and the figures may be in the folder; a log there is read all the same."""
    made(tmp_path / "imds.jsonl")
    report = made(tmp_path / "report.html", b"<html>")
    figures = made(tmp_path / "figures.json", b"{}")
    log = made(tmp_path / "log")
    others = [None, str(tmp_path / "not there"), *map(str, (report, log))]
    with open_inputs([str(tmp_path)], others) as inputs:
        assert [each.path for each in inputs] == [str(tmp_path / "imds.jsonl"), str(log)]
        assert [each.file for each in inputs.unread] == [str(figures)]


def test_links_are_followed_once(tmp_path: Path) -> None:
    """To files and to folders, also out of the folder and back into it."""
    logs = tmp_path / "logs"
    made(logs / "a/imds.jsonl")
    made(tmp_path / "elsewhere/b.jsonl")
    made(tmp_path / "c.jsonl")
    (logs / "a/up").symlink_to(logs)
    (logs / "a/self").symlink_to(logs / "a")
    (logs / "b").symlink_to(tmp_path / "elsewhere")
    (logs / "c").symlink_to(tmp_path / "c.jsonl")
    (logs / "again").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/back").symlink_to(logs)
    assert sorted(names(logs)) == ["b.jsonl", "c", "imds.jsonl"]
    assert unread(logs) == {}


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    """Without waiting for it; a socket holds nothing."""
    made(tmp_path / "imds.jsonl")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "nothing").symlink_to(tmp_path / "not there")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "device").symlink_to("/dev/zero")
    (tmp_path / "memory").symlink_to("/proc/self/mem")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        assert unread(tmp_path) == {
            "device": "is a device",
            "loop": "is a link to itself",
            "memory": "cannot be read: Input/output error",
            "nothing": "is a link to nothing",
            "pipe": "is a named pipe: name it to have it read",
        }
        assert names(tmp_path) == ["imds.jsonl"]


def test_a_name_that_is_no_text_is_shown_with_escapes(tmp_path: Path) -> None:
    """It can be printed anywhere, and the file is read."""
    path = os.fsencode(tmp_path) + b"/web\xff\n.jsonl"
    Path(os.fsdecode(path)).write_bytes(LINE)
    assert names(tmp_path) == [r"web\udcff\n.jsonl"]


def test_what_a_file_is_stands_in_its_first_bytes(tmp_path: Path) -> None:
    """Not in its name."""
    paths = [
        str(made(tmp_path / "a", gzip.compress(LINE))),
        str(made(tmp_path / "b.gz", LINE)),
        str(made(tmp_path / "c", b"PAR1" + bytes(4) + b"PAR1")),
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


def test_standard_input_that_is_closed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python has none then."""
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(InputError, match="standard input is closed"), open_inputs(["-"]):
        pass


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
        (
            "packed.zst",
            b"\x28\xb5\x2f\xfd",
            "packed.zst' is compressed with zstd: unpack it, or use gzip",
        ),
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


def test_what_others_may_read_alone_is_named() -> None:
    """A file or a folder; with nothing else, the error says which user is needed."""
    with tempfile.TemporaryDirectory() as name:  # pytest's are for its user alone
        path = Path(name)
        made(path / "imds.jsonl").chmod(0o644)
        made(path / "folder/imds.jsonl")
        made(path / "secret.jsonl").chmod(0)
        (path / "folder").chmod(0)
        path.chmod(0o755)
        with as_nobody():
            assert names(path) == ["imds.jsonl"]
            found = unread(path)
            assert sorted(found) == ["folder", "secret.jsonl"]
            assert all(each.startswith("may not be read") for each in found.values())
            with pytest.raises(InputError, match="or as root"):
                names(path / "secret.jsonl")
            with pytest.raises(InputError, match="or as root"):
                names(path / "folder")
        (path / "folder").chmod(0o700)


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Be a user that may not read everything, as root alone may."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)
