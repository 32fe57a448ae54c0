"""Classifies a request: its version by AWS's rule, its operation, and the cloud it is meant for.

All rules are tables and the first match wins. No I/O.
"""

from __future__ import annotations

import functools
import re
from typing import Callable, Optional
from urllib.parse import unquote

from analyzer.imds import (
    AWS,
    AZURE,
    DIGITALOCEAN,
    GCP,
    HETZNER,
    IBM,
    LINODE,
    OCI,
    OPENSTACK,
    VULTR,
    origin_form,
)
from analyzer.recorder.records import (
    CHANGEABLE,
    DOUBTS,
    UNFRAMED,
    Classification,
    Hint,
    Request,
    Token,
    Version,
)

Segments = tuple[str, ...]

_API_VERSION = re.compile(r"latest|1\.0|\d{4}-\d{2}-\d{2}", re.ASCII)

# Path below the API version -> operation.
_OPERATIONS: tuple[tuple[Segments, str], ...] = (
    (("api", "token"), "token"),
    (("meta-data", "iam", "security-credentials"), "credentials"),
    (("meta-data", "identity-credentials", "ec2", "security-credentials"), "credentials"),
    (("meta-data",), "metadata"),
    (("dynamic",), "dynamic"),
    (("user-data",), "user-data"),
)

# Beginning of the path, header field (None: any) -> provider. Asked only when the path is
# none of AWS's own: a header alone must never make a call to AWS's paths look like another's.
_PROVIDERS: tuple[tuple[Segments, Optional[Hint], str], ...] = (
    (("computeMetadata",), None, GCP),
    (("opc", "v1"), None, OCI),
    (("opc", "v2"), None, OCI),
    (("openstack",), None, OPENSTACK),
    (("hetzner", "v1"), None, HETZNER),
    (("instance_identity", "v1"), None, IBM),
    (("metadata", "v1", "instance"), None, IBM),
    (("metadata", "v1"), Hint.IBM, IBM),
    (("metadata", "v1"), None, DIGITALOCEAN),  # and UpCloud, which copies its paths
    (("metadata", "v1.json"), None, DIGITALOCEAN),
    (("metadata", "instance"), None, AZURE),
    (("metadata", "identity"), None, AZURE),
    (("metadata", "reprovisiondata"), None, AZURE),
    # Azure's documents: attested data, scheduled events, load balancers, the list of versions.
    (("metadata", "attested"), None, AZURE),
    (("metadata", "scheduledevents"), None, AZURE),
    (("metadata", "loadbalancer"), None, AZURE),
    (("metadata", "versions"), None, AZURE),
    (("v1", "token"), None, LINODE),
    (("v1", "instance"), None, LINODE),
    (("v1", "user-data"), None, LINODE),
    (("v1",), Hint.LINODE, LINODE),
    (("v1",), None, VULTR),
    (("v1.json",), None, VULTR),
    ((), Hint.GOOGLE, GCP),
    ((), Hint.GOOGLE_HOST, GCP),
    ((), Hint.IBM, IBM),
    ((), Hint.AZURE, AZURE),
    ((), Hint.ORACLE, OCI),
    ((), Hint.LINODE, LINODE),
)

# User agents of libraries for another cloud that ask `GET /` without its header. EC2 answers that
# with a list of versions, which they do not read. Only a library that asks for nothing else may
# stand here. An HTTP library's proves nothing: googleauth before 0.12 sends Faraday's.
# https://github.com/googleapis/google-cloud-go/blob/main/compute/metadata/metadata.go
_AGENTS_AT_ROOT: tuple[tuple[str, str], ...] = (("gcloud-golang/", GCP),)


# Most callers repeat a few requests. What is kept of one holds no secret. Longer ones than any
# client's, up to 64 KiB, are judged anew each time, so that nobody can fill memory with them.
REQUESTS_MAX = 1024
TARGET_CHARACTERS_MAX = 1024


