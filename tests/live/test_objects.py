"""The faster object is loaded where the kernel can: a fallback to the other one would not show."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Optional

import pytest

from analyzer.recorder.sources.probe.core import CoreSource
from analyzer.recorder.sources.probe.objects import bpf_file

# Tracepoints of the kernel that it is tried on; see the Makefile.
TYPED_SINCE = (6, 10)
RING_BYTES = 1 << 20


def _release() -> tuple[int, ...]:
    found = re.match(r"(\d+)\.(\d+)", os.uname().release)
    assert found, os.uname().release
    return tuple(map(int, found.groups()))


@pytest.mark.quiet
@pytest.mark.skipif(_release() < TYPED_SINCE, reason="older kernels refuse it")
@pytest.mark.parametrize("wants_wire", [True, False])
def test_typed_tracepoints_load(monkeypatch: pytest.MonkeyPatch, wants_wire: bool) -> None:
    """Without the other object there is nothing to fall back to."""

    def typed_alone(name: str) -> Optional[Path]:
        return bpf_file(name) if "imds-typed" in name else None

    monkeypatch.setattr("analyzer.recorder.sources.probe.core.bpf_file", typed_alone)
    source = CoreSource("tracepoint", RING_BYTES, wants_wire=wants_wire)
    source.close()
