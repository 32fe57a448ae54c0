"""The archive of `make release`: its content as the docs list it, its checksums, its bytes."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from analyzer import __version__
from tests.unit.install.host import CHECKOUT

RELEASE = f"imds-analyzer-{__version__}"
RELEASE_MD = CHECKOUT / "docs/develop/release.md"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    """Return the archive that the checkout makes of its wheel."""
    directory = tmp_path_factory.mktemp("archive")
    shutil.copy2(wheel, directory)
    make = ["make", "--silent", "--directory", str(CHECKOUT), "archive", f"DIST={directory}"]
    subprocess.run([*make, "SOURCE_DATE_EPOCH=1700000000"], check=True)
    return directory / f"{RELEASE}.tar.gz"


def test_the_docs_list_its_content(archive: Path) -> None:
    (listed,) = re.findall(r"\$ tar tzf .*?\n(.*?)```", RELEASE_MD.read_text(), re.DOTALL)
    with tarfile.open(archive) as packed:
        names = [each.name + "/" * each.isdir() for each in packed]
    assert names == listed.split()


def test_all_of_monitoring_and_ecs_is_in_it(archive: Path) -> None:
    """Byte by byte: what a person takes out of it is what the tests looked at."""
    files = [
        each
        for folder in ("deploy/monitoring", "deploy/ecs")
        for each in (CHECKOUT / folder).rglob("*")
        if each.is_file()
    ]
    assert len(files) >= 8
    with tarfile.open(archive) as packed:
        for file in files:
            member = packed.extractfile(f"{RELEASE}/{file.relative_to(CHECKOUT)}")
            assert member is not None
            assert member.read() == file.read_bytes()


def test_each_file_has_its_checksum(archive: Path) -> None:
    with tarfile.open(archive) as packed:
        files = {each.name: packed.extractfile(each) for each in packed if each.isfile()}
        contents = {name: file.read() for name, file in files.items() if file is not None}
    lines = contents.pop(f"{RELEASE}/SHA256SUMS").decode().splitlines()
    pairs = (line.split("  ", 1) for line in lines)
    sums = {f"{RELEASE}/{name}": digest for digest, name in pairs}
    assert sums == {name: hashlib.sha256(raw).hexdigest() for name, raw in contents.items()}
    beside = archive.with_name(f"{archive.name}.sha256").read_text().split()
    assert beside == [hashlib.sha256(archive.read_bytes()).hexdigest(), archive.name]


def test_members_are_roots_of_one_time(archive: Path) -> None:
    with tarfile.open(archive) as packed:
        for member in packed:
            assert (member.uid, member.gid, member.mtime) == (0, 0, 1700000000)
            assert member.mode & 0o022 == 0
