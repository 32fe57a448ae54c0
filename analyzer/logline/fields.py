"""Names the fields of a log line.

The writer is type-checked against these classes, and the JSON Schema, docs/log-format.md and the
columns of a report are made from them. Fields stand in the order in which they are written.
The names are those of the Elastic Common Schema. A recorder does not load this module.
"""

from __future__ import annotations

from typing import Annotated, TypedDict

from analyzer.imds import AWS, OTHER_CLOUDS
from analyzer.logline.callers import NOBODY, NOT_READ, Container, Orchestrator, Process, Service
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
    "token_request": "The request is the token request itself: `PUT …/api/token`.",
    "no_token_header": "The complete request head has no token header.",
    "fallback_after_token_failure": "No token header, after this caller's token request failed."
    " `imds.token_request` has the failure. Often the instance's hop limit is too small.",
    "other_cloud_probe": "No token header. The request is for another cloud: see `imds.provider`.",
    "truncated": "The head is longer than the part that the probe copies.",
    "unreadable_payload": "The probe could not read the head, because its memory was not resident.",
    "payload_in_pages": "The head came from a file's pages (sendfile, splice).",
    "capture_gap": "The analyzer did not see packets with a part of the head.",
    "incomplete": "The connection ended before the end of the head.",
    "header_too_large": "The head is larger than servers accept.",
    "not_http": "The bytes are no HTTP request.",
    "urgent_data": "The connection has TCP urgent data, which a server may skip. Later requests on"
    " the connection are `unknown`, too.",
    "conflicting_bytes": "Two packets have the same sequence numbers and different bytes. The"
    " server may have accepted either. Later requests on the connection are `unknown`, too.",
    "changeable_payload": "The sender can still change the token (MSG_ZEROCOPY, sendfile, splice).",
    "uncertain_framing": "The request looks like IMDSv2, but its beginning is uncertain. It may be"
    " a part of another request.",
    "request_in_body": "A line of a body looks like a request. A server may serve it.",
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
        int, Fact("HTTP status code of its answer.", "if it had no answer", between(1, 999))
    ]


KINDS = ("program", "script", "package", "person", "boot")


class Who(TypedDict, total=False):
    """The caller by name."""

    program: Annotated[str, Fact("Name of the program or script.", rule=TEXT)]
    launcher: Annotated[
        str,
        Fact(
            "The program or script that started it.",
            "if only wrappers, shells and init started it",
            TEXT,
        ),
    ]
    kind: Annotated[
        str,
        Fact(
            "`program`; `script` or `package` of an interpreter; `person`: a user typed the"
            " command; `boot`: init itself.",
            rule=one_of(*KINDS),
        ),
    ]
    key: Annotated[str, Fact("Stable key: all runs of one job have the same.", rule=TEXT)]


class Imds(TypedDict, total=False):
    """The kind of the request."""

    version: Annotated[
        str,
        Fact(
            "`v2`: a token header, or the token request. `v1`: neither. `unknown`: the"
            " analyzer could not decide; see `imds.reason`.",
            rule=one_of(*VERSIONS),
        ),
    ]
    operation: Annotated[str, Fact("Kind of the requested path.", rule=one_of(*OPERATIONS))]
    reason: Annotated[str, Fact("Reason of the version; see Reasons.", rule=one_of(*REASONS))]
    provider: Annotated[
        str,
        Fact(
            "The cloud whose metadata service the request is for. Some agents try several"
            " clouds at the same address.",
            rule=one_of(*PROVIDERS),
        ),
    ]
    outcome: Annotated[
        str,
        Fact(
            "`success` (2xx), `rejected` (401, 403), `not_found` (404), `error` (any other),"
            " `no_response`.",
            "if the analyzer does not see answers",
            one_of(*OUTCOMES),
        ),
    ]
    hop_limit: Annotated[
        int,
        Fact(
            "Measured TTL (IPv6: hop limit) of the answer to a token request.",
            "if not measured, and for other requests",
            between(1, 255),
        ),
    ]
    repeated: Annotated[
        list[Repeated],
        Fact("Counts of the calls in a folded line.", "from a line of one call", NOT_EMPTY),
    ]
    repeated_since: Annotated[
        str, Fact("Time of the first of these calls.", "as `imds.repeated`", TIME)
    ]
    repeated_by_others: Annotated[
        bool, Fact("Other processes made some of these calls.", "if none did", TRUE)
    ]
    token_request: Annotated[
        TokenRequest,
        Fact("The earlier, failed token request.", "with any other `imds.reason`"),
    ]
    forwarded: Annotated[
        bool,
        Fact("The request has X-Forwarded-For: a proxy sent it.", "if it has not", TRUE),
    ]
    through: Annotated[
        str,
        Fact(
            "The proxies on the node that sent this request on, the nearest first: `kube2iam`,"
            " `kiam`, `Envoy`, `linkerd-proxy`; the network of a rootless"
            " container: `slirp4netns`, `pasta`.",
            "if none did",
            TEXT,
        ),
    ]
    sent_on: Annotated[
        bool,
        Fact(
            "A proxy made this request for another one in the log, which has `imds.through`. The"
            " two are one call.",
            "if it is a call of its own",
            TRUE,
        ),
    ]
    attribution: Annotated[
        str,
        Fact(
            "Origin of the caller. `socket`: the socket tables (best effort). `wire`: the probe"
            " saw no call; this process held the socket's lock during the send.",
            "if the probe saw the call",
            one_of("socket", "wire"),
        ),
    ]
    caller: Annotated[Who, Fact("The caller by name, as the recorder recognised it.", NOBODY)]


