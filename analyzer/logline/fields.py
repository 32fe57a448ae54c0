"""Declares the fields of a request's line: each with its name, type and meaning.

The writer is type-checked against these classes, and the JSON Schema, docs/log-format.md and the
columns of a report are made from them. Fields stand in the order in which they are written.
The names are those of the Elastic Common Schema. A recorder does not load this module.
"""

from __future__ import annotations

from typing import Annotated, TypedDict

from analyzer.imds import AWS, OTHER_CLOUDS
from analyzer.logline.callers import NOT_READ, Container, Orchestrator, Process, Service
from analyzer.logline.facts import (
    NOT_EMPTY,
    TEXT,
    TIME,
    TRUE,
    Fact,
    between,
    matching,
    one_of,
)
from analyzer.logline.line import CALLS_MAX

VERSIONS = ("v1", "v2", "unknown")
OPERATIONS = ("token", "credentials", "metadata", "dynamic", "user-data", "other")
OUTCOMES = ("success", "rejected", "not_found", "error", "no_response")
PROVIDERS = (AWS, *OTHER_CLOUDS)
# Each with what it means; docs/log-format.md has them as a table.
REASONS = {
    "token_header": "The request has the header `X-aws-ec2-metadata-token`.",
    "token_request": "It is the token request itself: `PUT …/api/token`.",
    "no_token_header": "The head was read whole and has no token header.",
    "fallback_after_token_failure": "No token header, after this caller's token request failed:"
    " `imds.token_request` says how. The instance's hop limit is often too small for a container.",
    "other_cloud_probe": "No token header, but meant for another cloud: see `imds.provider`.",
    "truncated": "The head is longer than what the probe copies.",
    "unreadable_payload": "The head was in memory that was not resident.",
    "payload_in_pages": "The head came from a file's pages (sendfile, splice).",
    "capture_gap": "Packets that carried a part of the head were not seen.",
    "incomplete": "The connection ended before the head did.",
    "header_too_large": "The head is larger than servers accept.",
    "not_http": "The bytes are no HTTP request.",
    "urgent_data": "TCP urgent data: a server may leave the byte out. All that follows on the"
    " connection is `unknown`.",
    "conflicting_bytes": "Other bytes came with the same sequence numbers: the server may have"
    " taken either. All that follows on the connection is `unknown`.",
    "changeable_payload": "A token in memory that the sender can still write to (MSG_ZEROCOPY,"
    " sendfile, splice).",
    "uncertain_framing": "It looks like IMDSv2, but where the request begins is not certain. It"
    " may be a part of another request.",
    "request_in_body": "A line of a body. A server that reads no bodies takes it for a request.",
}


class Repeated(TypedDict, total=False):
    """Calls that were alike."""

    version: Annotated[str, Fact("As `imds.version`.", rule=one_of(*VERSIONS))]
    operation: Annotated[str, Fact("As `imds.operation`.", rule=one_of(*OPERATIONS))]
    outcome: Annotated[
        str, Fact("As `imds.outcome`, or `unknown`.", rule=one_of(*OUTCOMES, "unknown"))
    ]
    count: Annotated[int, Fact("Number of calls.", rule=between(1, CALLS_MAX))]


class TokenRequest(TypedDict, total=False):
    """A token request that failed."""

    outcome: Annotated[str, Fact("As `imds.outcome`.", rule=one_of(*OUTCOMES))]
    status_code: Annotated[
        int, Fact("Status code of its answer.", "if there was none", between(1, 999))
    ]


KINDS = ("program", "script", "package", "person", "boot")


class Who(TypedDict, total=False):
    """The caller by name."""

    program: Annotated[str, Fact("What the caller runs.", rule=TEXT)]
    launcher: Annotated[str, Fact("Who started it.", "if nobody stands out", TEXT)]
    kind: Annotated[
        str,
        Fact(
            "`program`, `script` or `package` (of an interpreter); `person`, if somebody typed"
            " it; `boot`, for init itself.",
            rule=one_of(*KINDS),
        ),
    ]
    key: Annotated[str, Fact("A name that is the same in every run of one job.", rule=TEXT)]


