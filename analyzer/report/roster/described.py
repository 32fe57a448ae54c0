"""Takes instances out of what ``aws ec2 describe-instances`` prints."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Optional

from analyzer.errors import AnalyzerError
from analyzer.imds import INSTANCE_ID
from analyzer.report.period import read_iso
from analyzer.report.roster.instances import Instance
from analyzer.report.roster.listed import instances_of_lines

RUN = "Run\n  aws ec2 describe-instances --output json > instances.json"

# What tells what a document is instead: a key of it, and what has this key.
_OTHERS = {
    "MetricDataResults": "what get-metric-data prints; give it with --against",
    "Datapoints": "what get-metric-statistics prints; give it with --against",
    "InstanceStatuses": "what describe-instance-status prints",
    "AutoScalingGroups": "what describe-auto-scaling-groups prints",
    "AutoScalingInstances": "what describe-auto-scaling-instances prints",
    "LaunchTemplateVersions": "what describe-launch-template-versions prints",
    "InstanceInformationList": "what `aws ssm describe-instance-information` prints",
    "event": "a log; give it without --instances",
    "Error": "an error, no instances",
    "message": "an error, no instances",
}
# eu-west-1a, us-gov-east-1b, us-west-2-lax-1a: a zone, and the Region that it is in.
_ZONE = re.compile(r"([a-z]{2,4}(?:-[a-z]+)+-\d+)", re.ASCII)
_GROUP = "aws:autoscaling:groupName"
_TEMPLATE = "aws:ec2launchtemplate:id"
_TEMPLATE_VERSION = "aws:ec2launchtemplate:version"


@dataclass(frozen=True)
class Document:
    """One document. ``is_whole`` is False where it says that another page follows."""

    place: str
    instances: tuple[Instance, ...]
    is_whole: bool = True

    def goes_on_in(self, other: Document) -> bool:
        """Tell whether another document can be the next page: it is of the same Region."""
        own = {each.region for each in self.instances}
        others = {each.region for each in other.instances}
        return not own or not others or bool(own & others)


def document_of(value: object, place: str) -> Document:
    """Return what one JSON document says; raises AnalyzerError."""
    if isinstance(value, Mapping):
        if isinstance(value.get("Reservations"), list):
            found = tuple(_of_reservations(value["Reservations"], place))
            return Document(place, found, not value.get("NextToken"))
        if "InstanceId" in value:
            return Document(place, (_instance(value, place),))
        if isinstance(value.get("Instances"), list):
            return Document(place, tuple(_of_list(value["Instances"], place)))
        for key, what in _OTHERS.items():
            if key in value:
                raise AnalyzerError(f"{place}: is {what}. {RUN}")
    if isinstance(value, list):
        return Document(place, tuple(_of_list(value, place)))
    raise AnalyzerError(f"{place}: is JSON, but not what describe-instances prints. {RUN}")


def _of_reservations(reservations: list[object], place: str) -> Iterator[Instance]:
    for each in reservations:
        if not isinstance(each, Mapping) or not isinstance(each.get("Instances"), list):
            raise AnalyzerError(f"{place}: a reservation has no Instances. {RUN}")
        yield from _of_list(each["Instances"], place)


def _of_list(values: list[object], place: str) -> Iterator[Instance]:
    """Yield the instances of a list: whole ones, ids, or lists of these, as --query makes them."""
    for each in values:
        if isinstance(each, Mapping):
            yield _instance(each, place)
        elif isinstance(each, str):
            yield from instances_of_lines([each], place)
        elif isinstance(each, list) and all(isinstance(one, Mapping) for one in each):
            yield from (_instance(one, place) for one in each)
        else:
            raise AnalyzerError(
                f"{place}: --query took out what names the instances: leave it out. {RUN}"
            )


def _instance(value: Mapping[str, Any], place: str) -> Instance:
    identity = value.get("InstanceId")
    if not isinstance(identity, str) or not INSTANCE_ID.fullmatch(identity):
        raise AnalyzerError(f"{place}: an instance has no InstanceId. {RUN}")
    tags = _tags(value.get("Tags"))
    options = _part(value, "MetadataOptions")
    # Options are in force once EC2 says that they are applied.
    is_applied = options.get("State") == "applied"
    names = [tags.get("Name"), _text(value, "PrivateDnsName")]
    known = tuple(dict.fromkeys(each for each in names if each))
    limit = options.get("HttpPutResponseHopLimit")
    return Instance(
        id=identity,
        name=known[0] if known else None,
        state=_text(_part(value, "State"), "Name"),
        group=tags.get(_GROUP),
        template=tags.get(_TEMPLATE),
        template_version=tags.get(_TEMPLATE_VERSION),
        image=_text(value, "ImageId"),
        launched_at=_time(value.get("LaunchTime")),
        http_tokens=_text(options, "HttpTokens") if is_applied else None,
        hop_limit=limit if isinstance(limit, int) and is_applied else None,
        names=known,
        region=_region(_text(_part(value, "Placement"), "AvailabilityZone")),
        http_endpoint=_text(options, "HttpEndpoint") if is_applied else None,
        tags=tags,
    )


def _part(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    part = value.get(key)
    return part if isinstance(part, Mapping) else {}


def _text(value: Mapping[str, Any], key: str) -> Optional[str]:
    text = value.get(key)
    return text if isinstance(text, str) and text else None


def _tags(value: object) -> Mapping[str, str]:
    """Return the tags that have a value."""
    if not isinstance(value, list):
        return {}
    pairs = ((_text(each, "Key"), _text(each, "Value")) for each in value if isinstance(each, dict))
    return {key: text for key, text in pairs if key and text}


def _region(zone: Optional[str]) -> Optional[str]:
    match = _ZONE.match(zone or "")
    return match[1] if match else None


def _time(value: object) -> Optional[datetime.datetime]:
    """Return a launch time; None where there is none that can be read: nothing depends on it."""
    try:
        return read_iso(str(value))
    except (ValueError, OverflowError):
        return None
