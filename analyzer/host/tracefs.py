"""Finds ids of tracepoints, also where tracefs is not mounted (containers, minimal hosts)."""

from __future__ import annotations

from pathlib import Path

from analyzer.errors import KernelLacks
from analyzer.host.privileges import maybe_obstacle

MOUNT_POINT = Path("/sys/kernel/tracing")
PLACES = (MOUNT_POINT, Path("/sys/kernel/debug/tracing"))

# Mounted in a mount namespace that ends with the command: nothing changes for the host.
_READ_IN_OWN_NAMESPACE = 'mount -t tracefs tracefs "$1" && cd "$1/events" && shift && cat -- "$@"'


_NO_TRACEPOINTS = "Needs a kernel with CONFIG_FTRACE_SYSCALLS; try --source bcc"
_NOT_MOUNTED = f"Mount it: mount -t tracefs tracefs {MOUNT_POINT}"


def tracepoint_ids(names: list[str]) -> dict[str, int]:
    """Return the id of each tracepoint ``group/event``.

    Raises KernelLacks, or PermissionError where tracefs is mounted and not for us.
    """
    files = [f"{name}/id" for name in names]
    for place in PLACES:
        if (place / "events").is_dir():
            try:
                return {
                    name: int((place / "events" / file).read_text())
                    for name, file in zip(names, files)
                }
            except FileNotFoundError as error:
                raise KernelLacks(f"{error.filename} does not exist", _NO_TRACEPOINTS) from None
    if not MOUNT_POINT.is_dir():
        raise KernelLacks(
            f"{MOUNT_POINT} does not exist: the kernel was built without tracing", _NO_TRACEPOINTS
        )
    return dict(zip(names, _read_in_own_namespace(files)))


def _read_in_own_namespace(files: list[str]) -> list[int]:
    import subprocess  # noqa: PLC0415 (only where it is used: it takes a while)

    command = ["unshare", "--mount", "--propagation=private", "sh", "-c", _READ_IN_OWN_NAMESPACE]
    try:
        done = subprocess.run(
            [*command, "sh", str(MOUNT_POINT), *files], capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise KernelLacks(f"tracefs is not mounted ({error})", _mount_it()) from None
    said = done.stderr.strip()
    if done.returncode == 0:
        return [int(line) for line in done.stdout.split()]
    if "cat:" in said:  # it was mounted, and has not these
        raise KernelLacks(f"there are no such tracepoints ({said})", _NO_TRACEPOINTS)
    raise KernelLacks(
        f"tracefs is not mounted, and could not be for us ({said})",
        maybe_obstacle() or _mount_it(),
    )


def _mount_it() -> str:
    from analyzer.host.container_lacks import Lack, advice  # noqa: PLC0415 (only where it is missing)

    return advice(Lack.TRACEFS, _NOT_MOUNTED)
