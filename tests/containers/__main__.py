"""Prints the Debian packages of the runtimes: ``python -m tests.containers --packages``."""

from __future__ import annotations

from tests.containers.runtimes import RUNTIMES

if __name__ == "__main__":
    shared = ("buildah", "busybox-static", "iproute2", "util-linux")
    print(*sorted({*shared, *(name for runtime in RUNTIMES for name in runtime.packages)}))
