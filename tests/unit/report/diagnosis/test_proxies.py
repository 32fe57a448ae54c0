"""Requests that real proxies sent on, and what the report says of each.

The heads are those of Debian 12's squid, tinyproxy, haproxy, nginx and Apache, with their usual
settings: tests/golden/requests/proxy-*.http.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

import tests.golden
from analyzer.recorder.callers import Container
from tests.unit.report.diagnosis.recorded import (
    HOUR,
    INSTANCE_ID,
    NOW,
    ROLE,
    Asked,
    Who,
    document,
)
from tests.unit.report.diagnosis.test_forgery import (
    APACHE,
    BOTO_OLD,
    ENVOY,
    HAPROXY,
    NGINX,
    SQUID,
    TINYPROXY,
    calls,
)

HEADS = Path(tests.golden.__file__).with_name("requests")
BOTH = "NO_PROXY=169.254.169.254,fd00:ec2::254,[fd00:ec2::254]"
TRAEFIK = Who("/usr/local/bin/traefik", unit="traefik.service")
GATEWAY = Who("/srv/gateway", unit="gateway.service")
# No server that is known, a proxy in Go whose own calls have Go's user agents, and an agent.
UNKNOWN = Who("/opt/corp/relayd", unit="relayd.service")
GOPROXY = Who("/opt/corp/goproxy", unit="goproxy.service")
URL = f"http://169.254.169.254{ROLE}"
REAL = {
    "proxy-squid": (SQUID, "proxy"),
    "proxy-squid-browser": (SQUID, "request_forgery"),
    "proxy-squid-parent": (SQUID, "proxy"),
    "proxy-tinyproxy": (TINYPROXY, "proxy"),
    "proxy-tinyproxy-x": (TINYPROXY, "proxy"),
    "proxy-tinyproxy-upstream": (TINYPROXY, "proxy"),
    "proxy-haproxy": (HAPROXY, "request_forgery"),
    "proxy-haproxy-forwardfor": (HAPROXY, "request_forgery"),
    "proxy-haproxy-url": (HAPROXY, "proxy"),
    "proxy-nginx": (NGINX, "request_forgery"),
    "proxy-nginx-host": (NGINX, "request_forgery"),
    "proxy-nginx-forward": (NGINX, "request_forgery"),
    "proxy-apache-forward": (APACHE, "request_forgery"),
    "proxy-apache-reverse": (APACHE, "request_forgery"),
}
# Each proxy with an SDK behind it, and its neighbours, who are none.
OTHERS: dict[str, tuple[list[Asked], str]] = {
    "nginx": ([Asked(NGINX, ROLE, [BOTO_OLD])], "proxy"),
    "apache": ([Asked(APACHE, ROLE, [BOTO_OLD, "Via: 1.1 a"])], "proxy"),
    "haproxy": ([Asked(HAPROXY, ROLE, [BOTO_OLD, "X-Forwarded-For: 10.0.0.9"])], "proxy"),
    "envoy": ([Asked(ENVOY, ROLE, ["User-Agent: aws-sdk-go/1.20.0"])], "proxy"),
    "envoy-pod": (
        [Asked(ENVOY, ROLE, ["User-Agent: curl/8", "X-Forwarded-Proto: http"])], "proxy"
    ),
    "squid-without-marks": ([Asked(SQUID, ROLE, [BOTO_OLD])], "proxy"),
    "gateway": ([Asked(GATEWAY, ROLE, [BOTO_OLD, "X-Forwarded-For: 10.0.0.9"])], "proxy"),
    "refused-tokens": (
        [
            Asked(SQUID, "/latest/api/token", [BOTO_OLD, "X-Forwarded-For: 10.0.0.9"],
                  NOW - 2 * HOUR, 403, "PUT"),
            Asked(SQUID, ROLE, [BOTO_OLD, "X-Forwarded-For: 10.0.0.9"]),
        ],
        "proxy",
    ),
    "url-squid": ([Asked(SQUID, URL, [BOTO_OLD])], "proxy"),
    "url-haproxy": ([Asked(HAPROXY, URL, [BOTO_OLD])], "proxy"),
    "url-goproxy": ([Asked(GOPROXY, URL, [BOTO_OLD])], "proxy"),
    "url-unknown": ([Asked(UNKNOWN, URL, [BOTO_OLD])], "proxy"),
    "url-unknown-curl": ([Asked(UNKNOWN, URL, ["User-Agent: curl/8.5.0"])], "proxy"),
    "url-ipv6": ([Asked(UNKNOWN, f"http://[fd00:ec2::254]{ROLE}", [BOTO_OLD])], "proxy"),
    "via-unknown": ([Asked(UNKNOWN, ROLE, [BOTO_OLD, "Via: 1.1 corp"])], "proxy"),
    "url-with-token": (
        [
            Asked(UNKNOWN, URL, [BOTO_OLD, "X-aws-ec2-metadata-token: AQAEAHYKwxKSU3m1Zc0gKq=="]),
            Asked(UNKNOWN, INSTANCE_ID, [BOTO_OLD]),
        ],
        "old_sdk",
    ),
    "path-goproxy": ([Asked(GOPROXY, ROLE, ["User-Agent: aws-sdk-go/1.20.0"])], "old_sdk"),
    "path-unknown": ([Asked(UNKNOWN, ROLE, [BOTO_OLD])], "old_sdk"),
    "url-without-agent": ([Asked(UNKNOWN, URL)], "unknown"),
    "traefik-itself": ([Asked(TRAEFIK, ROLE, ["User-Agent: aws-sdk-go/1.20.0"])], "old_sdk"),
    "nginx-itself": (calls(NGINX, INSTANCE_ID, days=1), "unknown"),
}  # fmt: skip


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the diagnosis of each case, out of one report."""
    cases = {name: [Asked(who, "", head=_head(name))] for name, (who, _) in REAL.items()}
    cases.update({name: asked for name, (asked, _) in OTHERS.items()})
    asked = [
        each._replace(who=each.who._replace(uid=3000 + number))
        for number, requests in enumerate(cases.values())
        for each in requests
    ]
    found: dict[str, Any] = {}
    for each in document(tmp_path_factory.mktemp("proxies"), *asked)["callers"]:
        (number,) = re.findall(r"uid=(\d+)", each["caller"])
        found[list(cases)[int(number) - 3000]] = each["diagnosis"]
    return found


