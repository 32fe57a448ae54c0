"""Adds to the kernel's facts what /proc tells of a process.

What the kernel saw at the moment of the call is the truth. /proc is asked later, when the
process may be gone and its number another's: it is believed only where number, start
time and name are the same.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple, Optional

import psutil

from analyzer.host.procfs import Stat, maybe_read, maybe_stat
from analyzer.host.time_namespace import offset_ns
from analyzer.masking import MASK, mask_args, mask_text, outline
from analyzer.recorder.attribute.budget import Budget, Payer
from analyzer.recorder.callers import NamedProcess, User
from analyzer.recorder.source_events import KernelProcess
from analyzer.text import decode_text

# Characters of one process's arguments that are kept: four times what the kernel copies, and
# a line of the log with 16 ancestors stays below 100 KB.
ARGS_KEPT_MAX = 4096
# Characters of them that are masked. A secret that begins within those kept is masked as far as
# it goes; masking costs up to 10 ms for each KiB that is made to be hard, 0.2 ms otherwise.
ARGS_MASKED_MAX = 2 * ARGS_KEPT_MAX
# Longer argument vectors are not read at all (the system's limit is 6 MB).
ARGS_READ_MAX = 65536
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_NS_PER_S = 1_000_000_000
_COMM_MAX = 15  # bytes of a name the kernel keeps
_NAME_MAX = 255  # bytes of a file's name
_DELETED = " (deleted)"


class ProcFacts(NamedTuple):
    """The facts that /proc added to the kernel's; None for what it did not tell.

    ``is_there`` says whether the process was met at all. ``args`` are as they are, unmasked.
    ``is_same_file`` says that the executable has the inode and device that the kernel told,
    ``mount_namespace`` is read with the arguments.
    """

    is_there: bool
    executable: Optional[str] = None
    is_same_file: bool = False
    mount_namespace: int = 0
    args: Optional[tuple[bytes, ...]] = None
    args_too_long: bool = False
    cgroup: Optional[str] = None


class Processes:
    """Ask /proc for what the kernel's snapshot does not hold."""

    def __init__(self) -> None:
        self._offset_ns = offset_ns()

    def start_ticks(self, kernel: KernelProcess) -> int:
        """Return when a process was started, as /proc has it."""
        return (kernel.start_boottime_ns + self._offset_ns) * _TICKS_PER_S // _NS_PER_S

    def as_kernel_sees(self, pid: int, stat: Stat) -> KernelProcess:
        """Return the process that ``stat`` is about; its time of start is within the tick."""
        start_ns = (2 * stat.start_ticks + 1) * _NS_PER_S // (2 * _TICKS_PER_S) - self._offset_ns
        return KernelProcess(start_ns, pid, 0, stat.comm, args_address=stat.args_address)

    def look_up(self, kernel: KernelProcess, *, args: bool, cgroup: bool) -> ProcFacts:
        """Read what is known of a process; ``args`` and ``cgroup`` say if those are wanted.

        Whatever vanishes or is refused meanwhile is left out. Raises nothing.
        """
        before = maybe_stat(kernel.pid)
        ticks = self.start_ticks(kernel)
        if before is None or before.start_ticks != ticks:
            return ProcFacts(is_there=False)
        is_same_program = _is_same_program(before, kernel)
        facts = ProcFacts(
            is_there=True,
            cgroup=_maybe_text(maybe_read(f"/proc/{kernel.pid}/cgroup")) if cgroup else None,
        )
        if is_same_program:
            args_size = before.args_size if args else 0
            facts = _add_program(facts, kernel, args_size)
        after = maybe_stat(kernel.pid)
        # Gone is not the same as replaced: a number is given again only when all others have
        # been, which does not happen between two reads.
        if after is not None and after.start_ticks != ticks:
            return ProcFacts(is_there=False)
        if after is not None and _program(after) != _program(before):
            return _without_program(facts)
        return facts


def in_words(
    kernel: KernelProcess,
    args: Sequence[bytes],
    *,
    args_truncated: bool,
    executable: Optional[str],
    user: User,
    mount_namespace: int = 0,
    unverified: tuple[str, ...] = (),
    budget: Optional[Budget] = None,
) -> NamedProcess:
    """Put one process together: decode its text, mask its arguments, bound their length.

    Where ``budget`` has no time for its user, ``[redacted]`` stands for all of them.
    """
    words, is_cut = _bounded([decode_text(arg) for arg in args])
    masked = _masked(words, args_truncated or is_cut, (user.id, mount_namespace), budget)
    # Past three words a script's own arguments begin.
    names = [arg for arg, word, shown in zip(args[:3], words, masked) if word == shown]
    args_truncated = args_truncated or is_cut
    kept: list[str] = []
    room = ARGS_KEPT_MAX
    for word in masked:
        if len(word) >= room:
            args_truncated = True
            kept.append(word[:room])
            break
        kept.append(word)
        room -= len(word) + 1  # an empty one takes room too
    return NamedProcess(
        pid=kernel.pid,
        name=mask_text(
            _complete_name(kernel.comm, names), is_cut=len(kernel.comm) == _COMM_MAX and not names
        ),
        executable=None if executable is None else mask_text(executable),
        args=tuple(kept) if any(kept) else None,
        args_truncated=args_truncated,
        start_boottime_ns=kernel.start_boottime_ns,
        user=user,
        executable_inode=kernel.executable_inode,
        executable_device=kernel.executable_device,
        mount_namespace=mount_namespace,
        unverified=unverified,
    )


