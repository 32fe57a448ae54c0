"""Decides what surrounds a release: user, configuration, log directory, unit. No I/O."""

from __future__ import annotations

from pathlib import PurePath
from typing import Callable, NamedTuple

from analyzer.service_plan.lines import DISK, OUTPUT, Line
from analyzer.service_plan.packages import PackageFacts, packages_for_bcc, wants_bcc
from analyzer.service_plan.places import NAME, SERVICE, HostFiles
from analyzer.service_plan.units import UnitFacts, drop_ins

FILE_MODE = "0644"
_PASSWD = "is /etc/passwd writable, and nobody else at work on it?"  # noqa: S105 (a file's name)
_CHECK = (
    "fix what it names; until then the version that was there before goes on with what it has read"
)


class AccountFacts(NamedTuple):
    """The service's user and group, and the owner of the logs."""

    has_user: bool
    has_group: bool
    log_owner: str  # empty: there is no directory


class SystemFacts(NamedTuple):
    """The facts that decide how to switch to a release."""

    runs_systemd: bool
    enable: bool  # the first installation; whoever disables it later has a reason
    has_command_directory: bool


class ServiceFacts(NamedTuple):
    """The facts that decide about the service."""

    places: HostFiles
    release: str
    shipped: str  # the directory with the release's own unit and drop-ins
    account: AccountFacts
    packages: PackageFacts
    unit: UnitFacts
    system: SystemFacts
    has_config: bool


def service(facts: ServiceFacts, is_installed: Callable[[str], bool]) -> list[Line]:
    """Return the lines that prepare the service, in order."""
    by_config = facts.unit.with_bcc and not wants_bcc(facts.packages)
    return [
        *_user(facts.account),
        *_config(facts),
        *(packages_for_bcc(facts.packages, is_installed) if by_config else ()),
        *_log_directory(facts),
        *_unit(facts),
        *_switch(facts),
    ]


def _user(account: AccountFacts) -> list[Line]:
    if account.has_user:
        # One from a directory may have no group of its name, and the unit names both.
        return [] if account.has_group else [("run", _PASSWD, "groupadd", "--system", NAME)]
    group = ("--gid", NAME) if account.has_group else ("--user-group",)
    home = ("--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin")
    command = ("useradd", "--system", *group, *home, NAME)
    return [("changed",), ("made-user",), ("run", _PASSWD, *command)]


def _config(facts: ServiceFacts) -> list[Line]:
    config = facts.places.config
    lines: list[Line] = []
    if not facts.has_config:
        defaults = f"{facts.shipped}/config.toml"
        lines += [("made-config",), ("install-file", defaults, config, FILE_MODE)]
        if facts.packages.logrotate:
            edit = 's/^#* *rotation *=.*/rotation = "external"/'
            lines.append(("run", DISK, "sed", "-i", edit, config))
    program = f"{facts.release}/bin/{NAME}"
    return [*lines, ("run", _CHECK, program, "run", "--config", config, "--check")]


def _log_directory(facts: ServiceFacts) -> list[Line]:
    if facts.account.log_owner == NAME:
        return []
    logs = facts.places.logs
    return [
        ("changed",),
        ("run", DISK, "mkdir", "-p", logs),
        ("run", DISK, "chmod", "0750", logs),
        # An earlier uninstall gave the logs to root.
        ("run", DISK, "chown", "-R", f"{NAME}:{NAME}", logs),
    ]


def _unit(facts: ServiceFacts) -> list[Line]:
    unit = facts.places.unit
    lines: list[Line] = [("install-file", f"{facts.shipped}/{SERVICE}", unit, FILE_MODE)]
    for name, is_needed in drop_ins(facts.unit).items():
        place = f"{unit}.d/{name}.conf"
        if is_needed:
            lines.append(("install-file", f"{facts.shipped}/{name}.conf", place, FILE_MODE))
        else:
            lines.append(("remove", place))
    if facts.unit.late_mount and not facts.unit.with_bcc:
        late = facts.unit.late_mount
        lines.append(("say", f"The service will not start before cloud-init: {late}"))
    return lines


def _switch(facts: ServiceFacts) -> list[Line]:
    """Return the lines after which the next start is of this release."""
    places, system = facts.places, facts.system
    directory, release = PurePath(places.command).parent, PurePath(facts.release).name
    lines: list[Line] = [("install-link", f"releases/{release}", places.current)]
    if not system.has_command_directory:
        lines.append(("run", DISK, "mkdir", "-p", str(directory)))
    lines.append(("install-link", f"{places.current}/bin/{NAME}", places.command))
    if system.runs_systemd:
        lines.append(("reload",))
    if system.enable:
        lines.append(("run", OUTPUT, "systemctl", "enable", "--quiet", SERVICE))
    return lines
