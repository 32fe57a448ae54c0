"""Loads one CO-RE object, compiled ahead of time, through the distribution's libbpf."""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Callable, Optional

from analyzer.host import perf_events, tracefs
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
from analyzer.recorder.sources.probe.programs import (
    ALL_PROGRAMS,
    ANCESTRY,
    CGROUPS,
    NOTING,
    is_for_sends,
    programs_for,
)


class LoadedObject:
    """One object in the kernel, with its programs attached.

    ``cgroup_fd`` is the root cgroup, None without the second witness. ``torn`` reads the number
    of torn sender events.
    """

    def __init__(
        self,
        libbpf: Libbpf,
        path: Path,
        attach: str,
        ring_bytes: int,
        cgroup_fd: Optional[int],
        *,
        torn: Callable[[], int],
    ) -> None:
        """Load and attach; raises BpfError, KernelLacks or OSError and leaves nothing attached."""
        self._libbpf = libbpf
        self._torn = torn
        self._undo = contextlib.ExitStack()
        self._links = contextlib.ExitStack()
        with contextlib.ExitStack() as on_error:
            on_error.callback(self.close)
            self._load(path, attach, ring_bytes, cgroup_fd)
            on_error.pop_all()

    def detach(self) -> None:
        """Take the programs out of the kernel; the ring stays readable."""
        self._links.close()

    def close(self) -> None:
        """Detach and free everything."""
        self._undo.close()

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
        self.events_fd = libbpf.number("find the ring", "bpf_map__fd", events)
        self.ring = RingBuffer(libbpf, self.events_fd)
        self._undo.callback(self.ring.close)
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
            SENDERS_TORN: self._torn,
        }
        if cgroup_fd is None:
            # With the wire no request is missed: of one whose call was not seen, it tells who.
            sends, answers = (
                filter(is_for_sends, wanted),
                itertools.filterfalse(
                    is_for_sends, set(wanted).difference(ANCESTRY, NOTING, {CGROUPS})
                ),
            )
            totals[PROBE_BUSY] = self._misses(programs, sends).read
            totals[ANSWERS_PROBE_BUSY] = self._misses(programs, answers).read
        traced = {name: programs[name] for name in wanted if name.startswith("trace_")}
        if traced:
            self._attach_tracepoints(traced)
        for name in wanted:
            if name not in traced and name not in wire.PROGRAMS:
                self._attach(name, programs[name])
        self.losses = LossMeter(totals)

    def _attach(self, name: str, program: int) -> None:
        try:
            link = self._libbpf.pointer(f"attach {name}", "bpf_program__attach", program)
        except BpfError:
            # Without CONFIG_CGROUPS the kernel has no such tracepoint, and no containers.
            if name != CGROUPS:
                raise
        else:
            self._keep_link(link)

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
