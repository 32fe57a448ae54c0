"""Reads small files of the node, which may be another root than the analyzer's own.

A user's own runtime keeps its files in that user's home. So a file may be hostile: whatever it is,
reading it ends soon, and the recorder goes on.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import BinaryIO, Optional

from analyzer.host.mounts import slow_mounts_in
from analyzer.software.root import Root

# The node's files as its first process has them: in a container with the node's process ids, and
# where a unit hides the homes from us.
FIRST_PROCESS = "/proc/1/root"
# An OCI configuration has some 20 KB, Docker's some 10 KB. Much of that is environment, which is
# not looked at.
JSON_MAX = 1 << 20
# Podman's list of all containers, at some 600 bytes each.
LIST_MAX = 4 << 20
_PASSWD_MAX = 1 << 18
_MOUNTS = Path("/proc/1/mountinfo")
# A fifth of a second to read, on a node with thousands of containers; only homes are asked for it.
_MOUNTS_MAX = 4 << 20


class NodeFiles:
    """The files of the node. Methods return None for what is missing, refused or malformed."""

    def __init__(self, root: str = "", avoid: Mapping[str, str] = MappingProxyType({})) -> None:
        """Open the root. "" takes that of the first process, else our own. Raises OSError."""
        try:
            self._root = Root(root or FIRST_PROCESS, avoid=avoid)
        except OSError:
            if root:
                raise
            self._root = Root("/", avoid=avoid)

    @classmethod
    def of_homes(cls, root: str = "") -> NodeFiles:
        """Return the files without those that a server or a user's program answers for."""
        try:
            with _MOUNTS.open("rb") as file:
                mounts = file.read(_MOUNTS_MAX).decode("utf-8", "surrogateescape")
        except OSError:
            mounts = ""
        return cls(root, slow_mounts_in(mounts))

    @classmethod
    def of_process(cls, pid: int) -> NodeFiles:
        """Return the files as a process sees them, without slow ones. Raises OSError."""
        with Path(f"/proc/{pid}/mountinfo").open("rb") as file:
            mounts = file.read(_MOUNTS_MAX).decode("utf-8", "surrogateescape")
        return cls(f"/proc/{pid}/root", slow_mounts_in(mounts))

    def __enter__(self) -> NodeFiles:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        """Close the root."""
        self._root.close()

    def maybe_open(self, path: str) -> Optional[BinaryIO]:
        """Open a regular file for reading; the caller closes it."""
        try:
            found = self._root.descriptor(path)
        except OSError:
            return None
        try:
            if not stat.S_ISREG(os.fstat(found).st_mode):
                return None
            # Without waiting: whoever owns a file may hold a lease on it (fcntl(2)).
            flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
            return os.fdopen(os.open(f"/proc/self/fd/{found}", flags), "rb")
        except OSError:
            return None
        finally:
            os.close(found)

    def maybe_read(self, path: str, most: int = JSON_MAX) -> Optional[bytes]:
        """Return a file's content; None for one that is longer, too."""
        file = self.maybe_open(path)
        if file is None:
            return None
        try:
            with file:
                raw = file.read(most + 1)
        except OSError:
            return None
        return raw if len(raw) <= most else None

    def maybe_json(self, path: str, most: int = JSON_MAX) -> object:
        """Return what a file of JSON holds."""
        raw = self.maybe_read(path, most)
        return None if raw is None else parsed(raw)

    def names(self, path: str) -> list[str]:
        """Return the names in a directory, sorted; [] if it cannot be read."""
        return self._root.maybe_names(path)

    def is_file(self, path: str) -> bool:
        """Tell whether a path leads to a regular file."""
        return self._root.is_file(path)

    def maybe_home(self, uid: int) -> Optional[str]:
        """Return a user's home by the node's passwd(5)."""
        lines = (self.maybe_read("/etc/passwd", _PASSWD_MAX) or b"").split(b"\n")
        for line in lines:
            fields = line.split(b":")
            if len(fields) > 5 and fields[2] == b"%d" % uid:  # noqa: PLR2004 (passwd(5))
                home = os.fsdecode(fields[5])
                return home.rstrip("/") if home.startswith("/") else None
        return None


def parsed(raw: bytes) -> object:
    """Return what JSON holds, None if it is malformed."""
    try:
        found: object = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return found
