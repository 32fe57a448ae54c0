"""Defines the snapshot: instances, what new ones are launched from, and tokenless calls.

All classes are immutable and hold what EC2, Auto Scaling and CloudWatch answered, in their words.
Nothing here is a secret: user data is never read. ``None`` means that AWS said nothing, which for
an option of a template means that it is inherited. :mod:`analyzer.account.file` reads and writes
the snapshot as JSON.
"""

from __future__ import annotations

import datetime
import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Optional

FORMAT = 1


@dataclass(frozen=True)
class MetadataOptions:
    """The metadata options of an instance, a template version, or a Region's defaults.

    ``http_tokens`` is ``optional`` or ``required`` (a default may also be ``no-preference``),
    ``http_endpoint`` is ``enabled`` or ``disabled``. ``state`` is ``pending`` while EC2 applies a
    change of an instance's options, and ``applied`` after it.
    """

    http_tokens: Optional[str] = None
    http_endpoint: Optional[str] = None
    hop_limit: Optional[int] = None
    http_protocol_ipv6: Optional[str] = None
    instance_metadata_tags: Optional[str] = None
    state: Optional[str] = None

    @property
    def allows_v1(self) -> Optional[bool]:
        """True if IMDSv1 is answered; None if the options do not say so in known words."""
        if self.http_endpoint == "disabled":
            return False
        return {"optional": True, "required": False}.get(self.http_tokens or "")


@dataclass(frozen=True)
class Defaults:
    """A Region's defaults for new instances.

    ``tokens_enforced`` is ``enabled`` where a launch with optional tokens fails
    (HttpTokensEnforced). ``managed_by`` is ``account`` or ``declarative-policy``.
    """

    options: MetadataOptions = MetadataOptions()
    tokens_enforced: Optional[str] = None
    managed_by: Optional[str] = None


@dataclass(frozen=True)
class TemplateReference:
    """A launch template as a group, a fleet or an instance names it.

    ``version`` is a number as text, ``$Latest`` or ``$Default``; AWS takes ``$Default`` for None.
    ``image`` is the AMI that an override of a mixed-instances policy puts in the template's place.
    """

    id: Optional[str] = None
    name: Optional[str] = None
    version: Optional[str] = None
    image: Optional[str] = None


@dataclass(frozen=True)
class Hour:
    """Calls that CloudWatch counted within one hour from ``at``."""

    at: datetime.datetime
    calls: int


@dataclass(frozen=True)
class Calls:
    """CloudWatch's figures of one instance over the snapshot's ``metrics``.

    ``no_token`` counts answered tokenless calls (MetadataNoToken), ``no_token_rejected`` the
    refused ones. ``hours`` are the hours with answered tokenless calls, in order of time;
    ``hours_counted`` how many hours had any datapoint, from the one of the instance's last start
    on. ``is_partial`` says that CloudWatch returned partial data.
    """

    no_token: int = 0
    no_token_rejected: int = 0
    last_no_token_at: Optional[datetime.datetime] = None
    last_rejected_at: Optional[datetime.datetime] = None
    hours: tuple[Hour, ...] = ()
    hours_counted: int = 0
    is_partial: bool = False


@dataclass(frozen=True)
class Period:
    """A span of time: ``start`` is in it, ``end`` is not. Both have a time zone."""

    start: datetime.datetime
    end: datetime.datetime


@dataclass(frozen=True)
class Baseline:
    """An instance's figures from the last snapshot in which it still allowed v1.

    With v1 turned off, nothing counts as answered any more: what called before stands here.
    """

    taken_at: datetime.datetime
    metrics: Period
    calls: Calls


@dataclass(frozen=True)
class InstanceFacts:
    """An instance. ``calls`` is None where CloudWatch was not or could not be asked.

    ``is_managed_by_ssm`` says whether Systems Manager reaches its agent (PingStatus is Online).
    ``baseline`` is there if it allows v1 no longer and an earlier snapshot was given.
    """

    id: str
    state: str
    options: MetadataOptions = MetadataOptions()
    image: Optional[str] = None
    instance_type: Optional[str] = None
    launched_at: Optional[datetime.datetime] = None
    private_dns_name: Optional[str] = None
    availability_zone: Optional[str] = None
    platform: Optional[str] = None
    profile: Optional[str] = None
    template: Optional[TemplateReference] = None
    group: Optional[str] = None
    tags: Mapping[str, str] = field(default_factory=dict)
    is_managed_by_ssm: Optional[bool] = None
    calls: Optional[Calls] = None
    baseline: Optional[Baseline] = None

    @property
    def allows_v1(self) -> Optional[bool]:
        """True if it answers IMDSv1; None if that is unknown, or not yet turned off.

        EC2 shows options before they are in force: without ``applied`` they are a wish.
        """
        allows = self.options.allows_v1
        return None if allows is False and self.options.state != "applied" else allows


