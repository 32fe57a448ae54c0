"""Prepares directories of the node for a user that is not root; an init container runs it.

Written for Python's standard library alone. It follows no link of the node's: whoever can make
one there could otherwise have root write elsewhere.
"""

from __future__ import annotations

import argparse
import os
import stat
from pathlib import Path

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Of the log's directory, as the systemd unit has it.
LOG_MODE = 0o750
PROFILE_MODE = 0o644


def own(user: int, group: int, path: Path) -> None:
    """Give a directory, and the files in it, to a user. Raises OSError.

    The one capability is CAP_CHOWN: root itself may not look into what is another user's.
    """
    found = path.lstat()
    if (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (user, group, LOG_MODE):
        return
    os.chown(path, 0, 0, follow_symlinks=False)
    directory = os.open(path, DIRECTORY)
    try:
        os.fchmod(directory, LOG_MODE)
        # What a pod with another user left. Not what is below: the analyzer makes no directories.
        for name in os.listdir(directory):  # noqa: PTH208 (a descriptor)
            if stat.S_ISREG(os.lstat(name, dir_fd=directory).st_mode):
                os.chown(name, user, group, dir_fd=directory, follow_symlinks=False)
        os.fchown(directory, user, group)
    finally:
        os.close(directory)


def install(source: Path, target: Path) -> None:
    """Write a copy of a file. Readers see the old content or the new. Raises OSError."""
    content = source.read_bytes()
    directory = os.open(target.parent, DIRECTORY)
    temporary = f".{target.name}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(temporary, flags, 0o600, dir_fd=directory), "wb") as written:
            written.write(content)
            os.fchmod(written.fileno(), PROFILE_MODE)
            written.flush()
            os.fsync(written.fileno())
        os.rename(temporary, target.name, src_dir_fd=directory, dst_dir_fd=directory)
    finally:
        os.close(directory)


def main() -> None:
    """Do what the chart's values ask for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--own", metavar="UID:GID:DIRECTORY")
    parser.add_argument("--install", metavar="SOURCE:TARGET")
    wanted = parser.parse_args()
    if wanted.own:
        user, group, path = wanted.own.split(":", 2)
        own(int(user), int(group), Path(path))
    if wanted.install:
        source, _, target = wanted.install.partition(":")
        install(Path(source), Path(target))


if __name__ == "__main__":
    main()
