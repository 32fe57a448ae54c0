"""What one run is told: command-line flags become a frozen Config."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Optional

MIN_RING_MIB, MAX_RING_MIB = 1, 64


@dataclass(frozen=True)
class Config:
    """Settings of ``imds-analyzer run``."""

    log_file: str  # a path, or - for standard output
    ready_file: Optional[str]
    source: str
    attach: str
    # 4 MiB hold about 8,000 events of an ordinary caller: half a second of the most
    # requests an instance can get answered. The kernel wants a power of two.
    ring_mib: int = 4
    heartbeat_s: float = 60.0
    # IMDS answers within milliseconds; SDKs give up after one second and go on otherwise.
    response_wait_s: float = 5.0

    @property
    def ring_bytes(self) -> int:
        """Size of the ring buffer."""
        return self.ring_mib << 20

    def as_dict(self) -> dict[str, object]:
        """Return the settings as they go into ``analyzer_started``."""
        return {name: value for name, value in asdict(self).items() if value is not None}