@dataclass(frozen=True)
class TemplateVersion:
    """One version of a launch template. ``options`` is None where it sets none."""

    number: int
    image: Optional[str] = None
    options: Optional[MetadataOptions] = None
    created_at: Optional[datetime.datetime] = None
    created_by: Optional[str] = None


@dataclass(frozen=True)
class Template:
    """A launch template, with the versions that something may launch.

    These are the default, the latest, and those that a group or fleet pins.
    """

    id: str
    name: str
    default_version: int
    latest_version: int
    versions: tuple[TemplateVersion, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LaunchConfiguration:
    """A launch configuration. ``options`` is None where it sets none."""

    name: str
    image: Optional[str] = None
    options: Optional[MetadataOptions] = None
    created_at: Optional[datetime.datetime] = None


@dataclass(frozen=True)
class AutoScalingGroup:
    """An Auto Scaling group and what it launches.

    ``templates`` are the template of the group, or those of its mixed-instances policy, overrides
    included; ``configuration`` is the name of a launch configuration. ``is_mixed`` says whether it
    has such a policy, None where nothing says so.
    """

    name: str
    desired: int
    maximum: int
    instances: tuple[str, ...] = ()
    templates: tuple[TemplateReference, ...] = ()
    configuration: Optional[str] = None
    tags: Mapping[str, str] = field(default_factory=dict)
    suspended: tuple[str, ...] = ()
    is_mixed: Optional[bool] = None


@dataclass(frozen=True)
class Fleet:
    """An EC2 Fleet, or a Spot Fleet request if ``is_spot``, that launches instances by itself.

    Of type ``maintain`` it replaces instances, of type ``request`` it launches them once.
    ``templates`` are those of its configurations, with the AMIs of overrides. ``images`` are the
    AMIs of a Spot Fleet's launch specifications, None for one that names none: these have no
    metadata options.
    """

    id: str
    is_spot: bool
    type: Optional[str] = None
    target: int = 0
    templates: tuple[TemplateReference, ...] = ()
    images: tuple[Optional[str], ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Image:
    """An AMI. ``imds_support`` is ``v2.0`` or None. ``is_found`` is False for one that is gone."""

    id: str
    name: Optional[str] = None
    owner: Optional[str] = None
    imds_support: Optional[str] = None
    created_at: Optional[datetime.datetime] = None
    is_found: bool = True


@dataclass(frozen=True)
class Profile:
    """An instance profile and the roles in it."""

    arn: str
    roles: tuple[str, ...] = ()


class Part(enum.Enum):
    """A part of a Region's facts, by which a failure is named."""

    REGIONS = "regions"
    INSTANCES = "instances"
    DEFAULTS = "defaults"
    TEMPLATES = "launch_templates"
    CONFIGURATIONS = "launch_configurations"
    GROUPS = "auto_scaling_groups"
    FLEETS = "fleets"
    IMAGES = "images"
    PROFILES = "instance_profiles"
    METRICS = "metrics"
    SSM = "ssm"
    CREDENTIALS = "credentials"
    ACCOUNTS = "accounts"
    ROLE = "role"


@dataclass(frozen=True)
class Failure:
    """A part that could not be read: the snapshot is incomplete there, and never better.

    ``account`` and ``region`` are None where the failure is not in one. ``code`` is AWS's error
    code, or the kind of a local error; ``text`` says what to do.
    """

    part: Part
    code: str
    text: str
    account: Optional[str] = None
    region: Optional[str] = None


@dataclass(frozen=True)
class RegionFacts:
    """State of one account in one Region. ``defaults`` is None where they could not be read."""

    account: str
    region: str
    defaults: Optional[Defaults] = None
    instances: tuple[InstanceFacts, ...] = ()
    templates: tuple[Template, ...] = ()
    configurations: tuple[LaunchConfiguration, ...] = ()
    groups: tuple[AutoScalingGroup, ...] = ()
    images: tuple[Image, ...] = ()
    fleets: tuple[Fleet, ...] = ()


@dataclass(frozen=True)
class Account:
    """An AWS account. ``name`` and ``status`` are the organization's, where it was asked."""

    id: str
    name: Optional[str] = None
    status: Optional[str] = None
    profiles: tuple[Profile, ...] = ()


@dataclass(frozen=True)
class Snapshot:
    """Answers of AWS as of ``taken_at``. ``metrics`` is the period of CloudWatch's figures."""

    taken_at: datetime.datetime
    version: str
    metrics: Optional[Period] = None
    accounts: tuple[Account, ...] = ()
    regions: tuple[RegionFacts, ...] = ()
    failures: tuple[Failure, ...] = ()
    format: int = FORMAT

    @property
    def is_complete(self) -> bool:
        """True if everything that was asked for was read."""
        return not self.failures
