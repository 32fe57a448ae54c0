"""Explains why a caller gets no token: what became of the request, and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analyzer.report.callers import Group
from analyzer.report.diagnosis.proxies import NO_PROXY

HOP_LIMIT = (
    "aws ec2 modify-instance-metadata-options --instance-id INSTANCE_ID"
    " --http-put-response-hop-limit 2"
)

_IN_CONTAINER = (
    "From a container with a network of its own, the answer takes one hop more than the default"
    " limit of 1 allows: raise the hop limit to 2."
)
# The same where the limit was measured on the hosts themselves.
_LIMIT_IS_1 = (
    "The hop limit there is 1, measured: no token reaches a container with a network of its own."
    " Raise it to 2."
)
_LIMIT_IS_1_ON_SOME = (
    "The hop limit is 1 on some of its hosts, measured: there no token reaches a container with a"
    " network of its own. Raise it to 2 on them."
)
_LIMIT_IS_ENOUGH = (
    "The hop limit there is %d, measured, which is enough for a container with a network of its"
    " own: look for a firewall or a proxy in between, or for more hops on the way."
)
_ON_HOST = (
    "On the host itself one hop is enough: look for a firewall or a proxy in between, or for more"
    " requests at once than IMDS answers."
)
# What became of the token request -> why the tokens do not arrive, and what to do.
_FAILURES: Mapping[str, tuple[str, str]] = {
    "no_response": ("its token requests got no answer", _IN_CONTAINER),
    "rejected": (
        "its token requests were refused",
        (
            "403 comes from a proxy that lets no PUT through, such as an old kube2iam, from a token"
            " request to a dated path in place of /latest/api/token, or where IMDS is off."
        ),
    ),
    "not_found": (
        "its token requests were answered with 404",
        (
            "What answered is not the IMDS of EC2: look for a proxy or a mock that has no"
            " /latest/api/token."
        ),
    ),
    "error": (
        "its token requests were answered with an error",
        "405 comes from a proxy that lets no PUT through, 503 from too many requests at once.",
    ),
}
_FORWARDED = (
    "its token requests were refused, as they carry X-Forwarded-For",
    f"IMDS answers 403 to a token request with X-Forwarded-For. {NO_PROXY}",
)


def why_no_token(group: Group, outcome: str) -> tuple[str, str]:
    """Return, for a sentence, what became of a group's token requests, and the cure."""
    why, cure = _FAILURES.get(outcome, _FAILURES["error"])
    if outcome == "rejected" and group.forwarded:
        why, cure = _FORWARDED
    if outcome == "no_response":
        cure = _ON_HOST if group.key.place == "host" else _in_container(group.instance_hop_limits)
    return why, cure


def is_limited(cure: str) -> bool:
    """Tell whether a cure is to raise the hop limit."""
    return cure in (_IN_CONTAINER, _LIMIT_IS_1, _LIMIT_IS_1_ON_SOME)


def worst(counts: Mapping[str, int]) -> str:
    """Return the most frequent outcome of token requests that failed."""
    order = list(_FAILURES)
    ranked = sorted(
        counts, key=lambda each: (-counts[each], order.index(each) if each in order else len(order))
    )
    return ranked[0] if ranked else "no_response"


def _in_container(limits: Sequence[int]) -> str:
    """Return why no tokens arrive in a container; ``limits`` were measured on its hosts."""
    if not limits:
        return _IN_CONTAINER
    if min(limits) > 1:
        return _LIMIT_IS_ENOUGH % min(limits)
    return _LIMIT_IS_1 if max(limits) == 1 else _LIMIT_IS_1_ON_SOME
