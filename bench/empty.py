"""Programs that do nothing, on the hooks that the probe uses: the least any program costs."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from analyzer.host import perf_events, tracefs
from analyzer.recorder.sources.probe import wire
from analyzer.recorder.sources.probe.libbpf import BpfError, Libbpf

# Attach type: the programs of empty.bpf.c on the hooks that a send comes by.
SEND_PROGRAMS: dict[str, tuple[str, ...]] = {
    "fentry": ("fentry_tcp_sendmsg",),
    "kprobe": ("kprobe_tcp_sendmsg",),
    "tracepoint": (
        "trace_write",
        "trace_writev",
        "trace_sendto",
        "trace_sendmsg",
        "trace_sendmmsg",
    ),
    "wire": wire.PROGRAMS,
}


class EmptyProbe:
    """The attached programs of one attach type. Raises BpfError, OSError, KernelLacks."""

    def __init__(self, built: Path, attach: str) -> None:
        """Load the compiled empty.bpf.c and attach what belongs to the attach type."""
        self._libbpf = libbpf = Libbpf()
        self._undo = contextlib.ExitStack()
        with contextlib.ExitStack() as on_error:
            on_error.callback(self.close)
            handle = libbpf.pointer("open", "bpf_object__open_file", bytes(built), None)
            self._undo.callback(libbpf.call, "bpf_object__close", handle)
            programs = {
                name: libbpf.pointer(
                    f"find {name}", "bpf_object__find_program_by_name", handle, name.encode()
                )
                for names in SEND_PROGRAMS.values()
                for name in names
            }
            for name, program in programs.items():
                wanted = name in SEND_PROGRAMS[attach]
                libbpf.number(f"choose {name}", "bpf_program__set_autoload", program, wanted)
            libbpf.number("load", "bpf_object__load", handle)
            for name in SEND_PROGRAMS[attach]:
                self._attach(name, programs[name], attach)
            on_error.pop_all()

    def close(self) -> None:
        """Detach and unload."""
        self._undo.close()

    def _attach(self, name: str, program: int, attach: str) -> None:
        if attach == "tracepoint":
            # As the probe itself does: libbpf finds no tracepoint where tracefs is not mounted.
            event = f"syscalls/sys_enter_{name[len('trace_') :]}"
            fd = perf_events.open_tracepoint(tracefs.tracepoint_ids([event])[event])
            try:
                link = self._libbpf.pointer(
                    f"attach {name}", "bpf_program__attach_perf_event", program, fd
                )
            except BpfError:
                os.close(fd)
                raise
        elif attach == "wire":
            with wire.root_cgroup() as fd:
                link = self._libbpf.pointer(
                    f"attach {name}", "bpf_program__attach_cgroup", program, fd
                )
        else:
            link = self._libbpf.pointer(f"attach {name}", "bpf_program__attach", program)
        self._undo.callback(self._libbpf.call, "bpf_link__destroy", link)
