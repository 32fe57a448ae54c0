"""Runs in a guest: starts the image's program from its own root, and has it see one call.

``python -m tests.vmtest.kernels.image_trial ROOT``, as root. Exits with 1 if anything is not as it
must be. There is no runtime in the small tree; what one would do is done here by setpriv(1) and
chroot(1): the image's user, and the capabilities of docs/containers.md.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from analyzer.lab.imds import ImdsProcess
from analyzer.lab.namespace import LabNamespace
from image.contents import INTERPRETER
from tests.live.watch import ATTACH_DEADLINE_S, DEADLINE_S, eventually, new_marker

USER = "65532"
CAPABILITIES = ("bpf", "perfmon", "net_admin", "dac_read_search", "sys_ptrace")
# In the bounding set as well: chroot(1) is run as the image's user.
_HELD = ",".join(f"+{name}" for name in (*CAPABILITIES, "sys_chroot"))
_MOUNTS = ("/proc", "/sys", "/dev")
WATCHED_S = 10 * DEADLINE_S


def command(root: Path, *words: str) -> list[str]:
    """Return the command that runs the image's entry point with these words."""
    user = [f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
    held = [f"--inh-caps={_HELD}", f"--ambient-caps={_HELD}"]
    python = [f"/{INTERPRETER}", "-I", "-B", "-m", "analyzer"]
    return ["setpriv", *user, *held, "chroot", str(root), *python, *words]


def main(root: Path) -> None:
    """Start `doctor` and `run`, make a call, and print what was seen."""
    for place in _MOUNTS:
        (root / place.strip("/")).mkdir(exist_ok=True)
        subprocess.run(["mount", "--rbind", place, str(root / place.strip("/"))], check=True)
    doctor = subprocess.run(
        command(root, "doctor", "--json"), capture_output=True, text=True, check=False
    )
    found = json.loads(doctor.stdout)
    print(json.dumps({"doctor": {each["name"]: each["found"] for each in found["findings"]}}))
    log = Path(os.environ["RESULTS"], "image.jsonl")
    with log.open("wb") as out, log.with_suffix(".err").open("wb") as errors:
        process = subprocess.Popen(command(root, "run"), stdout=out, stderr=errors)
    try:
        started = eventually("it attached", lambda: _lines(log, "analyzer_started"), WATCHED_S)
        print(json.dumps({"started": started[0]}))
        marker = new_marker()
        with LabNamespace() as namespace, ImdsProcess(namespace) as imds:
            assert imds.listening
            url = f"http://169.254.169.254/latest/meta-data/{marker}"
            namespace.run(["curl", "--silent", "--output", "/dev/null", url], check=False)
            (line,) = eventually("the call is written", lambda: _lines(log, marker), WATCHED_S)
        print(json.dumps({"seen": line}))
        assert line["imds"]["version"] == "v1"
        assert line["process"]["name"] == "curl"
    finally:
        process.terminate()
        process.wait(ATTACH_DEADLINE_S)
    assert _lines(log, "analyzer_stopped"), "it did not stop in order"


def _lines(log: Path, text: str) -> list[dict[str, Any]]:
    lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n") and text in line]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
