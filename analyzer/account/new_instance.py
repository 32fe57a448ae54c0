"""Predicts the metadata options that a new instance gets, and says why.

EC2 takes each option by itself from the first that names it: the launch parameters, the account's
default of the Region, the AMI. Then it checks HttpTokensEnforced, and refuses a launch without
required tokens. A part that is unknown stays unknown: no prediction is better than the facts.

Source: "Order of precedence for instance metadata options" in the EC2 User Guide, and
``HttpTokensEnforced`` of GetInstanceMetadataDefaults in the EC2 API reference.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import NamedTuple, Optional, Union

from analyzer.account.model import Defaults, Image, MetadataOptions

Value = Union[str, int]

NO_PREFERENCE = ("no-preference", -1)
_NO_OPTIONS = MetadataOptions()


class Outcome(enum.Enum):
    """Outcome of a launch; the worst first."""

    V1 = "allows v1"
    UNKNOWN = "unknown"
    FAILS = "launch fails"
    V2 = "requires v2"
    OFF = "IMDS is off"


class Origin(enum.Enum):
    """Source of an option's value, in EC2's order."""

    LAUNCH = "launch parameters"
    DEFAULT = "account default"
    IMAGE = "AMI"
    EC2 = "EC2's own default"
    UNKNOWN = "unknown"


class Setting(NamedTuple):
    """One option of a new instance. ``value`` is None if ``origin`` is UNKNOWN."""

    option: str
    value: Optional[Value]
    origin: Origin


@dataclass(frozen=True)
class ImageFacts:
    """Facts about a launch's AMI.

    ``requires_v2`` says whether its ImdsSupport is v2.0, None if that is unknown. ``words`` say it
    in a reason.
    """

    requires_v2: Optional[bool]
    words: str


@dataclass(frozen=True)
class Parameters:
    """The parameters of a launch. ``named_by`` names what they stand in, such as "template".

    ``has_own_defaults`` is of launch configurations. Auto Scaling's reference says that tokens are
    optional, and IMDS is enabled, where one says nothing; EC2's says that the account's default and
    the AMI count for every launch.
    """

    named_by: str
    options: Optional[MetadataOptions]
    image: ImageFacts
    has_own_defaults: bool = False


@dataclass(frozen=True)
class NewInstance:
    """A prediction. ``settings`` has every option; ``reason`` explains the outcome in words.

    ``is_enforced`` says whether EC2 refuses launches without required tokens, None if unknown.
    """

    outcome: Outcome
    reason: str
    settings: tuple[Setting, ...] = ()
    is_enforced: Optional[bool] = None

    @property
    def may_allow_v1(self) -> bool:
        """True if, by the facts, a new instance may answer IMDSv1."""
        if self.outcome is Outcome.UNKNOWN:
            return self.is_enforced is not True
        return self.outcome is Outcome.V1

    def setting(self, option: str) -> Optional[Setting]:
        """Return one option by the name that it has in MetadataOptions."""
        return next((found for found in self.settings if found.option == option), None)


class _Option(NamedTuple):
    """One option: who may say it, and what it is if nobody does."""

    name: str
    has_default: bool
    of_image: Optional[Value]
    otherwise: Value


# ImdsSupport v2.0 of an AMI sets these two options, and no other.
_OPTIONS = (
    _Option("http_tokens", has_default=True, of_image="required", otherwise="optional"),
    _Option("http_endpoint", has_default=True, of_image=None, otherwise="enabled"),
    _Option("hop_limit", has_default=True, of_image=2, otherwise=1),
    _Option("http_protocol_ipv6", has_default=False, of_image=None, otherwise="disabled"),
    _Option("instance_metadata_tags", has_default=True, of_image=None, otherwise="disabled"),
)


class _Rule(NamedTuple):
    """One row of the outcomes. None fits any value, and also an unknown one."""

    outcome: Outcome
    is_enforced: Optional[bool] = None
    tokens: Optional[str] = None
    endpoint: Optional[str] = None


# The first row that fits. Enforcement comes first: EC2 refuses a launch unless tokens are
# required, and its documentation makes no exception for a disabled endpoint.
_RULES = (
    _Rule(Outcome.FAILS, is_enforced=True, tokens="optional"),
    _Rule(Outcome.OFF, endpoint="disabled"),
    _Rule(Outcome.V2, tokens="required"),
    _Rule(Outcome.V1, tokens="optional"),
    _Rule(Outcome.UNKNOWN),  # unknown, or a value that EC2 did not have when this was written
)


def image_facts(id: Optional[str], image: Optional[Image]) -> ImageFacts:  # noqa: A002 (EC2's)
    """Return what is known of an AMI by the id that a launch names and what EC2 said of it."""
    if id is None:
        return ImageFacts(None, "the AMI is named at launch")
    if image is None:
        return ImageFacts(None, f"AMI {id} is unknown")
    if not image.is_found:
        return ImageFacts(None, f"AMI {id} is gone")
    if image.imds_support == "v2.0":
        return ImageFacts(requires_v2=True, words="AMI says v2")
    return ImageFacts(requires_v2=False, words="AMI says nothing")


def predict(parameters: Parameters, defaults: Optional[Defaults]) -> NewInstance:
    """Predict a new instance. ``defaults`` is None if the Region's could not be read."""
    settings = tuple(_setting(option, parameters, defaults) for option in _OPTIONS)
    values = {setting.option: setting.value for setting in settings}
    is_enforced = None if defaults is None else defaults.tokens_enforced == "enabled"
    tokens, endpoint = values["http_tokens"], values["http_endpoint"]
    outcome = next(
        rule.outcome
        for rule in _RULES
        if rule.is_enforced in (None, is_enforced)
        and rule.tokens in (None, tokens)
        and rule.endpoint in (None, endpoint)
    )
    origin = {setting.option: setting.origin for setting in settings}
    reason = _tokens_in_words(parameters, defaults, tokens, origin["http_tokens"])
    reason += _rest_in_words(outcome, parameters, defaults, origin["http_endpoint"])
    return NewInstance(outcome, reason, settings, is_enforced)


