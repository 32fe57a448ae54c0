"""The image's archive, unpacked for a machine of the other type."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from tests.vmtest.kernels import image
from tests.vmtest.kernels.image import ImageError, unpacked


def _tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _oci_archive(path: Path, **programs: bytes) -> Path:
    """Write an archive as buildah does, with one program for each machine type."""
    files: dict[str, bytes] = {}

    def blob(content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        files[f"blobs/sha256/{digest}"] = content
        return f"sha256:{digest}"

    manifests = []
    for architecture, data in programs.items():
        layer = blob(_tar({"app": data}))
        manifest = blob(json.dumps({"layers": [{"digest": layer}]}).encode())
        manifests.append({"digest": manifest, "platform": {"architecture": architecture}})
    index = blob(json.dumps({"manifests": manifests}).encode())
    files["index.json"] = json.dumps({"manifests": [{"digest": index}]}).encode()
    path.write_bytes(_tar(files))
    return path


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image, "cache_dir", lambda: tmp_path / "cache" / "kernels")


def test_the_root_is_the_machine_types(tmp_path: Path) -> None:
    archive = _oci_archive(tmp_path / "a.tar", amd64=b"x86", arm64=b"arm")
    root = unpacked(archive, "arm64")
    assert (root / "app").read_bytes() == b"arm"
    assert unpacked(archive, "arm64") == root


def test_another_archive_takes_its_place(tmp_path: Path) -> None:
    old = unpacked(_oci_archive(tmp_path / "a.tar", arm64=b"old"), "arm64")
    new = unpacked(_oci_archive(tmp_path / "b.tar", arm64=b"new"), "arm64")
    assert (new / "app").read_bytes() == b"new"
    assert not old.exists()


@pytest.mark.parametrize("content", [b"", b"no archive"])
def test_what_is_no_image_is_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.tar").write_bytes(content)
    with pytest.raises(ImageError, match=r"a\.tar has no image for arm64"):
        unpacked(tmp_path / "a.tar", "arm64")


def test_an_image_without_the_machine_type_is_said(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="has no image for arm64"):
        unpacked(_oci_archive(tmp_path / "a.tar", amd64=b"x86"), "arm64")
    assert not list((tmp_path / "cache" / "images").glob(".partial-*"))
