"""Prints the Debian packages of the runtimes: ``python -m tests.containers --packages``."""

from __future__ import annotations

from tests.containers.runtimes import packages

if __name__ == "__main__":
    print(*packages())
