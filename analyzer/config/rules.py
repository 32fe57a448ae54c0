"""Defines the values that a setting takes: each rule parses one or says what is allowed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Optional, Protocol, Union

# sun_path of a Unix address has 108 bytes, the last of them a NUL.
UNIX_PATH_MAX = 107
PATH_MAX = 4095


class Rule(Protocol):
    """Parses the value of one setting, as TOML gives it."""

    def parse(self, value: object) -> object:
        """Return the setting; raises ValueError, which says what is allowed."""
        ...


@dataclass(frozen=True)
class OneOf:
    """One of some words."""

    words: Sequence[str]

    def parse(self, value: object) -> str:
        """Return the word."""
        if not isinstance(value, str) or value not in self.words:
            allowed = ", ".join(f'"{word}"' for word in self.words)
            raise ValueError(f"must be one of {allowed}")
        return value


@dataclass(frozen=True)
class Whole:
    """A whole number within bounds."""

    low: int
    high: int

    def parse(self, value: object) -> int:
        """Return the number."""
        # To Python, true is a whole number.
        if type(value) is not int or not self.low <= value <= self.high:
            raise ValueError(f"must be a whole number from {self.low} to {self.high}")
        return value


@dataclass(frozen=True)
class PowerOfTwo(Whole):
    """A power of two within bounds."""

    def parse(self, value: object) -> int:
        """Return the number."""
        if type(value) is not int or not self.low <= value <= self.high or value & (value - 1):
            raise ValueError(f"must be a power of two from {self.low} to {self.high}")
        return value


@dataclass(frozen=True)
class Number:
    """A finite number within bounds."""

    low: float
    high: float

    def parse(self, value: object) -> float:
        """Return the number."""
        # To Python, true is a number. NaN is within no bounds.
        if (
            isinstance(value, bool)
            or not isinstance(value, (int, float))
            or not self.low <= value <= self.high
        ):
            raise ValueError(f"must be a number from {self.low:g} to {self.high:g}")
        return float(value)


@dataclass(frozen=True)
class Switch:
    """A setting that is on or off."""

    def parse(self, value: object) -> bool:
        """Return whether it is on."""
        if not isinstance(value, bool):
            raise ValueError("must be true or false, without quotes")  # noqa: TRY004 (see Rule)
        return value


@dataclass(frozen=True)
class FilePath:
    """An absolute path; an empty one, where that is allowed, is None."""

    ending: str = ""
    may_be_empty: bool = False

    def parse(self, value: object) -> Optional[str]:
        """Return the path."""
        if value == "" and self.may_be_empty:
            return None
        if not isinstance(value, str) or not _is_file_path(value) or not self._ends_right(value):
            allowed = 'must be the path of a file, in quotes and from "/" on'
            if self.ending:
                allowed += f', that ends in "{self.ending}"'
            raise ValueError(allowed + (', or "" for none' if self.may_be_empty else ""))
        return value

    def _ends_right(self, path: str) -> bool:
        return path.endswith(self.ending) and path.rpartition("/")[2] != self.ending


@dataclass(frozen=True)
class Name:
    """A name of something of Kubernetes, such as a label; "" for none."""

    longest: int

    def parse(self, value: object) -> str:
        """Return the name."""
        if not isinstance(value, str) or (value and not self._is_name(value)):
            raise ValueError(
                f"must be a name of at most {self.longest} letters, digits and - _ . /, in quotes,"
                ' or "" for none'
            )
        return value

    def _is_name(self, value: str) -> bool:
        return len(value) <= self.longest and re.fullmatch(r"[A-Za-z0-9._/-]+", value) is not None


@dataclass(frozen=True)
class Names:
    """A list of at most so many names."""

    most: int
    longest: int

    def parse(self, value: object) -> tuple[str, ...]:
        """Return the names."""
        name = Name(self.longest)
        try:
            found = tuple(map(name.parse, value)) if isinstance(value, list) else ("",)
        except ValueError:
            found = ("",)
        if "" in found or len(found) > self.most or len(set(found)) < len(found):
            raise ValueError(
                f'must be a list of at most {self.most} names, such as ["team", "app"], or [] for'
                " none"
            )
        return found


def _is_file_path(path: str) -> bool:
    return (
        path.startswith("/")
        and path.rpartition("/")[2] not in ("", ".", "..")
        and not any(ord(character) < ord(" ") for character in path)
        and len(path.encode("utf-8", "surrogatepass")) <= PATH_MAX
    )


class TcpAddress(NamedTuple):
    """An address to listen on."""

    host: str  # an IP address, without brackets
    port: int

    def __str__(self) -> str:
        """Return it as it stands in a configuration."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class UnixAddress(NamedTuple):
    """A Unix socket to listen on."""

    path: str

    def __str__(self) -> str:
        """Return it as it stands in a configuration."""
        return f"unix:{self.path}"


Address = Union[TcpAddress, UnixAddress]


@dataclass(frozen=True)
class Listening:
    """An address to listen on; an empty one is None.

    Names are not looked up: a service must not wait for a name server to start.
    """

    def parse(self, value: object) -> Optional[Address]:
        """Return the address."""
        if value == "":
            return None
        address = _address(value) if isinstance(value, str) else None
        if address is None:
            raise ValueError(
                'must be an IP address and a port from 1 to 65535, such as "127.0.0.1:9469" or'
                ' "[::1]:9469", or a socket\'s path, such as'
                ' "unix:/run/imds-analyzer/metrics.sock", or "" for none'
            )
        return address


def _address(text: str) -> Optional[Address]:
    if text.startswith("unix:"):
        path = text[len("unix:") :]
        is_fit = _is_file_path(path) and len(path.encode("utf-8", "replace")) <= UNIX_PATH_MAX
        return UnixAddress(path) if is_fit else None
    host, separator, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not separator or bracketed != (":" in host):
        return None
    host = host[1:-1] if bracketed else host
    if not _is_ip_address(host) or not (port.isascii() and port.isdigit() and len(port) <= 5):  # noqa: PLR2004 (65535)
        return None
    return TcpAddress(host, int(port)) if 1 <= int(port) <= 65535 else None  # noqa: PLR2004


def _is_ip_address(host: str) -> bool:
    from ipaddress import ip_address  # noqa: PLC0415 (only where such an address is set)

    try:
        ip_address(host)
    except ValueError:
        return False
    return True
