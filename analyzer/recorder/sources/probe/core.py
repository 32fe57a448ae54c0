"""Loads the CO-RE object, compiled ahead of time, through the distribution's libbpf."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import itertools
import os
import re
import resource
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Optional

from analyzer.errors import KernelLacks, SourceUnavailable
from analyzer.host import perf_events, tracefs
from analyzer.host.kernel_symbols import BTF
from analyzer.host.kprobes import find_kprobes
from analyzer.host.privileges import maybe_obstacle
from analyzer.recorder.sources import Probe
from analyzer.recorder.sources.losses import (
    ANSWERS_PROBE_BUSY,
    ANSWERS_RING_FULL,
    PROBE_BUSY,
    RING_FULL,
    SENDERS_RING_FULL,
    SENDERS_TORN,
    LossMeter,
    MappedCounters,
    Misses,
)
from analyzer.recorder.sources.probe import layout, wire
from analyzer.recorder.sources.probe.libbpf import BpfError, Libbpf, RingBuffer
from analyzer.recorder.sources.probe.objects import bpf_file
from analyzer.recorder.sources.probe.programs import (
    ALL_PROGRAMS,
    ANCESTRY,
    NOTING,
    is_for_sends,
    programs_for,
)

if TYPE_CHECKING:
    from analyzer.recorder.records import Event, Lost

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

    def __init__(self, attach: str, ring_bytes: int, *, wants_wire: bool = True) -> None:
        """Load and attach; raises SourceUnavailable and leaves nothing attached."""
        self.probe = f"core/{attach}"
        self.wire_lacks = None if wants_wire else wire.turned_off()
        self._wants_wire = wants_wire
        self._join: Optional[Callable[[bytes], Optional[Iterable[Event]]]] = None
        self._torn = 0
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
            if not (self._wants_wire and self._has_loaded_with_wire(attach, ring_bytes)):
                self._load_any(attach, ring_bytes, None)
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

    def _has_loaded_with_wire(self, attach: str, ring_bytes: int) -> bool:
        """Try with the second witness; what stands in its way is kept in ``wire_lacks``."""
        try:
            with wire.root_cgroup() as cgroup_fd:
                self._load_any(attach, ring_bytes, cgroup_fd)
        except KernelLacks as error:
            self.wire_lacks = SourceUnavailable("wire", str(error), error.remedy)
        except BpfError as error:
            said = f" ({error.reason})" if error.reason else ""
            self.wire_lacks = SourceUnavailable(
                "wire", f"could not {error}{said}", wire.remedy(error.code)
            )
        else:
            return True
        self.close()
        return False

    def _load_any(self, attach: str, ring_bytes: int, cgroup_fd: Optional[int]) -> None:
        typed = bpf_file(f"build/imds-typed.{os.uname().machine}.bpf.o")
        if attach == "tracepoint" and typed is not None:
            # Its tracepoints cost half; kernels before 6.2 refuse it.
            try:
                self._load(typed, attach, ring_bytes, cgroup_fd)
            except BpfError:
                self.close()
            else:
                return
        self._load(self._object(), attach, ring_bytes, cgroup_fd)

    def _load(self, path: Path, attach: str, ring_bytes: int, cgroup_fd: Optional[int]) -> None:
        libbpf = self._libbpf
        handle = libbpf.pointer("open the object", "bpf_object__open_file", bytes(path), None)
        self._undo.callback(libbpf.call, "bpf_object__close", handle)
        programs = {
            name: libbpf.pointer(
                f"find program {name}", "bpf_object__find_program_by_name", handle, name.encode()
            )
            for name in ALL_PROGRAMS
        }
        has_wire = cgroup_fd is not None
        wanted = programs_for(attach, has_wire=has_wire)
        for name, program in programs.items():
            libbpf.number(f"choose {name}", "bpf_program__set_autoload", program, name in wanted)
        events = self._map(handle, "events")
        libbpf.number("size the ring", "bpf_map__set_max_entries", events, ring_bytes)
        if has_wire:
            self._choose_wire(handle, path)
        libbpf.number("load the object", "bpf_object__load", handle)
        self._events_fd = libbpf.number("find the ring", "bpf_map__fd", events)
        self._ring = RingBuffer(libbpf, self._events_fd)
        self._undo.callback(self._ring.close)
        counters_fd = libbpf.number(
            "find the counters", "bpf_map__fd", self._map(handle, "counters")
        )
        counters = MappedCounters(counters_fd)
        self._undo.callback(counters.close)
        self._undo.callback(self._links.close)
        if cgroup_fd is not None:
            self._attach_wire(programs, cgroup_fd)
        totals = {
            RING_FULL: counters.reader(layout.COUNTER_LOST),
            ANSWERS_RING_FULL: counters.reader(layout.COUNTER_LOST_ANSWERS),
            SENDERS_RING_FULL: counters.reader(layout.COUNTER_LOST_SENDERS),
            SENDERS_TORN: lambda: self._torn,
        }
        if cgroup_fd is None:
            # With the wire no request is missed: of one whose call was not seen, it tells who.
            sends, answers = (
                filter(is_for_sends, wanted),
                itertools.filterfalse(is_for_sends, set(wanted).difference(ANCESTRY, NOTING)),
            )
            totals[PROBE_BUSY] = self._misses(programs, sends).read
            totals[ANSWERS_PROBE_BUSY] = self._misses(programs, answers).read
        traced = {name: programs[name] for name in wanted if name.startswith("trace_")}
        if traced:
            self._attach_tracepoints(traced)
        for name in wanted:
            if name not in traced and name not in wire.PROGRAMS:
                self._keep_link(
                    libbpf.pointer(f"attach {name}", "bpf_program__attach", programs[name])
                )
        self._losses = LossMeter(totals)

    def _choose_wire(self, handle: int, path: Path) -> None:
        """Have the programs for calls rely on the wire; before the object is loaded."""
        # libbpf names the map of constants after the object, of which it takes 8 characters.
        name = re.sub(r"\W", "_", path.name.partition(".")[0][:8])
        chosen = ctypes.c_uint32(1)
        self._libbpf.number(
            "choose the wire",
            "bpf_map__set_initial_value",
            self._map(handle, f"{name}.rodata"),
            ctypes.byref(chosen),
            ctypes.sizeof(chosen),
        )

    def _attach_wire(self, programs: Mapping[str, int], cgroup_fd: int) -> None:
        """Attach the second witness."""
        for name in wire.PROGRAMS:
            self._keep_link(
                self._libbpf.pointer(
                    f"attach {name}", "bpf_program__attach_cgroup", programs[name], cgroup_fd
                )
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
            fd = perf_events.open_tracepoint(ids[names[name]])
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
        if self._join is None:
            self._join = _joiner()
        joined = self._join(raw)
        if joined is None:
            self._torn += 1
            return ()
        return joined

    def lost(self) -> list[Lost]:
        """Return what was dropped since the last call."""
        return self._losses.take()

    def detach(self) -> None:
        """Take the probe out of the kernel; the ring stays readable."""
        self._links.close()

    def close(self) -> None:
        """Detach and free everything."""
        self._undo.close()


def _joiner() -> Callable[[bytes], Optional[Iterable[Event]]]:
    """Return what decodes events and joins the witnesses; None is for a torn event."""
    from analyzer.recorder.sources.probe.events import TornEventError, decode_event  # noqa: PLC0415 (not before)
    from analyzer.recorder.sources.probe.witness import Witnesses  # noqa: PLC0415 (attaching must not wait)

    witnesses = Witnesses()

    def join(raw: bytes) -> Optional[Iterable[Event]]:
        try:
            return witnesses.join(decode_event(raw))
        except TornEventError:
            return None

    return join


def _remedy(code: Optional[int], attach: str) -> str:
    remedy = REMEDIES[attach]
    if code not in (errno.EPERM, errno.EACCES):
        return remedy
    return maybe_obstacle() or f"{REFUSED}; else {remedy[0].lower()}{remedy[1:]}"


def _allow_locked_memory() -> None:
    """Before 5.11 maps count against RLIMIT_MEMLOCK, and its default is too small for a ring."""
    with contextlib.suppress(ValueError, OSError):
        # Without CAP_SYS_RESOURCE it stays as it is; newer kernels do not ask for it.
        resource.setrlimit(
            resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        )
