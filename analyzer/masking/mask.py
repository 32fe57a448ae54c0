"""What stands in place of a secret."""

from __future__ import annotations

MASK = "[redacted]"