def _setting(option: _Option, parameters: Parameters, defaults: Optional[Defaults]) -> Setting:
    found = _by_ec2(option, parameters, defaults)
    if _is_disputed(option, parameters, found):
        return Setting(option.name, None, Origin.UNKNOWN)
    return found


def _is_disputed(option: _Option, parameters: Parameters, found: Setting) -> bool:
    """Tell whether Auto Scaling's reference says something worse than what EC2's order gives."""
    return (
        parameters.has_own_defaults
        and option.name in ("http_tokens", "http_endpoint")
        and found.origin in (Origin.DEFAULT, Origin.IMAGE)
        and found.value != option.otherwise
    )


def _by_ec2(option: _Option, parameters: Parameters, defaults: Optional[Defaults]) -> Setting:
    value = getattr(parameters.options or _NO_OPTIONS, option.name)
    if value is not None:
        return Setting(option.name, value, Origin.LAUNCH)
    if option.has_default:
        if defaults is None:
            return Setting(option.name, None, Origin.UNKNOWN)
        value = _preference(defaults, option.name)
        if value is not None:
            return Setting(option.name, value, Origin.DEFAULT)
    if option.of_image is not None and parameters.image.requires_v2 is not False:
        if parameters.image.requires_v2 is None:
            return Setting(option.name, None, Origin.UNKNOWN)
        return Setting(option.name, option.of_image, Origin.IMAGE)
    return Setting(option.name, option.otherwise, Origin.EC2)


def _preference(defaults: Defaults, option: str) -> Optional[Value]:
    value: Optional[Value] = getattr(defaults.options, option)
    return None if value in NO_PREFERENCE else value


def _tokens_in_words(
    parameters: Parameters, defaults: Optional[Defaults], tokens: Optional[Value], origin: Origin
) -> str:
    """Say who said what of HttpTokens, the weakest first, and what comes of it."""
    said = [] if parameters.image.requires_v2 is False else [parameters.image.words]
    if defaults is None:
        said.append("the account default is unknown")
    else:
        preference = _preference(defaults, "http_tokens")
        if preference is not None:
            said.append(f"{_setter(defaults)} says {preference}")
    if origin is Origin.LAUNCH:
        said.append(f"{parameters.named_by} says {tokens}")
    elif tokens is None and parameters.has_own_defaults:
        said.append(
            f"Auto Scaling's reference says optional where a {parameters.named_by} says nothing"
        )
    if not said:
        said.append(f"{parameters.named_by}, account default and AMI say nothing")
    return f"{', '.join(said)}: {'unknown' if tokens is None else tokens}"


def _rest_in_words(
    outcome: Outcome, parameters: Parameters, defaults: Optional[Defaults], endpoint_by: Origin
) -> str:
    if outcome is Outcome.OFF:
        by = parameters.named_by if endpoint_by is Origin.LAUNCH else "the account default"
        return f"; {by} turns IMDS off"
    if defaults is None:
        is_refused = outcome in (Outcome.V1, Outcome.UNKNOWN)
        return "; whether HttpTokensEnforced refuses it is unknown" if is_refused else ""
    if defaults.tokens_enforced != "enabled":
        return ""
    if outcome is Outcome.FAILS:
        return f"; {_enforcer(defaults)} enforces v2 (HttpTokensEnforced): the launch fails"
    if outcome is Outcome.UNKNOWN:
        return f"; {_enforcer(defaults)} enforces v2 (HttpTokensEnforced): v2, or the launch fails"
    return ""


def _setter(defaults: Defaults) -> str:
    if defaults.managed_by == "declarative-policy":
        return "declarative policy"
    return "account default"


def _enforcer(defaults: Defaults) -> str:
    return "a declarative policy" if defaults.managed_by == "declarative-policy" else "the account"