def classify(request: Request) -> Classification:
    """Judge a request; see :func:`_judge`."""
    if len(request.target or "") > TARGET_CHARACTERS_MAX:
        return _judge.__wrapped__(request)
    return _judge(request)


@functools.lru_cache(maxsize=REQUESTS_MAX)
def _judge(request: Request) -> Classification:
    """Judge a request.

    The version follows AWS's rule to the letter: a token header, or the token request
    itself, is v2, even if the head was cut off behind it; a head that could not be read
    whole is unknown; what is left is v1. Where it is not certain that the server took what was
    read (DOUBTS), or as what (UNFRAMED), all is unknown, be there a token or not.
    So a probe for another cloud's service without a token is v1 too, as it is on the wire,
    and as unknown it would be mixed with what could not be read. It is told apart by
    ``provider``, by its reason ``other_cloud_probe`` and by its level: no AWS credentials can be
    had with it.
    """
    segments = _segments(request.target)
    provider = _provider(segments, request)
    version, reason = _version(request, segments, provider)
    return Classification(version, _operation(segments), reason, provider)


def _is_token_request(request: Request, segments: Segments) -> bool:
    return request.method == "PUT" and segments[-2:] == ("api", "token")


def _may_be_tokenless(request: Request, segments: Segments) -> bool:
    """Tell whether the sender could change what makes the request v2 while it was sent."""
    return request.reason == CHANGEABLE and (
        request.token is Token.PRESENT or _is_token_request(request, segments)
    )


# Reasons for which a token does not count.
_UNBELIEVED = DOUBTS | {UNFRAMED}

# Condition -> version, reason (None: the request's own).
_VERSIONS: tuple[tuple[Callable[[Request, Segments, str], bool], Version, Optional[str]], ...] = (
    (lambda request, _s, _p: request.reason in _UNBELIEVED, Version.UNKNOWN, None),
    (lambda request, path, _p: _may_be_tokenless(request, path), Version.UNKNOWN, None),
    (lambda request, _s, _p: request.token is Token.PRESENT, Version.V2, "token_header"),
    (lambda request, path, _p: _is_token_request(request, path), Version.V2, "token_request"),
    (
        lambda request, _s, _p: request.reason not in (None, CHANGEABLE),
        Version.UNKNOWN,
        None,
    ),
    (lambda _r, _s, provider: provider != AWS, Version.V1, "other_cloud_probe"),
)


def _version(request: Request, segments: Segments, provider: str) -> tuple[Version, str]:
    for matches, version, reason in _VERSIONS:
        if matches(request, segments, provider):
            return version, reason or request.reason or ""
    return Version.V1, "no_token_header"


def _segments(target: Optional[str]) -> Segments:
    """Split a target into its path's names as the service sees them.

    An absolute URL's host and the query are left out, percent escapes are decoded,
    empty names and dots resolved.
    """
    if target is None:
        return ()
    path = origin_form(target).partition("?")[0].partition("#")[0]
    if "%" in path:
        path = unquote(path)
    segments: list[str] = []
    for name in path.split("/"):
        if name == "..":
            del segments[-1:]
        elif name not in ("", "."):
            segments.append(name)
    return tuple(segments)


def _operation(segments: Segments) -> str:
    if not segments or _API_VERSION.fullmatch(segments[0]) is None:
        return "other"
    for beginning, operation in _OPERATIONS:
        if segments[1 : len(beginning) + 1] == beginning:
            return operation
    return "other"


def _provider(segments: Segments, request: Request) -> str:
    hints = request.hints
    if segments and _API_VERSION.fullmatch(segments[0]) is not None:
        return AWS
    for beginning, hint, provider in _PROVIDERS:
        if segments[: len(beginning)] == beginning and (hint is None or hint in hints):
            return provider
    if not segments and request.target and request.user_agent:
        for agent, provider in _AGENTS_AT_ROOT:
            if request.user_agent.startswith(agent):
                return provider
    return AWS
