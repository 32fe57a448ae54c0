"""Lists what would launch new instances with v1, or may as far as the prediction knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Optional, Union

from analyzer.account.launch import Kind, Launch
from analyzer.account.launches import DEFAULT, launches_of
from analyzer.account.model import RegionFacts, Template
from analyzer.account.new_instance import ImageFacts, Outcome, Parameters, predict
from analyzer.report.account.inventory import Source
from analyzer.report.account.snapshots import Snapshots
from analyzer.report.roster.instances import Instance
from analyzer.report.roster.owners import Owners

TEMPLATE, CONFIGURATION = Kind.TEMPLATE.value, Kind.CONFIGURATION.value
ACCOUNT_DEFAULT = "account default"
# The names of the options as EC2's API has them.
_API = {
    "http_endpoint": "HttpEndpoint",
    "hop_limit": "HttpPutResponseHopLimit",
    "http_protocol_ipv6": "HttpProtocolIpv6",
    "instance_metadata_tags": "InstanceMetadataTags",
}


def launch_sources(snapshots: Snapshots, owners: Owners) -> Iterator[Source]:
    """Yield the launch sources of all accounts and Regions, then what the defaults allow."""
    for snapshot, region in snapshots.regions():
        place = _Place(region, owners)
        for launch in launches_of(region, snapshot.failures):
            if launch.new.may_allow_v1:
                yield place.source(launch)
        default = place.maybe_default()
        if default is not None:
            yield default


@dataclass(frozen=True)
class _Place:
    """One account's Region."""

    region: RegionFacts
    owners: Owners

    def source(self, launch: Launch) -> Source:
        """Return a launch as it is shown."""
        template = self._maybe_template(launch)
        latest = template.latest_version if template else None
        return Source(
            kind=launch.kind.value,
            account=launch.account,
            region=launch.region,
            name=launch.label,
            reason=launch.new.reason,
            is_certain=launch.new.outcome is Outcome.V1,
            id=launch.id,
            version=launch.version,
            is_default=DEFAULT in launch.aliases,
            latest=latest,
            options=_options(template, launch.version),
            latest_options=_options(template, latest),
            groups=(launch.name,) if launch.kind is Kind.GROUP else launch.groups,
            fleets=launch.fleets,
            pinned_by=tuple(self._pinned_by(launch)),
            notes=launch.notes,
            owner=self._maybe_owner(launch),
        )

    def maybe_default(self) -> Optional[Source]:
        """Return what a launch gets that says nothing, of an AMI that says nothing; None if v2."""
        image = ImageFacts(requires_v2=False, words="AMI says nothing")
        new = predict(Parameters("the launch", None, image), self.region.defaults)
        if not new.may_allow_v1:
            return None
        account, region = self.region.account, self.region.region
        owner = self.owners.maybe_owner(Instance(id=None, name=None, account=account))
        return Source(
            kind=ACCOUNT_DEFAULT,
            account=account,
            region=region,
            name=f"{account} in {region}",
            reason=new.reason,
            is_certain=new.outcome is Outcome.V1,
            owner=owner,
        )

    def _maybe_template(self, launch: Launch) -> Optional[Template]:
        if launch.kind is not Kind.TEMPLATE:
            return None
        return next((each for each in self.region.templates if each.id == launch.id), None)

    def _pinned_by(self, launch: Launch) -> Iterator[str]:
        """Yield the groups that launch this version alone, by its number."""
        if launch.kind is not Kind.TEMPLATE or launch.version is None:
            return
        for group in self.region.groups:
            # A plain template would take the place of a mixed-instances policy.
            is_plain = group.is_mixed is False and len(group.templates) == 1
            if is_plain and group.name in launch.groups:
                reference = group.templates[0]
                if reference.version == str(launch.version):
                    yield group.name

    def _maybe_owner(self, launch: Launch) -> Optional[str]:
        """Return whose a launch is, by the same rules as an instance of it."""
        template = self._maybe_template(launch)
        group = next((each for each in self.region.groups if each.name == launch.name), None)
        fleet = next((each for each in self.region.fleets if each.id == launch.name), None)
        tags: Mapping[str, str] = {}
        if template is not None:
            tags = template.tags
        elif launch.kind is Kind.GROUP and group is not None:
            tags = group.tags
        elif launch.kind in (Kind.FLEET, Kind.SPOT_FLEET) and fleet is not None:
            tags = fleet.tags
        return self.owners.maybe_owner(
            Instance(
                id=None,
                name=None,
                group=launch.name if launch.kind is Kind.GROUP else None,
                template=launch.id,
                account=launch.account,
                names=(launch.name,),
                tags=tags,
            )
        )


def _options(template: Optional[Template], number: Optional[int]) -> Mapping[str, Union[str, int]]:
    """Return what a version sets besides HttpTokens, which a new version must repeat."""
    versions = template.versions if template is not None else ()
    version = next((each for each in versions if each.number == number), None)
    if version is None or version.options is None:
        return {}
    values = ((api, getattr(version.options, name)) for name, api in _API.items())
    return {api: value for api, value in values if value is not None}
