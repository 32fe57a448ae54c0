"""Memory that is not there until it is asked for: a send that reads it stays within the kernel."""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import platform
import select
import struct

_SYSCALL = {"x86_64": 323, "aarch64": 282}  # userfaultfd(2)
# Of linux/userfaultfd.h.
_API, _UFFDIO_API, _UFFDIO_REGISTER, _UFFDIO_COPY = 0xAA, 0xC018AA3F, 0xC020AA00, 0xC028AA03
_MODE_MISSING = 1
_WAIT_S = 30.0
_EVENT_BYTES = 32

_LIBC = ctypes.CDLL(None, use_errno=True)


class LatePage:
    """A page whose first reader waits until :meth:`arrive`."""

    def __init__(self) -> None:
        """Make one. Raises OSError where the kernel does not allow it."""
        self._fd = _LIBC.syscall(_SYSCALL[platform.machine()], os.O_CLOEXEC | os.O_NONBLOCK)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "userfaultfd")
        fcntl.ioctl(self._fd, _UFFDIO_API, bytearray(struct.pack("QQQ", _API, 0, 0)))
        self._memory = mmap.mmap(-1, mmap.PAGESIZE)
        self._address = _address(self._memory)
        wanted = struct.pack("QQQQ", self._address, mmap.PAGESIZE, _MODE_MISSING, 0)
        fcntl.ioctl(self._fd, _UFFDIO_REGISTER, bytearray(wanted))

    def send(self, fd: int, size: int) -> None:
        """Send the first bytes of it, once it is there."""
        sent = _LIBC.send(fd, ctypes.c_void_p(self._address), size, 0)
        assert sent == size, os.strerror(ctypes.get_errno())

    def is_awaited(self) -> bool:
        """Wait until somebody reads it; returns whether that happened."""
        readable, _, _ = select.select([self._fd], [], [], _WAIT_S)
        return bool(readable) and len(os.read(self._fd, _EVENT_BYTES)) == _EVENT_BYTES

    def arrive(self, data: bytes) -> None:
        """Put the bytes there, and let the reader go on."""
        page = mmap.mmap(-1, mmap.PAGESIZE)
        page[: len(data)] = data
        wanted = struct.pack("QQQQq", self._address, _address(page), mmap.PAGESIZE, 0, 0)
        fcntl.ioctl(self._fd, _UFFDIO_COPY, bytearray(wanted))

    def close(self) -> None:
        """Drop it."""
        os.close(self._fd)


def _address(memory: mmap.mmap) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))
