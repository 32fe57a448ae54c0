"""Reads all parts of one Region of one account; a part that fails leaves the others as they are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Callable, NamedTuple, Optional, TypeVar

from analyzer.account.model import (
    AutoScalingGroup,
    Defaults,
    Failure,
    InstanceFacts,
    LaunchConfiguration,
    Part,
    Period,
    RegionFacts,
    Template,
)
from analyzer.audit.access import Access
from analyzer.audit.failures import Place, failure, is_foreseen, is_of_place, unexpected
from analyzer.audit.instances import read_defaults, read_instances, read_managed
from analyzer.audit.metrics import read_calls
from analyzer.audit.origins import (
    read_configurations,
    read_groups,
    read_images,
    read_templates,
)

_T = TypeVar("_T")


class Attempts:
    """Reads parts one by one, and keeps what failed."""

    def __init__(self, place: Place) -> None:
        self.failures: list[Failure] = []
        self._place = place
        self._given_up: Optional[Exception] = None

    def all_of(self, part: Part, read: Callable[[], Iterable[_T]]) -> tuple[_T, ...]:
        """Return what could be read until the end, or until a failure, which is kept."""
        found: list[_T] = []
        if self._given_up is not None:
            self._keep(part, self._given_up)
            return ()
        try:
            found.extend(read())
        except Exception as error:
            known = error if is_foreseen(error) else unexpected(error)
            if known is None:
                raise
            self._keep(part, known)
            if is_of_place(known):
                self._given_up = known
        return tuple(found)

    def _keep(self, part: Part, error: Exception) -> None:
        self.failures.append(failure(part, error, self._place))


class RegionRead(NamedTuple):
    """A Region's facts, and what failed."""

    facts: RegionFacts
    failures: tuple[Failure, ...]


def read_region(access: Access, account: str, region: str, period: Optional[Period]) -> RegionRead:
    """Read a Region. ``period`` is what CloudWatch is asked for; None asks nothing."""
    attempts = Attempts(Place(account, region))
    instances = attempts.all_of(Part.INSTANCES, lambda: read_instances(access, region))
    defaults: tuple[Defaults, ...] = attempts.all_of(
        Part.DEFAULTS, lambda: (read_defaults(access, region),)
    )
    groups = attempts.all_of(Part.GROUPS, lambda: read_groups(access, region))
    templates = attempts.all_of(Part.TEMPLATES, lambda: read_templates(access, region, groups))
    configurations = attempts.all_of(
        Part.CONFIGURATIONS, lambda: read_configurations(access, region)
    )
    wanted = _images_of(instances, templates, configurations, groups)
    images = attempts.all_of(Part.IMAGES, lambda: read_images(access, region, wanted))
    instances = _with_managed(access, region, instances, attempts)
    if period is not None:
        instances = _with_calls(access, region, instances, period, attempts)
    access.forget(region)
    facts = RegionFacts(
        account,
        region,
        defaults[0] if defaults else None,
        instances,
        templates,
        configurations,
        groups,
        images,
    )
    return RegionRead(facts, tuple(attempts.failures))


def _images_of(
    instances: Iterable[InstanceFacts],
    templates: Iterable[Template],
    configurations: Iterable[LaunchConfiguration],
    groups: Iterable[AutoScalingGroup],
) -> set[str]:
    named = {instance.image for instance in instances}
    named |= {version.image for template in templates for version in template.versions}
    named |= {configuration.image for configuration in configurations}
    named |= {reference.image for group in groups for reference in group.templates}
    return {image for image in named if image is not None}


def _with_managed(
    access: Access, region: str, instances: tuple[InstanceFacts, ...], attempts: Attempts
) -> tuple[InstanceFacts, ...]:
    if not instances:
        return instances
    before = len(attempts.failures)
    managed = frozenset(attempts.all_of(Part.SSM, lambda: read_managed(access, region)))
    is_whole = len(attempts.failures) == before
    return tuple(
        replace(instance, is_managed_by_ssm=True)
        if instance.id in managed
        else replace(instance, is_managed_by_ssm=False if is_whole else None)
        for instance in instances
    )


def _with_calls(
    access: Access,
    region: str,
    instances: tuple[InstanceFacts, ...],
    period: Period,
    attempts: Attempts,
) -> tuple[InstanceFacts, ...]:
    if not instances:
        return instances
    # Terminated ones are described for an hour more, and their figures are evidence, too.
    ids = [instance.id for instance in instances]
    calls = dict(attempts.all_of(Part.METRICS, lambda: read_calls(access, region, ids, period)))
    return tuple(replace(instance, calls=calls.get(instance.id)) for instance in instances)
