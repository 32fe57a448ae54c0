"""Reads what install.sh asks: a stage, and what only the script knows."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NamedTuple, Optional

from analyzer.service_plan.places import HostFiles


class PlanRequest(NamedTuple):
    """One call of install.sh; each field is an option of its name, empty if not given."""

    stage: str
    root: str = ""
    system: str = ""  # ID-VERSION_ID of /etc/os-release
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
    running: str = ""  # releases/NAME, as the three below
    old: str = ""
    before: str = ""  # what `current` named when install.sh began
    probe: Optional[str] = None  # not given: try them

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
    parser = argparse.ArgumentParser(prog="imds-analyzer service-plan", allow_abbrev=False)
    parser.add_argument("stage", choices=stages)
    for name in PlanRequest._fields[1:]:
        parser.add_argument(
            f"--{name.replace('_', '-')}", default=PlanRequest._field_defaults[name]
        )
    return PlanRequest(**vars(parser.parse_args(words)))
