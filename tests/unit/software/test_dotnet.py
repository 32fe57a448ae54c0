"""NuGet packages of .NET programs: listed beside them, inside a single file, or mapped."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from analyzer.software import dotnet
from analyzer.software.found import EntryPoint, Found, Library
from tests.unit.software.elf_files import Kind, elf
from tests.unit.software.jars import write
from tests.unit.software.roots import of_file, of_process
from tests.unit.software.test_assemblies import KEY, assembly

DOTNET = "/usr/share/dotnet/dotnet"
MARKER = bytes.fromhex("8b1202b96a612038727b930214d7a03213f5b9e6efae3318ee3b2dce24b36aae")
LIST = json.dumps(
    {
        "runtimeTarget": {"name": ".NETCoreApp,Version=v6.0", "signature": ""},
        "targets": {".NETCoreApp,Version=v6.0": {"Shop/1.2.0": {"runtime": {"Shop.dll": {}}}}},
        "libraries": {
            "Shop/1.2.0": {"type": "project", "serviceable": False, "sha512": ""},
            "Shop.Common/1.0.0": {"type": "project", "serviceable": False, "sha512": ""},
            "Newtonsoft.Json/13.0.1": {"type": "package", "sha512": "sha512-x"},
            "AWSSDK.S3/3.7.9": {"type": "package", "sha512": "sha512-x"},
            "AWSSDK.Core/3.7.12.25": {"type": "package", "sha512": "sha512-x"},
        },
    }
).encode()


def shop(path: str) -> list[Found]:
    return [
        EntryPoint("nuget", "Shop", "1.2.0", path),
        Library("nuget", "AWSSDK.Core", "3.7.12.25", path),
        Library("nuget", "AWSSDK.S3", "3.7.9", path),
    ]


@pytest.mark.parametrize(
    ("executable", "args"),
    [
        (DOTNET, ("dotnet", "Shop.dll", "--port", "80")),
        (DOTNET, ("dotnet", "exec", "/srv/Shop.dll")),
        ("/usr/bin/mono-sgen", ("mono", "./Shop.exe")),
        ("/srv/Shop", ("./Shop",)),
    ],
)
def test_the_list_beside_the_program_is_read(
    tmp_path: Path, executable: str, args: tuple[str, ...]
) -> None:
    """Of an assembly that a launcher runs, and of a program with a host of its own."""
    write(tmp_path / "srv/Shop.deps.json", LIST)
    found = of_process(dotnet, tmp_path, executable, args=args, cwd="/srv")
    assert found == shop("/srv/Shop.deps.json")


def bundle(major: int = 6, offset: int | None = None, size: int | None = None) -> bytes:
    """Return a single file as ``dotnet publish`` lays it out (corehost/bundle/header.h)."""
    sections = {".data": b"\0" * 24 + b"OFFSETOF" + MARKER}
    host = elf(Kind(64, "<"), sections)
    places = struct.pack("<4qQ", offset or len(host), size or len(LIST), 0, 0, 0)
    header = struct.pack("<2Ii", major, 0, 3) + b"\x0cAbCdEfGhIjKl" + places
    at = struct.pack("<q", len(host) + len(LIST))
    return host.replace(b"OFFSETOF", at) + LIST + header


def test_the_list_inside_a_single_file_is_read(tmp_path: Path) -> None:
    """The host's data tells where the header is, and that where the list is."""
    write(tmp_path / "srv/Shop", bundle())
    found = of_process(dotnet, tmp_path, "/srv/Shop", args=("Shop",))
    assert found == shop("/srv/Shop!/Shop.deps.json")


@pytest.mark.parametrize(
    "data",
    [
        bundle(major=1),
        bundle(offset=1 << 60),
        bundle(offset=-5),
        bundle(size=7),
        bundle()[:-30],
        bundle()[:-60],
        b"\x7fELF",
        b"",
    ],
)
def test_a_damaged_single_file_says_nothing(tmp_path: Path, data: bytes) -> None:
    """Nor is it an error."""
    write(tmp_path / "srv/Shop", data)
    assert of_process(dotnet, tmp_path, "/srv/Shop", args=("Shop",)) == []


@pytest.mark.parametrize(
    "data",
    [b"", b"[", b"[]", b"7", b'{"libraries": []}', b'{"libraries": {"AWSSDK.Core/1": 1, "x": {}}}',
     b'{"libraries": {"AWSSDK.Core/1\\u001b": {}, "AWSSDK.\\ud800/1": {}}}', b"[" * 200_000],
)  # fmt: skip
def test_a_damaged_list_says_nothing(tmp_path: Path, data: bytes) -> None:
    """Nor is it an error."""
    write(tmp_path / "a.deps.json", data)
    assert of_file(dotnet, tmp_path, "/a.deps.json") == []


def test_mapped_assemblies_count_without_a_list(tmp_path: Path) -> None:
    """One that the list has is not named twice; the program itself may be unknown."""
    data = assembly(KEY + "\x003.3.106.5\0".encode("utf-16-le"))
    write(tmp_path / "opt/AWSSDK.Core.dll", data)
    write(tmp_path / "opt/AWSSDK.SQS.dll", b"")
    files = ("/opt/AWSSDK.Core.dll", "/opt/System.dll", "/opt/AWSSDK.SQS.dll", "/opt/AWSSDK.No.dll")
    found = of_process(dotnet, tmp_path, DOTNET, args=("dotnet",), open_files=files)
    core = Library("nuget", "AWSSDK.Core", "3.3.106.5", "/opt/AWSSDK.Core.dll")
    assert found == [core, Library("nuget", "AWSSDK.SQS", "", "/opt/AWSSDK.SQS.dll")]
    write(tmp_path / "srv/Shop.deps.json", LIST)
    listed = of_process(dotnet, tmp_path, "/srv/Shop", args=("Shop",), open_files=files[:2])
    assert listed == shop("/srv/Shop.deps.json")
    assert of_file(dotnet, tmp_path, "/opt/AWSSDK.Core.dll") == [core]


def test_wanted_files_are_lists_and_interesting_assemblies() -> None:
    """By their names alone."""
    assert dotnet.is_wanted("/srv/Shop.deps.json")
    assert dotnet.is_wanted("/srv/AWSSDK.Core.dll")
    assert not dotnet.is_wanted("/srv/System.dll")
    assert not dotnet.is_wanted("/srv/package.json")
