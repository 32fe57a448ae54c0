"""Reads EC2 Fleets and Spot Fleet requests: what launches instances beside Auto Scaling groups.

A fleet of type ``instant`` launched its instances once and for all; EC2 lists none of these. Launch
specifications carry user data; it is dropped unread.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from analyzer.account.model import Fleet, TemplateReference
from analyzer.audit.access import Access
from analyzer.audit.instances import Given, tags_of
from analyzer.audit.operations import DESCRIBE_FLEETS, DESCRIBE_SPOT_FLEETS
from analyzer.audit.origins import reference_of

# One that is deleted, cancelled or failed launches nothing any more, also while instances run.
_ENDED = ("deleted", "cancelled", "failed")


def read_fleets(access: Access, region: str) -> Iterator[Fleet]:
    """Yield the fleets that launch, or may; raises botocore's errors."""
    for page in access.pages(DESCRIBE_FLEETS, region):
        for fleet in page.get("Fleets", ()):
            if not _has_ended(fleet.get("FleetState")):
                capacity = fleet.get("TargetCapacitySpecification") or {}
                yield Fleet(
                    id=fleet["FleetId"],
                    is_spot=False,
                    type=fleet.get("Type"),
                    target=capacity.get("TotalTargetCapacity", 0),
                    templates=_templates(fleet.get("LaunchTemplateConfigs")),
                    tags=tags_of(fleet.get("Tags")),
                )
    for page in access.pages(DESCRIBE_SPOT_FLEETS, region):
        for request in page.get("SpotFleetRequestConfigs", ()):
            if not _has_ended(request.get("SpotFleetRequestState")):
                config = request.get("SpotFleetRequestConfig") or {}
                specifications = config.get("LaunchSpecifications") or ()
                yield Fleet(
                    id=request["SpotFleetRequestId"],
                    is_spot=True,
                    type=config.get("Type"),
                    target=config.get("TargetCapacity", 0),
                    templates=_templates(config.get("LaunchTemplateConfigs")),
                    images=tuple(
                        dict.fromkeys(each.get("ImageId") or None for each in specifications)
                    ),
                    tags=tags_of(request.get("Tags")),
                )


def _has_ended(state: object) -> bool:
    return str(state).partition("_")[0] in _ENDED


def _templates(configs: Iterable[Given] | None) -> tuple[TemplateReference, ...]:
    found: dict[TemplateReference, None] = {}
    for config in configs or ():
        specification = config.get("LaunchTemplateSpecification") or {}
        overrides: Iterable[Given] = config.get("Overrides") or ({},)
        for override in overrides:
            found[reference_of(specification, override.get("ImageId"))] = None
    return tuple(found)
