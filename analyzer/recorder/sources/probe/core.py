"""Chooses the CO-RE object that this kernel takes, loads it, and says why none could be loaded."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Optional

from analyzer.errors import KernelLacks, SourceUnavailable
from analyzer.host.kernel_symbols import BTF
from analyzer.host.kprobes import find_kprobes
from analyzer.host.privileges import maybe_obstacle
from analyzer.recorder.sources import Probe
from analyzer.recorder.sources.probe import wire
from analyzer.recorder.sources.probe.libbpf import BpfError, Libbpf
from analyzer.recorder.sources.probe.loaded_object import LoadedObject
from analyzer.recorder.sources.probe.objects import bpf_file

if TYPE_CHECKING:
    from analyzer.recorder.source_events import Event, Lost

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
        self._loaded = self._open(attach, ring_bytes)

    def _open(self, attach: str, ring_bytes: int) -> LoadedObject:
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
            with_wire = self._maybe_with_wire(attach, ring_bytes) if self._wants_wire else None
            return with_wire or self._load_any(attach, ring_bytes, None)
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

    def _maybe_with_wire(self, attach: str, ring_bytes: int) -> Optional[LoadedObject]:
        """Try with the second witness; ``wire_lacks`` keeps the reason if it is unavailable."""
        try:
            with wire.root_cgroup() as cgroup_fd:
                return self._load_any(attach, ring_bytes, cgroup_fd)
        except KernelLacks as error:
            self.wire_lacks = SourceUnavailable("wire", str(error), error.remedy)
        except BpfError as error:
            said = f" ({error.reason})" if error.reason else ""
            self.wire_lacks = SourceUnavailable(
                "wire", f"could not {error}{said}", wire.remedy(error.code)
            )
        return None

    def _load_any(self, attach: str, ring_bytes: int, cgroup_fd: Optional[int]) -> LoadedObject:
        typed = bpf_file(f"build/imds-typed.{os.uname().machine}.bpf.o")
        if attach == "tracepoint" and typed is not None:
            # Its tracepoints cost half; kernels before 6.2 refuse it.
            with contextlib.suppress(BpfError):
                return self._load(typed, attach, ring_bytes, cgroup_fd)
        return self._load(self._object(), attach, ring_bytes, cgroup_fd)

    def _load(
        self, path: Path, attach: str, ring_bytes: int, cgroup_fd: Optional[int]
    ) -> LoadedObject:
        return LoadedObject(
            self._libbpf, path, attach, ring_bytes, cgroup_fd, torn=lambda: self._torn
        )

    def _unavailable(self, lacks: str, remedy: str) -> SourceUnavailable:
        return SourceUnavailable(self.probe, lacks, remedy)

    def _explained(self, error: BpfError, attach: str) -> SourceUnavailable:
        said = f" ({error.reason})" if error.reason else ""
        return self._unavailable(f"could not {error}{said}", _remedy(error.code, attach))

    def fileno(self) -> int:
        """Return the ring buffer's descriptor."""
        return self._loaded.events_fd

    def read(self, limit_bytes: int) -> list[bytes]:
        """Return the raw events that wait."""
        return self._loaded.ring.consume(limit_bytes)

    def decode(self, raw: bytes) -> Iterable[Event]:
        """Decode one raw event."""
        if self._join is None:
            self._join = _joiner()
        joined = self._join(raw)
        if joined is None:
            self._torn += 1
            return ()
        return joined

    def cgroup_of(self, raw: bytes) -> int:
        """Return the id of the cgroup that a raw event is from, 0 if it does not tell."""
        from analyzer.recorder.sources.probe.events import cgroup_of  # noqa: PLC0415 (not before)

        return cgroup_of(raw)

    def lost(self) -> list[Lost]:
        """Return what was dropped since the last call."""
        return self._loaded.losses.take()

    def detach(self) -> None:
        """Take the probe out of the kernel; the ring stays readable."""
        self._loaded.detach()

    def close(self) -> None:
        """Detach and free everything."""
        self._loaded.close()


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
    obstacle = maybe_obstacle() or maybe_filter()
    return obstacle or f"{REFUSED}; else {remedy[0].lower()}{remedy[1:]}"


def maybe_filter() -> Optional[str]:
    """Return what to do if a seccomp filter refuses to load or to attach; None if none does."""
    from analyzer.host.confinement import refused_calls  # noqa: PLC0415 (only after a failure)
    from analyzer.host.container_lacks import Lack, advice, remedy  # noqa: PLC0415 (as above)

    refused = [name for name in refused_calls() if name in ("bpf", "perf_event_open")]
    if not refused:
        return None
    allow = advice(Lack.SECCOMP, remedy(Lack.SECCOMP, None))
    return f"A seccomp filter refuses {' and '.join(refused)}. {allow}"


def _allow_locked_memory() -> None:
    """Lift RLIMIT_MEMLOCK: before 5.11 maps count against it, and a ring exceeds its default."""
    with contextlib.suppress(ValueError, OSError):
        # Without CAP_SYS_RESOURCE it stays as it is; newer kernels do not ask for it.
        resource.setrlimit(
            resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        )
