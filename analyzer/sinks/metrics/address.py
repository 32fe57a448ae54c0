"""Where metrics are served: an IPv4 or IPv6 address with a port, or a Unix socket."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import socket
import stat
from collections.abc import Iterator
from typing import Any, NamedTuple, Optional

from analyzer.errors import ConfigError

FORMS = "127.0.0.1:9469, [::1]:9469 or unix:/run/imds-analyzer/metrics.sock"
UNIX = "unix:"
# What sun_path holds, less its end.
UNIX_PATH_BYTES_MAX = 107
SOCKET_MODE = 0o660
# Connections the kernel may hold ready; whoever scrapes comes with one.
BACKLOG = 16


class Address(NamedTuple):
    """A place to listen. ``where`` is what bind(2) is given, ``text`` what was configured."""

    family: socket.AddressFamily
    where: Any
    text: str

    @property
    def port(self) -> Optional[int]:
        """The TCP port; None for a Unix socket."""
        return None if self.family == socket.AF_UNIX else self.where[1]


def parse_address(text: str) -> Address:
    """Read an address. Raises ConfigError; names of hosts are not looked up."""
    if text.startswith(UNIX):
        return _unix(text)
    host, colon, port = text.rpartition(":")
    if not (colon and port.isascii() and port.isdecimal() and 0 < int(port) < 1 << 16):
        raise _unusable(text, "it does not end in a port from 1 to 65535")
    bracketed = host[:1] == "[" and host[-1:] == "]"
    try:
        ip = ipaddress.IPv6Address(host[1:-1]) if bracketed else ipaddress.IPv4Address(host)
        # Only this knows the number of an interface that is named behind the address.
        found = socket.getaddrinfo(
            str(ip), int(port), type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
        )
    except (OSError, ValueError):
        raise _unusable(text, f"{host!r} is no numeric address") from None
    return Address(found[0][0], found[0][4], text)


def _unix(text: str) -> Address:
    path = text[len(UNIX) :]
    if not path.startswith("/") or path.endswith("/") or "\0" in path:
        raise _unusable(text, f"{path!r} is no absolute path of a file")
    if len(os.fsencode(path)) > UNIX_PATH_BYTES_MAX:
        raise _unusable(text, f"a socket's path has at most {UNIX_PATH_BYTES_MAX} bytes")
    return Address(socket.AF_UNIX, path, text)


def listen(address: Address) -> socket.socket:
    """Return a listening, non-blocking socket. Raises ConfigError where that cannot be had."""
    listener = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        with _explained(address):
            if address.family == socket.AF_UNIX:
                _bind_unix(listener, address)
            else:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if address.family == socket.AF_INET6:
                    # [::] takes IPv4 too, whatever the host's default is.
                    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
                listener.bind(address.where)
            listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def _bind_unix(listener: socket.socket, address: Address) -> None:
    path = address.where
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise _unusable(address.text, "there is a file of that name that is no socket")
        if _is_served(path):
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        os.unlink(path)  # noqa: PTH108 -- the path stays as it was given
    # The socket's own mode is the file's, less the umask: so it is never open to more.
    os.fchmod(listener.fileno(), SOCKET_MODE)
    listener.bind(path)
    os.chmod(path, SOCKET_MODE)  # noqa: PTH101 -- the path stays as it was given


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
    errno.EPERM: "This user may not: choose another address.",
    errno.ENOENT: "Make the directory first, or choose one that is there.",
    errno.EAFNOSUPPORT: "The host, or the service's unit, does not allow that kind of socket.",
}


@contextlib.contextmanager
def _explained(address: Address) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, "Choose another address.")
        raise ConfigError(
            f"[metrics] prometheus: cannot listen on {address.text}: {error.strerror}. {remedy}"
        ) from None


def _unusable(text: str, why: str) -> ConfigError:
    return ConfigError(f"[metrics] prometheus = {text!r}: {why}. Write it like {FORMS}.")