class HttpRequest(TypedDict, total=False):
    """The request as it was sent."""

    method: Annotated[str, Fact("HTTP method, as sent.", rule=TEXT)]
    via: Annotated[
        str, Fact("Via header, secrets masked: the proxies on the way.", "if it has none", TEXT)
    ]
    forwarded_for: Annotated[
        str,
        Fact(
            "The client that a proxy's header names: the first address in X-Forwarded-For,"
            " X-Real-IP or Forwarded. A client may have invented it.",
            "if none names an address",
            matching("[0-9a-f.:]+"),
        ),
    ]
    client_headers: Annotated[
        list[str],
        Fact(
            "Names of header fields that browsers and proxies send, and clients of the metadata"
            " service do not. Never their values.",
            "if it has none",
            NOT_EMPTY,
        ),
    ]


class HttpResponse(TypedDict, total=False):
    """The answer."""

    status_code: Annotated[int, Fact("HTTP status code.", rule=between(1, 999))]


class Http(TypedDict, total=False):
    """HTTP."""

    request: Annotated[HttpRequest, Fact("The request.", NOT_READ)]
    response: Annotated[HttpResponse, Fact("The answer.", "if no answer came in `response_wait_s`")]


class Url(TypedDict, total=False):
    """The target."""

    path: Annotated[
        str, Fact(r"Path, as sent. A byte that is not UTF-8 is `\xNN`.", NOT_READ, TEXT)
    ]
    query: Annotated[str, Fact("Query string, without `?`.", "if the request has none", TEXT)]
    domain: Annotated[
        str,
        Fact(
            "Host header, if it names something other than the metadata service.",
            "if it names the metadata service",
            TEXT,
        ),
    ]


class UserAgent(TypedDict, total=False):
    """The client's name for itself."""

    original: Annotated[str, Fact("User-Agent header.", rule=TEXT)]


class Endpoint(TypedDict, total=False):
    """One end of a TCP connection."""

    ip: Annotated[str, Fact("IPv4 or IPv6 address.", rule=matching("[0-9a-f.:]+"))]
    port: Annotated[int, Fact("TCP port.", rule=between(1, 65535))]


class Network(TypedDict, total=False):
    """The packet's way."""

    forwarded: Annotated[
        bool, Fact("The host forwarded the packet for a guest or container.", rule=TRUE)
    ]


class Request(TypedDict, total=False):
    """A request, between head and tail."""

    imds: Annotated[Imds, Fact("What the request is.")]
    http: Annotated[Http, Fact("HTTP.", NOT_READ)]
    url: Annotated[Url, Fact("The target.", NOT_READ)]
    user_agent: Annotated[UserAgent, Fact("The client.", "if the request has none")]
    source: Annotated[
        Endpoint, Fact("The caller's end.", "if sent while connecting (TCP Fast Open)")
    ]
    destination: Annotated[Endpoint, Fact("The service's end.")]
    network: Annotated[Network, Fact("The packet's way.", "if this host sent the request")]
    process: Annotated[
        Process,
        Fact(
            "The caller. `others` alone if nobody knows the caller.",
            "if packets do not show it",
            {
                "anyOf": [
                    {"required": ["pid", "start", "user"]},
                    {"required": ["others"], "maxProperties": 1},
                ]
            },
        ),
    ]
    container: Annotated[Container, Fact("The caller's container.", "outside of containers")]
    orchestrator: Annotated[
        Orchestrator, Fact("The orchestrator of the container.", "without an orchestrator")
    ]
    service: Annotated[Service, Fact("The caller's unit.", "outside of units")]
