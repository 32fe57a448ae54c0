"""Lists the functions of the running kernel."""

from __future__ import annotations

import struct
from pathlib import Path

KALLSYMS = Path("/proc/kallsyms")
BTF = Path("/sys/kernel/btf/vmlinux")

# struct btf_header (uapi linux/btf.h): magic, version, flags, hdr_len, then where types
# and strings begin behind it, and their lengths.
_HEADER = struct.Struct("=HBBIIIII")
_MAGIC = 0xEB9F
# The head of struct btf_type: name_off, info. A function's info is its kind and its linkage.
_TYPE = struct.Struct("=II")
_KIND_FUNC = 12 << 24
_LINKAGES = (0, 1, 2)  # static, global, extern


def kernel_functions(names: set[str]) -> set[str]:
    """Return those of the names that the running kernel has; none where it does not tell.

    A service with ProtectKernelTunables= is shown an empty file.
    """
    try:
        symbols = KALLSYMS.read_bytes()
    except OSError:
        return set()
    return {name for name in names if f" {name}\n".encode() in symbols}


def typed_functions(names: set[str]) -> set[str]:
    """Return those of the names that the kernel has as functions with type information."""
    try:
        return functions_in(BTF.read_bytes(), names)
    except OSError:
        return set()


def functions_in(btf: bytes, names: set[str]) -> set[str]:
    """Return those of the names that are functions in BTF data of this machine's byte order."""
    if len(btf) < _HEADER.size or _HEADER.unpack_from(btf)[0] != _MAGIC:
        return set()
    _, _, _, header, type_at, types, string_at, strings = _HEADER.unpack_from(btf)
    type_at, string_at = header + type_at, header + string_at
    found = set()
    for name in names:
        # Each string ends with a NUL byte, and the first one is empty.
        at = btf.find(b"\0" + name.encode() + b"\0", string_at, string_at + strings)
        # No walk through a hundred thousand types: this pair of numbers, of which the first
        # is this name's alone and the second no other kind's, stands nowhere else.
        if at >= 0 and any(
            btf.find(_TYPE.pack(at + 1 - string_at, _KIND_FUNC | each), type_at, type_at + types)
            >= 0
            for each in _LINKAGES
        ):
            found.add(name)
    return found
