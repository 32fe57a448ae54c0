"""Compiles the probe on the host with BCC, for kernels without BTF."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import importlib
import os
import platform
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Callable, Optional

from analyzer.errors import KernelLacks, SourceUnavailable
from analyzer.host.kernel_symbols import kernel_functions
from analyzer.host.privileges import maybe_obstacle
from analyzer.recorder.source_events import Event, Lost
from analyzer.recorder.sources import Probe
from analyzer.recorder.sources.losses import (
    ANSWERS_RING_FULL,
    RING_FULL,
    SENDERS_RING_FULL,
    SENDERS_TORN,
    LossMeter,
    MappedCounters,
)
from analyzer.recorder.sources.probe import layout, wire
from analyzer.recorder.sources.probe.events import TornEventError, cgroup_of, decode_event
from analyzer.recorder.sources.probe.libbpf import Libbpf
from analyzer.recorder.sources.probe.objects import bpf_file
from analyzer.recorder.sources.probe.witness import Witnesses

# The distribution's package is for the distribution's Python; it is pure Python over
# ctypes, so a virtual environment can use it from where it lies.
DISTRIBUTION_PACKAGES = ("/usr/lib/python3/dist-packages", "/usr/lib/python3*/site-packages")

INSTALL_BCC = "Install BCC: apt install python3-bpfcc, or dnf install python3-bcc"
INSTALL_HEADERS = (
    f"Install them: apt install linux-headers-{platform.release()}, "
    f"or dnf install kernel-devel-{platform.release()}"
)
PAGE_BYTES = os.sysconf("SC_PAGESIZE")

# What kernel_drift.h asks of the headers: definition, header, what must stand in it.
FEATURES = (
    ("IMDS_TASK_HAS_START_BOOTTIME", "include/linux/sched.h", r"\bstart_boottime;"),
    ("IMDS_ITER_HAS_ITER_TYPE", "include/linux/uio.h", r"\biter_type;"),
    ("IMDS_ITER_HAS_UBUF", "include/linux/uio.h", r"\bITER_UBUF\b"),
    ("IMDS_ITER_HAS_DUNDER_IOV", "include/linux/uio.h", r"\*__iov;"),
    ("IMDS_SHARED_HAS_FLAGS", "include/linux/skbuff.h", r"\bSKBFL_ZEROCOPY_ENABLE\b"),
)


class BccSource(Probe):
    """The attached BCC probe."""

    def __init__(self, attach: str, ring_bytes: int, *, wants_wire: bool = True) -> None:
        """Compile, load and attach; raises SourceUnavailable and leaves nothing attached."""
        self.probe = f"bcc/{attach}"
        self.wire_lacks = None if wants_wire else wire.turned_off()
        self._witnesses = Witnesses()
        self._torn = 0
        self._wire_links: list[int] = []
        self._bpf: Any = None
        self._received: list[bytes] = []
        self._bytes = 0
        self._limit = 0
        self._counters: Optional[MappedCounters] = None
        # Before it compiles, for seconds, and before it asks for packages that would not help.
        obstacle = maybe_obstacle()
        if obstacle is not None:
            raise self._unavailable("loading is not permitted", obstacle)
        module = self._import()
        self.library = f"BCC {getattr(module, '__version__', 'of unknown version')}"
        source = bpf_file("imds.bcc.c")
        if source is None:
            raise self._unavailable("imds.bcc.c is not there", "Reinstall imds-analyzer")
        headers = self._headers()
        flags = [f"-I{source.parent}", f"-DIMDS_RING_PAGES={ring_bytes // PAGE_BYTES}"]
        flags += [f"-D{name}" for name in features(headers)]
        if attach == "fentry":
            flags.append("-DIMDS_FENTRY")
        # sendfile and splice go through it up to 6.4.
        self._sendpage = kernel_functions({"tcp_sendpage"})
        flags += ["-DIMDS_HAS_SENDPAGE"] * len(self._sendpage)
        self._text = source.read_text(encoding="ascii")
        if not (wants_wire and self._is_attached_with_wire(module, attach, flags)):
            self._open(module, attach, flags, None)

    def _is_attached_with_wire(self, module: ModuleType, attach: str, flags: list[str]) -> bool:
        """Try with the second witness; what stands in its way is kept in ``wire_lacks``."""
        try:
            with wire.root_cgroup() as cgroup_fd:
                self._open(module, attach, [*flags, "-DIMDS_WIRE"], cgroup_fd)
        except KernelLacks as error:
            self.wire_lacks = SourceUnavailable("wire", str(error), error.remedy)
        except SourceUnavailable as error:
            code = getattr(error.__cause__, "errno", None)
            remedy = error.remedy if code is None else wire.remedy(code)
            self.wire_lacks = SourceUnavailable("wire", error.lacks, remedy)
        else:
            return True
        return False

    def _open(
        self, module: ModuleType, attach: str, flags: list[str], cgroup_fd: Optional[int]
    ) -> None:
        with _quiet_stderr() as said:
            try:
                self._bpf = module.BPF(text=self._text, cflags=flags)
            except Exception as error:
                raise self._explained(str(error), said()) from error
        try:
            self._attach(attach, cgroup_fd)
        except Exception as error:
            self.close()
            raise self._explained(str(error), "") from error

    def _attach(self, attach: str, cgroup_fd: Optional[int]) -> None:
        if cgroup_fd is not None:
            self._attach_wire(cgroup_fd)
        if attach == "kprobe":
            names = ["tcp_sendmsg"]
            if cgroup_fd is None:
                names += ["tcp_recvmsg", *self._sendpage]
            for name in names:
                self._bpf.attach_kprobe(event=name, fn_name=f"kprobe_{name}")
        events = self._bpf["events"]
        self._events_fd: int = events.map_fd
        events.open_ring_buffer(self._take)
        self._counters = MappedCounters(self._bpf["counters"].map_fd)
        self._losses = LossMeter(
            {
                RING_FULL: self._counters.reader(layout.COUNTER_LOST),
                ANSWERS_RING_FULL: self._counters.reader(layout.COUNTER_LOST_ANSWERS),
                SENDERS_RING_FULL: self._counters.reader(layout.COUNTER_LOST_SENDERS),
                SENDERS_TORN: lambda: self._torn,
            }
        )

    def _attach_wire(self, cgroup_fd: int) -> None:
        """Attach the second witness by links, which end with this process; BCC makes none."""
        libbpf = Libbpf()
        for name, attach_type in wire.ATTACH_TYPES.items():
            program = self._bpf.load_func(name, wire.PROGRAM_TYPE)
            self._wire_links.append(
                libbpf.number(
                    f"attach {name}", "bpf_link_create", program.fd, cgroup_fd, attach_type, None
                )
            )

    def _import(self) -> ModuleType:
        try:
            return import_bcc()
        except ImportError as error:
            raise self._unavailable(f"BCC is not installed ({error})", INSTALL_BCC) from None

    def _headers(self) -> Path:
        headers = find_headers()
        if headers is None:
            raise self._unavailable(
                f"the headers of the running kernel {platform.release()} are not there",
                INSTALL_HEADERS,
            )
        return headers

    def _unavailable(self, lacks: str, remedy: str) -> SourceUnavailable:
        return SourceUnavailable(self.probe, lacks, remedy)

    def _explained(self, error: str, said: str) -> SourceUnavailable:
        first = next((line for line in said.splitlines() if "error:" in line), "")
        lacks = f"BCC could not compile or load the probe: {first or error}"
        return self._unavailable(lacks, "Try --attach kprobe, --source core, or a newer BCC")

    def _take(self, _context: object, data: int, size: int) -> int:
        self._received.append(ctypes.string_at(data, size))
        self._bytes += size
        return -errno.ECANCELED if self._bytes >= self._limit else 0

    def fileno(self) -> int:
        """Return the ring buffer's descriptor."""
        return self._events_fd

    def read(self, limit_bytes: int) -> list[bytes]:
        """Return the raw events that wait."""
        self._limit = limit_bytes
        self._bytes = 0
        self._bpf.ring_buffer_consume()
        received, self._received = self._received, []
        return received

    def decode(self, raw: bytes) -> Iterable[Event]:
        """Decode one raw event."""
        try:
            return self._witnesses.join(decode_event(raw))
        except TornEventError:
            self._torn += 1
            return ()

    def cgroup_of(self, raw: bytes) -> int:
        """Return the id of the cgroup that a raw event is from, 0 if it does not tell."""
        return cgroup_of(raw)

    def lost(self) -> list[Lost]:
        """Return what was dropped since the last call."""
        return self._losses.take()

    def detach(self) -> None:
        """Take the probe out of the kernel; the ring stays readable."""
        while self._wire_links:
            os.close(self._wire_links.pop())
        # Not by BCC's own functions, which look into debugfs for probes of old kernels and fail
        # where that is not mounted, or not for us.
        for functions in self._bpf.kprobe_fds.values():
            while functions:
                os.close(functions.popitem()[1])
        self._bpf.kprobe_fds.clear()
        for kind in ("kfunc_entry_fds", "raw_tracepoint_fds"):
            held = getattr(self._bpf, kind, {})
            for name in list(held):
                os.close(held.pop(name))

    def close(self) -> None:
        """Detach and free everything."""
        if self._counters is not None:
            self._counters.close()
            self._counters = None
        self.detach()
        self._bpf.cleanup()


