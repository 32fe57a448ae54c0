"""The system around the analyzer: its commands, its service, its files."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Optional

from tests.vmtest.systems.guest.outcome import StepFailed

SERVICE = "imds-analyzer.service"
LOG_DIR = Path("/var/log/imds-analyzer")
LOG = LOG_DIR / "imds.jsonl"
CONFIG = Path("/etc/imds-analyzer/config.toml")

# Everything takes 10 to 30 times longer than on a real machine.
COMMAND_TIMEOUT_S = 1800
WAIT_S = 300
LOOK_AGAIN_S = 0.5

# What packages and the system itself change while the analyzer is installed and removed.
NOT_OURS = (
    *("/var/lib/dpkg/", "/var/lib/apt/", "/var/cache/", "/var/log/apt/", "/var/log/journal/"),
    *("/var/lib/systemd/", "/var/log/dpkg.log", "/var/log/alternatives.log"),
    *("/var/tmp/", "/tmp/"),  # noqa: S108 - named, not used
    *("/var/lib/logrotate/", "/etc/ld.so.cache", "/etc/passwd-", "/etc/shadow-", "/etc/group-"),
    *("/etc/gshadow-", "/etc/.pwd.lock", "/var/log/wtmp", "/var/log/btmp", "/var/log/lastlog"),
    *("/etc/subuid-", "/etc/subgid-", "/var/backups/"),
)
# What starts those records by the clock; a test that runs at 06:25 has to see what others see.
CLOCKWORK = ("cron.service", "anacron.service", "atd.service")


def command(
    *argv: str, log: Optional[Path] = None, timeout_s: float = COMMAND_TIMEOUT_S
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; ``log`` gets what it wrote, standard output and errors together."""
    done = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="backslashreplace",
        timeout=timeout_s,
        check=False,
    )
    if log is not None:
        log.write_text(f"$ {' '.join(argv)}\n{done.stdout}exit {done.returncode}\n")
    return done


def succeed(*argv: str, log: Optional[Path] = None) -> str:
    """Run a command that has to succeed, and return what it wrote."""
    done = command(*argv, log=log)
    if done.returncode != 0:
        tail = "\n".join(done.stdout.splitlines()[-15:])
        raise StepFailed(f"`{' '.join(argv)}` ended with {done.returncode}: {tail}")
    return done.stdout


def stop_clockwork() -> None:
    """End what the system does by the clock: rotation, backups, updates of its package lists."""
    timers = command("systemctl", "list-units", "--type=timer", "--plain", "--no-legend").stdout
    units = [line.split()[0] for line in timers.splitlines() if line.split()]
    # A unit that the system does not have is no failure.
    command("systemctl", "stop", *units)
    for unit in CLOCKWORK:
        command("systemctl", "stop", unit)


def show(unit: str, *properties: str) -> dict[str, str]:
    """Return what systemd says of a unit."""
    text = succeed("systemctl", "show", unit, f"--property={','.join(properties)}")
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def wait_for(what: str, condition: Callable[[], Any], deadline_s: float = WAIT_S) -> Any:
    """Return the condition's first true value; fail the step when there is none in time."""
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise StepFailed(f"not within {deadline_s:.0f} s: {what}")
        time.sleep(LOOK_AGAIN_S)


def files() -> set[str]:
    """Return all files, links and directories of the root file system, without what is mounted."""
    return set(succeed("find", "/", "-xdev", "-print0").split("\0"))


def leftovers(before: set[str], after: set[str], owned: set[str]) -> list[str]:
    """Return what is there now, was not before, and no package or the system itself accounts for.

    ``owned`` is what the installed packages list.
    """
    found = []
    for path in sorted(after - before):
        if path in owned or path.startswith(NOT_OURS):
            continue
        folder, cached, _ = path.partition("/__pycache__")
        # Packages compile their modules when they are installed.
        if cached and folder in owned:
            continue
        found.append(path)
    return found


def owned_by_packages() -> set[str]:
    """Return the paths that dpkg knows, as they are spelled once /usr is merged, too."""
    owned = set()
    for path in Path("/var/lib/dpkg/info").glob("*.list"):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            owned.add(line)
            if line.startswith(("/lib", "/bin", "/sbin")):
                owned.add(f"/usr{line}")
    return owned
