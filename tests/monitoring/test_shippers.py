"""Lines that are shipped arrive whole and once, through rotations, restarts and kills."""

from __future__ import annotations

import collections
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.live.watch import eventually
from tests.monitoring import skip_without
from tests.monitoring.shipping import FLUENT_BIT, LONGEST_KIB, FluentBit, Log, missing, shipping

skip_without("fluent-bit", required_as="fluent-bit")

pytestmark = pytest.mark.timeout(300)

# A line of ordinary size, of the default's greatest, and of the greatest that is allowed.
ORDINARY, DEFAULT, LONGEST = 300, 8 << 10, 700 << 10


def all_arrive(log: Log, shipper: FluentBit) -> None:
    eventually("all lines arrive", lambda: not missing(log, shipper.shipped()), 60)


def test_the_configuration_is_valid() -> None:
    """As it stands, with its output to CloudWatch."""
    result = subprocess.run(
        ["fluent-bit", "--dry-run", "-c", str(FLUENT_BIT)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HOSTNAME": "host"},
    )
    assert result.returncode == 0, result.stderr
    assert "unknown" not in result.stderr


def test_rotations_lose_and_repeat_nothing(tmp_path: Path) -> None:
    """Rotations with lines of all sizes, while Fluent Bit reads."""
    with shipping(tmp_path) as (log, shipper):
        for _ in range(7):
            log.write(71, ORDINARY)
            log.write(31, DEFAULT)
            log.write(1, LONGEST)
        all_arrive(log, shipper)
        assert log.rotations >= 5
        longest = max(map(len, log.lines()))
        assert (LONGEST_KIB - 8) << 10 < longest < LONGEST_KIB << 10
        assert collections.Counter(shipper.shipped()) == collections.Counter(log.lines())


def test_a_restart_and_a_kill_lose_nothing(tmp_path: Path) -> None:
    """What is written meanwhile is read afterwards; only a kill may repeat lines."""
    with shipping(tmp_path) as (log, shipper):
        log.write(31, ORDINARY)
        all_arrive(log, shipper)
        shipper.stop()
        log.write(31, ORDINARY)
        shipper.start()
        all_arrive(log, shipper)
        assert len(shipper.shipped()) == len(log.lines())
        log.write(31, ORDINARY)
        shipper.stop(signal.SIGKILL)
        log.write(31, ORDINARY)
        shipper.start()
        all_arrive(log, shipper)
        assert set(shipper.shipped()) == set(log.lines())


def test_with_its_default_buffer_fluent_bit_loses_long_lines(tmp_path: Path) -> None:
    """The sizes in the project's configuration are needed."""
    text = FLUENT_BIT.read_text("utf-8")
    default = re.sub(r"^ +buffer_(chunk|max)_size: .*\n", "", text, flags=re.MULTILINE)
    assert default != text
    with shipping(tmp_path, settings=default) as (log, shipper):
        log.write(31, ORDINARY)
        all_arrive(log, shipper)
        log.write(1, LONGEST)
        log.write(31, ORDINARY)
        eventually("it complains", lambda: "buffer" in shipper.messages())
        assert missing(log, shipper.shipped())
