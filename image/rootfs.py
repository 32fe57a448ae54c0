"""Writes the image's file system as an archive: the same content gives the same bytes."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from image.capabilities import XATTR, encoded
from image.contents import (
    INTERPRETER,
    LIBRARIES,
    MACHINES,
    PACKAGES,
    SUITES,
    Machine,
    is_omitted,
)
from image.libraries import compile_all, install
from tests.vmtest.kernels.mirror import machine_mirrors
from tests.vmtest.kernels.packages import Apt, Package

USER = 65532  # what images without a system use for "nobody in particular"
# In this Debian these are links to the same names below /usr.
MERGED = ("bin", "sbin", "lib", "lib64")
LISTED = "usr/share/imds-analyzer/packages"
_FILES = {
    "etc/passwd": "root:x:0:0:root:/:/nonexistent\n"
    f"imds-analyzer:x:{USER}:{USER}::/:/nonexistent\n",
    "etc/group": f"root:x:0:\nimds-analyzer:x:{USER}:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}
# Mounted over by who runs it, or written to.
_DIRECTORIES = ("dev", "proc", "sys", "tmp", "run", "etc/imds-analyzer", "var/log/imds-analyzer")


def write_archive(name: str, wheel: Path, lock: Path, archive: Path, *, at_s: int) -> list[Package]:
    """Write the root of one machine type, with files of at most the time ``at_s``.

    Returns the Debian packages in it. Raises ImageError or VmError.
    """
    machine = MACHINES[name]
    with tempfile.TemporaryDirectory() as place:
        scratch = Path(place)
        root = scratch / "root"
        root.mkdir()
        packages = _unpack(machine, root, scratch)
        install(machine, wheel, lock, root / LIBRARIES, scratch)
        _add_own(root, packages)
        _omit(root)
        compile_all(root)
        archive.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as out:
            for path in _ordered(root):
                _add(out, path, str(path.relative_to(root)), at_s)
    return packages


def _unpack(machine: Machine, root: Path, scratch: Path) -> list[Package]:
    """Unpack the Debian packages; apt checks each against Debian's signatures."""
    apt = Apt(scratch / "apt", machine_mirrors(), SUITES, machine.debian)
    apt.update()
    packages = sorted(apt.closure(PACKAGES), key=lambda package: package.name)
    for name in MERGED:
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    for deb in apt.download(packages, scratch / "debs"):
        # tar follows the links above with this flag, as dpkg does.
        with subprocess.Popen(
            ["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE
        ) as source:
            subprocess.run(
                ["tar", "-x", "--keep-directory-symlink", "--no-same-owner", "-C", root],
                stdin=source.stdout,
                check=True,
            )
    return packages


def _add_own(root: Path, packages: list[Package]) -> None:
    for directory in _DIRECTORIES:
        (root / directory).mkdir(parents=True, exist_ok=True)
    listed = "".join(f"{package.name} {package.version}\n" for package in packages)
    for name, text in {**_FILES, LISTED: listed}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")


def _omit(root: Path) -> None:
    """Remove what is not needed, and directories that are empty then."""
    for path in reversed(_ordered(root)):
        name = str(path.relative_to(root))
        if path.is_dir() and not path.is_symlink():
            kept = name in (*_DIRECTORIES, "usr/lib64")
            if not kept and not any(path.iterdir()):
                path.rmdir()
        elif is_omitted(name):
            path.unlink()
    # Links whose target was left out.
    for path in _ordered(root):
        if path.is_symlink() and not _target(root, path).exists():
            path.unlink()


def _target(root: Path, link: Path) -> Path:
    target = link.readlink()
    return root / str(target).lstrip("/") if target.is_absolute() else link.parent / target


def _ordered(root: Path) -> list[Path]:
    return sorted(_walk(root))


def _walk(directory: Path) -> Iterator[Path]:
    for path in directory.iterdir():
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path)


def _add(out: tarfile.TarFile, path: Path, name: str, at_s: int) -> None:
    entry = out.gettarinfo(path, name)
    # Hard links would depend on the order of unpacking.
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = min(int(entry.mtime), at_s)
    if entry.islnk():
        entry.type, entry.linkname, entry.size = tarfile.REGTYPE, "", path.stat().st_size
    entry.mode = _mode(entry, name)
    if name.startswith("var/log/imds-analyzer"):
        entry.uid = entry.gid = USER
    if name == INTERPRETER:
        entry.pax_headers = {XATTR: encoded().decode("utf-8", "surrogateescape")}
    out.addfile(entry, io.BytesIO(path.read_bytes()) if entry.isreg() else None)


def _mode(entry: tarfile.TarInfo, name: str) -> int:
    """Return permissions that depend on no umask; nothing in it has others' bits to write."""
    if entry.issym():
        return 0o777
    if name == "tmp":
        return 0o1777
    return 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644


def clean(directory: Path) -> None:
    """Remove what an earlier build left."""
    shutil.rmtree(directory, ignore_errors=True)
