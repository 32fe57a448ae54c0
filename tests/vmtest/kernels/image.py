"""The container image in a machine of the other type: nobody starts it there otherwise."""

from __future__ import annotations

import hashlib
import json
import shlex
import shutil
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from tests.vmtest.kernels.kernels import cache_dir, locked
from tests.vmtest.kernels.mirror import VmError
from tests.vmtest.kernels.suite import warm_up


class ImageError(VmError):
    """The archive is not one of `make image`."""


def unpacked(archive: Path, architecture: str) -> Path:
    """Return the root of the image for one machine type, from an OCI archive; kept for later.

    Raises ImageError.
    """
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()[:12]
    final = cache_dir().parent / "images" / f"{architecture}-{digest}"
    final.parent.mkdir(parents=True, exist_ok=True)
    with locked(final.parent / "lock"):
        if final.exists():
            return final
        for other in final.parent.glob(f"{architecture}-*"):
            shutil.rmtree(other)
        # It appears by a rename, whole.
        scratch = Path(tempfile.mkdtemp(prefix=".partial-", dir=final.parent))
        try:
            _unpack(archive, architecture, scratch / "root")
            (scratch / "root").rename(final)
        except (OSError, tarfile.TarError, KeyError, ValueError) as error:
            raise ImageError(f"{archive} has no image for {architecture}: {error}") from error
        finally:
            shutil.rmtree(scratch)
    return final


def _unpack(archive: Path, architecture: str, root: Path) -> None:
    with tarfile.open(archive) as outer:
        index = _json(outer, "index.json")["manifests"][0]["digest"]
        (digest,) = (
            each["digest"]
            for each in _json(outer, _blob(index))["manifests"]
            if each["platform"]["architecture"] == architecture
        )
        for layer in _json(outer, _blob(digest))["layers"]:
            with tarfile.open(fileobj=outer.extractfile(_blob(layer["digest"]))) as inner:
                inner.extractall(root)  # noqa: S202 (of our own making)


def guest_command(root: Path) -> str:
    """Return the shell command that tries the image in a guest."""
    words = ["python", "-m", "tests.vmtest.kernels.image_trial", str(root)]
    return warm_up("python") + shlex.join(words)


def _blob(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _json(archive: tarfile.TarFile, name: str) -> Any:
    member = archive.extractfile(name)
    if member is None:
        raise KeyError(name)
    return json.load(member)
