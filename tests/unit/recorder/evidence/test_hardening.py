"""A look works under the service's unit: its user, its two capabilities, its hidden folders.

The unit hides /home from the service (ProtectHome=). A caller's own root leads past that.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from analyzer.recorder.evidence.jobs import job_of
from tests.unit.recorder.evidence.callers import process_of, record_of, running

NOBODY = 65534
KEPT = "+dac_read_search,+sys_ptrace"
# Gives up what the recorder gives up once it is attached, and looks as its worker does.
PROGRAM = """
import sys
from analyzer.recorder.daemon.privileges import drop_privileges
from analyzer.recorder.evidence.jobs import decoded
from analyzer.recorder.evidence.look import look
from analyzer.recorder.sinks.encoding import encode
from analyzer.software import finders
from tests.unit.recorder.evidence import finder
kept = drop_privileges()
assert kept["capabilities"] == ["CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE"], kept
sys.modules[f"analyzer.software.{finder.NAME}"] = finder
finders.NAMES = (finder.NAME,)
sys.stdout.buffer.write(encode(look(decoded(sys.stdin.buffer.read()))))
"""


def test_a_hidden_script_of_another_user_is_read(tmp_path: Path) -> None:
    """Neither permissions nor the service's own mounts are in the way."""
    tools = [shutil.which(each) for each in ("unshare", "setpriv", "bash", "mount")]
    if os.geteuid() != 0 or None in tools:
        pytest.skip("needs root, unshare, setpriv, mount and bash")
    hidden = tmp_path / "home"
    hidden.mkdir(mode=0o700)
    script = hidden / "facts.sh"
    script.write_text("cat # curl 169.254.169.254\n")
    script.chmod(0o600)
    command = (
        f'mount -t tmpfs -o mode=0 tmpfs "{hidden}" && exec setpriv --reuid {NOBODY}'
        f" --regid {NOBODY} --clear-groups --inh-caps -all,{KEPT} --ambient-caps -all,{KEPT}"
        f' --bounding-set -all,{KEPT} "$0" -c "$1"'
    )
    with running("bash", str(script)) as pid:
        job = job_of(record_of(process_of(pid)), 0, with_text=True, room=10_000)
        assert job is not None
        looked = subprocess.run(
            ["unshare", "-m", "bash", "-c", command, sys.executable, PROGRAM],
            input=job.encoded(),
            capture_output=True,
            timeout=60,
            check=False,
            cwd=Path(__file__).parents[4],
        )
    assert looked.returncode == 0, looked.stderr
    assert b'"text":"cat # curl 169.254.169.254"' in looked.stdout
    assert b"lacks" not in looked.stdout
