"""Reads the version of a .NET assembly from the version resource of its PE file.

The layout is Microsoft's PE Format and VERSIONINFO. The package AWSSDK.Core 3.7.202.18 has a file
version of the same number; its assembly version stays 3.3.0.0.
"""

from __future__ import annotations

import re
import struct

from analyzer.software.source import Source

_PE_POINTER = 0x3C
_COFF = struct.Struct("<4s2H3I2H")
_SECTION = struct.Struct("<8s4I16x")
_SECTIONS_MAX = 96  # the Windows loader's limit
_RESOURCES = b".rsrc"
# An assembly has the version and a manifest in it, some 2 KB.
_RESOURCES_MAX = 64 * 1024
_KEY = "FileVersion\0".encode("utf-16-le")
_VALUE_MAX = 128
_VERSION = re.compile(r"\d{1,9}(?:\.\d{1,9}){1,3}")


def version(source: Source) -> str:
    """Return the file version, "" if the file is no assembly or has none."""
    if source.at(0, 2) != b"MZ":
        return ""
    (header_at,) = struct.unpack("<I", source.at(_PE_POINTER, 4).ljust(4, b"\0"))
    header = source.at(header_at, _COFF.size)
    if len(header) < _COFF.size or not header.startswith(b"PE\0\0"):
        return ""
    _, _, sections, _, _, _, optional_size, _ = _COFF.unpack(header)
    table = source.at(
        header_at + _COFF.size + optional_size, _SECTION.size * min(sections, _SECTIONS_MAX)
    )
    for at in range(0, len(table) - _SECTION.size + 1, _SECTION.size):
        name, _, _, size, offset = _SECTION.unpack_from(table, at)
        if name.rstrip(b"\0") == _RESOURCES:
            return _in_resources(source.at(offset, min(size, _RESOURCES_MAX)))
    return ""


def _in_resources(data: bytes) -> str:
    at = data.find(_KEY)
    if at < 0:
        return ""
    start = at + len(_KEY)
    text = data[start : start + _VALUE_MAX].decode("utf-16-le", errors="replace").lstrip("\0")
    match = _VERSION.match(text)
    return as_package(match[0]) if match else ""


def as_package(version: str) -> str:
    """Return a file's version as its package has it: three numbers if the fourth is 0."""
    numbers = version.split(".")
    return ".".join(numbers[:3]) if numbers[3:] == ["0"] else version
