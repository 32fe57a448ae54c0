"""Nothing that another user has planted is written through, and what is trusted still works."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from analyzer.config.rules import UnixAddress
from analyzer.config.settings import LogSettings as Settings
from analyzer.errors import AnalyzerError, ConfigError, SinkError
from analyzer.recorder.build import _ready
from analyzer.recorder.metrics.address import listen
from analyzer.recorder.metrics.textfile import Textfile
from analyzer.recorder.packet_export.pcapng import PacketFile
from analyzer.recorder.sinks.destination import open_writer
from analyzer.recorder.sinks.file import open_file

OTHER, THIRD = 65_533, 65_532
SECRET = b"precious\n"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="makes files of other users: needs root")


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """Return a directory that everybody may write, and that is not sticky."""
    place = tmp_path / "shared"
    place.mkdir()
    place.chmod(0o777)
    return place


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """Return a file that only its owner, root, may write."""
    place = tmp_path / "victim"
    place.write_bytes(SECRET)
    place.chmod(0o600)
    return place


def _log(path: Path) -> None:
    writer = open_file(str(path))
    writer.write(bytearray(b'{"n":1}\n'))
    writer.close()


def _rotated_log(path: Path) -> None:
    writer = open_writer(Settings(file=str(path)))
    writer.write(bytearray(b'{"n":1}\n'))
    writer.close()


def _ready_file(path: Path) -> None:
    with _ready(path):
        assert path.read_text() == f"{os.getpid()}\n"


def _packets(path: Path) -> None:
    PacketFile(str(path), 1 << 20).close()


def _metrics(path: Path) -> None:
    try:
        Textfile(str(path)).write(b"x 1\n")
    except OSError as error:  # as analyzer.recorder.metrics takes it
        raise ConfigError(str(error)) from error


def _socket(path: Path) -> None:
    listen(UnixAddress(str(path))).close()


WRITERS: list[Callable[[Path], None]] = [
    *(_log, _rotated_log, _ready_file, _packets, _metrics, _socket)
]
all_writers = pytest.mark.parametrize("write", WRITERS, ids=lambda each: each.__name__[1:])
appending = pytest.mark.parametrize("write", [_log, _rotated_log, _packets])


@contextlib.contextmanager
def _untouched(victim: Path) -> Iterator[None]:
    before = victim.stat()
    yield
    after = victim.stat()
    assert victim.read_bytes() == SECRET
    assert (before.st_mode, before.st_uid, before.st_ino) == (
        *(after.st_mode, after.st_uid, after.st_ino),
    )


def _link(place: Path, target: Path, user: int) -> None:
    place.symlink_to(target)
    os.chown(place, user, user, follow_symlinks=False)


@needs_root
@all_writers
def test_a_directory_that_another_user_has_linked_is_not_gone_through(
    write: Callable[[Path], None], shared: Path, tmp_path: Path
) -> None:
    """Or he would choose where a file is made."""
    target = tmp_path / "target"
    target.mkdir()
    _link(shared / "logs", target, OTHER)
    with pytest.raises(AnalyzerError, match="was made by another user"):
        write(shared / "logs" / "imds.jsonl")
    assert list(target.iterdir()) == []


@needs_root
@all_writers
@pytest.mark.parametrize("user", [0, None])
def test_a_directory_that_root_or_we_have_linked_is(
    write: Callable[[Path], None], shared: Path, tmp_path: Path, user: int | None
) -> None:
    """As where /var/log is on another disk."""
    target = tmp_path / "target"
    target.mkdir()
    _link(shared / "logs", target, os.geteuid() if user is None else user)
    write(shared / "logs" / "imds.jsonl")
    if write is not _ready_file:
        assert [each.name for each in target.iterdir()] == ["imds.jsonl"]


@needs_root
@all_writers
def test_a_file_that_another_user_has_linked_is_not_written(
    write: Callable[[Path], None], shared: Path, victim: Path
) -> None:
    """A link in its place is refused, or replaced."""
    _link(shared / "imds.jsonl", victim, OTHER)
    with _untouched(victim), contextlib.suppress(AnalyzerError):
        write(shared / "imds.jsonl")


@needs_root
@pytest.mark.parametrize("write", [_log, _rotated_log])
def test_a_file_that_root_has_linked_is_written(
    write: Callable[[Path], None], shared: Path, tmp_path: Path
) -> None:
    """Also over several links, relative ones, and to a file that is not there yet."""
    (tmp_path / "target").mkdir()
    (shared / "one").symlink_to("two")
    (shared / "two").symlink_to("../target/imds.jsonl")
    write(shared / "one")
    assert (tmp_path / "target" / "imds.jsonl").read_bytes() == b'{"n":1}\n'
    assert (shared / "one").is_symlink()


@needs_root
@appending
def test_a_hard_link_to_another_file_is_not_written(
    write: Callable[[Path], None], shared: Path, victim: Path
) -> None:
    """Where fs.protected_hardlinks is off anybody can make one of any file."""
    (shared / "imds.jsonl").hardlink_to(victim)
    with _untouched(victim), pytest.raises(SinkError, match="hard links"):
        write(shared / "imds.jsonl")


@needs_root
@pytest.mark.parametrize("write", [_log, _rotated_log])
def test_a_hard_link_where_only_root_writes_is_a_backup(
    write: Callable[[Path], None], tmp_path: Path
) -> None:
    """Nobody else can have made it."""
    log = tmp_path / "imds.jsonl"
    log.write_bytes(b'{"n":0}\n')
    (tmp_path / "backup").hardlink_to(log)
    write(log)
    assert log.read_bytes() == b'{"n":0}\n{"n":1}\n'


@needs_root
@appending
@pytest.mark.parametrize("kind", ["file", "pipe"])
def test_what_another_user_has_made_is_not_written(
    write: Callable[[Path], None], shared: Path, kind: str
) -> None:
    """He could read it, and empty it."""
    planted = shared / "imds.jsonl"
    if kind == "pipe":
        os.mkfifo(planted)
        reader = os.open(planted, os.O_RDONLY | os.O_NONBLOCK)
    else:
        planted.touch()
    os.chown(planted, OTHER, OTHER)
    shared.chmod(0o1777)
    try:
        with pytest.raises(SinkError, match="belongs to another user"):
            write(planted)
    finally:
        if kind == "pipe":
            os.close(reader)


@needs_root
def test_in_his_own_directory_his_own_file_is_written(shared: Path) -> None:
    """Root was told to: it is the other user's in any case."""
    os.chown(shared, OTHER, OTHER)
    log = shared / "imds.jsonl"
    log.touch()
    os.chown(log, OTHER, OTHER)
    _log(log)
    assert log.read_bytes() == b'{"n":1}\n'


