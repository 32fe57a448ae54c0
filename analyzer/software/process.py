"""Reads what /proc tells of one process into a subject: names and places, never its environment.

Each read is bounded: a process chooses its arguments, its descriptors and its mappings.
"""

from __future__ import annotations

import errno
import os
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Optional

from analyzer.host.procfs import Stat, maybe_stat, read
from analyzer.logline.interpreters import PACKAGE, SCRIPT, base, interpreter, kernel_script, target
from analyzer.software.budget import Budget
from analyzer.software.root import Root
from analyzer.software.subject import Subject

# Descriptors that are looked at, 2 µs each. A server's sockets come behind what it opened first.
_DESCRIPTORS_MAX = 2048
# Of /proc/PID/maps, 10 ms a MiB at most; what a program starts with stands in a few 100 KiB.
_MAPS_MAX = 1 << 20
_OPEN_FILES_MAX = 4096
_PASSWD_MAX = 1 << 18
_DELETED = " (deleted)"
# Files of the kernel, not of a disk.
_OF_THE_KERNEL = ("/proc/", "/sys/", "/dev/", "/memfd:", "/SYSV", "/anon_hugepage")
_ESCAPE = re.compile(r"\\012")  # how maps writes a line end within a name


def subject_of(
    pid: int,
    *,
    start_ticks: Optional[int] = None,
    script: str = "",
    unit: str = "",
    budget: Optional[Budget] = None,
    avoid: Mapping[str, str] = MappingProxyType({}),
) -> Subject:
    """Return a running process as a subject. The caller closes its root.

    ``start_ticks`` is what /proc/PID/stat has to say as the time of the start, if that is known:
    another process may have got the number. ``script`` is the script's path, if that is known.
    ``avoid`` are mount points that its root does not lead into (see Root).
    Raises OSError: the process is gone, is another one or is not for us to read.
    """
    before = _stat(pid, start_ticks)
    root = Root(f"/proc/{pid}/root", budget, avoid)
    try:
        subject = _read(pid, before, root, script, unit)
        _stat(pid, before.start_ticks)
    except BaseException:
        root.close()
        raise
    return subject


def _stat(pid: int, start_ticks: Optional[int]) -> Stat:
    stat = maybe_stat(pid)
    if stat is None or start_ticks not in (None, stat.start_ticks):
        raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
    return stat


def _read(pid: int, stat: Stat, root: Root, script: str, unit: str) -> Subject:
    below = _link(f"/proc/{pid}/root").rstrip("/")
    executable = _inside(below, _link(f"/proc/{pid}/exe"))
    cwd = _inside(below, _link(f"/proc/{pid}/cwd")) or "/"
    args = tuple(map(os.fsdecode, read(f"/proc/{pid}/cmdline").rstrip(b"\0").split(b"\0")))
    if not script:
        script = script_of(os.fsdecode(stat.comm), executable, args)
    paths = [*_descriptors(pid), *_mapped(pid)]
    inside = dict.fromkeys(filter(None, (_inside(below, path) for path in paths)))
    return Subject(
        root=root,
        executable=executable,
        args=args,
        pid=pid,
        script=posixpath.normpath(posixpath.join(cwd, script)) if script else "",
        cwd=cwd,
        unit=unit,
        home=_home(pid, root),
        open_files=tuple(inside)[:_OPEN_FILES_MAX],
    )


def script_of(comm: str, executable: str, args: Sequence[str]) -> str:
    """Return the script or the archive that a process's arguments name, "" for none."""
    file = base(executable)
    found = kernel_script(comm, file, args)
    if found is None:
        # A name that says more: busybox runs as sh, a link python3 leads to python3.11.
        told = interpreter(file) or (interpreter(base(args[0])) if args else None)
        found = target(told, args) if told is not None else None
    if found is None or found.kind not in (SCRIPT, PACKAGE):
        return ""
    return found.text if found.kind == SCRIPT or "." in base(found.text) else ""


def _link(path: str) -> str:
    """Return what a link of /proc names, "" if it is gone or refused."""
    try:
        return os.readlink(path)  # noqa: PTH115 (quicker)
    except OSError:
        return ""


def _inside(below: str, path: str) -> str:
    """Return a path as the process's own root has it; "" for what is no file of a disk.

    A change of the root (chroot(2)) stays to be seen from outside, a container's does not.
    """
    path = path.removesuffix(_DELETED)
    if below:
        if path == below:
            return "/"
        if not path.startswith(below + "/"):
            return ""
        path = path[len(below) :]
    return path if path.startswith("/") and not path.startswith(_OF_THE_KERNEL) else ""


def _descriptors(pid: int) -> Iterator[str]:
    folder = f"/proc/{pid}/fd"
    try:
        with os.scandir(folder) as entries:
            for _, entry in zip(range(_DESCRIPTORS_MAX), entries):
                yield _link(entry.path)
    except OSError:
        return


def _mapped(pid: int) -> Iterable[str]:
    """Return the mapped files, each once, in the order of their addresses."""
    found: dict[str, None] = {}
    for line in _start_of(f"/proc/{pid}/maps", _MAPS_MAX).split(b"\n"):
        fields = line.split(None, 5)
        if len(fields) == 6 and fields[5].startswith(b"/"):  # noqa: PLR2004 (proc_pid_maps(5))
            found.setdefault(_ESCAPE.sub("\n", os.fsdecode(fields[5])))
    return found


def _start_of(path: str, most: int) -> bytes:
    """Return the first bytes of a file of which each read gives a page at most."""
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 (as procfs)
            parts: list[bytes] = []
            left = most
            while left > 0 and (part := file.read(min(left, 1 << 16))):
                parts.append(part)
                left -= len(part)
            return b"".join(parts)
    except OSError:
        return b""


def _home(pid: int, root: Root) -> str:
    """Return the user's home by the root's own passwd(5); no environment is read."""
    uid = _uid_inside(pid)
    try:
        lines = root.read("/etc/passwd", _PASSWD_MAX).split(b"\n")
    except OSError:
        return ""
    for line in lines:
        fields = line.split(b":")
        if len(fields) > 5 and fields[2] == b"%d" % uid:  # noqa: PLR2004 (passwd(5))
            home = os.fsdecode(fields[5])
            return home if home.startswith("/") else ""
    return ""


def _uid_inside(pid: int) -> int:
    """Return the effective user as the process's user namespace numbers it; -1 if unknown."""
    match = re.search(rb"\nUid:\s+\d+\s+(\d+)", read(f"/proc/{pid}/status"))
    if match is None:
        return -1
    uid = int(match[1])
    for line in read(f"/proc/{pid}/uid_map").splitlines():
        inside, outside, count = map(int, line.split())
        if outside <= uid < outside + count:
            return uid - outside + inside
    return -1
