"""Defines what launches instances, as the prediction lists it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Optional

from analyzer.account.new_instance import NewInstance


class Kind(enum.Enum):
    """Kind of the thing that launches instances."""

    TEMPLATE = "launch template"
    CONFIGURATION = "launch configuration"
    GROUP = "Auto Scaling group"
    FLEET = "EC2 Fleet"
    SPOT_FLEET = "Spot Fleet request"
    SPECIFICATION = "launch specification"  # a part of a Spot Fleet request alone


# Those that launch instances by one of the others.
LAUNCHERS = (Kind.GROUP, Kind.FLEET, Kind.SPOT_FLEET)


@dataclass(frozen=True)
class Launch:
    """A source of launches, such as a template or a group, with the predicted instance.

    ``id`` and ``version`` are a template's; ``version`` is None for a version without a number
    that could not be read. ``aliases`` are those of $Default and $Latest that point to the
    version. ``groups`` and ``fleets`` are those that launch it, ``parts`` what a group or fleet
    launches. ``instances`` and ``desired`` are a group's. ``notes`` say what holds launches up.
    """

    account: str
    region: str
    kind: Kind
    name: str
    new: NewInstance
    id: Optional[str] = None
    version: Optional[int] = None
    aliases: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    fleets: tuple[str, ...] = ()
    parts: tuple[Launch, ...] = ()
    instances: tuple[str, ...] = ()
    desired: int = 0
    notes: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Name it in a sentence: ``web, version 3 ($Default)``."""
        if self.kind is not Kind.TEMPLATE:
            return self.name
        version = "" if self.version is None else f", version {self.version}"
        return self.name + version + (f" ({', '.join(self.aliases)})" if self.aliases else "")
