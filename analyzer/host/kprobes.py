"""Checks whether the kernel has kprobes, and whether they are switched on."""

from __future__ import annotations

import os
from pathlib import Path

from analyzer.errors import KernelLacks
from analyzer.host import kernel_config

# Where a kernel with kprobes shows them: since 4.17 the first, the others where tracefs is
# mounted.
PLACES = (
    "/sys/bus/event_source/devices/kprobe",
    "/sys/kernel/tracing/kprobe_events",
    "/sys/kernel/debug/tracing/kprobe_events",
)
SWITCH = Path("/sys/kernel/debug/kprobes/enabled")
_OPTIONS = ("CONFIG_KPROBES", "CONFIG_KPROBE_EVENTS")


def find_kprobes() -> str:
    """Return where they are; raises KernelLacks."""
    # os.path's, which takes what may not be looked at for absent.
    place = next(filter(os.path.exists, PLACES), None)
    if place is None:
        config, options = kernel_config.options()
        missing = [name for name in _OPTIONS if options.get(name) != "y"] if options else []
        how = f" ({' and '.join(missing)} in {config})" if missing else ""
        raise KernelLacks(
            f"the kernel was built without kprobes{how}",
            "Needs a kernel with CONFIG_KPROBE_EVENTS; try --attach tracepoint",
        )
    if os.path.exists(SWITCH) and SWITCH.read_text().strip() == "0":  # noqa: PTH110 (as above)
        raise KernelLacks(
            f"kprobes are switched off in {SWITCH}", f"Switch them on: echo 1 > {SWITCH}"
        )
    return place
