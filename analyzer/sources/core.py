"""The CO-RE object: compiled ahead of time, loaded through the distribution's libbpf."""

from __future__ import annotations

import contextlib
import errno
import functools
import itertools
import os
import resource
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Optional

from analyzer import _abi
from analyzer.errors import KernelLacks, SourceUnavailable
from analyzer.privileges import maybe_obstacle
from analyzer.sources import Probe, perf, tracefs
from analyzer.sources.counters import (
    ANSWERS_PROBE_BUSY,
    ANSWERS_RING_FULL,
    PROBE_BUSY,
    RING_FULL,
    LossMeter,
    MappedCounters,
    Misses,
)
from analyzer.sources.files import bpf_file
from analyzer.sources.kprobes import find_kprobes
from analyzer.sources.libbpf import BpfError, Libbpf, RingBuffer
from analyzer.sources.symbols import BTF, typed_functions

if TYPE_CHECKING:
    from analyzer.records import Event, Lost

# Attach type: the programs of the object that it needs.
PROGRAMS: dict[str, tuple[str, ...]] = {
    "fentry": ("fentry_tcp_sendmsg", "fentry_tcp_recvmsg"),
    "kprobe": ("kprobe_tcp_sendmsg", "kprobe_tcp_recvmsg"),
    "tracepoint": (
        "trace_write",
        "trace_writev",
        "trace_pwritev2",
        "trace_sendto",
        "trace_sendmsg",
        "trace_sendmmsg",
        "trace_read",
        "trace_readv",
        "trace_recvfrom",
        "trace_recvmsg",
    ),
}
# Kernel function: the programs for it. Not every kernel has these: tcp_sendpage is gone
# since 6.5, mptcp_sendmsg came with 5.6 and needs CONFIG_MPTCP.
OPTIONAL = {
    "tcp_sendpage": {"fentry": "fentry_tcp_sendpage", "kprobe": "kprobe_tcp_sendpage"},
    "mptcp_sendmsg": {"fentry": "fentry_mptcp_sendmsg", "kprobe": "kprobe_mptcp_sendmsg"},
}
# With every attach type: what was received, and the end of connections.
ALWAYS = ("raw_received", "raw_state_changed")
_ALL_PROGRAMS = (
    *ALWAYS,
    *(name for names in PROGRAMS.values() for name in names),
    *(name for names in OPTIONAL.values() for name in names.values()),
)

REMEDIES = {
    "fentry": "Needs Linux 5.5 or later on x86-64, 6.4 on arm64, with BPF trampolines allowed; "
    "try --attach kprobe",
    "kprobe": "Needs a kernel with CONFIG_KPROBES; try --attach tracepoint",
    "tracepoint": "Needs a kernel with CONFIG_FTRACE_SYSCALLS; try --source bcc",
}
# EPERM for one who may load.
REFUSED = (
    "Privileges to load are there, so it was refused by lockdown, a seccomp filter, "
    "kernel.perf_event_paranoid (above 2 it wants CAP_SYS_ADMIN) or, before Linux 5.11, the limit "
    "of locked memory (ulimit -l)"
)
NO_BTF = "Use --source bcc, or a kernel built with CONFIG_DEBUG_INFO_BTF"
NO_OBJECT = "In a source tree, run `make setup`; else reinstall imds-analyzer for this machine"
INSTALL_LIBBPF = "Install libbpf: apt install libbpf1 (Debian 12, Ubuntu 24.04), libbpf0 (older), \
or dnf install libbpf"


