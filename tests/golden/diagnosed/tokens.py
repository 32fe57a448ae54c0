"""Cases: tokens that a script does not get, and SDKs that remember."""

from __future__ import annotations

import datetime

from tests.golden.diagnosed.case import (
    ASK,
    BUSY,
    CONTAINER,
    NEW_GO,
    NEW_GO_2,
    PYTHON,
    SHIM,
    UPGRADE,
    Case,
    by_curl,
)
from tests.golden.diagnosed.lines import BEGAN, INIT, TOKEN, V1, Call, Caller, curl, ran, script

CASES: tuple[Case, ...] = (
    Case(
        "token-lost-in-container",
        by_curl(
            script("/opt/ops/facts.sh", "/bin/sh"), SHIM, container=CONTAINER, calls=(BUSY, V1)
        ),
        "fallback",
        [
            "facts.sh asks for a token, but its token requests got no answer",
            "hop limit to 2",
            "--http-put-response-hop-limit 2",
        ],
        [ASK],
    ),
    Case(
        "token-refused-on-host",
        by_curl(script("/opt/ops/refused.sh"), INIT, calls=(Call("token_request", "rejected"), V1)),
        "fallback",
        ["refused.sh asks for a token, but its token requests were refused", "403"],
        [ASK],
    ),
    Case(
        "token-by-wget-call-by-curl",
        by_curl(
            script("/opt/ops/mixed.sh"),
            INIT,
            calls=(
                Call(
                    "token_request",
                    "no_response",
                    process=ran(
                        "/usr/bin/wget", "wget --method=PUT http://169.254.169.254/latest/api/token"
                    ),
                ),
                V1,
            ),
        ),
        "fallback",
        ["mixed.sh asks for a token, but its token requests got no answer"],
        [ASK],
    ),
    Case(
        "empty-header-after-failure",
        Caller(
            (
                curl("/latest/meta-data/", "-H", "X-aws-ec2-metadata-token: "),
                script("/opt/ops/empty.sh"),
                INIT,
            ),
            "curl/7.88.1",
            calls=(
                Call("token_request", "error", process=curl("/latest/api/token", "-X", "PUT")),
                V1,
            ),
        ),
        "fallback",
        [
            "with an empty token header, which curl does not send",
            "400 means",
            "ttl-seconds",
            "Let the script stop",
        ],
        [ASK],
    ),
    Case(
        "empty-header-alone",
        Caller(
            (
                curl("/latest/meta-data/", "-HX-aws-ec2-metadata-token:"),
                script("/opt/ops/empty-alone.sh"),
                INIT,
            ),
            "curl/7.88.1",
        ),
        "fallback",
        ["empty token header, which curl leaves out", "The log shows no token request of it"],
        [ASK],
    ),
    Case(
        "fallback-on-some-hosts",
        by_curl(
            script("/opt/ops/fleet.sh"),
            INIT,
            calls=(BUSY, Call(count=5), Call(count=1, host="web-2")),
        ),
        "fallback",
        ["1 of its 6 v1 calls come from hosts where it asked for no token"],
    ),
    Case(
        "one-failure-among-many",
        by_curl(
            script("/opt/ops/rarely.sh"),
            INIT,
            calls=(Call("token_request", "no_response", 1, host="web-2"), TOKEN, V1),
        ),
        "script",
        [ASK, "rarely.sh calls curl without a token (2 of 6 requests)"],
        ["hop"],
    ),
    Case(
        "token-by-get",
        by_curl(
            script("/opt/ops/get.sh"),
            INIT,
            calls=(Call(outcome="error", path="/latest/api/token"), V1),
        ),
        "script",
        ["It asks for the token with GET", "use PUT", "-X PUT"],
    ),
    Case(
        "neighbour-no-token-request",
        by_curl(script("/opt/ops/plain.sh"), INIT),
        "script",
        ["plain.sh calls curl without a token", ASK],
        ["hop", UPGRADE, "empty"],
    ),
    Case(
        "go-fell-back",
        Caller(
            (ran("/srv/app/gosrv"), SHIM),
            NEW_GO,
            container=CONTAINER,
            calls=(BUSY, Call("fallback_after_token_failure", failure="no_response")),
        ),
        "fallback",
        ["hop limit to 2", "Then restart it"],
    ),
    Case(
        "go-v2-refused",
        Caller(
            (ran("/srv/app/gosrv2"), INIT),
            NEW_GO_2,
            unit="gosrv2.service",
            calls=(Call("fallback_after_token_failure", failure="not_found"),),
        ),
        "fallback",
        ["answered with 404", "Then restart it", "systemctl restart -- gosrv2.service"],
    ),
    Case(
        "go-before-the-log",
        Caller((ran("/srv/app/early"), INIT), NEW_GO, unit="early.service"),
        "configured_v1",
        [
            "may have failed before the log began",
            "Restart it",
            "the log has no token request of it that failed",
        ],
        ["no token request had failed", "hop limit"],
    ),
    Case(
        "go-within-the-log",
        Caller(
            (ran("/srv/app/late"), INIT),
            NEW_GO,
            unit="late.service",
            started=BEGAN + datetime.timedelta(hours=1),
        ),
        "configured_v1",
        ["Look for a setting"],
        ["before the log began", "estart"],
    ),
    Case(
        "botocore-does-not-remember",
        Caller((ran(PYTHON, "python3 /srv/app/new.py"), INIT), "Botocore/1.44.5 Python/3.9"),
        "configured_v1",
        ["Look for a setting"],
        ["estart it"],
    ),
)