def _masked(
    words: Sequence[str], is_cut: bool, payer: Payer, budget: Optional[Budget]
) -> tuple[str, ...]:
    if budget is None or not words:
        return mask_args(words, is_cut=is_cut)
    began_s = budget.begin(*payer)
    if began_s < 0:
        return (MASK,)
    masked = mask_args(words, is_cut=is_cut)
    budget.end(*payer, began_s)
    return masked


def _bounded(words: list[str]) -> tuple[list[str], bool]:
    """Return the words up to the number of characters that is masked, and whether some are gone."""
    room = ARGS_MASKED_MAX
    for at, word in enumerate(words):
        if len(word) >= room:
            return [*words[:at], word[:room]], True
        room -= len(word) + 1
    return words, False


def only_names(process: NamedProcess) -> NamedProcess:
    """Leave of the arguments nothing but the program, its script, and the names of options."""
    if process.args is None:
        return process
    return process._replace(args=tuple(outline(process.args)))


def split_args(raw: bytes) -> tuple[bytes, ...]:
    """Split an argument vector as it lies in memory; b"" has none.

    Empty arguments at the end are dropped: a program that rewrote its title leaves many.
    """
    stripped = raw.rstrip(b"\0")
    return tuple(stripped.split(b"\0")) if stripped else ()


def _complete_name(comm: bytes, args: Sequence[bytes]) -> str:
    """Complete a name that the kernel may have cut, by the program's or script's file name."""
    if len(comm) == _COMM_MAX:
        for arg in args:
            name = arg.rpartition(b"/")[2]
            if name.startswith(comm) and len(name) <= _NAME_MAX:
                return decode_text(name)
    return decode_text(comm)


def _add_program(facts: ProcFacts, kernel: KernelProcess, args_size: int) -> ProcFacts:
    try:
        if args_size > ARGS_READ_MAX:
            facts = facts._replace(args_too_long=True)
        elif args_size > 0:
            args = "\0".join(psutil.Process(kernel.pid).cmdline())
            facts = facts._replace(
                args=split_args(os.fsencode(args)),
                mount_namespace=os.stat(f"/proc/{kernel.pid}/ns/mnt").st_ino,  # noqa: PTH116
            )
    except (psutil.Error, OSError):
        pass  # what was read before holds
    file = _maybe_executable(kernel.pid)
    if file is None:
        return facts
    # Name and place of arguments can be made alike. The file that is executed cannot.
    if kernel.executable_inode not in (0, file.inode):
        return _without_program(facts)
    is_same = (kernel.executable_inode, kernel.executable_device) == (file.inode, file.device)
    return facts._replace(executable=file.path or None, is_same_file=is_same)


def _without_program(facts: ProcFacts) -> ProcFacts:
    """Leave out what another program brought that the process runs by now."""
    return facts._replace(executable=None, is_same_file=False, args=None, args_too_long=False)


class _File(NamedTuple):
    path: str
    inode: int
    device: int  # as the kernel writes it: major << 20 | minor


def _maybe_executable(pid: int) -> Optional[_File]:
    """Return what a process executes, path and identity of one and the same file.

    A kernel thread has a link that leads nowhere; one may be not for us.
    """
    try:
        fd = os.open(f"/proc/{pid}/exe", os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        found = os.fstat(fd)
        path = os.readlink(f"/proc/self/fd/{fd}")  # noqa: PTH115 -- quicker
    except OSError:
        return None
    finally:
        os.close(fd)
    # A file may be called so; only of one that was replaced since it is the kernel's mark.
    if found.st_nlink == 0:
        path = path.removesuffix(_DELETED)
    device = os.major(found.st_dev) << 20 | os.minor(found.st_dev)
    return _File(_plain(path), found.st_ino, device)


def _program(stat: Stat) -> tuple[object, ...]:
    return stat.args_size, stat.args_address, stat.comm


def _is_same_program(stat: Stat, kernel: KernelProcess) -> bool:
    """Tell whether a process still runs what it ran at the call.

    Only exec keeps the number and the time of start but changes program and arguments. It puts
    the arguments to another place, where addresses are randomized, and nearly always changes
    the name.
    """
    if stat.args_address and kernel.args_address and stat.args_address != kernel.args_address:
        return False
    return stat.comm == kernel.comm or stat.comm == _escape(kernel.comm)


def _escape(comm: bytes) -> bytes:
    """Write a name as the /proc/PID/stat of some kernels does."""
    return comm.replace(b"\\", b"\\\\").replace(b"\n", b"\\n")


def _maybe_text(raw: Optional[bytes]) -> Optional[str]:
    return decode_text(raw) if raw else None


def _plain(text: str) -> str:
    """Turn a string of the operating system's into one without lone surrogates."""
    return decode_text(os.fsencode(text))
