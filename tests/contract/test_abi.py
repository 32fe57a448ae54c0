"""The generated layout is the one the header has."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from analyzer.recorder.sources.probe import layout

ROOT = Path(__file__).parents[2]


def test_abi_is_generated_from_the_header() -> None:
    """Generating layout.py anew gives the file that is there."""
    made = subprocess.run(
        [sys.executable, ROOT / "bpf/abi.py"], check=True, capture_output=True, text=True
    )
    assert made.stdout == (ROOT / "analyzer/recorder/sources/probe/layout.py").read_text()


def test_the_largest_event_fits_the_offset_mask() -> None:
    """An event with every part at its limit stays below the mask of imds_payload.h."""
    largest = (
        layout.EVENT_SIZE
        + layout.ANCESTORS_MAX * layout.PROCESS_SIZE
        + layout.ARGS_MAX
        + layout.PAYLOAD_MAX
    )
    header = (ROOT / "bpf/imds_payload.h").read_text()
    (mask,) = (
        int(line.split()[2], 16)
        for line in header.splitlines()
        if line.startswith("#define IMDS_OFFSET_MASK")
    )
    assert largest <= mask
