"""Wraps the part of libbpf that the loader needs, through ctypes.

Both generations are spoken to: libbpf.so.1 (Debian 12, Amazon Linux 2023) and
libbpf.so.0 (Debian 11, RHEL 8), which reports errors in the pointer it returns.
"""

from __future__ import annotations

import collections
import ctypes
import errno
import os
from typing import Optional

# Newest first: both may be installed.
SONAMES = ("libbpf.so.1", "libbpf.so.0")

# Lines of libbpf's own log that are kept to explain a failure.
KEPT_LOG_LINES = 40
# One message of libbpf's may hold the verifier's whole log; its end tells the reason.
LOG_MESSAGE_BYTES = 1 << 20
LEVEL_INFO = 1

_ERR_PTR_FIRST = ctypes.c_size_t(-4095).value

_PRINT = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
_SAMPLE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)

_P, _I, _S, _B = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_bool

# The functions that are used, each with its result and its arguments.
_FUNCTIONS: dict[str, tuple[object, tuple[object, ...]]] = {
    "bpf_object__open_file": (_P, (_S, _P)),
    "bpf_object__load": (_I, (_P,)),
    "bpf_object__close": (None, (_P,)),
    "bpf_object__find_program_by_name": (_P, (_P, _S)),
    "bpf_object__find_map_by_name": (_P, (_P, _S)),
    "bpf_program__set_autoload": (_I, (_P, _B)),
    "bpf_program__attach": (_P, (_P,)),
    "bpf_program__attach_perf_event": (_P, (_P, _I)),
    "bpf_program__attach_cgroup": (_P, (_P, _I)),
    "bpf_program__fd": (_I, (_P,)),
    "bpf_link__destroy": (_I, (_P,)),
    "bpf_link_create": (_I, (_I, _I, _I, _P)),
    "bpf_map__fd": (_I, (_P,)),
    "bpf_map__set_max_entries": (_I, (_P, ctypes.c_uint32)),
    "bpf_map__set_initial_value": (_I, (_P, _P, ctypes.c_size_t)),
    "ring_buffer__new": (_P, (_I, _SAMPLE, _P, _P)),
    "ring_buffer__consume": (_I, (_P,)),
    "ring_buffer__free": (None, (_P,)),
}


# There is one log for the process because libbpf knows one print function, and calls it
# for as long as it is loaded, also on behalf of others that use it (BCC).
_said: collections.deque[str] = collections.deque(maxlen=KEPT_LOG_LINES)
_vsnprintf = ctypes.CDLL(None).vsnprintf


def _keep(level: int, text: bytes, arguments: int) -> int:
    """Keep warnings and informational messages: they tell why a load failed."""
    if level <= LEVEL_INFO:
        buffer = ctypes.create_string_buffer(LOG_MESSAGE_BYTES)
        # A va_list is handed over by address on x86-64 and arm64.
        _vsnprintf(buffer, len(buffer), text, ctypes.c_void_p(arguments))
        _said.extend(buffer.value.decode(errors="replace").splitlines())
    return 0


_printer = _PRINT(_keep)


class BpfError(Exception):
    """A call of libbpf failed; ``code`` is the errno, ``reason`` what libbpf said of it."""

    def __init__(self, what: str, code: int, log: list[str]) -> None:
        super().__init__(f"{what}: {os.strerror(code)}")
        self.what = what
        self.code = code
        self.reason = _reason(log)


def _reason(log: list[str]) -> str:
    """Return the line of libbpf's log that tells most: the verifier's last, or the first."""
    lines = [line.strip() for line in log if line.strip()]
    for line, following in zip(lines, lines[1:]):
        if following.startswith("processed "):
            return line
    return lines[0] if lines else ""


class Libbpf:
    """The loaded library. Raises OSError when there is none."""

    def __init__(self) -> None:
        self.soname, self._dll = _load()
        _said.clear()
        for name, (result, arguments) in _FUNCTIONS.items():
            function = getattr(self._dll, name, None)
            # A function that an old library lacks is missed where it is called.
            if function is not None:
                function.restype = result
                function.argtypes = arguments
        self._dll.libbpf_set_print(_printer)

    @property
    def version(self) -> str:
        """Version as libbpf tells it, or the soname where it does not (before 0.6)."""
        tell = getattr(self._dll, "libbpf_version_string", None)
        if tell is None:
            return self.soname
        tell.restype = ctypes.c_char_p
        return str(tell().decode())

    def _failed(self, what: str, code: int) -> BpfError:
        log = list(_said)
        _said.clear()
        return BpfError(what, abs(code) or errno.EINVAL, log)

    def pointer(self, what: str, function: str, *arguments: object) -> int:
        """Call a function that returns a pointer; raise BpfError for NULL or ERR_PTR."""
        ctypes.set_errno(0)
        value: Optional[int] = getattr(self._dll, function)(*arguments)
        if value is None:
            raise self._failed(what, ctypes.get_errno() or errno.ENOENT)
        if value >= _ERR_PTR_FIRST:
            raise self._failed(what, _ERR_PTR_FIRST + 4095 - value)
        return value

    def number(self, what: str, function: str, *arguments: object) -> int:
        """Call a function that returns an int; raise BpfError when it is negative."""
        value: int = getattr(self._dll, function)(*arguments)
        if value < 0:
            # 0.x has some calls that return -1 and set errno.
            raise self._failed(what, ctypes.get_errno() if value == -1 else -value)
        return value

    def call(self, function: str, *arguments: object) -> Optional[int]:
        """Call a function whose result is a pointer, a number to look at, or nothing."""
        value: Optional[int] = getattr(self._dll, function)(*arguments)
        return value


def _load() -> tuple[str, ctypes.CDLL]:
    problems = []
    for soname in SONAMES:
        try:
            return soname, ctypes.CDLL(soname, use_errno=True)
        except OSError as error:
            problems.append(str(error))
    raise OSError("; ".join(problems))


class RingBuffer:
    """Consumer of one BPF ring buffer map. Close it before the map."""

    def __init__(self, libbpf: Libbpf, map_fd: int) -> None:
        self._libbpf = libbpf
        self._received: list[bytes] = []
        self._bytes = 0
        self._limit = 0
        # Kept as an attribute: libbpf calls it for as long as the buffer lives.
        self._callback = _SAMPLE(self._take)
        self._ring = libbpf.pointer(
            "open the ring buffer", "ring_buffer__new", map_fd, self._callback, None, None
        )

    def _take(self, _context: Optional[int], data: int, size: int) -> int:
        self._received.append(ctypes.string_at(data, size))
        self._bytes += size
        # Negative ends this consume(); the event is counted as consumed all the same.
        return -errno.ECANCELED if self._bytes >= self._limit else 0

    def consume(self, limit_bytes: int) -> list[bytes]:
        """Take what is there, until at least ``limit_bytes`` are taken. Never waits."""
        self._limit = limit_bytes
        self._bytes = 0
        self._libbpf.call("ring_buffer__consume", self._ring)
        received, self._received = self._received, []
        return received

    def close(self) -> None:
        """Unmap the buffer."""
        self._libbpf.call("ring_buffer__free", self._ring)