class Imds(TypedDict, total=False):
    """What the request is."""

    version: Annotated[
        str,
        Fact(
            "`v2` with a token header, or if it is the token request; `v1` with neither;"
            " `unknown` if the head could not be read whole.",
            rule=one_of(*VERSIONS),
        ),
    ]
    operation: Annotated[str, Fact("What is asked for, by the path.", rule=one_of(*OPERATIONS))]
    reason: Annotated[str, Fact("Why it is this version; see below.", rule=one_of(*REASONS))]
    provider: Annotated[
        str,
        Fact(
            "Whose service the request is meant for. Agents that look for their cloud try several"
            " on the same address.",
            rule=one_of(*PROVIDERS),
        ),
    ]
    outcome: Annotated[
        str,
        Fact(
            "`success` (2xx), `rejected` (401, 403), `not_found` (404), `error` (any other),"
            " `no_response`.",
            "if answers are not seen",
            one_of(*OUTCOMES),
        ),
    ]
    hop_limit: Annotated[
        int,
        Fact(
            "TTL (IPv6: hop limit) with which the answer to a token request arrived, as measured.",
            "if it was not measured, and on other requests",
            between(1, 255),
        ),
    ]
    repeated: Annotated[
        list[Repeated],
        Fact(
            "The calls that a folded line stands for, its own included.",
            "on an ordinary line",
            NOT_EMPTY,
        ),
    ]
    repeated_since: Annotated[str, Fact("Time of the first of them.", "as `imds.repeated`", TIME)]
    repeated_by_others: Annotated[
        bool, Fact("Other processes made some of them.", "if none did", TRUE)
    ]
    token_request: Annotated[
        TokenRequest,
        Fact("The token request that failed before.", "if the reason is another one"),
    ]
    forwarded: Annotated[
        bool,
        Fact("It has X-Forwarded-For: a proxy made it for somebody else.", "if it has not", TRUE),
    ]
    attribution: Annotated[
        str,
        Fact(
            "How the caller was found: `socket`, in the socket tables, best effort; `wire`, no"
            " call was seen, and the process held the socket while the bytes went out.",
            "if the kernel named the caller at the call",
            one_of("socket", "wire"),
        ),
    ]
    caller: Annotated[
        Who, Fact("The caller by name, as the recorder recognised it.", "if nobody is known")
    ]


class HttpRequest(TypedDict, total=False):
    """What was sent."""

    method: Annotated[str, Fact("The method, as sent.", rule=TEXT)]


class HttpResponse(TypedDict, total=False):
    """What came back."""

    status_code: Annotated[int, Fact("The status code.", rule=between(1, 999))]


class Http(TypedDict, total=False):
    """HTTP."""

    request: Annotated[HttpRequest, Fact("The request.", NOT_READ)]
    response: Annotated[HttpResponse, Fact("The answer.", "if none was seen within the wait")]


class Url(TypedDict, total=False):
    """The target."""

    path: Annotated[str, Fact(r"Path as sent; a byte that is not UTF-8 is `\xNN`.", NOT_READ, TEXT)]
    query: Annotated[str, Fact("What stands behind `?`.", "if there is none", TEXT)]


class UserAgent(TypedDict, total=False):
    """The client's name for itself."""

    original: Annotated[str, Fact("The header User-Agent.", rule=TEXT)]


class Endpoint(TypedDict, total=False):
    """One end of a TCP connection."""

    ip: Annotated[str, Fact("IPv4 or IPv6 address.", rule=matching("[0-9a-f.:]+"))]
    port: Annotated[int, Fact("TCP port.", rule=between(1, 65535))]


class Network(TypedDict, total=False):
    """The packet's way."""

    forwarded: Annotated[
        bool, Fact("A packet of a guest or another network namespace passed this host.", rule=TRUE)
    ]


class Request(TypedDict, total=False):
    """A request, between head and tail."""

    imds: Annotated[Imds, Fact("What the request is.")]
    http: Annotated[Http, Fact("HTTP.", NOT_READ)]
    url: Annotated[Url, Fact("The target.", NOT_READ)]
    user_agent: Annotated[UserAgent, Fact("The client.", "if it sends no User-Agent")]
    source: Annotated[
        Endpoint, Fact("The caller's end.", "if it was sent while connecting (TCP Fast Open)")
    ]
    destination: Annotated[Endpoint, Fact("The service's end.")]
    network: Annotated[Network, Fact("The packet's way.", "if it began on this host")]
    process: Annotated[
        Process,
        Fact(
            "The caller. `others` alone if nobody knows the caller.",
            "if packets do not tell",
            {
                "anyOf": [
                    {"required": ["pid", "start", "user"]},
                    {"required": ["others"], "maxProperties": 1},
                ]
            },
        ),
    ]
    container: Annotated[Container, Fact("The caller's container.", "if it is in none")]
    orchestrator: Annotated[Orchestrator, Fact("Who runs the container.", "if nobody does")]
    service: Annotated[Service, Fact("The caller's unit.", "if it is in none")]
