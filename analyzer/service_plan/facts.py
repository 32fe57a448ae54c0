"""Gathers the facts of this host that decide about the service."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Callable, Optional

from analyzer.errors import AnalyzerError
from analyzer.service_plan.mounts import late_by_fstab, late_by_systemd
from analyzer.service_plan.packages import PackageFacts, uses_apt, wants_bcc
from analyzer.service_plan.places import NAME, SERVICE, HostFiles
from analyzer.service_plan.request import PlanRequest
from analyzer.service_plan.service import AccountFacts, ServiceFacts, SystemFacts
from analyzer.service_plan.units import UnitFacts

# A command that hangs would hang the installation. systemd may be slow on an emulated machine.
COMMAND_S = 60


def maybe_said(*command: str) -> Optional[str]:
    """Return what a command writes; None if it fails or is not there."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=True,
            timeout=COMMAND_S,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def text_of(path: str) -> str:
    """Return a file's text; nothing if it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def package_facts(request: PlanRequest) -> PackageFacts:
    """Return what decides about packages."""
    places, modules = request.places, f"/lib/modules/{request.kernel}"
    return PackageFacts(
        system=request.system,
        kernel=request.kernel,
        has_btf=places.exists("/sys/kernel/btf/vmlinux"),
        has_headers=any(
            places.exists(f"{modules}/{tree}/include/linux/uio.h") for tree in ("build", "source")
        ),
        bcc_asked=request.bcc,
        bcc_before=Path(places.bcc_mark).exists(),
        logrotate=request.logrotate == "yes",
    )


def is_installed(system: str, name: str) -> bool:
    """Tell whether a package of the distribution is installed."""
    if not uses_apt(system):
        return maybe_said("rpm", "--query", "--quiet", name) is not None
    status = maybe_said("dpkg-query", "--show", "--showformat=${db:Status-Abbrev}", name)
    return (status or "")[1:2] == "i"


def service_facts(request: PlanRequest, probe: Callable[[], str]) -> ServiceFacts:
    """Return what decides about the service; ``probe`` tries which one works here."""
    packages = package_facts(request)
    needs = config_needs(request)
    with_bcc = wants_bcc(packages) or "bcc" in needs
    chosen = probe() if request.probe is None else request.probe
    return ServiceFacts(
        places=request.places,
        release=request.release,
        shipped=request.shipped,
        account=_account(request.places),
        packages=packages,
        unit=_unit(request.places, needs, chosen, with_bcc=with_bcc),
        system=_system(request),
        has_config=Path(request.places.config).exists(),
    )


def config_needs(request: PlanRequest) -> frozenset[str]:
    """Return what the configuration needs, or the defaults where there is none.

    Nothing if it cannot be read: then its check, which the plan has, stops install.sh. Before
    Python 3.11 this wants the virtual environment's TOML parser.
    """
    try:
        from analyzer.config.file import load  # noqa: PLC0415 (may want that parser)

        config = request.places.config
        return frozenset(load(config if Path(config).exists() else None, {}).needs())
    except (AnalyzerError, ImportError):
        return frozenset()


def _account(places: HostFiles) -> AccountFacts:
    return AccountFacts(
        has_user=maybe_said("getent", "passwd", NAME) is not None,
        has_group=maybe_said("getent", "group", NAME) is not None,
        log_owner=(maybe_said("stat", "-c", "%U", places.logs) or "").strip(),
    )


def _system(request: PlanRequest) -> SystemFacts:
    places = request.places
    return SystemFacts(
        runs_systemd=places.exists("/run/systemd/system"),
        enable=not request.old and shutil.which("systemctl") is not None and not is_enabled(),
        has_command_directory=Path(places.command).parent.is_dir(),
    )


def is_enabled() -> bool:
    """Tell whether the service starts with a boot."""
    return maybe_said("systemctl", "is-enabled", "--quiet", SERVICE) is not None


def _unit(places: HostFiles, needs: frozenset[str], probe: str, *, with_bcc: bool) -> UnitFacts:
    kernel = f"{places.root}/proc/sys/kernel"
    version = re.match(r"systemd (\d+)", maybe_said("systemctl", "--version") or "")
    return UnitFacts(
        systemd=int(version[1]) if version else 0,
        cap_last_cap=_number(f"{kernel}/cap_last_cap"),
        perf_event_paranoid=_number(f"{kernel}/perf_event_paranoid"),
        needs=needs,
        probe=probe,
        with_bcc=with_bcc,
        late_mount="" if with_bcc else _late_mount(places),
    )


def _number(path: str) -> int:
    text = text_of(path).strip()
    return int(text) if re.fullmatch(r"-?\d+", text) else 0


def _late_mount(places: HostFiles) -> str:
    if places.exists("/run/systemd/system"):
        return late_by_systemd(_after)
    return late_by_fstab(text_of(f"{places.root}/etc/fstab"))


def _after(units: list[str]) -> list[str]:
    said = maybe_said("systemctl", "show", "--property=After", "--", *units) or ""
    prefix = "After="
    lists = [line[len(prefix) :] for line in said.splitlines() if line.startswith(prefix)]
    return " ".join(lists).split()
