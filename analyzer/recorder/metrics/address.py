"""Listens at an IPv4 or IPv6 address, or on a Unix socket."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from analyzer.config.rules import Address, TcpAddress, UnixAddress
from analyzer.errors import ConfigError
from analyzer.recorder.sinks.trusted import DirectoryEntry, located, remove

SOCKET_MODE = 0o660
# Connections the kernel holds ready: with too few a burst makes others wait for a second.
BACKLOG = 128


class AddressInUse(ConfigError):
    """The address is in use, possibly by this process itself."""


def listen(address: Address) -> socket.socket:
    """Return a listening, non-blocking socket. Raises ConfigError where that is unavailable."""
    with contextlib.ExitStack() as undo:
        with _explained(address):
            if isinstance(address, UnixAddress):
                listener = undo.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
                _bind_unix(listener, address)
            else:
                listener = undo.enter_context(_bound(address))
            listener.listen(BACKLOG)
        listener.setblocking(False)
        undo.pop_all()
        return listener


def _bound(address: TcpAddress) -> socket.socket:
    # Only this knows the number of an interface that is named behind an address.
    ((family, kind, _, _, where),) = socket.getaddrinfo(
        address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
    )
    listener = socket.socket(family, kind)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # [::] takes IPv4 too, whatever the host's default is.
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(where)
    except BaseException:
        listener.close()
        raise
    return listener


def _bind_unix(listener: socket.socket, address: UnixAddress) -> None:
    path = address.path
    with located(path, follow=False) as place:
        with contextlib.suppress(FileNotFoundError):
            found = os.stat(place.name, dir_fd=place.directory, follow_symlinks=False)
            if not stat.S_ISSOCK(found.st_mode):
                raise FileExistsError(errno.EEXIST, "it is a file and no socket")
            if _is_served(path):
                raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
            remove(place.directory, place.name)
        # The socket's own mode is the file's, less the umask: so it is never open to more.
        os.fchmod(listener.fileno(), SOCKET_MODE)
        listener.bind(path)
        _open_to_group(place)


def _open_to_group(place: DirectoryEntry) -> None:
    """Give our socket its mode, and nothing that took its place meanwhile. Raises OSError."""
    flags = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(place.name, flags, dir_fd=place.directory)
    try:
        found = os.fstat(fd)
        if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid():
            raise FileExistsError(errno.EEXIST, "another file took its place")
        Path(f"/proc/self/fd/{fd}").chmod(SOCKET_MODE)
    finally:
        os.close(fd)


def _is_served(path: str) -> bool:
    """Tell whether somebody listens; after a crash the file is there and nobody does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.setblocking(False)
        try:
            client.connect(path)
        except BlockingIOError:  # its queue is full
            return True
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        return True


_REMEDIES = {
    errno.EADDRINUSE: "Another program listens there, maybe another analyzer: stop it, or choose"
    " another address.",
    errno.EADDRNOTAVAIL: "No interface of this host has the address: choose one that is there,"
    " such as 127.0.0.1.",
    errno.EACCES: "This user may not: choose a port from 1024 up, or a directory that it may"
    " write.",
    errno.EEXIST: "Choose another path, or move the file away.",
    errno.EPERM: "This user may not: choose another address.",
    errno.ENOENT: "Make the directory first, or choose one that is there.",
    errno.EAFNOSUPPORT: "The host, or the service's unit, does not allow that kind of socket: run"
    " install.sh again, it gives the unit what a port needs.",
}


@contextlib.contextmanager
def _explained(address: Address) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, "Choose another address.")
        kind = AddressInUse if error.errno == errno.EADDRINUSE else ConfigError
        raise kind(
            f"[metrics] prometheus: cannot listen on {address}: {error.strerror}. {remedy}"
        ) from None