def _head(name: str) -> bytes:
    return (HEADS / f"{name}.http").read_bytes()


@pytest.mark.parametrize("name", REAL)
def test_a_real_proxy_is_recognised(name: str, said: dict[str, Any]) -> None:
    """By what it adds and leaves: the client's user agent, Via, its address."""
    assert said[name]["cause"] == REAL[name][1]


@pytest.mark.parametrize("name", OTHERS)
def test_its_client_is_the_caller(name: str, said: dict[str, Any]) -> None:
    """Not so a program that asks for itself."""
    assert said[name]["cause"] == OTHERS[name][1]


@pytest.mark.parametrize("name", [name for name, (_, cause) in REAL.items() if cause == "proxy"])
def test_the_cure_is_at_the_client(name: str, said: dict[str, Any]) -> None:
    """It is never to take X-Forwarded-For out, for that is what stops forged requests."""
    text = " ".join(said[name]["advice"])
    assert BOTH in text
    assert "no_proxy" in text
    assert "Do not have the proxy leave X-Forwarded-For out" in text
    assert "botocore 1.12.253" in text


@pytest.mark.parametrize("name", [name for name in OTHERS if name.startswith("url-")])
def test_who_asks_a_proxy_for_a_url_is_cured_at_the_client(name: str, said: dict[str, Any]) -> None:
    """The client behind is named, its version judged; the proxy's own program is not upgraded."""
    text = " ".join(said[name]["advice"])
    is_proxy = OTHERS[name][1] == "proxy"
    assert (BOTH in text) is is_proxy
    assert ("The request names the whole URL" in text) is is_proxy
    if is_proxy and "curl" not in name:
        assert "a client behind it is botocore 1.12.253. It needs 1.13.25 or later." in text


def test_the_access_log_names_the_client(said: dict[str, Any], tmp_path: Path) -> None:
    """Squid's has seconds since 1970."""
    (command,) = (each for each in said["proxy-squid"]["commands"] if "awk" in each)
    log = tmp_path / "access.log"
    at = int((NOW - HOUR).timestamp())
    lines = [f"{at + off}.123 5 10.0.0.5 TCP_MISS/200 1 GET http://x" for off in (-900, 1, 900)]
    log.write_text("\n".join(lines) + "\n")
    done = subprocess.run(
        ["bash", "-c", command.replace("/var/log/squid/access.log*", str(log))],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines() == lines[1:2]
    assert "1.1 proxy-1 (squid/5.7)" in " ".join(said["proxy-squid"]["advice"])


def test_a_container_has_its_own_log(said: dict[str, Any]) -> None:
    """The runtime keeps it."""
    assert isinstance(ENVOY.container, Container)
    assert any(each.startswith("docker logs") for each in said["envoy"]["commands"])
