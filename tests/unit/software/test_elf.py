"""Modules of Go programs and crates of Rust programs, of all classes and byte orders."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from analyzer.software import elf
from analyzer.software.found import EntryPoint, Found, Library
from tests.unit.software import go_programs
from tests.unit.software.elf_files import KINDS, Kind
from tests.unit.software.elf_files import elf as elf_file
from tests.unit.software.roots import of_file, of_process

NATIVE = Kind(64, "<")
V1, V2 = "github.com/aws/aws-sdk-go", "github.com/aws/aws-sdk-go-v2"
IMDS = f"{V2}/feature/ec2/imds"


def go(name: str, version: str, path: str, *required_by: str) -> Library:
    return Library("go", name, version, path, required_by)


def shop(path: str) -> list[Found]:
    """Return what the sample's modules are; a fork is not what it replaces."""
    return [
        EntryPoint("go", "example.com/shop", "v1.4.0", path),
        go(V1, "v1.44.133", path),
        go(IMDS, "v1.0.1", path),
        go("github.com/fork/config", "v1.8.1", path, f"{V2}/config v1.8.0"),
        go(f"{V2}/credentials", "", path),
    ]


def look(tmp_path: Path, data: bytes) -> list[Found]:
    (tmp_path / "shop").write_bytes(data)
    return of_file(elf, tmp_path, "/shop")


@pytest.mark.parametrize("has_headers", [True, False], ids=["sections", "stripped"])
@pytest.mark.parametrize("is_old", [True, False], ids=["go1.16", "go1.21"])
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_modules_are_found(tmp_path: Path, kind: Kind, is_old: bool, has_headers: bool) -> None:
    """In both formats, also without section headers."""
    data = go_programs.program(kind, is_old=is_old, has_headers=has_headers)
    assert look(tmp_path, data) == shop("/shop")


def test_a_program_without_modules_has_its_package_at_most(tmp_path: Path) -> None:
    """Built from a directory, or before modules."""
    data = go_programs.program(NATIVE, "path\texample.com/tool\nbuild\t-compiler=gc\n")
    assert look(tmp_path, data) == [EntryPoint("go", "example.com/tool", "", "/shop")]
    local = go_programs.program(NATIVE, "mod\texample.com/tool\t(devel)\t\n")
    assert look(tmp_path, local) == [EntryPoint("go", "example.com/tool", "", "/shop")]
    assert look(tmp_path, go_programs.program(NATIVE, "")) == []


@pytest.mark.parametrize(
    "blob",
    [
        b"\xff Go buildinf:",
        b"\xff Go buildinf:\x08\x02".ljust(32, b"\0"),
        b"\xff Go buildinf:\x08\x02".ljust(32, b"\0") + b"\xff" * 20,
        b"\xff Go buildinf:\x08\x00" + b"\xff" * 16,
        b"\xff Go buildinf:\x03\x07" + b"\0" * 16,
        b"nothing",
        b"",
    ],
)
def test_damaged_build_information_says_nothing(tmp_path: Path, blob: bytes) -> None:
    """Nor is it an error."""
    assert look(tmp_path, elf_file(NATIVE, {".go.buildinfo": blob})) == []


def test_names_that_no_module_has_are_left_out(tmp_path: Path) -> None:
    """A log shows them on a terminal."""
    modules = f"mod\texample.com/a\x1b[2J\tv1\ndep\t{V1}\tv1\x07\ndep\t{V1}\tv1.2.3\n"
    assert look(tmp_path, go_programs.program(NATIVE, modules)) == [go(V1, "v1.2.3", "/shop")]


def crates(*packages: object) -> bytes:
    return zlib.compress(json.dumps({"packages": packages}).encode())


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_crates_that_cargo_auditable_lists_are_found(tmp_path: Path, kind: Kind) -> None:
    """What was needed only to build is not in the program."""
    listed = crates(
        {"name": "shop", "version": "0.1.0", "source": "local", "root": True},
        {"name": "serde", "version": "1.0.0", "source": "crates.io"},
        {"name": "aws-sdk-s3", "version": "1.5.0", "source": "crates.io"},
        {"name": "aws-config", "version": "0.55.3", "source": "crates.io"},
        {"name": "rusoto_core", "version": "0.48.0", "source": "crates.io", "kind": "build"},
    )
    assert look(tmp_path, elf_file(kind, {".dep-v0": listed})) == [
        EntryPoint("cargo", "shop", "0.1.0", "/shop"),
        Library("cargo", "aws-config", "0.55.3", "/shop"),
        Library("cargo", "aws-sdk-s3", "1.5.0", "/shop"),
    ]


