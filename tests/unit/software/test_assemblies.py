"""Versions of .NET assemblies, from the resource that a compiler writes."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from analyzer.software import assemblies
from analyzer.software.source import open_source
from tests.unit.software.roots import open_root

KEY = "FileVersion\0".encode("utf-16-le")


def version(tmp_path: Path, data: bytes) -> str:
    (tmp_path / "a.dll").write_bytes(data)
    with open_root(tmp_path) as root, open_source(root, "/a.dll") as source:
        return assemblies.version(source)


def assembly(resources: bytes, name: bytes = b".rsrc") -> bytes:
    """Return a PE file with one section (PE Format, Microsoft)."""
    front = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x80)
    coff = struct.pack("<4s2H3I2H", b"PE\0\0", 0x14C, 1, 0, 0, 0, 224, 0x2102)
    section = struct.pack("<8s4I16x", name, len(resources), 0x4000, len(resources), 0x400)
    return (front.ljust(0x80, b"\0") + coff + b"\0" * 224 + section).ljust(0x400, b"\0") + resources


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3.7.202.18\0", "3.7.202.18"),
        ("\0\0003.7.400.0\0", "3.7.400"),
        ("4.0.1\0rest", "4.0.1"),
        ("none\0", ""),
        ("", ""),
    ],
)
def test_the_file_version_is_read(tmp_path: Path, text: str, expected: str) -> None:
    """As the package has it: without a fourth number that is 0."""
    assert version(tmp_path, assembly(b"\0" * 50 + KEY + text.encode("utf-16-le"))) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"MZ",
        b"MZ" + b"\xff" * 99,
        b"\x7fELF" + b"\0" * 99,
        assembly(b"nothing"),
        assembly(KEY + "1.2.3".encode("utf-16-le"), b".text"),
        assembly(b"")[:300],
    ],
)
def test_other_files_have_no_version(tmp_path: Path, data: bytes) -> None:
    """Nor are they an error."""
    assert version(tmp_path, data) == ""


def test_a_compilers_assembly_has_its_version(tmp_path: Path) -> None:
    """Mono's compiler writes the resource as the .NET SDK does."""
    if shutil.which("mcs") is None:
        pytest.skip("needs a C# compiler (Debian: mono-mcs)")
    (tmp_path / "a.cs").write_text(
        '[assembly: System.Reflection.AssemblyVersion("3.3.0.0")]\n'
        '[assembly: System.Reflection.AssemblyFileVersion("3.7.202.18")]\n'
        "public class A {}\n"
    )
    subprocess.run(["mcs", "-target:library", "-out:b.dll", "a.cs"], cwd=tmp_path, check=True)
    assert version(tmp_path, (tmp_path / "b.dll").read_bytes()) == "3.7.202.18"
