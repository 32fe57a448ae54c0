"""Lists what launches instances in a Region, and predicts what a new instance of each gets.

These are the versions of launch templates that something may launch, launch configurations, Auto
Scaling groups and fleets. A group or fleet is as bad as the worst of what it launches. What is
named and not in the snapshot is listed as unknown, never left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Optional

from analyzer.account.launch import Kind, Launch
from analyzer.account.model import (
    AutoScalingGroup,
    Failure,
    Fleet,
    Image,
    LaunchConfiguration,
    Part,
    RegionFacts,
    Snapshot,
    Template,
    TemplateReference,
    TemplateVersion,
)
from analyzer.account.new_instance import (
    NewInstance,
    Outcome,
    Parameters,
    image_facts,
    predict,
)

# An account and a Region; None where it is in none.
Place = tuple[Optional[str], Optional[str]]

DEFAULT, LATEST = "$Default", "$Latest"
_DIGITS_MAX = 19  # of a number in EC2's API
_RANK = {outcome: rank for rank, outcome in enumerate(Outcome)}


def launches(snapshot: Snapshot) -> tuple[Launch, ...]:
    """Return the launches of all accounts and Regions, in the snapshot's order."""
    failures: dict[Place, list[Failure]] = {}
    for failure in snapshot.failures:
        failures.setdefault((failure.account, failure.region), []).append(failure)
    return tuple(
        launch
        for region in snapshot.regions
        for launch in launches_of(
            region, [failure for place in _places(region) for failure in failures.get(place, ())]
        )
    )


def launches_of(region: RegionFacts, failures: Iterable[Failure] = ()) -> tuple[Launch, ...]:
    """Return the launches of a Region: template versions, configurations, groups, then fleets.

    ``failures`` are the snapshot's; they say whether what is missing is gone or was not read.
    """
    places = _places(region)
    unread = {failure.part for failure in failures if (failure.account, failure.region) in places}
    return tuple(_Region(region, unread).launches())


def _places(region: RegionFacts) -> tuple[Place, ...]:
    """Return the places whose failures are the Region's, too."""
    return (region.account, region.region), (region.account, None), (None, None)


