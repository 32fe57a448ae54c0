"""Makes the image that calls IMDS: one static program, without anything else."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

PROGRAM = "busybox"
NAMES = ("sh", "wget", "sleep", "true", "cat")
IMAGE = "localhost/payments/caller:1.4"
_FILES = {
    # systemd-nspawn starts nothing without it.
    "etc/os-release": "ID=caller\n",
    "etc/passwd": "root:x:0:0:root:/:/bin/sh\n",
    "etc/group": "root:x:0:\n",
    "etc/resolv.conf": "",
    "etc/hosts": "",
}
_DIRECTORIES = ("bin", "dev", "etc", "proc", "run", "sys", "tmp", "usr", "var", "root", "sbin")
_CONTAINERFILE = 'FROM scratch\nADD caller.tar /\nCMD ["sleep", "600"]\n'


def make_root(directory: Path) -> Path:
    """Fill a directory with the file system, and return it. Raises OSError without busybox."""
    found = shutil.which(PROGRAM)
    if found is None:
        raise FileNotFoundError(f"{PROGRAM} is not installed: apt-get install busybox-static")
    root = directory / "root"
    for name in _DIRECTORIES:
        (root / name).mkdir(parents=True)
    shutil.copy2(found, root / "bin" / PROGRAM)
    for name in NAMES:
        (root / "bin" / name).symlink_to(PROGRAM)
    for name, text in _FILES.items():
        (root / name).write_text(text, encoding="utf-8")
    return root


def make_context(directory: Path) -> Path:
    """Return a directory that ``buildah bud`` makes IMAGE of, with the archive caller.tar."""
    root = make_root(directory)
    with tarfile.open(directory / "caller.tar", "w") as archive:
        archive.add(root, ".")
    (directory / "Containerfile").write_text(_CONTAINERFILE, encoding="utf-8")
    return directory


def call(marker: str, then: str = "exit 0") -> list[str]:
    """Return the command that makes one IMDSv1 request, and then another shell command.

    The lab has no such path: its answer is 404.
    """
    url = f"http://169.254.169.254/latest/meta-data/{marker}"
    return ["sh", "-c", f"wget -q -O /dev/null {url}; {then}"]