class CoreSource(Probe):
    """The attached CO-RE probe."""

    def __init__(self, attach: str, ring_bytes: int) -> None:
        """Load and attach; raises SourceUnavailable and leaves nothing attached."""
        self.probe = f"core/{attach}"
        self._undo = contextlib.ExitStack()
        self._links = contextlib.ExitStack()
        with contextlib.ExitStack() as on_error:
            on_error.callback(self.close)
            self._open(attach, ring_bytes)
            on_error.pop_all()

    def _open(self, attach: str, ring_bytes: int) -> None:
        if not BTF.exists():
            raise self._unavailable(
                f"{BTF} does not exist: this kernel has no type information (BTF)", NO_BTF
            )
        try:
            self._libbpf = Libbpf()
        except OSError as error:
            raise self._unavailable(f"libbpf is not installed ({error})", INSTALL_LIBBPF) from None
        self.library = f"libbpf {self._libbpf.version}"
        _allow_locked_memory()
        try:
            if attach == "kprobe":
                find_kprobes()
            if attach != "tracepoint" or not self._has_loaded_typed(ring_bytes):
                self._load(self._object(), attach, ring_bytes)
        except BpfError as error:
            raise self._explained(error, attach) from error
        except KernelLacks as error:
            raise self._unavailable(str(error), error.remedy) from error
        except OSError as error:
            raise self._unavailable(str(error), _remedy(error.errno, attach)) from error

    def _object(self) -> Path:
        machine = os.uname().machine
        path = bpf_file(f"build/imds.{machine}.bpf.o")
        if path is None:
            raise self._unavailable(f"the compiled probe for {machine} is not there", NO_OBJECT)
        return path

    def _has_loaded_typed(self, ring_bytes: int) -> bool:
        """Try the object whose tracepoints cost half; kernels before 6.2 refuse it."""
        path = bpf_file(f"build/imds-typed.{os.uname().machine}.bpf.o")
        if path is None:
            return False
        try:
            self._load(path, "tracepoint", ring_bytes)
        except BpfError:
            self.close()
            return False
        return True

    def _load(self, path: Path, attach: str, ring_bytes: int) -> None:
        libbpf = self._libbpf
        handle = libbpf.pointer("open the object", "bpf_object__open_file", bytes(path), None)
        self._undo.callback(libbpf.call, "bpf_object__close", handle)
        programs = {
            name: libbpf.pointer(
                f"find program {name}", "bpf_object__find_program_by_name", handle, name.encode()
            )
            for name in _ALL_PROGRAMS
        }
        wanted = programs_for(attach)
        for name, program in programs.items():
            libbpf.number(f"choose {name}", "bpf_program__set_autoload", program, name in wanted)
        events = self._map(handle, "events")
        libbpf.number("size the ring", "bpf_map__set_max_entries", events, ring_bytes)
        libbpf.number("load the object", "bpf_object__load", handle)
        self._events_fd = libbpf.number("find the ring", "bpf_map__fd", events)
        self._ring = RingBuffer(libbpf, self._events_fd)
        self._undo.callback(self._ring.close)
        counters_fd = libbpf.number(
            "find the counters", "bpf_map__fd", self._map(handle, "counters")
        )
        counters = MappedCounters(counters_fd)
        self._undo.callback(counters.close)
        misses_of_sends = self._misses(programs, filter(_is_for_sends, wanted))
        misses_of_answers = self._misses(programs, itertools.filterfalse(_is_for_sends, wanted))
        self._undo.callback(self._links.close)
        traced = {name: programs[name] for name in wanted if name.startswith("trace_")}
        if traced:
            self._attach_tracepoints(traced)
        for name in wanted:
            if name not in traced:
                self._keep_link(
                    libbpf.pointer(f"attach {name}", "bpf_program__attach", programs[name])
                )
        self._losses = LossMeter(
            {
                RING_FULL: counters.reader(_abi.COUNTER_LOST),
                ANSWERS_RING_FULL: counters.reader(_abi.COUNTER_LOST_ANSWERS),
                PROBE_BUSY: misses_of_sends.read,
                ANSWERS_PROBE_BUSY: misses_of_answers.read,
            }
        )

    def _misses(self, programs: Mapping[str, int], names: Iterable[str]) -> Misses:
        misses = Misses(
            [
                self._libbpf.number("find a program", "bpf_program__fd", programs[name])
                for name in names
            ]
        )
        self._undo.callback(misses.close)
        return misses

    def _map(self, handle: int, name: str) -> int:
        return self._libbpf.pointer(
            f"find map {name}", "bpf_object__find_map_by_name", handle, name.encode()
        )

    def _keep_link(self, link: int) -> None:
        self._links.callback(self._libbpf.call, "bpf_link__destroy", link)

    def _attach_tracepoints(self, programs: dict[str, int]) -> None:
        """Attach by id, because libbpf itself finds no tracepoint without tracefs."""
        names = {name: f"syscalls/sys_enter_{name[len('trace_') :]}" for name in programs}
        ids = tracefs.tracepoint_ids(list(names.values()))
        for name, program in programs.items():
            fd = perf.open_tracepoint(ids[names[name]])
            try:
                # The link owns the descriptor from here on.
                link = self._libbpf.pointer(
                    f"attach {name}", "bpf_program__attach_perf_event", program, fd
                )
            except BpfError:
                os.close(fd)
                raise
            self._keep_link(link)

    def _unavailable(self, lacks: str, remedy: str) -> SourceUnavailable:
        return SourceUnavailable(self.probe, lacks, remedy)

    def _explained(self, error: BpfError, attach: str) -> SourceUnavailable:
        said = f" ({error.reason})" if error.reason else ""
        return self._unavailable(f"could not {error}{said}", _remedy(error.code, attach))

    def fileno(self) -> int:
        """Return the ring buffer's descriptor."""
        return self._events_fd

    def read(self, limit_bytes: int) -> list[bytes]:
        """Return the raw events that wait."""
        return self._ring.consume(limit_bytes)

    def decode(self, raw: bytes) -> Iterable[Event]:
        """Decode one raw event."""
        return (_decoder()(raw),)

    def lost(self) -> list[Lost]:
        """Return what was dropped since the last call."""
        return self._losses.take()

    def detach(self) -> None:
        """Take the probe out of the kernel; the ring stays readable."""
        self._links.close()

    def close(self) -> None:
        """Detach and free everything."""
        self._undo.close()


@functools.lru_cache(1)
def _decoder() -> Callable[[bytes], Event]:
    """Import it with the first event: attaching must not wait for it."""
    from analyzer.sources.events import decode_event  # noqa: PLC0415

    return decode_event


def _remedy(code: Optional[int], attach: str) -> str:
    remedy = REMEDIES[attach]
    if code not in (errno.EPERM, errno.EACCES):
        return remedy
    return maybe_obstacle() or f"{REFUSED}; else {remedy[0].lower()}{remedy[1:]}"


def programs_for(attach: str) -> tuple[str, ...]:
    """Return the names of the programs that this kernel can run, for one attach type."""
    found = [*ALWAYS, *PROGRAMS[attach]]
    present = typed_functions(set(OPTIONAL))
    found += [
        names[attach] for name, names in OPTIONAL.items() if name in present and attach in names
    ]
    return tuple(found)


def _is_for_sends(name: str) -> bool:
    """Whether a request is missed where this program is not run."""
    return "send" in name or "write" in name


def _allow_locked_memory() -> None:
    """Before 5.11 maps count against RLIMIT_MEMLOCK, and its default is too small for a ring."""
    with contextlib.suppress(ValueError, OSError):
        # Without CAP_SYS_RESOURCE it stays as it is; newer kernels do not ask for it.
        resource.setrlimit(
            resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        )
