"""What the host lacks is said with what to do, and nothing is left attached."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.conftest import Observed
from tests.live.watch import DEADLINE_S

CORE = ("core/fentry", "core/kprobe", "core/tracepoint")
# Hide what the host has, where only the command behind sees it.
WITHOUT_BTF = """
mkdir "$0/empty"
[ ! -d /sys/kernel/btf ] || mount --bind "$0/empty" /sys/kernel/btf
exec "$@"
"""
WITHOUT_LIBBPF = """
work=$0
mount -t tmpfs none "$work"
for each in $(ldconfig -p | sed -n 's/^.*libbpf\\.so.* => //p'); do
  place=$(dirname "$(realpath "$each")")
  [ -e "$place"/libbpf.so.1 ] || [ -e "$place"/libbpf.so.0 ] || continue
  layer=$(mktemp -d "$work/XXXXXX")
  mkdir "$layer/upper" "$layer/work"
  mount -t overlay -o "lowerdir=$place,upperdir=$layer/upper,workdir=$layer/work" none "$place"
  rm -f "$place"/libbpf.so*
done
exec "$@"
"""


def run_without(script: str, directory: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the analyzer in a private mount namespace, after the script."""
    directory.mkdir()
    return subprocess.run(
        [
            *("unshare", "--mount", "--propagation", "private", "sh", "-ec", script),
            str(directory),
            *(sys.executable, "-m", "analyzer", "run", *options),
            *("--log-file", str(directory.with_name("imds.jsonl"))),
            *("--ready-file", str(directory.with_name("ready"))),
        ],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=12 * DEADLINE_S,
        check=False,
    )


@pytest.mark.parametrize(
    ("what", "script", "lacks", "remedy"),
    [
        ("BTF", WITHOUT_BTF, "this kernel has no type information (BTF)", "Use --source bcc"),
        ("libbpf", WITHOUT_LIBBPF, "libbpf is not installed", "apt install libbpf1"),
    ],
)
def test_what_is_missing_is_named(
    what: str, script: str, lacks: str, remedy: str, tmp_path: Path, observed: Observed
) -> None:
    """Each way that was tried says what it lacks; the exit code is 1, and no probe stays."""
    run = run_without(script, tmp_path / "hidden", "--source", "core")
    assert run.returncode == 1, run.stderr
    assert "Traceback" not in run.stderr
    tried = re.findall(r"^  (\S+): (.*)\n    -> (.*)$", run.stderr, re.MULTILINE)
    assert sorted(each[0] for each in tried) == list(CORE)
    assert all(lacks in each[1] and remedy in each[2] for each in tried)
    assert "imds-analyzer doctor" in run.stderr
    # Each program lives as long as a descriptor holds it; there is no process, and no pin.
    assert not (tmp_path / "ready").exists()
    assert "analyzer_started" not in (tmp_path / "imds.jsonl").read_text()
    observed(f"without {what}", f"exit code 1; {len(tried)} tried: {tried[0][1]} -> {tried[0][2]}")


def test_without_btf_bcc_is_tried_first(tmp_path: Path, observed: Observed) -> None:
    """Left to itself it turns to BCC; where that fails too, it tells of all ways."""
    hidden = tmp_path / "hidden"
    script = f"{WITHOUT_BTF.replace('exec', 'exec timeout --preserve-status -s TERM 60')}"
    run = run_without(script, hidden, "--source", "auto")
    if run.returncode == 0:  # it attached, and ran until it was told to stop
        log = (tmp_path / "imds.jsonl").read_text()
        started = json.loads(next(line for line in log.splitlines() if "analyzer_started" in line))
        tried = [each["probe"] for each in started["tried"]]
        assert (started["observer"]["probe"], tried[:1]) in (
            ("bcc/kprobe", []),
            ("packet/af_packet", ["bcc/kprobe"]),
        )
        observed("without BTF, --source auto", f"{started['observer']['probe']} attached")
        return
    assert run.returncode == 1, run.stderr
    tried = re.findall(r"^  (\S+): ", run.stderr, re.MULTILINE)
    assert tried[0] == "bcc/kprobe"
    assert sorted(tried) == sorted([*CORE, "bcc/fentry", "bcc/kprobe", "packet/af_packet"])
    observed("without BTF, --source auto", f"exit code 1; tried, in order: {', '.join(tried)}")
