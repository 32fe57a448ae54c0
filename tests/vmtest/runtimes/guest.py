"""What the guest does: take the checkout onto its own disk, make a user, run the tests."""

from __future__ import annotations

import shlex
import tarfile
import tempfile
from pathlib import Path
from typing import Optional

from tests.vmtest.kernels.guest import SLOWNESS
from tests.vmtest.kernels.suite import TEST_TIMEOUT_S
from tests.vmtest.systems.bundle import copy_checkout
from tests.vmtest.systems.roots import SHARED

OUTPUT, STATUS, RESULTS = "output.log", "status", "results.xml"
# Owns the rootless containers. Its systemd runs without a session of its (loginctl(1)).
USER = "imds-test"
CODE, CHECKOUT = "/opt/imds-analyzer", "code.tar"

# The shared directory has no cache: what is read more than once is on the guest's own disk.
_SCRIPT = """\
cd {shared}
touch started-1
{{
  mkdir {code}
  tar --extract --file {checkout} --directory {code}
  id {user} 2>/dev/null || useradd --create-home --shell /bin/sh {user}
  loginctl enable-linger {user}
  until systemctl is-active --quiet user@$(id -u {user}); do sleep 1; done
  systemctl is-system-running --wait
  cd {code}
  {exports}
  timeout --kill-after=10 {deadline_s} bash -c {command}
}} > {shared}/{output} 2>&1
echo $? > {shared}/{status}
journalctl --no-pager -b -o short-monotonic > {shared}/journal.log
sync
systemctl poweroff
"""


def pack(shared: Path) -> None:
    """Put the checkout and the compiled probes into one file: each file costs a round trip."""
    with tempfile.TemporaryDirectory() as scratch, tarfile.open(shared / CHECKOUT, "w") as archive:
        copy_checkout(Path(scratch))
        archive.add(scratch, ".")


def script(command: str, deadline_s: int) -> str:
    """Return the script of the unit: it marks its start, keeps the status, and powers off."""
    variables = {
        "IMDS_ANALYZER_SLOWNESS": str(SLOWNESS),
        "IMDS_ANALYZER_LINGERING_USER": USER,
        "SHARED": SHARED,
        "HOME": "/root",
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C.UTF-8",
    }
    return _SCRIPT.format(
        shared=SHARED,
        code=CODE,
        checkout=CHECKOUT,
        user=USER,
        exports=shlex.join(["export", *(f"{name}={value}" for name, value in variables.items())]),
        deadline_s=deadline_s,
        command=shlex.quote(command),
        output=OUTPUT,
        status=STATUS,
    )


def suite(keyword: Optional[str]) -> str:
    """Return the command that runs the tests; those of version 1 are for other machines."""
    wanted = "not legacy" + (f" and ({keyword})" if keyword else "")
    words = ["python3", "-m", "pytest", "-p", "no:cacheprovider", "-rA", "--durations=10"]
    words += [f"--timeout={TEST_TIMEOUT_S * 2}", "--basetemp=/var/tmp/tests"]
    words += ["-k", wanted, "tests/containers/test_runtimes.py"]
    return f"{shlex.join(words)} --junitxml=$SHARED/{RESULTS}"
