"""Lists the ways of capturing that a user can ask for.

They are apart from the settings because the probe is attached before those are read in full
(see analyzer.recorder.early_attach), and importing nothing is quickest.
"""

from __future__ import annotations

from typing import NamedTuple, Union

AUTO = "auto"
SOURCES = (AUTO, "core", "bcc", "packet")
ATTACHES = (AUTO, "fentry", "kprobe", "tracepoint")
# The kernel wants a power of two. 4 MiB hold about 8,000 events of an ordinary caller: half a
# second of the most requests an instance can get answered.
RING_MIBS = (1, 2, 4, 8, 16, 32, 64)


class Wanted(NamedTuple):
    """Settings that decide how to attach, by their names in ``[capture]``."""

    source: str = AUTO
    attach: str = AUTO
    wire: bool = True
    ring_mib: int = 4

    @property
    def ring_bytes(self) -> int:
        """Size of the ring buffer."""
        return self.ring_mib << 20


# Setting: the values it takes.
ALLOWED: dict[str, tuple[Union[str, int], ...]] = {
    "source": SOURCES,
    "attach": ATTACHES,
    "wire": (True, False),
    "ring_mib": RING_MIBS,
}
