"""Turns an error of AWS or of the network into a Failure that says what to do."""

from __future__ import annotations

import re
from typing import NamedTuple, Optional

from analyzer.account.model import Failure, Part
from analyzer.masking import mask_text
from analyzer.text import visible

TEXT_MAX = 400
_POLICY = "Attach the policy that `imds-analyzer audit --iam-policy` prints."
UNEXPECTED = "UnexpectedAnswer"
_LOG_IN = "Log in again, or name valid credentials with --profile."


class Incomplete(Exception):
    """An answer that came, but not with all that was asked for."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class _Advice(NamedTuple):
    """Advice about errors whose code matches.

    ``is_of_place`` says that every other call in that account and Region fails as well.
    """

    code: str
    text: str
    is_of_place: bool = False


# The first row that matches the whole code. Sources: "Common errors" of the APIs' references.
_ADVICE = (
    _Advice(r"AccessDenied(Exception)?|UnauthorizedOperation", _POLICY),
    _Advice(
        r"ExpiredToken(Exception)?|RequestExpired|TokenRefreshRequired|UnauthorizedSSOTokenError"
        r"|SSOTokenLoadError|TokenRetrievalError|LoginRefreshRequired",
        _LOG_IN,
        is_of_place=True,
    ),
    _Advice(
        r"AuthFailure|InvalidClientTokenId|UnrecognizedClientException|SignatureDoesNotMatch"
        r"|IncompleteSignature|InvalidAccessKeyId",
        "The credentials are not valid here: check them, the clock, and that the Region is"
        " enabled.",
        is_of_place=True,
    ),
    _Advice(
        r"NoCredentialsError|PartialCredentialsError|CredentialRetrievalError"
        r"|MetadataRetrievalError",
        "Give credentials as for the AWS CLI: --profile, AWS_PROFILE, or a role.",
        is_of_place=True,
    ),
    _Advice(r"OptInRequired", "Enable the Region for the account, or leave it out.", True),
    _Advice(
        r"EndpointConnectionError|ConnectTimeoutError|ConnectionClosedError|ProxyConnectionError"
        r"|SSLError|ConnectionError|HTTPClientError",
        "Check the network, the proxy and the Region's name.",
        is_of_place=True,
    ),
    _Advice(r"ReadTimeoutError", "Run the audit again.", True),
    _Advice(
        r"\w*Throttl\w*|RequestLimitExceeded|TooManyRequests\w*|LimitExceeded\w*",
        "AWS limits the calls: run the audit again later, or with fewer --region.",
    ),
    _Advice(
        r"AWSOrganizationsNotInUseException",
        "The account is in no organization: leave --organization-role out.",
    ),
    _Advice(r"UnknownRegion", "Enable the Region for the account, or leave it out."),
    _Advice(r"UnknownAccount", "Check --accounts, or leave the account out."),
    _Advice(
        r"InvalidRegionError",
        "Check --region, AWS_DEFAULT_REGION and the Region of the profile.",
        is_of_place=True,
    ),
    _Advice(
        r"UnexpectedAnswer|ResponseParserError|PaginationError",
        "Check AWS_ENDPOINT_URL and the proxy, then run the audit again.",
    ),
    _Advice(r"PartialData|InternalError|\w*Unavailable\w*", "Run the audit again."),
)
_OTHERWISE = _Advice("", "Run the audit again; if it stays, leave the part out of decisions.")


# http.client says which value it refuses, and that is a secret.
_HEADER = re.compile(r"Invalid header value.*", re.DOTALL)
_HEADER_TEXT = "Invalid header value: a credential has a line break in it."


class Place(NamedTuple):
    """Account and Region of a failure, None if it belongs to none."""

    account: Optional[str] = None
    region: Optional[str] = None


def failure(part: Part, error: Exception, place: Place, action: str = "") -> Failure:
    """Return what is known of an error: ``action`` is the one that was tried."""
    code = _code(error)
    said = text_of(error)
    if len(said) > TEXT_MAX:
        said = f"{said[:TEXT_MAX]}..."
    if not said.endswith("."):
        said += "."
    tried = f"{action}: " if action else ""
    return Failure(part, code, f"{tried}{said} {_advice(code).text}", place.account, place.region)


def text_of(error: Exception) -> str:
    """Return what an error says, without secrets."""
    return visible(mask_text(_HEADER.sub(_HEADER_TEXT, str(error))))


def is_of_place(error: Exception) -> bool:
    """Tell whether every other call in that account and Region would fail as well."""
    return _advice(_code(error)).is_of_place


def is_foreseen(error: Exception) -> bool:
    """Tell whether it is an error of AWS, the network or an answer, not a programming error."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 (an extra)
    from botocore.parsers import ResponseParserError  # noqa: PLC0415 (an extra)

    kinds = (BotoCoreError, ClientError, ResponseParserError, Incomplete, OSError)
    return isinstance(error, kinds)


def unexpected(error: Exception) -> Optional[Incomplete]:
    """Return what an error says of an answer that is not as AWS documents it, else None."""
    if not isinstance(error, (AttributeError, KeyError, TypeError, ValueError)):
        return None
    why = f"an answer has no {error}" if isinstance(error, KeyError) else str(error)
    return Incomplete(UNEXPECTED, why)


def _advice(code: str) -> _Advice:
    return next((row for row in _ADVICE if re.fullmatch(row.code, code)), _OTHERWISE)


def _code(error: Exception) -> str:
    if isinstance(error, Incomplete):
        return error.code
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        code = response.get("Error", {}).get("Code")
        if code:
            return visible(str(code))
    return type(error).__name__
