"""Reads what install.sh asks: a stage, and what only the script knows."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NamedTuple, Optional

from analyzer.service_plan.places import HostFiles

# Option: the name of its value, and what it is.
OPTIONS: dict[str, tuple[str, str]] = {
    "root": ("DIR", "directory in front of every path, for tests (default: none)"),
    "system": ("ID-VERSION", "ID and VERSION_ID of /etc/os-release"),
    "kernel": ("RELEASE", "release of the running kernel, as uname -r prints it"),
    "machine": ("TYPE", "machine type, as uname -m prints it"),
    "version": ("VERSION", "version of imds-analyzer to install"),
    "wheel": ("FILE", "wheel to install"),
    "lock": ("FILE", "file with the packages to install, and their hashes"),
    "offline": ("DIR", "directory to take the Python packages from"),
    "python": ("FILE", "Python that makes the virtual environment"),
    "python_version": ("X.Y", "version of that Python"),
    "script": ("FILE", "path of install.sh"),
    "bcc": ("yes|no", "with or without BCC; without this option the host decides"),
    "logrotate": ("yes|no", "whether logrotate rotates the log"),
    "start": ("yes|no", "whether to start the service now"),
    "dry_run": ("yes|no", "whether install.sh only prints its commands"),
    "changed": ("yes|no", "whether this run of install.sh has changed anything"),
    "was_active": ("yes|no", "whether the service was running before"),
    "release": ("DIR", "directory of the release to install"),
    "running": ("NAME", "release that is running, as releases/NAME"),
    "old": ("NAME", "release to go back to, as releases/NAME"),
    "before": ("NAME", "release in use when install.sh began, as releases/NAME"),
    "probe": ("NAME", "probe that works here (default: try which one does)"),
}


class PlanRequest(NamedTuple):
    """One call of install.sh; each field is the option of its name, empty if not given."""

    stage: str
    root: str = ""
    system: str = ""
    kernel: str = ""
    machine: str = ""
    version: str = ""
    wheel: str = ""
    lock: str = ""
    offline: str = ""
    python: str = ""
    python_version: str = ""
    script: str = ""
    bcc: str = ""
    logrotate: str = ""
    start: str = ""
    dry_run: str = ""
    changed: str = ""
    was_active: str = ""
    release: str = ""
    running: str = ""
    old: str = ""
    before: str = ""
    probe: Optional[str] = None  # None: try which one works

    @property
    def places(self) -> HostFiles:
        """The host's files."""
        return HostFiles(self.root)

    @property
    def shipped(self) -> str:
        """The directory with the files that the release brings for the host."""
        return self.places.shipped(self.release, self.python_version)


def parsed(words: Sequence[str], stages: Sequence[str]) -> PlanRequest:
    """Return what the words ask for; ends the process with the usage if they are wrong."""
    parser = argparse.ArgumentParser(
        prog="imds-analyzer service-plan",
        description="Print what install.sh does on this host, line by line. It changes nothing.",
        allow_abbrev=False,
    )
    parser.add_argument("stage", choices=stages, help="the part of the installation to plan")
    for name, (value, text) in OPTIONS.items():
        default = PlanRequest._field_defaults[name]
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, metavar=value, default=default, help=text)
    return PlanRequest(**vars(parser.parse_args(words)))