@needs_root
def test_a_third_users_file_in_it_is_not(shared: Path) -> None:
    """A hard link that the directory's owner has made."""
    os.chown(shared, OTHER, OTHER)
    log = shared / "imds.jsonl"
    log.touch()
    os.chown(log, THIRD, THIRD)
    with pytest.raises(SinkError, match="belongs to another user"):
        _log(log)


@needs_root
def test_the_name_that_a_ready_file_has_first_is_not_followed(shared: Path, victim: Path) -> None:
    """It is known beforehand."""
    for name in (f".ready.{os.getpid()}", ".ready.tmp"):
        _link(shared / name, victim, OTHER)
    with _untouched(victim):
        _ready_file(shared / "ready")
    assert not (shared / "ready").exists()


def test_what_the_kernel_names_open_files_by_is_followed(tmp_path: Path) -> None:
    """``/dev/fd/3``, as shells name a pipe or file that they have opened; and directories."""
    with (tmp_path / "file").open("wb") as file:
        _log(Path(f"/dev/fd/{file.fileno()}"))
        _log(Path(f"/proc/self/fd/{file.fileno()}"))
    reader, pipe = os.pipe()
    _log(Path(f"/dev/fd/{pipe}"))
    os.close(pipe)
    assert os.read(reader, 100) == b'{"n":1}\n'
    os.close(reader)
    _log(Path(f"/proc/self/root{tmp_path}/other"))
    _log(Path("/dev/null"))
    for name, count in (("file", 2), ("other", 1)):
        assert (tmp_path / name).read_bytes() == b'{"n":1}\n' * count


def test_parts_that_stand_for_other_directories(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relative paths, ``.`` and ``..``, and slashes that say nothing."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for number, path in enumerate(("a", "./b", "../here/c", "..//here///./d", "new/deep/e")):
        open_file(path).close()
        assert len(list((tmp_path / "here").rglob("?"))) == number + 1
    assert stat.S_IMODE((tmp_path / "here" / "new").stat().st_mode) == 0o750


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    """Of the many that a path takes."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    (tmp_path / "link").symlink_to(tmp_path / "a" / "b")
    for _ in range(3):
        _log(tmp_path / "link" / "imds.jsonl")
        with pytest.raises(SinkError):
            _log(tmp_path / "link" / "imds.jsonl" / "x")
    assert len(list(Path("/proc/self/fd").iterdir())) == before
