"""Creates a BPF ring buffer, with and without a higher limit of locked memory."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import platform
import resource
from collections.abc import Iterator

from analyzer.config.settings import Capture
from analyzer.doctor.findings import CheckResult, fine, lacking, note
from analyzer.doctor.kernel import RING_SYMBOL, symbols
from analyzer.host.confinement import refused_calls
from analyzer.host.privileges import maybe_obstacle

# bpf(2): no wrapper in the C library, and libbpf may be what is missing.
_NUMBERS = {"x86_64": 321, "aarch64": 280}
_BPF_MAP_CREATE = 0
_BPF_MAP_TYPE_RINGBUF = 27

_NOT_PERMITTED = (errno.EPERM, errno.EACCES)


class _Attributes(ctypes.Structure):
    """The start of union bpf_attr; the kernel takes what is left out as zero."""

    _fields_ = (
        ("map_type", ctypes.c_uint32),
        ("key_size", ctypes.c_uint32),
        ("value_size", ctypes.c_uint32),
        ("max_entries", ctypes.c_uint32),
    )


def ring_buffer() -> CheckResult:
    """Check that the kernel has BPF ring buffers."""
    code = ring_error(resource.RLIM_INFINITY)
    if code == 0:
        return fine("one was made, and freed again")
    if code in _NOT_PERMITTED and RING_SYMBOL in symbols():
        return fine("in the kernel (making one was not permitted)")
    return lacking(
        f"a ring buffer could not be made: {os.strerror(code)}",
        "Run as root" if code in _NOT_PERMITTED else "Use Linux 5.8 or later",
    )


def locked_memory() -> CheckResult:
    """Check that a ring fits into the locked memory we may have, on kernels that count it."""
    code = ring_error(resource.RLIM_INFINITY)
    limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    allowed = "unlimited" if limit == resource.RLIM_INFINITY else f"{limit >> 10} KiB"
    if code in _NOT_PERMITTED and "bpf" in refused_calls():
        return note("not tried: a seccomp filter refuses bpf(2)")
    if code in _NOT_PERMITTED and maybe_obstacle() is None:
        return lacking(
            f"a ring of {Capture.ring_mib} MiB does not fit into the limit, {allowed}",
            "Raise it: ulimit -l unlimited, or LimitMEMLOCK=infinity in the systemd unit",
        )
    if code != 0:
        return note(f"not tried, as a ring buffer could not be made: {os.strerror(code)}")
    if ring_error(0) == 0:
        return fine("this kernel does not count BPF maps against the limit")
    return fine(f"this kernel counts BPF maps; the limit, {allowed}, is raised by `run` itself")


def ring_error(soft_limit: int) -> int:
    """Make a ring as large as ``run`` would, at this limit; return 0 or the errno.

    The limit is bytes of locked memory. One above what we may have leaves it as it is.
    """
    number = _NUMBERS.get(platform.machine())
    if number is None:
        return errno.ENOSYS
    wanted = _Attributes(_BPF_MAP_TYPE_RINGBUF, 0, 0, Capture.ring_mib << 20)
    with _locked_memory_limit(soft_limit):
        fd: int = ctypes.CDLL(None, use_errno=True).syscall(
            ctypes.c_long(number),
            ctypes.c_int(_BPF_MAP_CREATE),
            ctypes.byref(wanted),
            ctypes.c_uint(ctypes.sizeof(wanted)),
        )
        if fd < 0:
            return ctypes.get_errno()
        os.close(fd)
    return 0


@contextlib.contextmanager
def _locked_memory_limit(soft: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    hard = soft if soft == resource.RLIM_INFINITY else before[1]
    # Without CAP_SYS_RESOURCE the hard limit cannot be raised, and stays.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (soft, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, before)