@pytest.mark.parametrize(
    "listed",
    [
        b"",
        b"not compressed",
        zlib.compress(b"[1"),
        zlib.compress(b"[" * 100_000),
        zlib.compress(b'"' + b"x" * 50_000_000 + b'"'),
        crates(1, None, [], {"name": 1}, {"name": "aws-config"}),
        zlib.compress(b'{"packages": {"name": "aws-config"}}'),
        zlib.compress(b"7"),
    ],
    ids=["empty", "raw", "cut", "deep", "bomb", "odd", "object", "number"],
)  # fmt: skip
def test_a_damaged_list_of_crates_says_nothing(tmp_path: Path, listed: bytes) -> None:
    """Nor is it an error."""
    assert look(tmp_path, elf_file(NATIVE, {".dep-v0": listed})) == []


def test_crates_are_known_from_messages_of_panics(tmp_path: Path) -> None:
    """They stay in a stripped program that has no list."""
    registry = b"/root/.cargo/registry/src/index.crates.io-6f17d22bba15001f/"
    texts = b"\0".join(
        [
            b"x" * (256 * 1024 - 40),
            registry + b"aws-config-0.55.3/src/imds/client.rs",
            registry + b"aws-config-0.55.3/src/lib.rs",
            registry + b"serde-1.0.1/src/lib.rs",
            b"/opt/vendor/rusoto_core-0.48.0/src/lib.rs",
            registry + b"rusoto_core/src/lib.rs",
        ]
    )
    sections = {".comment": b"GCC: 12\0rustc version 1.78.0\0", ".rodata": texts}
    expected = [Library("cargo", "aws-config", "0.55.3", "/shop")]
    assert look(tmp_path, elf_file(NATIVE, sections)) == expected
    assert look(tmp_path, elf_file(NATIVE, {**sections, ".comment": b"GCC: 12\0"})) == []


def test_wanted_files_are_those_that_programs_are_called_like() -> None:
    """By their names alone."""
    for name in ("/usr/bin/shop", "/opt/shop-1.2", "/opt/provider_v5.1.0_x5", "/x/_a.abi3.so"):
        assert elf.is_wanted(name), name
    for name in ("/srv/a.py", "/srv/a.jar", "/srv/b.html"):
        assert not elf.is_wanted(name), name


# A program that waits, with the sections that a Go or Rust program has.
_WAITING = (
    '#include <unistd.h>\nint main(void) { char c; puts("ready"); return read(0, &c, 1) < 0; }\n'
)


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """Return a real program that waits for input, stripped, with build information of Go's."""
    if shutil.which("gcc") is None or shutil.which("objcopy") is None:
        pytest.skip("needs a C compiler (Debian: gcc, binutils)")
    (tmp_path / "wait.c").write_text("#include <stdio.h>\n" + _WAITING)
    (tmp_path / "info").write_bytes(go_programs.inline(go_programs.MODULES))
    program = tmp_path / "waiting"
    subprocess.run(["gcc", "-o", program, tmp_path / "wait.c"], check=True)
    section = f".go.buildinfo={tmp_path}/info"
    subprocess.run(["objcopy", "--strip-all", "--add-section", section, program], check=True)
    return program


@contextlib.contextmanager
def running(program: Path) -> Iterator[subprocess.Popen[bytes]]:
    pipe = subprocess.PIPE
    with subprocess.Popen(["stdbuf", "-oL", str(program)], stdin=pipe, stdout=pipe) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield process
        finally:
            process.kill()


def test_a_program_whose_file_is_gone_is_read_while_it_runs(built: Path) -> None:
    """And one that was replaced is not taken for what runs."""
    with running(built) as process:
        facts = {"pid": process.pid}
        executable = str(built)
        assert of_process(elf, Path("/"), executable, **facts) == shop(executable)
        built.unlink()
        assert of_process(elf, Path("/"), executable, **facts) == shop(executable)
        built.write_bytes(go_programs.program(NATIVE, "mod\texample.com/new\tv2\n"))
        assert of_process(elf, Path("/"), executable, **facts) == shop(executable)
    # The process is gone, or its number belongs to another: the file is what is left.
    new = [EntryPoint("go", "example.com/new", "v2", executable)]
    assert of_process(elf, Path("/"), executable, **facts) == new
    assert of_process(elf, Path("/"), executable, pid=1) == new
    assert of_process(elf, Path("/"), executable) == new


def test_mapped_extensions_are_libraries_of_the_process(tmp_path: Path) -> None:
    """An object store in Rust may be what calls IMDS in a Python program."""
    program = tmp_path / "usr/bin/python3"
    program.parent.mkdir(parents=True)
    program.write_bytes(elf_file(NATIVE, {".text": b"x"}))
    extension = "/v/lib/python3.11/site-packages/deltalake/_internal.abi3.so"
    path = tmp_path / extension[1:]
    path.parent.mkdir(parents=True)
    listed = [
        {"name": "aws-config", "version": "1.12.0"},
        {"name": "d", "version": "1", "root": True},
    ]
    path.write_bytes(elf_file(NATIVE, {".dep-v0": crates(*listed)}))
    files = (extension, "/v/lib/python3.11/site-packages/gone.so", "/usr/lib/libc.so.6")
    assert of_process(elf, tmp_path, "/usr/bin/python3", open_files=files) == [
        Library("cargo", "aws-config", "1.12.0", extension)
    ]
