"""Reads what instances are launched from: groups, templates, launch configurations and AMIs.

Answers of templates and launch configurations carry user data; it is dropped unread.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Optional, Union

from analyzer.account.launches import DEFAULT, LATEST
from analyzer.account.model import (
    AutoScalingGroup,
    Fleet,
    Image,
    LaunchConfiguration,
    Template,
    TemplateReference,
    TemplateVersion,
)
from analyzer.audit.access import Access
from analyzer.audit.instances import Given, options_of, tags_of, utc
from analyzer.audit.operations import (
    DESCRIBE_CONFIGURATIONS,
    DESCRIBE_GROUPS,
    DESCRIBE_IMAGES,
    DESCRIBE_TEMPLATES,
    DESCRIBE_VERSIONS,
    GET_PARAMETERS,
    PUBLIC_PARAMETERS,
)

# The largest pages that the APIs allow; of a filter's values and of parameters, too.
_GROUPS, _TEMPLATES, _VERSIONS, _IMAGES, _PARAMETERS = 100, 200, 200, 200, 10
_ALIAS = "resolve:ssm:"
_NO_VERSION = "InvalidLaunchTemplateId.VersionNotFound"

Pinned = dict[str, set[int]]


def read_groups(access: Access, region: str) -> Iterator[AutoScalingGroup]:
    """Yield the Auto Scaling groups; raises botocore's errors."""
    for page in access.pages(DESCRIBE_GROUPS, region, PageSize=_GROUPS):
        for group in page.get("AutoScalingGroups", ()):
            yield AutoScalingGroup(
                name=group["AutoScalingGroupName"],
                desired=group.get("DesiredCapacity", 0),
                maximum=group.get("MaxSize", 0),
                instances=tuple(found["InstanceId"] for found in group.get("Instances", ())),
                templates=tuple(dict.fromkeys(_templates_of(group))),
                configuration=group.get("LaunchConfigurationName") or None,
                tags=tags_of(group.get("Tags")),
                suspended=tuple(
                    process["ProcessName"] for process in group.get("SuspendedProcesses", ())
                ),
                is_mixed=bool(group.get("MixedInstancesPolicy")),
            )


def read_templates(
    access: Access, region: str, launchers: Iterable[Union[AutoScalingGroup, Fleet]]
) -> Iterator[Template]:
    """Yield the launch templates with their default, latest and pinned versions.

    Raises botocore's errors.
    """
    templates = [
        template
        for page in access.pages(DESCRIBE_TEMPLATES, region, PageSize=_TEMPLATES)
        for template in page.get("LaunchTemplates", ())
    ]
    if not templates:
        return
    versions: dict[str, dict[int, TemplateVersion]] = defaultdict(dict)
    # Without a template's id these are of all templates.
    wanted = [LATEST, DEFAULT]
    for page in access.pages(DESCRIBE_VERSIONS, region, Versions=wanted, PageSize=_VERSIONS):
        for version in page.get("LaunchTemplateVersions", ()):
            number = version["VersionNumber"]
            versions[version["LaunchTemplateId"]][number] = _version(version)
    ids = {template["LaunchTemplateName"]: template["LaunchTemplateId"] for template in templates}
    for id_, numbers in _pinned(launchers, ids).items():
        for number in sorted(numbers - set(versions[id_])):
            found = _pinned_version(access, region, id_, number)
            if found is not None:
                versions[id_][number] = found
    for template in templates:
        id_ = template["LaunchTemplateId"]
        yield Template(
            id=id_,
            name=template["LaunchTemplateName"],
            default_version=template["DefaultVersionNumber"],
            latest_version=template["LatestVersionNumber"],
            versions=tuple(versions[id_][number] for number in sorted(versions[id_])),
            tags=tags_of(template.get("Tags")),
        )


def read_configurations(access: Access, region: str) -> Iterator[LaunchConfiguration]:
    """Yield the launch configurations; raises botocore's errors."""
    for page in access.pages(DESCRIBE_CONFIGURATIONS, region, PageSize=_GROUPS):
        for found in page.get("LaunchConfigurations", ()):
            yield LaunchConfiguration(
                name=found["LaunchConfigurationName"],
                image=found.get("ImageId") or None,
                options=options_of(found.get("MetadataOptions")),
                created_at=utc(found.get("CreatedTime")),
            )