class _Region:
    """One Region's facts, by the names that they refer to each other by."""

    def __init__(self, facts: RegionFacts, unread: set[Part]) -> None:
        self._facts = facts
        self._unread = unread
        self._images: dict[str, Image] = {image.id: image for image in facts.images}
        self._templates: dict[str, Template] = {}
        for template in facts.templates:
            self._templates[template.name] = template
        for template in facts.templates:  # an id wins over a template that is named like one
            self._templates[template.id] = template
        self._configurations = {found.name: found for found in facts.configurations}

    def launches(self) -> Iterator[Launch]:
        groups = [self._group(group) for group in self._facts.groups]
        fleets = [self._fleet(fleet) for fleet in self._facts.fleets]
        launchers = (*groups, *fleets)
        launched = _launched_by(launchers)
        listed: set[tuple[Optional[str], Optional[int]]] = set()
        for template in self._facts.templates:
            named = {version.number for version in template.versions}
            for number in sorted(named | {template.default_version, template.latest_version}):
                listed.add((template.id, number))
                yield self._with_groups(self._version(template, number), launched)
        # A group or fleet may pin what is in no template of the snapshot.
        for launcher in launchers:
            for part in launcher.parts:
                if part.kind is Kind.TEMPLATE and (part.id, part.version) not in listed:
                    listed.add((part.id, part.version))
                    yield self._with_groups(part, launched)
        for configuration in self._facts.configurations:
            yield self._with_groups(self._configuration(configuration.name), launched)
        yield from launchers

    def _with_groups(self, launch: Launch, launched: dict[str, list[Launch]]) -> Launch:
        by = launched.get(_key(launch), ())
        return replace(
            launch,
            groups=tuple(each.name for each in by if each.kind is Kind.GROUP),
            fleets=tuple(each.name for each in by if each.kind is not Kind.GROUP),
        )

    def _launch(self, kind: Kind, name: str, new: NewInstance) -> Launch:
        return Launch(self._facts.account, self._facts.region, kind, name, new)

    def _version(self, template: Template, number: int, image: Optional[str] = None) -> Launch:
        version = next((found for found in template.versions if found.number == number), None)
        if version is None:
            new = self._missing(Part.TEMPLATES, f"version {number} of template {template.name}")
        else:
            new = self._predict("template", version, image or version.image)
        pointed = ((DEFAULT, template.default_version), (LATEST, template.latest_version))
        return replace(
            self._launch(Kind.TEMPLATE, template.name, new),
            id=template.id,
            version=number,
            aliases=tuple(alias for alias, at in pointed if at == number),
        )

    def _predict(
        self, named_by: str, source: TemplateVersion | LaunchConfiguration, image: Optional[str]
    ) -> NewInstance:
        facts = image_facts(image, self._images.get(image or ""))
        is_old = isinstance(source, LaunchConfiguration)
        parameters = Parameters(named_by, source.options, facts, has_own_defaults=is_old)
        return predict(parameters, self._facts.defaults)

    def _configuration(self, name: str) -> Launch:
        found = self._configurations.get(name)
        if found is None:
            new = self._missing(Part.CONFIGURATIONS, f"launch configuration {name}")
        else:
            new = self._predict("launch configuration", found, found.image)
        return self._launch(Kind.CONFIGURATION, name, new)

    def _referred(self, reference: TemplateReference) -> Launch:
        name = reference.id or reference.name or ""
        template = self._templates.get(name)
        wanted = reference.version or DEFAULT
        if template is None:
            new = self._missing(Part.TEMPLATES, f"template {reference.name or name}")
            launch = self._launch(Kind.TEMPLATE, reference.name or name, new)
            number = _maybe_number(wanted)
            alias = () if number is not None else (wanted,)
            return replace(launch, id=reference.id, version=number, aliases=alias)
        pointed = {DEFAULT: template.default_version, LATEST: template.latest_version}
        found = pointed.get(wanted, _maybe_number(wanted))
        if found is None:
            new = NewInstance(
                Outcome.UNKNOWN,
                f"version {wanted} of template {template.name} is no version",
                is_enforced=self._is_enforced,
            )
            return replace(self._launch(Kind.TEMPLATE, template.name, new), id=template.id)
        return self._version(template, found, reference.image)

    def _group(self, group: AutoScalingGroup) -> Launch:
        parts = [self._referred(reference) for reference in group.templates]
        if group.configuration is not None:
            parts.append(self._configuration(group.configuration))
        parts = list(dict.fromkeys(parts))
        return replace(
            self._launch(Kind.GROUP, group.name, self._worst(parts)),
            parts=tuple(parts),
            instances=group.instances,
            desired=group.desired,
            notes=tuple(_held_up(group)),
        )

    def _fleet(self, fleet: Fleet) -> Launch:
        parts = [self._referred(reference) for reference in fleet.templates]
        parts += map(self._specification, fleet.images)
        parts = list(dict.fromkeys(parts))
        kind = Kind.SPOT_FLEET if fleet.is_spot else Kind.FLEET
        once = "launches its instances once: type is request"
        return replace(
            self._launch(kind, fleet.id, self._worst(parts)),
            parts=tuple(parts),
            desired=fleet.target,
            notes=(once,) if fleet.type == "request" else (),
        )

    def _specification(self, image: Optional[str]) -> Launch:
        facts = image_facts(image, self._images.get(image or ""))
        new = predict(Parameters("launch specification", None, facts), self._facts.defaults)
        return self._launch(Kind.SPECIFICATION, f"of {image or 'no AMI'}", new)

    def _worst(self, parts: list[Launch]) -> NewInstance:
        if not parts:
            return NewInstance(
                Outcome.UNKNOWN,
                "neither a launch template nor a launch configuration is named",
                is_enforced=self._is_enforced,
            )
        worst = min(parts, key=lambda part: (not part.new.may_allow_v1, _RANK[part.new.outcome]))
        return replace(worst.new, reason=f"{worst.kind.value} {worst.label}: {worst.new.reason}")

    def _missing(self, part: Part, what: str) -> NewInstance:
        why = "could not be read" if part in self._unread else "is gone"
        return NewInstance(Outcome.UNKNOWN, f"{what} {why}", is_enforced=self._is_enforced)

    @property
    def _is_enforced(self) -> Optional[bool]:
        defaults = self._facts.defaults
        return None if defaults is None else defaults.tokens_enforced == "enabled"


def _maybe_number(version: str) -> Optional[int]:
    """Return the number of a version; None for what is none, or too long for one of EC2's."""
    return int(version) if version.isdecimal() and len(version) < _DIGITS_MAX else None


def _key(launch: Launch) -> str:
    return f"{launch.kind.name} {launch.id or launch.name} {launch.version}"


def _launched_by(launchers: Iterable[Launch]) -> dict[str, list[Launch]]:
    """Return the groups and fleets by what they launch."""
    launched: dict[str, list[Launch]] = {}
    for launcher in launchers:
        for key in dict.fromkeys(map(_key, launcher.parts)):
            launched.setdefault(key, []).append(launcher)
    return launched


def _held_up(group: AutoScalingGroup) -> Iterator[str]:
    """Say why a group launches nothing now. Any of it may end tomorrow: the outcome stays."""
    if "Launch" in group.suspended:
        yield "launches nothing until its process Launch is resumed"
    if group.maximum == 0:
        yield "launches nothing until its maximum size is raised from 0"
    elif group.desired == 0:
        yield "has no instances: desired capacity is 0"
