"""Finds the process by which a runtime watches a container: conmon, or a shim of containerd.

It is the caller's ancestor, and tells where the runtime keeps its files of the container. So they
are found wherever the runtime was told to keep them, and in whatever mounts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Optional

from analyzer.recorder.attribute.containers import maybe_container
from analyzer.recorder.attribute.processes import Processes
from analyzer.recorder.source_events import KernelProcess

# As the kernel cuts names.
_CONMON, _SHIM = b"conmon", b"containerd-shim"
_BUNDLE = (b"-b", b"--bundle")


class Monitor(NamedTuple):
    """A process that watches a container; ``bundle`` is the directory of its OCI configuration."""

    pid: int
    bundle: str


def maybe_monitor(
    processes: Processes, ancestors: Sequence[KernelProcess], container: str, uid: Optional[int]
) -> Optional[Monitor]:
    """Return the monitor of a container, by its id; ``uid`` is its user, None for the system.

    A process in a container may call itself what it likes. So one counts only outside of
    containers, and only if its user is the one whose runtime has the container.
    """
    for kernel in ancestors:
        if kernel.comm not in (_CONMON, _SHIM) or kernel.uid != (uid or 0):
            continue
        facts = processes.look_up(kernel, args=True, cgroup=True)
        if not facts.is_there or facts.cgroup is None or maybe_container(facts.cgroup) is not None:
            continue
        for bundle in _bundles(kernel, facts.args or ()):
            if bundle.startswith("/") and container in bundle.split("/"):
                return Monitor(kernel.pid, bundle)
    return None


def _bundles(kernel: KernelProcess, args: Sequence[bytes]) -> Iterator[str]:
    if kernel.comm == _CONMON:
        for option, value in zip(args, args[1:]):
            if option in _BUNDLE:
                yield os.fsdecode(value)
        return
    try:
        # A shim is started in it.
        yield os.readlink(f"/proc/{kernel.pid}/cwd")  # noqa: PTH115 (no path of ours)
    except OSError:
        return
