"""Writes the part of a line that says what was asked and answered.

Most callers repeat a few requests, so the text of a usual one is kept.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Optional

from analyzer.recorder.records import (
    Classification,
    Record,
    Relayed,
    Repeated,
    Request,
    Response,
)
from analyzer.recorder.sinks.encoding import members
from analyzer.recorder.source_events import Attribution, Connection
from analyzer.text import timestamp

if TYPE_CHECKING:
    from analyzer.logline import fields as line
    from analyzer.logline.caller import Identity

# Characters kept of what a client may choose freely. Real paths and user agents are below 300;
# decode bounds a header block, this bounds a line.
PATH_MAX = 2048
QUERY_MAX = 2048
USER_AGENT_MAX = 1024
METHOD_MAX = 64
# What is kept of a request holds no secret, and about 2 KiB. Longer ones than any client's are
# written anew each time, so that nobody can fill memory with them.
REQUESTS_MAX = 1024
TARGET_KEPT_MAX = 512
# Of one who called, 300 bytes; a busy host has some dozens.
IDENTITIES_MAX = 512


def request_text(record: Record) -> bytes:
    """Return ``"imds":{...},...,``: the request, and in ``imds.caller`` who made it."""
    (
        _, _, _, _, request, verdict, caller, response, token_failure, hop_limit, repeated, through,
        is_sent_on,
    ) = record  # fmt: skip
    is_usual = repeated is None and through is None and not is_sent_on
    if not is_usual or len(request.target or "") > TARGET_KEPT_MAX:
        return members(request_fields(record))
    imds, others = _usual_text(
        request, verdict, response, token_failure, caller.attribution, hop_limit
    )
    identity = caller.identity
    return imds + (b"" if identity is None else _identity_text(identity)) + others


def endpoints_text(connection: Connection) -> bytes:
    """Return ``"source":{...},"destination":{...},``; before there is a connection no source."""
    _, _, source_ip, source_port, ip, port, is_forwarded = connection
    source = f'"source":{{"ip":"{source_ip}","port":{source_port}}},' if source_port else ""
    network = '"network":{"forwarded":true},' if is_forwarded else ""
    return f'{source}"destination":{{"ip":"{ip}","port":{port}}},{network}'.encode()


def request_fields(record: Record) -> dict[str, Any]:
    """Return what :func:`request_text` writes."""
    fields = _fields_of(
        record.request,
        record.verdict,
        record.response,
        record.token_failure,
        record.caller.attribution,
        record.hop_limit,
        record.repeated,
        record.caller.identity,
        record.through,
        is_sent_on=record.is_sent_on,
    )
    return dict(fields)


@functools.lru_cache(maxsize=IDENTITIES_MAX)
def _identity_text(identity: Identity) -> bytes:
    return b"," + members({"caller": caller_name(identity)})[:-1]


@functools.lru_cache(maxsize=REQUESTS_MAX)
def _usual_text(
    request: Request,
    verdict: Classification,
    response: Optional[Response],
    token_failure: Optional[Response],
    attribution: Attribution,
    hop_limit: Optional[int],
) -> tuple[bytes, bytes]:
    """Return all that does not depend on who asked, and when: ``"imds":{...`` and the rest."""
    fields = _fields_of(request, verdict, response, token_failure, attribution, hop_limit)
    imds = members({"imds": fields.pop("imds")})
    return imds[: -len("},")], b"}," + members(dict(fields))


def _fields_of(
    request: Request,
    verdict: Classification,
    response: Optional[Response],
    token_failure: Optional[Response],
    attribution: Attribution,
    hop_limit: Optional[int],
    repeated: Optional[Repeated] = None,
    identity: Optional[Identity] = None,
    through: Optional[str] = None,
    *,
    is_sent_on: bool = False,
) -> line.Request:
    imds: line.Imds = {
        "version": verdict.version.value,
        "operation": verdict.operation,
        "reason": verdict.reason,
        "provider": verdict.provider,
    }
    if response is not None:
        imds["outcome"] = response.outcome.value
    if hop_limit is not None:
        imds["hop_limit"] = hop_limit
    if repeated is not None:
        _add_repeated(imds, repeated)
    if token_failure is not None:
        imds["token_request"] = {"outcome": token_failure.outcome.value}
        if token_failure.status is not None:
            imds["token_request"]["status_code"] = token_failure.status
    _add_way(imds, through, is_forwarded=request.forwarded, is_sent_on=is_sent_on)
    if attribution is not Attribution.CALL:
        imds["attribution"] = attribution.value
    if identity is not None:
        imds["caller"] = caller_name(identity)
    return {"imds": imds, **_http_fields(request, response)}


def caller_name(identity: Identity) -> line.Who:
    """Return ``imds.caller``: a caller by name."""
    fields: line.Who = {"program": identity.program}
    if identity.launcher:
        fields["launcher"] = identity.launcher
    fields["kind"] = identity.kind
    fields["key"] = identity.key
    return fields


def _add_way(
    imds: line.Imds, through: Optional[str], *, is_forwarded: bool, is_sent_on: bool
) -> None:
    if is_forwarded:
        imds["forwarded"] = True
    if through is not None:
        imds["through"] = through
    if is_sent_on:
        imds["sent_on"] = True


def _add_repeated(imds: line.Imds, repeated: Repeated) -> None:
    imds["repeated"] = [
        {"version": version, "operation": operation, "outcome": outcome, "count": calls}
        for version, operation, outcome, calls in repeated.counts
    ]
    imds["repeated_since"] = timestamp(repeated.since_at_ns)
    if repeated.is_of_several:
        imds["repeated_by_others"] = True


def _http_fields(request: Request, response: Optional[Response]) -> line.Request:
    http: line.Http = {}
    if request.method:
        http["request"] = {"method": request.method[:METHOD_MAX]}
        if request.relayed is not None:
            http["request"].update(_relayed_fields(request.relayed))
    if response is not None and response.status is not None:
        http["response"] = {"status_code": response.status}
    # An absolute-form target keeps its scheme and host in the path: it is what was sent.
    path, _, query = (request.target or "").partition("?")
    url: line.Url = {}
    if path:
        url["path"] = path[:PATH_MAX]
    if query:
        url["query"] = query[:QUERY_MAX]
    if request.relayed is not None and request.relayed.host:
        url["domain"] = request.relayed.host
    fields: line.Request = {}
    if http:
        fields["http"] = http
    if url:
        fields["url"] = url
    if request.user_agent:
        fields["user_agent"] = {"original": request.user_agent[:USER_AGENT_MAX]}
    return fields


def _relayed_fields(relayed: Relayed) -> line.HttpRequest:
    fields: line.HttpRequest = {}
    if relayed.via:
        fields["via"] = relayed.via
    if relayed.client:
        fields["forwarded_for"] = relayed.client
    if relayed.headers:
        fields["client_headers"] = list(relayed.headers)
    return fields
