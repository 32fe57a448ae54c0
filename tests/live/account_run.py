"""One run of ``lab --account`` with the recorder, which goes on beside other tests."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Optional

from tests.live.watch import eventually

REPOSITORY = Path(__file__).parents[2]
DEADLINE_S = 600
# What it says once all its calls are made. An audit and two reports follow, of logs and of AWS's
# API alone, and take most of the time.
HAS_CALLED = "Making two accounts"


class AccountRun(NamedTuple):
    """The process, which calls no IMDS any more, and where it writes."""

    process: subprocess.Popen[bytes]
    made: Path
    temporary: Path
    screen: Path

    def ended(self) -> str:
        """Wait for its end, which must be a good one; return what it said."""
        code = self.process.wait(DEADLINE_S)
        said = self.screen.read_text("utf-8")
        assert code == 0, said
        return said


@contextlib.contextmanager
def begun(directory: Path) -> Iterator[Optional[AccountRun]]:
    """Start it, and yield when it has called; None where it cannot run for want of a package."""
    if not all(map(importlib.util.find_spec, ("moto", "boto3"))):
        yield None
        return
    temporary, screen = directory / "tmp", directory / "screen"
    temporary.mkdir()
    words = ["lab", "--account", "--output", str(directory / "made")]
    environment = {"PATH": os.environ["PATH"], "TMPDIR": str(temporary), "PYTHONUNBUFFERED": "1"}
    with screen.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "analyzer", *words],
            cwd=REPOSITORY, env=environment, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        eventually(
            "it has made its calls",
            lambda: HAS_CALLED in screen.read_text("utf-8") or process.poll() is not None,
            DEADLINE_S,
        )
        yield AccountRun(process, directory / "made", temporary, screen)
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait()
