"""ELF files of any class and byte order, with the sections and data that a test wants.

The layout is elf(5)'s. Machines of the other byte order are not here to compile on.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import NamedTuple

ADDRESS = 0x400000
_DATA_AT = 0x1000
_ALIGN = 16
_READ_WRITE = 6


class Kind(NamedTuple):
    """Bits and byte order."""

    bits: int
    order: str

    def pack(self, form: str, *values: object) -> bytes:
        return struct.pack(self.order + form, *values)


KINDS = [Kind(bits, order) for bits in (32, 64) for order in ("<", ">")]


def elf(kind: Kind, sections: Mapping[str, bytes], *, with_headers: bool = True) -> bytes:
    """Return a file with one writable segment, which holds all sections."""
    body, places = b"", []
    names = b"\0"
    for name, data in sections.items():
        body += b"\0" * (-len(body) % _ALIGN)
        places.append((len(names), len(body), len(data)))
        names += name.encode() + b"\0"
        body += data
    names_at = _DATA_AT + len(body)
    names += b".shstrtab\0"
    sections_at = names_at + len(names)
    headers = [_section(kind, 0, 0, 0, 0)]
    headers += [_section(kind, name, 1, _DATA_AT + at, size) for name, at, size in places]
    headers.append(_section(kind, len(names) - 10, 3, names_at, len(names)))
    count = len(headers) if with_headers else 0
    head = _header(kind, sections_at if with_headers else 0, count)
    front = (head + _segment(kind, len(body))).ljust(_DATA_AT, b"\0")
    return front + body + (names + b"".join(headers) if with_headers else b"")


def address_of(sections: Mapping[str, bytes], wanted: str) -> int:
    """Return the address of a section in such a file."""
    at = 0
    for name, data in sections.items():
        at += -at % _ALIGN
        if name == wanted:
            return ADDRESS + at
        at += len(data)
    raise KeyError(wanted)


def _header(kind: Kind, sections_at: int, count: int) -> bytes:
    wide = kind.bits == 64
    ident = b"\x7fELF" + bytes([2 if wide else 1, 1 if kind.order == "<" else 2, 1]) + b"\0" * 9
    size, segment, section = (64, 56, 64) if wide else (52, 32, 40)
    form = "2HI3QI6H" if wide else "2HI3II6H"
    return ident + kind.pack(
        form,
        *(2, 0, 1, ADDRESS, size, sections_at, 0),
        *(size, segment, 1, section, count, max(0, count - 1)),
    )


def _segment(kind: Kind, size: int) -> bytes:
    place = (_DATA_AT, ADDRESS, ADDRESS, size, size)
    if kind.bits == 64:
        return kind.pack("2I6Q", 1, _READ_WRITE, *place, _DATA_AT)
    return kind.pack("8I", 1, *place, _READ_WRITE, _DATA_AT)


def _section(kind: Kind, name: int, type_: int, offset: int, size: int) -> bytes:
    form = "2I4Q2I2Q" if kind.bits == 64 else "10I"
    return kind.pack(form, name, type_, 0, 0, offset, size, 0, 0, 1, 0)
