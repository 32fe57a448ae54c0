"""An archive that Python runs tells its libraries by its table of contents."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from analyzer.software import python
from tests.unit.software.programs import ask, look

METADATA = (
    "Name: boto3\nRequires-Dist: botocore (<1.13.0,>=1.12.253)\nRequires-Dist: boto; extra == 'x'\n"
)
FOUND = [
    "boto3 1.9.253 in /srv/app.pyz!/{0}boto3",
    "botocore 1.12.253 in /srv/app.pyz!/{0}botocore < boto3 1.9.253",
]


def archive(*, method: int = zipfile.ZIP_DEFLATED, above: str = "", head: bytes = b"") -> bytes:
    """Return a zipapp with two libraries; ``head`` is its `#!` line."""
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", method) as file:
        file.writestr("__main__.py", "import boto3")
        file.writestr(f"{above}boto3-1.9.253.dist-info/METADATA", METADATA)
        file.writestr(f"{above}botocore-1.12.253.dist-info/METADATA", "Name: botocore\n")
        file.writestr(f"{above}requests-2.1.dist-info/METADATA", "Name: requests\n")
    return head + raw.getvalue()


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED, zipfile.ZIP_BZIP2])
@pytest.mark.parametrize("head", [b"", b"#!/usr/bin/env python3\n"])
@pytest.mark.parametrize("above", ["", ".deps/boto3-1.9.253-py2.py3-none-any.whl/"])
def test_the_libraries_of_an_archive(tmp_path: Path, method: int, head: bytes, above: str) -> None:
    """Of a zipapp and of a pex; who requires what is not known of a method that nobody uses."""
    (tmp_path / "srv").mkdir()
    (tmp_path / "srv/app.pyz").write_bytes(archive(method=method, above=above, head=head))
    right = [line.format(above) for line in FOUND]
    if method == zipfile.ZIP_BZIP2:
        right[1] = right[1].partition(" <")[0]
    args = ("/usr/bin/python3", "/srv/app.pyz")
    assert ask(python, tmp_path, "/usr/bin/python3.11", *args, script="/srv/app.pyz") == right
    assert look(python, tmp_path, "/srv/app.pyz") == right


def test_damage_is_no_error(tmp_path: Path) -> None:
    """A byte of the archive may be another, and its end may be missing."""
    (tmp_path / "srv").mkdir()
    path, whole = tmp_path / "srv/app.pyz", archive()
    for at in range(0, len(whole), 3):
        for raw in (whole[:at], whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :]):
            path.write_bytes(raw)
            assert all("boto" in line for line in look(python, tmp_path, "/srv/app.pyz"))


def test_what_only_looks_like_one_is_nothing(tmp_path: Path) -> None:
    """A table of contents that claims to be longer than the file, a name without its header."""
    (tmp_path / "srv").mkdir()
    for raw in (
        b"",
        b"PK\x05\x06" + b"\xff" * 18,
        b".dist-info/METADATA" * 1000 + b"PK\x05\x06" + bytes(18),
    ):
        (tmp_path / "srv/app.pyz").write_bytes(raw)
        assert look(python, tmp_path, "/srv/app.pyz") == []
