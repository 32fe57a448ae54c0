"""Files that a finder reads may hold anything: no other error, no endless work, no odd names."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.software import dotnet, elf, jvm
from analyzer.software.budget import Budget, Spent
from analyzer.software.finders import Finder
from analyzer.software.found import Found, Library
from analyzer.software.root import Root
from analyzer.software.subject import Subject
from tests.unit.software.elf_files import KINDS
from tests.unit.software.go_programs import program
from tests.unit.software.jars import archive, core
from tests.unit.software.test_assemblies import KEY, assembly
from tests.unit.software.test_dotnet import LIST

# Ten times what these files need: reading one again and again would use it up.
BYTES_MAX = 32 << 20
CPU_S = 2
LIBRARIES_MAX = 65  # and the program itself


@lru_cache
def samples() -> dict[str, tuple[Finder, list[bytes]]]:
    """Return honest files of each kind, by the name that they are found by."""
    fat = archive(
        {"BOOT-INF/lib/sdk.jar": core("1.1"), "x/A.class": b"x" * 999}, zipfile.ZIP_STORED
    )
    ear = archive({"shop.war": archive({"WEB-INF/lib/sdk.jar": core("1.1")}), "lib/b.jar": fat})
    programs = [program(kind, is_old=old) for kind in KINDS for old in (True, False)]
    stripped = [program(kind, has_headers=False) for kind in KINDS]
    return {
        "/a.jar": (jvm, [core("1.11.500"), fat]),
        "/a.ear": (jvm, [ear]),
        "/a": (elf, [*programs, *stripped, Path("/bin/true").read_bytes()]),
        "/a.deps.json": (dotnet, [LIST]),
        "/AWSSDK.Core.dll": (dotnet, [assembly(KEY + "1.2.3".encode("utf-16-le"))]),
    }


def look(finder: Finder, name: str, data: bytes) -> list[Found]:
    """Return what a finder finds; Spent and OSError are its only errors."""
    found: list[Found] = []
    with TemporaryDirectory() as directory:
        (Path(directory) / name[1:]).write_bytes(data)
        budget = Budget(bytes_max=BYTES_MAX, files_max=99, cpu_s=CPU_S)
        with Root(directory, budget) as root:
            found.extend(until_spent(finder.of_file(root, name)))
            if finder is dotnet:
                found.extend(until_spent(finder.of_process(Subject(root, name, (name,)))))
    return found


def until_spent(found: Iterator[Found]) -> Iterator[Found]:
    try:
        yield from found
    except (Spent, OSError):
        return


def check(found: list[Found]) -> None:
    assert len(found) <= 2 * LIBRARIES_MAX
    for each in found:
        texts = [each.path, *getattr(each, "required_by", ())]
        texts += [getattr(each, field, "") for field in ("name", "version")]
        assert all(text.isprintable() and len(text) < 5000 for text in texts)
        json.dumps(each)


@pytest.mark.parametrize("name", samples())
@given(data=st.data())
def test_a_damaged_file_is_skipped(name: str, data: st.DataObject) -> None:
    """Bytes changed, cut out, put in twice, or cut off."""
    finder, honest = samples()[name]
    damaged = bytearray(data.draw(st.sampled_from(honest)))
    place = st.integers(0, len(damaged))
    for at, value in data.draw(
        st.lists(st.tuples(place, st.binary(min_size=1, max_size=8)), max_size=6)
    ):
        damaged[at : at + len(value)] = value
    first, second = sorted(data.draw(st.tuples(place, place)))
    kind = data.draw(st.sampled_from(["whole", "cut", "missing", "twice"]))
    changed = {
        "whole": damaged,
        "cut": damaged[:first],
        "missing": damaged[:first] + damaged[second:],
        "twice": damaged[:second] + damaged[first:],
    }
    check(look(finder, name, bytes(changed[kind])))


MAGICS = [
    b"PK\3\4", b"PK\1\2", b"PK\5\6", b"PK\6\6", b"PK\6\7", b".jar", b"/pom.properties",
    b"\x7fELF\2\1", b"\x7fELF\1\2", b"\xff Go buildinf:\x08\2", b"MZ", b"PE\0\0", b"\xff" * 8,
    b"\0" * 16,
]  # fmt: skip


@pytest.mark.parametrize("name", samples())
@given(pieces=st.lists(st.one_of(st.sampled_from(MAGICS), st.binary(max_size=40)), max_size=40))
def test_any_bytes_are_skipped(name: str, pieces: list[bytes]) -> None:
    """Words of the formats among them, in no order."""
    finder, _ = samples()[name]
    check(look(finder, name, b"".join(pieces)))


@given(text=st.text(max_size=200))
def test_any_name_of_a_module_can_be_logged(text: str) -> None:
    """Names from a program's build information reach the log."""
    modules = f"mod\t{text}\tv1\ndep\tgithub.com/aws/aws-sdk-go\t{text}\n"
    try:
        data = program(KINDS[2], modules)
    except UnicodeEncodeError:
        return
    found = look(elf, "/a", data)
    check(found)
    assert all(
        each.name == "github.com/aws/aws-sdk-go" for each in found if isinstance(each, Library)
    )
