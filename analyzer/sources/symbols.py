"""Which functions the running kernel has."""

from __future__ import annotations

from pathlib import Path

KALLSYMS = Path("/proc/kallsyms")


def kernel_functions(names: set[str]) -> set[str]:
    """Return those of the names that the running kernel has; none where it does not tell."""
    try:
        symbols = KALLSYMS.read_bytes()
    except OSError:
        return set()
    return {name for name in names if f" {name}\n".encode() in symbols}
