"""Reads the headers of an ELF file: its sections and segments, 32 and 64 bit, either byte order.

The layout is that of elf(5). Damaged files give less or nothing, never an error.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple, Optional

from analyzer.software.source import Source

# Programs have about 40 sections and 15 segments.
_SECTIONS_MAX = 1024
_SEGMENTS_MAX = 128
_NAMES_MAX = 64 * 1024

_IDENT = 16
_ORDERS = {1: "<", 2: ">"}
_LOAD = 1  # PT_LOAD
_EXECUTE, _WRITE = 1, 2  # PF_X, PF_W
_NO_BITS = 8  # SHT_NOBITS


class Section(NamedTuple):
    """A section's name and place in the file."""

    name: bytes
    offset: int
    size: int


class Segment(NamedTuple):
    """A segment that is loaded: its place in the file and in memory, PF_* flags."""

    offset: int
    address: int
    size: int
    flags: int

    @property
    def is_data(self) -> bool:
        """Tell whether the program writes to it and does not run it."""
        return self.flags & (_WRITE | _EXECUTE) == _WRITE


class Elf(NamedTuple):
    """The headers of an ELF file; ``order`` is struct's sign of the byte order."""

    source: Source
    is_64: bool
    order: str
    sections: tuple[Section, ...]
    segments: tuple[Segment, ...]

    def maybe_section(self, name: bytes) -> Optional[Source]:
        """Return the data of a section."""
        for section in self.sections:
            if section.name == name:
                return self.source.part(section.offset, section.size)
        return None

    def at_address(self, address: int, size: int) -> bytes:
        """Return bytes by their address in memory, fewer or none if the file has no more."""
        for segment in self.segments:
            offset = address - segment.address
            if 0 <= offset < segment.size:
                return self.source.at(segment.offset + offset, min(size, segment.size - offset))
        return b""


class _Layout(NamedTuple):
    """Formats of the headers of one class, and the places of what is used in them."""

    header: str  # from e_type on
    segment: str
    segment_fields: tuple[int, int, int, int, int]  # type, offset, address, size, flags
    section: str


_LAYOUTS = {
    1: _Layout("2HI3II6H", "8I", (0, 1, 2, 4, 6), "10I"),
    2: _Layout("2HI3QI6H", "2I6Q", (0, 2, 3, 5, 1), "2I4Q2I2Q"),
}


def maybe_read(source: Source) -> Optional[Elf]:
    """Return the headers; None if the file is not an ELF file."""
    ident = source.at(0, _IDENT)
    if len(ident) < _IDENT or not ident.startswith(b"\x7fELF"):
        return None
    layout, order = _LAYOUTS.get(ident[4]), _ORDERS.get(ident[5])
    if layout is None or order is None:
        return None
    header = struct.Struct(order + layout.header)
    raw = source.at(_IDENT, header.size)
    if len(raw) < header.size:
        return None
    fields = header.unpack(raw)
    segments_at, sections_at = fields[4], fields[5]
    segment_size, segment_count, section_size, section_count, names_index = fields[8:]
    segments = _segments(
        layout,
        order,
        _table(source, segments_at, segment_size, min(segment_count, _SEGMENTS_MAX)),
    )
    sections = _sections(
        source,
        order + layout.section,
        _table(source, sections_at, section_size, min(section_count, _SECTIONS_MAX)),
        names_index,
    )
    return Elf(source, ident[4] == 2, order, tuple(sections), tuple(segments))  # noqa: PLR2004


def _table(source: Source, offset: int, size: int, count: int) -> list[bytes]:
    if not size:
        return []
    raw = source.at(offset, size * count)
    return [raw[at : at + size] for at in range(0, len(raw) - size + 1, size)]


def _segments(layout: _Layout, order: str, table: list[bytes]) -> Iterator[Segment]:
    entry = struct.Struct(order + layout.segment)
    for raw in table:
        if len(raw) < entry.size:
            return
        fields = entry.unpack_from(raw)
        kind, offset, address, size, flags = (fields[at] for at in layout.segment_fields)
        if kind == _LOAD:
            yield Segment(offset, address, size, flags)


def _sections(source: Source, form: str, table: list[bytes], names_index: int) -> Iterator[Section]:
    entry = struct.Struct(form)
    if not names_index < len(table) or len(table[0]) < entry.size:
        return
    headers = [entry.unpack_from(raw) for raw in table]
    _, _, _, _, names_at, names_size = headers[names_index][:6]
    names = source.at(names_at, min(names_size, _NAMES_MAX))
    for name_at, kind, _, _, offset, size, *_ in headers:
        if kind != _NO_BITS and name_at < len(names):
            yield Section(names[name_at:].partition(b"\0")[0], offset, size)