def read_images(access: Access, region: str, wanted: Iterable[str]) -> Iterator[Image]:
    """Yield the AMIs by id, or by the alias of a parameter that AWS publishes.

    An AMI that is gone, or no longer shared with the account, is yielded as not found. Aliases of
    the account's own parameters are left out: nothing may read these. Raises botocore's errors.
    """
    ids = sorted({name for name in wanted if not name.startswith(_ALIAS)})
    yield from _images(access, region, ids)
    prefix = _ALIAS + PUBLIC_PARAMETERS
    aliases = sorted({name for name in wanted if name.startswith(prefix)})
    for at in range(0, len(aliases), _PARAMETERS):
        names = {alias[len(_ALIAS) :]: alias for alias in aliases[at : at + _PARAMETERS]}
        answer = access.call(GET_PARAMETERS, region, Names=list(names))
        by_id = {
            found["Value"]: names[found["Name"] + found.get("Selector", "")]
            for found in answer.get("Parameters", ())
        }
        for image in _images(access, region, sorted(by_id)):
            if image.is_found:
                yield Image(
                    by_id[image.id], image.name, image.owner, image.imds_support, image.created_at
                )


def _images(access: Access, region: str, ids: list[str]) -> Iterator[Image]:
    for at in range(0, len(ids), _IMAGES):
        asked = ids[at : at + _IMAGES]
        # By a filter: asked for by ImageIds, one that is gone fails the whole call. Deprecated and
        # disabled AMIs are of use to know, too.
        filters = [{"Name": "image-id", "Values": asked}]
        answer = access.call(
            DESCRIBE_IMAGES,
            region,
            Filters=filters,
            IncludeDeprecated=True,
            IncludeDisabled=True,
        )
        found = {image["ImageId"]: image for image in answer.get("Images", ())}
        for id_ in asked:
            image = found.get(id_)
            yield Image(id_, is_found=False) if image is None else _image(image)


def _image(given: Given) -> Image:
    return Image(
        given["ImageId"],
        given.get("Name"),
        given.get("OwnerId"),
        given.get("ImdsSupport"),
        _time(given.get("CreationDate")),
    )


def _time(text: Optional[str]) -> Optional[datetime]:
    """Return a time that EC2 answers as text, such as ``2026-11-21T18:50:00.000Z``."""
    return None if not text else datetime.fromisoformat(text.replace("Z", "+00:00"))


def _templates_of(group: Given) -> Iterator[TemplateReference]:
    if group.get("LaunchTemplate"):
        yield reference_of(group["LaunchTemplate"])
    policy = (group.get("MixedInstancesPolicy") or {}).get("LaunchTemplate") or {}
    common = policy.get("LaunchTemplateSpecification") or {}
    overrides: Iterable[Given] = policy.get("Overrides") or ({},)
    for override in overrides:
        specification = override.get("LaunchTemplateSpecification") or common
        if specification:
            yield reference_of(specification, override.get("ImageId"))


def reference_of(given: Given, image: Optional[str] = None) -> TemplateReference:
    """Return a template as a group or fleet names it; ``image`` is the AMI of an override."""
    return TemplateReference(
        given.get("LaunchTemplateId"),
        given.get("LaunchTemplateName"),
        given.get("Version") or None,
        image or None,
    )


def _pinned(launchers: Iterable[Union[AutoScalingGroup, Fleet]], ids: dict[str, str]) -> Pinned:
    """Return the versions that groups and fleets name by number, by the template's id."""
    pinned: Pinned = defaultdict(set)
    for launcher in launchers:
        for reference in launcher.templates:
            id_ = reference.id or ids.get(reference.name or "")
            version = reference.version or ""
            if id_ in ids.values() and version.isdecimal():
                pinned[str(id_)].add(int(version))
    return pinned


def _pinned_version(
    access: Access, region: str, id_: str, number: int
) -> Optional[TemplateVersion]:
    from botocore.exceptions import ClientError  # noqa: PLC0415 (an extra)

    try:
        answer = access.call(
            DESCRIBE_VERSIONS, region, LaunchTemplateId=id_, Versions=[str(number)]
        )
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == _NO_VERSION:  # somebody deleted it
            return None
        raise
    return next(map(_version, answer.get("LaunchTemplateVersions", ())), None)


def _version(given: Given) -> TemplateVersion:
    data = given.get("LaunchTemplateData") or {}
    return TemplateVersion(
        number=given["VersionNumber"],
        image=data.get("ImageId") or None,
        options=options_of(data.get("MetadataOptions")),
        created_at=utc(given.get("CreateTime")),
        created_by=given.get("CreatedBy"),
    )
