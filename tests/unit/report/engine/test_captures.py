"""What replayed captures cover: the time that their packets show, and nothing between two files."""

from __future__ import annotations

import datetime
import subprocess
import sys
from pathlib import Path

import pytest
from scapy.utils import rdpcap, wrpcap

from analyzer.report.engine.duckdb import gather
from analyzer.report.engine.gathering import Options
from analyzer.report.inputs import open_inputs

CAPTURE = Path(__file__).parents[3] / "golden" / "captures" / "short.pcap"
HOLE = datetime.timedelta(hours=20)


@pytest.mark.parametrize("is_later", [False, True])
def test_a_hole_between_two_files_is_a_hole(tmp_path: Path, is_later: bool) -> None:
    """Though the replay goes on from one into the other."""
    packets = rdpcap(str(CAPTURE))
    times = [float(packet.time) for packet in packets]
    for packet in packets:
        packet.time = float(packet.time) + (HOLE.total_seconds() if is_later else 0.0)
    wrpcap(str(tmp_path / "later.pcap"), packets)
    log = tmp_path / "logs" / "imds.jsonl"
    log.parent.mkdir()
    subprocess.run(
        [
            *(sys.executable, "-m", "analyzer", "replay", "--host", "web-1"),
            *("--log-file", str(log), str(CAPTURE), str(tmp_path / "later.pcap")),
        ],
        check=True,
        capture_output=True,
    )
    with open_inputs([str(log.parent)]) as inputs:
        (host,) = gather(inputs, Options()).hosts
    length = max(times) - min(times)
    assert [span.seconds for span in host.covered] == [
        pytest.approx(length, abs=0.001) for _ in range(2 if is_later else 1)
    ]
