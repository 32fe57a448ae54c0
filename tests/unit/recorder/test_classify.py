"""The rules: version, operation, provider, level."""

from __future__ import annotations

from typing import Optional

import pytest

from analyzer.recorder.classify import REQUESTS_MAX, TARGET_CHARACTERS_MAX, _judge, classify
from analyzer.recorder.records import CHANGEABLE, Hint, Request, Token, Version
from analyzer.recorder.sinks import level
from analyzer.recorder.source_events import Problem

CREDENTIALS = "/latest/meta-data/iam/security-credentials/app"


def _request(
    target: Optional[str] = CREDENTIALS,
    method: Optional[str] = "GET",
    *,
    token: Token = Token.ABSENT,
    hints: frozenset[Hint] = frozenset(),
    reason: Optional[str] = None,
) -> Request:
    return Request(method, target, token, None, forwarded=False, hints=hints, reason=reason)


@pytest.mark.parametrize(
    ("request_", "version", "reason"),
    [
        (_request(), Version.V1, "no_token_header"),
        (_request(method="HEAD"), Version.V1, "no_token_header"),
        (_request(token=Token.PRESENT), Version.V2, "token_header"),
        (_request(token=Token.PRESENT, reason="truncated"), Version.V2, "token_header"),
        (_request("/latest/api/token", "PUT"), Version.V2, "token_request"),
        (_request("/2021-03-23/api/token", "PUT"), Version.V2, "token_request"),
        (_request("//latest/%61pi//token?x=y", "PUT"), Version.V2, "token_request"),
        (_request("http://169.254.169.254/latest/api/token", "PUT"), Version.V2, "token_request"),
        (_request("/latest/api/token", "PUT", reason="incomplete"), Version.V2, "token_request"),
        (_request("/latest/api/token", "GET"), Version.V1, "no_token_header"),
        (_request("/latest/api/token", "put"), Version.V1, "no_token_header"),
        (_request("/latest/meta-data/?/api/token", "PUT"), Version.V1, "no_token_header"),
        (_request("/latest/api/token2", "PUT"), Version.V1, "no_token_header"),
        (_request(None, None, reason="not_http"), Version.UNKNOWN, "not_http"),
        (_request(reason="capture_gap"), Version.UNKNOWN, "capture_gap"),
        (_request("/computeMetadata/v1/"), Version.V1, "other_cloud_probe"),
        (_request("/computeMetadata/v1/", reason="truncated"), Version.UNKNOWN, "truncated"),
        (_request("/v1/token", "PUT"), Version.V1, "other_cloud_probe"),
    ],
)
def test_version_follows_the_first_rule_that_matches(
    request_: Request, version: Version, reason: str
) -> None:
    """A token, then the token request, then what could not be read, then v1."""
    verdict = classify(request_)
    assert (verdict.version, verdict.reason) == (version, reason)


def test_a_token_in_memory_that_changes_is_unknown() -> None:
    """Nor is the token request v2 there; what has no token is v1 as elsewhere."""
    unknown = (Version.UNKNOWN, CHANGEABLE)
    assert classify(_request(token=Token.PRESENT, reason=CHANGEABLE))[:3:2] == unknown
    put = _request(method="PUT", target="/latest/api/token", reason=CHANGEABLE)
    assert classify(put)[:3:2] == unknown
    assert classify(_request(reason=CHANGEABLE))[:3:2] == (Version.V1, "no_token_header")


def test_a_target_longer_than_any_client_s_is_judged_as_others_and_not_kept() -> None:
    long = CREDENTIALS + "x" * TARGET_CHARACTERS_MAX
    _judge.cache_clear()
    assert classify(_request(long)) == classify(_request())
    assert _judge.cache_info()[2:] == (REQUESTS_MAX, 1)


@pytest.mark.parametrize("problem", Problem)
def test_cut_off_request_is_never_v1(problem: Problem) -> None:
    """What could not be read whole is unknown, for the reason it could not."""
    verdict = classify(_request(reason=problem.value))
    assert (verdict.version, verdict.reason) == (Version.UNKNOWN, problem.value)


