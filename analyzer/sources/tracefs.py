"""Ids of tracepoints, also where tracefs is not mounted (containers, minimal hosts)."""

from __future__ import annotations

import subprocess
from pathlib import Path

MOUNT_POINT = Path("/sys/kernel/tracing")
PLACES = (MOUNT_POINT, Path("/sys/kernel/debug/tracing"))

# Mounted in a mount namespace that ends with the command: nothing changes for the host.
_READ_IN_OWN_NAMESPACE = 'mount -t tracefs tracefs "$1" && cd "$1/events" && shift && cat -- "$@"'


def tracepoint_ids(names: list[str]) -> dict[str, int]:
    """Return the id of each tracepoint ``group/event``; raises OSError saying what is missing."""
    files = [f"{name}/id" for name in names]
    for place in PLACES:
        if (place / "events").is_dir():
            return {
                name: int((place / "events" / file).read_text()) for name, file in zip(names, files)
            }
    if not MOUNT_POINT.is_dir():
        raise OSError(f"{MOUNT_POINT} does not exist: the kernel was built without tracing")
    command = ["unshare", "--mount", "--propagation=private", "sh", "-c", _READ_IN_OWN_NAMESPACE]
    done = subprocess.run(
        [*command, "sh", str(MOUNT_POINT), *files], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise OSError(f"tracefs could not be mounted: {done.stderr.strip()}")
    return {name: int(line) for name, line in zip(names, done.stdout.split())}
