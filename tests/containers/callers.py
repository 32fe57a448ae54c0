"""Makes the image that calls IMDS: one static program, without anything else."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

from analyzer.imds import IMDS_IPV4

PROGRAM = "busybox"
NAMES = ("sh", "wget", "nc", "sleep", "true", "cat")
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


def call_and_go(marker: str) -> list[str]:
    """Return the command that makes one IMDSv1 request and ends.

    The lab has no such path: its answer is 404.
    """
    url = f"http://{IMDS_IPV4}/latest/meta-data/{marker}"
    return ["sh", "-c", f"wget -q -O /dev/null {url}; exit 0"]


def call_and_stay(marker: str) -> list[str]:
    """Return the command that makes one IMDSv1 request, by a process that does not end."""
    request = f"GET /latest/meta-data/{marker} HTTP/1.1\\r\\nHost: {IMDS_IPV4}\\r\\n\\r\\n"
    return ["sh", "-c", f"(printf '{request}'; exec sleep 600) | nc {IMDS_IPV4} 80"]
