"""Tells install.sh what runs before it changes anything."""

from __future__ import annotations

from pathlib import Path

from analyzer.service_plan.facts import maybe_said
from analyzer.service_plan.lines import Line
from analyzer.service_plan.places import SERVICE, HostFiles

# systemd's states in which a service is not meant to run, if no job waits for it.
_RESTING = frozenset({"", "inactive", "failed"})
_NO_JOB = frozenset({"", "0"})


def state(places: HostFiles) -> list[Line]:
    """Return whether the service is meant to run, does, and of which release."""
    if not places.exists("/run/systemd/system"):
        return []
    shown = _properties("ActiveState,Job,NeedDaemonReload")
    lines: list[Line] = []
    active = shown.get("ActiveState", "")
    # One that is starting, or waits to be started again, is meant to run.
    if active and (active not in _RESTING or shown.get("Job", "") not in _NO_JOB):
        lines.append(("was-active",))
    if active == "active":
        lines.append(("active",))
    if shown.get("NeedDaemonReload") == "yes":
        lines.append(("stale",))
    running = _running(places)
    return [*lines, ("running", running)] if running else lines


def _properties(names: str) -> dict[str, str]:
    said = maybe_said("systemctl", "show", f"--property={names}", SERVICE) or ""
    return dict(line.split("=", 1) for line in said.splitlines() if "=" in line)


def _running(places: HostFiles) -> str:
    """Return the release that the service's process was started from, as `current` names it."""
    pid = _properties("MainPID").get("MainPID", "")
    try:
        line = Path(f"{places.root}/proc/{pid or 0}/cmdline").read_bytes()
        program = Path(line.split(b"\0")[0].decode())
        release = program.relative_to(f"{places.base}/releases")
    except (OSError, ValueError):
        return ""
    return f"releases/{release.parts[0]}" if release.parts[1:2] == ("bin",) else ""
