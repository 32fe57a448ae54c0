"""What is asked of the running service: its state, its rights, its unit, its log."""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path
from typing import Any

from tests.vmtest.systems.guest.outcome import Outcome, require
from tests.vmtest.systems.guest.place import LOG, SERVICE, command, show, succeed, wait_for

Line = dict[str, Any]

# As bits of the masks in /proc/PID/status, linux/capability.h; those that may be met here.
CAPABILITIES = {
    1: "dac_override",
    2: "dac_read_search",
    8: "setpcap",
    12: "net_admin",
    13: "net_raw",
    14: "ipc_lock",
    19: "sys_ptrace",
    21: "sys_admin",
    24: "sys_resource",
    34: "syslog",
    38: "perfmon",
    39: "bpf",
}
# What the unit must stay under, as `systemd-analyze security` reckons.
EXPOSURE_MAX = 1.6
_EXPOSURE = re.compile(r"Overall exposure level for \S+: (\d+\.\d+)")


def check_active(outcome: Outcome) -> None:
    """Require that the service runs, has said that it is ready, and starts at boot."""
    wait_for("the service is active", is_active)
    state = show(SERVICE, "ActiveState", "StatusText", "Type", "NRestarts", "UnitFileState")
    outcome.fact("service", state)
    require(state["Type"] == "notify", f"the service's type is {state['Type']}")
    require(state["StatusText"], "the service tells systemd no status")
    require(state["NRestarts"] == "0", f"it was restarted {state['NRestarts']} times")
    require(state["UnitFileState"] == "enabled", f"at boot it is {state['UnitFileState']}")


def is_active() -> bool:
    """Tell whether systemd holds the service for active."""
    return command("systemctl", "is-active", SERVICE).stdout.strip() == "active"


def check_confinement(outcome: Outcome) -> None:
    """Require that the process is as weak as the unit says, from what the kernel says of it."""
    unit = show(SERVICE, "MainPID", "CapabilityBoundingSet", "MemoryMax", "ControlGroup", "User")
    status = dict(
        line.split(":\t", 1)
        for line in Path(f"/proc/{unit['MainPID']}/status").read_text().splitlines()
        if ":\t" in line
    )
    sets = {name: _named(int(status[name], 16)) for name in ("CapEff", "CapPrm", "CapBnd")}
    outcome.fact("process", {**sets, "user": unit["User"], "unit": unit["CapabilityBoundingSet"]})
    require("0" not in status["Uid"].split(), f"it runs as root: Uid {status['Uid']}")
    declared = {name.removeprefix("cap_") for name in unit["CapabilityBoundingSet"].split()}
    for name, held in sets.items():
        require(set(held) <= declared, f"{name} has {held}, the unit declares {sorted(declared)}")
    require(status["NoNewPrivs"].strip() == "1", "it may gain rights: NoNewPrivs is 0")
    require(status["Seccomp"].strip() == "2", "no system call filter is in force")
    require(unit["MemoryMax"].isdigit(), f"MemoryMax is {unit['MemoryMax']}")
    limit = Path(f"/sys/fs/cgroup{unit['ControlGroup']}/memory.max").read_text().strip()
    require(limit == unit["MemoryMax"], f"memory.max is {limit}, MemoryMax {unit['MemoryMax']}")
    outcome.fact("memory_max_mib", int(limit) >> 20)


def _named(mask: int) -> list[str]:
    return [CAPABILITIES.get(bit, f"cap_{bit}") for bit in range(64) if mask >> bit & 1]


def check_unit(outcome: Outcome) -> None:
    """Require that this system's own systemd finds nothing wrong with the unit."""
    judged = command("systemd-analyze", "security", "--no-pager", SERVICE).stdout
    match = _EXPOSURE.search(judged)
    require(match, f"systemd-analyze security gave no level: {judged[-300:]}")
    level = float(match[1]) if match else 10.0
    outcome.fact("exposure", level)
    verified = command("systemd-analyze", "verify", SERVICE)
    said = [line for line in verified.stdout.splitlines() if "imds-analyzer" in line]
    outcome.fact("verify", verified.stdout.splitlines())
    require(not said, f"systemd-analyze verify: {'; '.join(said)}")
    require(level <= EXPOSURE_MAX, f"exposure {level} is above {EXPOSURE_MAX}")


def lines() -> list[Line]:
    """Return the log's whole lines, each parsed."""
    text = LOG.read_bytes().decode()
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def check_recording(outcome: Outcome, calls: Path, unit: str, version: str) -> None:
    """Make a v1 call, a token request and a v2 call; require that the log tells who made which.

    ``unit`` is the one this runs in, ``version`` the analyzer's that is to write the lines.
    """
    marker = str(uuid.uuid4())  # looks like no secret
    token = succeed(installed_python(), "-I", str(calls), marker).strip()
    require(len(token) > 10, f"the emulated IMDS gave no token: {token!r}")
    found = wait_for("all three requests are in the log", lambda: _three(marker))
    seen = {(line["url"]["query"][len(marker) + 1 :], line["imds"]["version"]) for line in found}
    require(
        len(found) == 3 and seen == {("v1", "v1"), ("token", "v2"), ("v2", "v2")},
        f"the log has {sorted(seen)}",
    )
    for line in found:
        process = line["process"]
        require(process["name"] == "curl", f"the caller is {process['name']}")
        ancestors = [each["name"] for each in process.get("ancestors", ())]
        require(ancestors[:1] == ["sh"], f"the ancestors are {ancestors}")
        require(ancestors[-1] == "systemd", f"the ancestors are {ancestors}")
        service = line.get("service", {}).get("name")
        require(service == unit, f"the service is {service}, not {unit}")
        wrote = line["observer"]["version"]
        require(wrote == version, f"version {wrote} wrote the line, not {version}")
    require(token not in LOG.read_text(encoding="utf-8"), "the session token is in the log")
    outcome.fact("attach", found[0]["observer"]["probe"])


def _three(marker: str) -> list[Line]:
    found = [line for line in lines() if marker in line.get("url", {}).get("query", "")]
    return found if len(found) >= 3 else []


def installed_python() -> str:
    """Return the interpreter of the analyzer that the unit starts."""
    match = re.search(r"path=(\S+)", show(SERVICE, "ExecStart")["ExecStart"])
    require(match, "the unit has no ExecStart")
    program = Path(match[1] if match else "").resolve()
    with program.open(encoding="utf-8") as file:
        first = file.readline()
    require(first.startswith("#!/"), f"{program} begins with {first!r}")
    return first[2:].split()[0]  # without its options
