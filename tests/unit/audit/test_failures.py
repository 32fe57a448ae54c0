"""An error becomes a failure that says what to do."""

from __future__ import annotations

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    InvalidRegionError,
    NoCredentialsError,
    TokenRetrievalError,
)

from analyzer.account.model import Failure, Part
from analyzer.audit.failures import (
    TEXT_MAX,
    Incomplete,
    Place,
    failure,
    is_foreseen,
    is_of_place,
)

PLACE = Place("123456789012", "eu-west-1")


def client_error(code: str, text: str = "no") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": text}}, "DescribeInstances")


@pytest.mark.parametrize(
    ("error", "code", "advice", "of_place"),
    [
        (client_error("AccessDenied"), "AccessDenied", "--iam-policy", False),
        (client_error("AccessDeniedException"), "AccessDeniedException", "--iam-policy", False),
        (client_error("UnauthorizedOperation"), "UnauthorizedOperation", "--iam-policy", False),
        (client_error("ExpiredToken"), "ExpiredToken", "Log in again", True),
        (client_error("InvalidClientTokenId"), "InvalidClientTokenId", "not valid here", True),
        (client_error("OptInRequired"), "OptInRequired", "Enable the Region", True),
        (client_error("Throttling"), "Throttling", "limits the calls", False),
        (client_error("ThrottlingException"), "ThrottlingException", "limits the calls", False),
        (client_error("RequestLimitExceeded"), "RequestLimitExceeded", "limits the calls", False),
        (client_error("SomethingNew"), "SomethingNew", "Run the audit again", False),
        (NoCredentialsError(), "NoCredentialsError", "--profile", True),
        (TokenRetrievalError(provider="sso", error_msg="x"), "TokenRetrievalError", "Log in", True),
        (
            EndpointConnectionError(endpoint_url="https://ec2"),
            "EndpointConnectionError",
            "Check the network",
            True,
        ),
        (ConnectTimeoutError(endpoint_url="x"), "ConnectTimeoutError", "Check the network", True),
        (Incomplete("UnknownRegion", "x"), "UnknownRegion", "Enable the Region", False),
        (Incomplete("UnexpectedAnswer", "x"), "UnexpectedAnswer", "the proxy", False),
        (InvalidRegionError(region_name="a b"), "InvalidRegionError", "AWS_DEFAULT_REGION", True),
        (Incomplete("PartialData", "some"), "PartialData", "Run the audit again", False),
    ],
)
def test_an_error_says_what_to_do(
    error: Exception, code: str, advice: str, *, of_place: bool
) -> None:
    found = failure(Part.INSTANCES, error, PLACE)
    assert (found.part, found.account, found.region) == (Part.INSTANCES, *PLACE)
    assert found.code == code
    assert advice in found.text
    assert is_of_place(error) is of_place
    assert is_foreseen(error)


def test_a_mistake_of_ours_is_no_failure() -> None:
    assert not is_foreseen(AssertionError())


def test_a_text_is_one_line_without_secrets() -> None:
    text = "bad\x1b[31m\npassword=hunter2hunter2 " + "x" * 1000
    found: Failure = failure(Part.SSM, client_error("Odd", text), Place())
    assert found.text.isprintable()
    assert "hunter2" not in found.text
    assert len(found.text) < TEXT_MAX + 100


def test_a_credential_with_a_line_break_is_not_repeated() -> None:
    """Of a file with Windows' line ends, for example; http.client says the whole value."""
    error = HTTPClientError(error=ValueError("Invalid header value b'Fwo3Secret\\r'"))
    found = failure(Part.ACCOUNTS, error, PLACE)
    assert "a credential has a line break in it" in found.text
    assert "Secret" not in found.text
