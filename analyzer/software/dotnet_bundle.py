"""Finds the dependency list in a .NET program that was published as a single file.

The layout is dotnet/runtime's docs/design/datacontracts and corehost/bundle/header.h: a marker in
the host's data tells the place of a header, which tells that of the list.
"""

from __future__ import annotations

import struct
from typing import Optional

from analyzer.software.elf_file import Elf
from analyzer.software.source import Source

# SHA-256 of ".net core bundle"; the header's offset stands before it.
_MARKER = bytes.fromhex("8b1202b96a612038727b930214d7a03213f5b9e6efae3318ee3b2dce24b36aae")
_OFFSET = struct.Struct("<q")
_PIECE = 256 * 1024
# The host's data; that of a host with the runtime in it has 2 MB.
_SEARCHED_MAX = 8 * 1024 * 1024
_HEADER = struct.Struct("<2Ii")
_FIRST_WITH_PLACES = 2
_PLACE = struct.Struct("<2q")
_ID_MAX = 127  # its length is one byte; the SDK's ids have 12


def maybe_dependencies(elf: Elf) -> Optional[Source]:
    """Return the list's data; None if the program is no such file or has no list."""
    header_at = _header_at(elf)
    raw = elf.source.at(header_at, _HEADER.size + 1 + _ID_MAX + _PLACE.size) if header_at else b""
    if len(raw) <= _HEADER.size:
        return None
    major, _, _ = _HEADER.unpack_from(raw)
    place_at = _HEADER.size + 1 + raw[_HEADER.size]
    if major < _FIRST_WITH_PLACES or raw[_HEADER.size] > _ID_MAX:
        return None
    place = raw[place_at : place_at + _PLACE.size]
    if len(place) < _PLACE.size:
        return None
    offset, size = _PLACE.unpack(place)
    return elf.source.part(offset, size) if offset > 0 and size > 0 else None


def _header_at(elf: Elf) -> int:
    for segment in elf.segments:
        if not segment.is_data:
            continue
        data = elf.source.part(segment.offset, segment.size)
        for start in range(0, min(data.size, _SEARCHED_MAX), _PIECE):
            piece = data.at(start, _PIECE + _OFFSET.size + len(_MARKER))
            at = piece.find(_MARKER)
            if at >= _OFFSET.size:
                (offset,) = _OFFSET.unpack_from(piece, at - _OFFSET.size)
                return int(offset)
    return 0
