"""Defines the roster: the instances that there are, with or without a log."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Optional


@dataclass(frozen=True)
class Instance:
    """An instance of the roster (``aws ec2 describe-instances``, or a list of names and ids).

    ``state`` is EC2's (``running``, ``stopped``, ``terminated``, ...); None where a list says
    nothing. ``group`` is the Auto Scaling group, else None. ``http_tokens`` is ``optional`` or
    ``required``. ``name`` is the Name tag, else the private DNS name; ``names`` are all names
    that its host may have. ``account`` is the id of its AWS account, where that is known.
    """

    id: Optional[str]
    name: Optional[str]
    state: Optional[str] = None
    group: Optional[str] = None
    template: Optional[str] = None  # launch template id
    template_version: Optional[str] = None
    image: Optional[str] = None  # AMI id
    owner: Optional[str] = None
    launched_at: Optional[datetime.datetime] = None
    http_tokens: Optional[str] = None
    hop_limit: Optional[int] = None
    host: Optional[str] = None  # key of the host whose log this is, where there is one
    names: tuple[str, ...] = ()
    region: Optional[str] = None
    account: Optional[str] = None
    http_endpoint: Optional[str] = None  # "disabled": there is no IMDS at all
    tags: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def is_running(self) -> bool:
        """True if it should be watched: it runs, or may be running."""
        return self.state not in ("stopping", "stopped", "shutting-down", "terminated")

    @property
    def is_gone(self) -> bool:
        """True if it was terminated: it can no longer be changed."""
        return self.state in ("terminated", "shutting-down")

    @property
    def is_switched(self) -> bool:
        """True if IMDS requires tokens there already, or is disabled."""
        return self.http_tokens == "required" or self.http_endpoint == "disabled"


@dataclass(frozen=True)
class Roster:
    """The instances that there are, joined with the hosts of the log."""

    source: str
    instances: tuple[Instance, ...]

    @property
    def running(self) -> tuple[Instance, ...]:
        """The instances that should be watched."""
        return tuple(each for each in self.instances if each.is_running)

    @property
    def unwatched(self) -> tuple[Instance, ...]:
        """The running instances without a log."""
        return tuple(each for each in self.running if each.host is None)