def import_bcc() -> ModuleType:
    """Import BCC, from the distribution's packages where it is not on the path."""
    with contextlib.suppress(ImportError):
        return importlib.import_module("bcc")
    for pattern in DISTRIBUTION_PACKAGES:
        for place in sorted(Path("/").glob(pattern.lstrip("/"))):
            if not (place / "bcc" / "__init__.py").is_file():
                continue
            sys.path.append(str(place))
            try:
                return importlib.import_module("bcc")
            finally:
                sys.path.remove(str(place))
    raise ImportError("no module named bcc, neither here nor among the distribution's")


def find_headers() -> Optional[Path]:
    """Return the tree of the running kernel's headers, or None.

    Debian keeps generic ones apart (``source``) from those of the flavour (``build``).
    """
    modules = Path("/lib/modules", platform.release())
    for name in ("source", "build"):
        if (modules / name / "include/linux/uio.h").is_file():
            return modules / name
    return None


def features(headers: Path) -> list[str]:
    """Return the definitions of kernel_drift.h that hold for these headers."""
    return [
        name
        for name, header, pattern in FEATURES
        if re.search(pattern, (headers / header).read_text(errors="replace"))
    ]


@contextlib.contextmanager
def _quiet_stderr() -> Iterator[Callable[[], str]]:
    """Catch what clang, in the same process, writes to descriptor 2."""
    kept = os.dup(2)
    caught = os.memfd_create("clang")
    os.dup2(caught, 2)

    def said() -> str:
        return os.pread(caught, 1 << 16, 0).decode(errors="replace")

    try:
        yield said
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(caught)