@pytest.mark.parametrize(
    ("target", "operation"),
    [
        ("/latest/api/token", "token"),
        ("/latest/meta-data/iam/security-credentials", "credentials"),
        ("/latest/meta-data/iam/security-credentials/", "credentials"),
        (CREDENTIALS, "credentials"),
        ("/1.0/meta-data/iam/security-credentials/a", "credentials"),
        ("/2009-04-04//meta-data/./iam/x/../security-credentials/", "credentials"),
        ("/latest/meta-data/iam/%73ecurity-credentials/a", "credentials"),
        ("/latest%2Fmeta-data%2fiam/security-credentials/a", "credentials"),
        ("latest/meta-data/iam/security-credentials", "credentials"),
        ("HTTP://[fd00:ec2::254]:80/latest/meta-data/iam/security-credentials", "credentials"),
        ("/latest/meta-data/identity-credentials/ec2/security-credentials/ec2-instance",
         "credentials"),
        ("/latest/meta-data/iam/info", "metadata"),
        ("/latest/meta-data/iam/security-credentials-x", "metadata"),
        ("/latest/meta-data", "metadata"),
        ("/latest/meta-data?x=/../dynamic", "metadata"),
        ("/latest/dynamic/instance-identity/document", "dynamic"),
        ("/latest/user-data#x", "user-data"),
        ("/latest/user-data2", "other"),
        ("/latest/", "other"),
        ("/latest/api", "other"),
        ("/", "other"),
        ("", "other"),
        ("*", "other"),
        ("/..", "other"),
        ("http://169.254.169.254", "other"),
        ("/meta-data/", "other"),
        ("/21-1-1/meta-data/", "other"),
        (None, "other"),
    ],
)  # fmt: skip
def test_operation_is_told_from_the_path_as_the_service_sees_it(
    target: Optional[str], operation: str
) -> None:
    """API versions, slashes, escapes, dots, a query and an authority change nothing."""
    assert classify(_request(target)).operation == operation


@pytest.mark.parametrize(
    ("target", "hint", "provider"),
    [
        ("/computeMetadata/v1/instance/", None, "gcp"),
        ("/", Hint.GOOGLE, "gcp"),
        ("/metadata/instance?api-version=2021-02-01", Hint.AZURE, "azure"),
        ("/metadata/identity/oauth2/token", None, "azure"),
        ("/metadata/reprovisiondata", None, "azure"),
        ("/metadata/scheduledevents", Hint.AZURE, "azure"),
        ("/metadata/attested/document?api-version=2020-09-01", None, "azure"),
        ("/metadata/loadbalancer", None, "azure"),
        ("/", Hint.GOOGLE_HOST, "gcp"),
        ("/latest/meta-data/", Hint.GOOGLE_HOST, "aws"),
        ("/metadata/other", None, "aws"),
        ("/opc/v1/instance/", None, "oci"),
        ("/opc/v2/instance/", Hint.ORACLE, "oci"),
        ("/instance_identity/v1/token", None, "ibm"),
        ("/metadata/v1/instance", None, "ibm"),
        ("/metadata/v1/keys", Hint.IBM, "ibm"),
        ("/metadata/v1.json", None, "digitalocean"),
        ("/metadata/v1/id", None, "digitalocean"),
        ("/openstack/latest/meta_data.json", None, "openstack"),
        ("/hetzner/v1/metadata", None, "hetzner"),
        ("/v1.json", None, "vultr"),
        ("/v1/region", None, "vultr"),
        ("/v1/token", None, "linode"),
        ("/v1/instance", None, "linode"),
        ("/v1/user-data", None, "linode"),
        ("/v1/network", Hint.LINODE, "linode"),
        ("/1.0/meta-data", None, "aws"),
        ("/", None, "aws"),
        ("/anything", None, "aws"),
        (None, None, "aws"),
    ],
)
def test_provider_is_told_from_path_and_header(
    target: Optional[str], hint: Optional[Hint], provider: str
) -> None:
    """Another cloud's probe is known by its path, or by its header on no path of AWS's."""
    hints = frozenset() if hint is None else frozenset({hint})
    verdict = classify(_request(target, hints=hints))
    assert verdict.provider == provider
    assert (verdict.reason == "other_cloud_probe") == (provider != "aws")


@pytest.mark.parametrize(
    "target",
    [CREDENTIALS, "/computeMetadata/../latest/user-data", "/computeMetadata%2f..%2flatest/api"],
)
@pytest.mark.parametrize("hint", Hint)
def test_call_to_an_aws_path_cannot_pass_as_another_clouds(target: str, hint: Hint) -> None:
    """No header and no detour turns a v1 call to AWS's paths into a harmless probe."""
    verdict = classify(_request(target, hints=frozenset({hint})))
    assert (verdict.version, verdict.provider) == (Version.V1, "aws")
    assert level(verdict) == "warning"


@pytest.mark.parametrize(
    ("target", "agent", "provider"),
    [
        ("/", "gcloud-golang/0.1", "gcp"),
        ("http://169.254.169.254", "gcloud-golang/0.1", "gcp"),
        ("/latest/meta-data/", "gcloud-golang/0.1", "aws"),
        ("/latest/", "gcloud-golang/0.1", "aws"),
        ("/user", "gcloud-golang/0.1", "aws"),
        ("/", "my gcloud-golang/0.1", "aws"),
        ("/", "Faraday v0.15.4", "aws"),
        ("/", "Go-http-client/1.1", "aws"),
        ("/", None, "aws"),
        (None, "gcloud-golang/0.1", "aws"),
    ],
)
def test_a_library_of_another_cloud_is_known_by_its_user_agent_at_the_root(
    target: Optional[str], agent: Optional[str], provider: str
) -> None:
    """Google's for Go asks `GET /` without a header. Elsewhere it proves nothing."""
    assert classify(_request(target)._replace(user_agent=agent)).provider == provider
