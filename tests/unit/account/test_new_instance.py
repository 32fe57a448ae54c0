"""A prediction is what EC2's order gives, and an unknown part is never taken for a good one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple, Optional

import pytest

from analyzer.account.model import Defaults, Image, MetadataOptions
from analyzer.account.new_instance import (
    ImageFacts,
    NewInstance,
    Origin,
    Outcome,
    Parameters,
    image_facts,
    predict,
)

AMI = "ami-0123456789abcdef0"
V2_IMAGE = Image(AMI, imds_support="v2.0")
OLD_IMAGE = Image(AMI)
GONE = Image(AMI, is_found=False)


def image(found: Optional[Image] = OLD_IMAGE, *, id: Optional[str] = AMI) -> ImageFacts:  # noqa: A002
    return image_facts(id, found)


def defaults(
    tokens: Optional[str] = None,
    *,
    enforced: Optional[str] = None,
    by: str = "account",
    **more: object,
) -> Defaults:
    return Defaults(MetadataOptions(http_tokens=tokens, **more), enforced, by)  # type: ignore[arg-type]


def options(tokens: Optional[str] = None, **more: object) -> MetadataOptions:
    return MetadataOptions(http_tokens=tokens, **more)  # type: ignore[arg-type]


NOTHING = defaults()
SILENT = "template, account default and AMI say nothing: optional"
REFUSED = "; the account enforces v2 (HttpTokensEnforced): the launch fails"
REFUSED_BY_POLICY = "; a declarative policy enforces v2 (HttpTokensEnforced): the launch fails"
REFUSED_OR_V2 = "; the account enforces v2 (HttpTokensEnforced): v2, or the launch fails"
PERHAPS_REFUSED = "; whether HttpTokensEnforced refuses it is unknown"


@pytest.mark.parametrize(
    ("said", "region", "ami", "outcome", "reason"),
    [
        # one says it
        (None, NOTHING, image(), Outcome.V1, SILENT),
        (options(), NOTHING, image(), Outcome.V1, SILENT),
        (None, NOTHING, image(V2_IMAGE), Outcome.V2, "AMI says v2: required"),
        (None, defaults("required"), image(), Outcome.V2,
         "account default says required: required"),
        (options("required"), NOTHING, image(), Outcome.V2, "template says required: required"),
        # the stronger one wins
        (options("optional"), NOTHING, image(V2_IMAGE), Outcome.V1,
         "AMI says v2, template says optional: optional"),
        (None, defaults("optional"), image(V2_IMAGE), Outcome.V1,
         "AMI says v2, account default says optional: optional"),
        (options("optional"), defaults("required"), image(V2_IMAGE), Outcome.V1,
         "AMI says v2, account default says required, template says optional: optional"),
        (options("required"), defaults("optional"), image(), Outcome.V2,
         "account default says optional, template says required: required"),
        (None, defaults("no-preference"), image(V2_IMAGE), Outcome.V2, "AMI says v2: required"),
        (None, defaults("required", by="declarative-policy"), image(), Outcome.V2,
         "declarative policy says required: required"),
        # another option of the template leaves HttpTokens to the others
        (options(hop_limit=2), defaults("required"), image(), Outcome.V2,
         "account default says required: required"),
        # enforcement
        (options("optional"), defaults("required", enforced="enabled"), image(), Outcome.FAILS,
         "account default says required, template says optional: optional" + REFUSED),
        (None, defaults(enforced="enabled", by="declarative-policy"), image(), Outcome.FAILS,
         SILENT + REFUSED_BY_POLICY),
        (None, defaults("required", enforced="enabled"), image(), Outcome.V2,
         "account default says required: required"),
        (options("optional"), defaults(enforced="disabled"), image(), Outcome.V1,
         "template says optional: optional"),
        (options("optional", http_endpoint="disabled"), defaults(enforced="enabled"), image(),
         Outcome.FAILS, "template says optional: optional" + REFUSED),
        # IMDS is off
        (options(http_endpoint="disabled"), NOTHING, image(), Outcome.OFF,
         SILENT + "; template turns IMDS off"),
        (None, defaults(http_endpoint="disabled"), image(V2_IMAGE), Outcome.OFF,
         "AMI says v2: required; the account default turns IMDS off"),
        (options(http_endpoint="enabled"), defaults(http_endpoint="disabled"), image(), Outcome.V1,
         SILENT),
        # unknown parts
        (None, NOTHING, image(GONE), Outcome.UNKNOWN, f"AMI {AMI} is gone: unknown"),
        (None, NOTHING, image(None), Outcome.UNKNOWN, f"AMI {AMI} is unknown: unknown"),
        (None, NOTHING, image(None, id=None), Outcome.UNKNOWN,
         "the AMI is named at launch: unknown"),
        (options("optional"), NOTHING, image(GONE), Outcome.V1,
         f"AMI {AMI} is gone, template says optional: optional"),
        (None, defaults("required"), image(None), Outcome.V2,
         f"AMI {AMI} is unknown, account default says required: required"),
        (None, None, image(V2_IMAGE), Outcome.UNKNOWN,
         "AMI says v2, the account default is unknown: unknown" + PERHAPS_REFUSED),
        (options("optional"), None, image(), Outcome.V1,
         "the account default is unknown, template says optional: optional" + PERHAPS_REFUSED),
        (options("required"), None, image(), Outcome.V2,
         "the account default is unknown, template says required: required"),
        (None, defaults(enforced="enabled"), image(GONE), Outcome.UNKNOWN,
         f"AMI {AMI} is gone: unknown" + REFUSED_OR_V2),
        (options("preferred"), NOTHING, image(), Outcome.UNKNOWN,
         "template says preferred: preferred"),
    ],
)  # fmt: skip
def test_the_outcome_has_its_reason(
    said: Optional[MetadataOptions],
    region: Optional[Defaults],
    ami: ImageFacts,
    outcome: Outcome,
    reason: str,
) -> None:
    new = predict(Parameters("template", said, ami), region)
    assert (new.outcome, new.reason) == (outcome, reason)


def test_each_option_is_decided_by_itself() -> None:
    region = defaults("required", hop_limit=3, instance_metadata_tags="no-preference")
    said = options(http_endpoint="enabled", http_protocol_ipv6="enabled")
    new = predict(Parameters("template", said, image(V2_IMAGE)), region)
    assert {(found.option, found.value, found.origin) for found in new.settings} == {
        ("http_tokens", "required", Origin.DEFAULT),
        ("http_endpoint", "enabled", Origin.LAUNCH),
        ("hop_limit", 3, Origin.DEFAULT),
        ("http_protocol_ipv6", "enabled", Origin.LAUNCH),
        ("instance_metadata_tags", "disabled", Origin.EC2),
    }


@pytest.mark.parametrize(
    ("said", "of_region", "ami", "limit", "origin"),
    [
        (None, -1, OLD_IMAGE, 1, Origin.EC2),
        (None, None, V2_IMAGE, 2, Origin.IMAGE),
        (None, -1, V2_IMAGE, 2, Origin.IMAGE),
        (None, 4, V2_IMAGE, 4, Origin.DEFAULT),
        (1, 4, V2_IMAGE, 1, Origin.LAUNCH),
        (None, None, GONE, None, Origin.UNKNOWN),
    ],
)
def test_the_hop_limit_of_an_image_with_v2_is_2(
    said: Optional[int], of_region: Optional[int], ami: Image, limit: Optional[int], origin: Origin
) -> None:
    region = defaults(hop_limit=of_region)
    new = predict(Parameters("template", options(hop_limit=said), image(ami)), region)
    setting = new.setting("hop_limit")
    assert setting is not None
    assert (setting.value, setting.origin) == (limit, origin)


def test_an_unread_default_leaves_what_it_could_say_unknown() -> None:
    new = predict(Parameters("template", None, image()), None)
    assert [found.option for found in new.settings if found.value is not None] == [
        "http_protocol_ipv6"
    ]
    assert new.is_enforced is None


class _World(NamedTuple):
    """Facts, some of which may be unknown: None, in place of a value or of the defaults."""

    tokens: Optional[str]
    endpoint: Optional[str]
    defaults: Optional[tuple[str, str, str]]  # tokens, endpoint, enforced
    has_v2: Optional[bool]


def _outcome(world: _World) -> Outcome:
    """Say what EC2 does where all is known: written out, without the tables."""
    assert world.defaults is not None
    of_region, region_endpoint, enforced = world.defaults
    tokens = world.tokens
    if tokens is None:
        tokens = of_region
    if tokens == "no-preference":
        tokens = "required" if world.has_v2 else "optional"
    endpoint = world.endpoint or region_endpoint
    if enforced == "enabled" and tokens != "required":
        return Outcome.FAILS
    if endpoint == "disabled":
        return Outcome.OFF
    return Outcome.V2 if tokens == "required" else Outcome.V1


DEFAULTS = tuple(
    itertools.product(
        ("no-preference", "optional", "required"),
        ("no-preference", "enabled", "disabled"),
        ("disabled", "enabled"),
    )
)


def _completed(world: _World) -> Iterator[_World]:
    for region in DEFAULTS if world.defaults is None else (world.defaults,):
        for has_v2 in (True, False) if world.has_v2 is None else (world.has_v2,):
            yield world._replace(defaults=region, has_v2=has_v2)


def _predicted(world: _World) -> NewInstance:
    region = None
    if world.defaults is not None:
        tokens, endpoint, enforced = world.defaults
        region = Defaults(options(tokens, http_endpoint=endpoint), enforced)
    ami = {None: GONE, True: V2_IMAGE, False: OLD_IMAGE}[world.has_v2]
    said = options(world.tokens, http_endpoint=world.endpoint)
    return predict(Parameters("template", said, image(ami)), region)


WORLDS = tuple(
    itertools.starmap(
        _World,
        itertools.product(
            (None, "optional", "required"),
            (None, "enabled", "disabled"),
            (None, *DEFAULTS),
            (None, True, False),
        ),
    )
)


def test_a_prediction_holds_for_all_that_unknown_parts_may_be() -> None:
    for world in WORLDS:
        possible = {_outcome(completed) for completed in _completed(world)}
        new = _predicted(world)
        # Never better, and never worse than the facts leave possible.
        assert new.may_allow_v1 is (Outcome.V1 in possible), world
        if len(possible) == 1:
            # A disabled endpoint under enforcement is OFF or FAILS: one of them, whatever tokens.
            assert new.outcome in possible, world
        if new.outcome not in (Outcome.UNKNOWN, Outcome.V1):
            assert Outcome.V1 not in possible, world


def test_a_prediction_of_known_parts_is_what_ec2_does() -> None:
    known = [world for world in WORLDS if world.defaults is not None and world.has_v2 is not None]
    assert len(known) == 3 * 3 * 18 * 2
    for world in known:
        assert _predicted(world).outcome is _outcome(world), world
