"""Headers of ELF files: of real programs as readelf shows them, and damaged ones."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from analyzer.software import elf_file
from analyzer.software.elf_file import Elf
from analyzer.software.source import open_source
from tests.unit.software.elf_files import ADDRESS, KINDS, Kind, elf
from tests.unit.software.roots import open_root


def read(path: Path) -> Elf | None:
    """Return the headers; the file is closed by then."""
    with open_root(Path("/")) as root, open_source(root, str(path)) as source:
        return elf_file.maybe_read(source)


def test_a_real_program_has_the_sections_that_readelf_shows() -> None:
    """Names, offsets and sizes."""
    if shutil.which("readelf") is None:
        pytest.skip("needs readelf (Debian: binutils)")
    shown = subprocess.run(
        ["readelf", "--section-headers", "--wide", "/bin/ls"], capture_output=True, check=True
    ).stdout.decode()
    lines = [line.partition("]")[2].split() for line in shown.splitlines() if "] ." in line]
    expected = [
        (name.encode(), int(offset, 16), int(size, 16))
        for name, kind, _, offset, size, *_ in lines
        if kind != "NOBITS"
    ]
    headers = read(Path("/bin/ls"))
    assert headers is not None
    assert [tuple(section) for section in headers.sections if section.name] == expected
    assert any(segment.is_data for segment in headers.segments)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_data_is_read_by_section_and_by_address(tmp_path: Path, kind: Kind) -> None:
    """Up to its end, in each class and byte order."""
    path = tmp_path / "a"
    path.write_bytes(elf(kind, {".a": b"first", ".b": b"second"}))
    with open_root(tmp_path) as root, open_source(root, "/a") as source:
        headers = elf_file.maybe_read(source)
        assert headers is not None
        section = headers.maybe_section(b".b")
        assert section is not None
        assert section.at(0, 99) == b"second"
        assert headers.maybe_section(b".c") is None
        assert headers.at_address(ADDRESS + 16, 99) == b"second"
        assert headers.at_address(ADDRESS - 1, 9) == b""
        assert headers.at_address(1 << 63, 9) == b""


@pytest.mark.parametrize(
    "data",
    [b"", b"\x7fELF", b"MZ" * 99, b"\x7fELF\3\1".ljust(99, b"\0"), b"\x7fELF\2\7".ljust(99, b"\0")],
)
def test_other_files_have_no_headers(tmp_path: Path, data: bytes) -> None:
    """Too short, or of no class or byte order that there is."""
    path = tmp_path / "a"
    path.write_bytes(data)
    assert read(path) is None
