"""The steps, in the order in which they happen to a machine; boot 1 ends in a reboot.

``python -m tests.vmtest.systems.guest.driver DIRECTORY``, the one that the host shares.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Optional

from tests.vmtest.systems.guest import place, service
from tests.vmtest.systems.guest.outcome import Outcome, require
from tests.vmtest.systems.guest.place import CONFIG, LOG, LOG_DIR, command, succeed

EDITED = "# edited by the operator\n[log]\nheartbeat_s = 30.0\n"
# The unit's deadlines and its share of a core are for real machines, which are 10 to 30 times
# faster. Not in /etc, where it would be the operator's.
PATIENCE = Path("/usr/local/lib/systemd/system/imds-analyzer.service.d/zz-emulated.conf")
PATIENT = "[Service]\nTimeoutStartSec=10min\nTimeoutStopSec=5min\nWatchdogSec=1h\nCPUQuota=\n"
# Written by the driver on the system's own disk, for the boot after this one.
STATE = Path("/var/tmp/install-test.json")  # noqa: S108 - nobody else is on this machine


class Driver:
    """What the host gave, and where results go."""

    def __init__(self, shared: Path, boot: int) -> None:
        """Take the directory shared with the host and the number of this boot."""
        self.shared = shared
        self.outcome = Outcome(shared / "results.jsonl", boot)
        given = json.loads((shared / "given.json").read_text(encoding="utf-8"))
        self._unit: str = given["unit"]
        self._wheels: dict[str, str] = given["wheels"]
        self._versions: dict[str, str] = given["versions"]
        self._before: set[str] = set()

    def first_boot(self) -> None:
        """Install, look at what runs, record."""
        with self.outcome.step("boot"):
            self._wait_until_up()
        PATIENCE.parent.mkdir(parents=True)
        PATIENCE.write_text(PATIENT, encoding="utf-8")
        self._before = place.files()
        STATE.write_text(json.dumps(sorted(self._before)), encoding="utf-8")
        with self.outcome.step("install"):
            self._install("first")
            self.outcome.fact("libbpf", _libbpf())
        if self.outcome.failed:
            return  # there is nothing to look at
        with self.outcome.step("service"):
            service.check_active(self.outcome)
        with self.outcome.step("confinement"):
            service.check_confinement(self.outcome)
        with self.outcome.step("unit"):
            service.check_unit(self.outcome)
        with self.outcome.step("record"):
            self._record("first")

    def second_boot(self) -> None:
        """Look whether it came up by itself; upgrade, break an upgrade, remove."""
        self._before = set(json.loads(STATE.read_text(encoding="utf-8")))
        with self.outcome.step("boot"):
            self._wait_until_up()
        with self.outcome.step("reboot"):
            service.check_active(self.outcome)
            starts = [line for line in service.lines() if line["event"] == "analyzer_started"]
            boots = {line["host"]["boot_id"] for line in starts}
            require(len(boots) == 2, f"the log tells of starts in {len(boots)} boots, not in 2")
            self._record("first")
        with self.outcome.step("upgrade"):
            self._upgrade()
        with self.outcome.step("broken"):
            self._break()
        with self.outcome.step("uninstall"):
            succeed(*self._installer("--uninstall"), log=self.shared / "uninstall.log")
            self._check_removed(str(LOG_DIR))
            require(LOG.exists(), f"{LOG} is gone")
        with self.outcome.step("purge"):
            succeed(*self._installer("--uninstall", "--purge"), log=self.shared / "purge.log")
            self._check_removed(None)

    def _wait_until_up(self) -> None:
        state = command("systemctl", "is-system-running", "--wait").stdout.strip()
        failed = command("systemctl", "--failed", "--plain", "--no-legend").stdout.split("\n")
        units = [line.split()[0] for line in failed if line.split()]
        self.outcome.fact("failed_units", units)
        require(state in {"running", "degraded"}, f"the system is {state}")
        require(not units, f"units failed at boot: {' '.join(units)}")
        place.stop_clockwork()

    def _installer(self, *options: str) -> list[str]:
        return ["sh", str(self.shared / "install.sh"), *options]

    def _install(self, which: str) -> None:
        wheel = str(self.shared / self._wheels[which])
        offline = str(self.shared / "offline")
        words = self._installer("--wheel", wheel, "--offline", offline)
        succeed(*words, log=self.shared / f"install-{which}.log")

    def _record(self, which: str) -> None:
        calls = Path(__file__).with_name("calls.py")
        service.check_recording(self.outcome, calls, self._unit, self._versions[which])

    def _upgrade(self) -> None:
        CONFIG.write_text(EDITED, encoding="utf-8")
        log = LOG.read_bytes()
        self._install("second")
        require(CONFIG.read_text(encoding="utf-8") == EDITED, f"{CONFIG} was changed")
        require(LOG.read_bytes().startswith(log), f"{LOG} does not continue what it was")
        service.check_active(self.outcome)
        self._record("second")

    def _break(self) -> None:
        wheel, offline = str(self.shared / self._wheels["broken"]), str(self.shared / "offline")
        words = self._installer("--wheel", wheel, "--offline", offline)
        done = command(*words, log=self.shared / "install-broken.log")
        require(done.returncode != 0, "install.sh says that a broken version is installed")
        place.wait_for("the version before is active", service.is_active)
        require(CONFIG.read_text(encoding="utf-8") == EDITED, f"{CONFIG} was changed")
        self._record("second")

    def _check_removed(self, kept: Optional[str]) -> None:
        require(not service.is_active(), "the service is still active")
        after = place.files()
        found = place.leftovers(self._before, after, place.owned_by_packages())
        more = [path for path in found if path != kept and not path.startswith(f"{kept}/")]
        require(not more, f"left behind: {' '.join(more)}")
        users = [line for line in Path("/etc/passwd").read_text().splitlines() if "imds" in line]
        require(not users, f"the user is still there: {users}")
        gone = self._before - after
        lost = sorted(path for path in gone if not path.startswith(place.NOT_OURS))
        require(not lost, f"removed, and not ours: {' '.join(lost)}")
        require(shutil.which("imds-analyzer") is None, "imds-analyzer is still on the PATH")


def _libbpf() -> str:
    shown = command(
        "dpkg-query", "-W", "-f", "${Package} ${Version} ${db:Status-Abbrev}\n", "libbpf*"
    )
    return "; ".join(
        line.rsplit(" ", 2)[0] for line in shown.stdout.splitlines() if line.rstrip().endswith("ii")
    )


def _facts(outcome: Outcome) -> None:
    release = dict(
        line.split("=", 1)
        for line in Path("/etc/os-release").read_text().splitlines()
        if "=" in line
    )
    outcome.fact("system", release["PRETTY_NAME"].strip('"'))
    outcome.fact("kernel", platform.release())
    outcome.fact("python", platform.python_version())
    outcome.fact("systemd", succeed("systemctl", "--version").split("\n")[0])


def keep_journal(path: Path) -> None:
    """Leave the host what this boot's journal has."""
    journal = command("journalctl", "--no-pager", "-b", "-o", "short-monotonic").stdout
    path.write_text(journal, encoding="utf-8", errors="replace")


def main() -> int:
    """Do what belongs to this boot, then end it."""
    shared = Path(sys.argv[1])
    match = re.search(r"install_test\.boot=(\d+)", Path("/proc/cmdline").read_text())
    if match is None:
        raise SystemExit("the host did not say which boot this is")
    boot = int(match[1])
    (shared / f"started-{boot}").touch()
    try:
        driver = Driver(shared, boot)
        _facts(driver.outcome)
        (driver.first_boot if boot == 1 else driver.second_boot)()
    finally:
        keep_journal(shared / f"journal-{boot}.log")
        os.sync()
        subprocess.run(["systemctl", "reboot" if boot == 1 else "poweroff"], check=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
