"""Possible request forgery: what is one, and each innocent neighbour, through the whole report."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from analyzer.recorder.callers import Container
from tests.unit.report.diagnosis.recorded import (
    DAY,
    FIREFOX,
    HOUR,
    INSTANCE,
    INSTANCE_ID,
    MINUTE,
    NOW,
    ROLE,
    ROLES,
    Asked,
    Who,
    diagnosis,
    document,
    program,
    reported,
)

PATH = "/usr/bin:/bin"
BOTO_OLD = "User-Agent: Boto3/1.9.253 Python/3.7.4 Linux/4.14 Botocore/1.12.253"
BROWSER = f"User-Agent: {FIREFOX}"
OUTSIDE = "X-Forwarded-For: 203.0.113.9"
NGINX = Who("/usr/sbin/nginx", ("nginx: worker process",), unit="nginx.service")
APACHE = Who("/usr/sbin/apache2", ("/usr/sbin/apache2", "-k", "start"), unit="apache2.service")
HAPROXY = Who("/usr/sbin/haproxy", unit="haproxy.service")
SQUID = Who("/usr/sbin/squid", ("(squid-1)", "--kid", "squid-1"), unit="squid.service")
TINYPROXY = Who("/usr/bin/tinyproxy", unit="tinyproxy.service")
ENVOY = Who("/usr/local/bin/envoy", container=Container("3f1c" * 16, "docker"))
PHP = Who("/usr/sbin/php-fpm8.2", ("php-fpm: pool www",), unit="php8.2-fpm.service")
GUNICORN = Who(
    "/usr/bin/python3.11", ("/usr/bin/python3", "/usr/bin/gunicorn", "app:app"), unit="app.service",
    name="gunicorn",
)  # fmt: skip
UWSGI = Who("/usr/bin/uwsgi-core", ("uwsgi", "--ini", "a.ini"), unit="uwsgi.service")
PUMA = Who("/usr/bin/ruby3.1", ("puma 6.0 (tcp://0)",), name="puma: worker", unit="puma.service")
JAVA = Who("/usr/lib/jvm/bin/java", ("java", "-jar", "/srv/shop.jar"), unit="shop.service")
NODE = Who("/usr/bin/node", ("node", "/srv/web/server.js"), unit="web.service")
GO = Who("/srv/app/server", unit="server.service", uid=1001)
SHELL = program("/usr/bin/bash", "-bash", uid=1001)
SSHD = program("/usr/sbin/sshd", "sshd: app")


def calls(who: Who, path: str, *fields: str, days: int = 5) -> list[Asked]:
    """Return a call an hour, over the last days, the last one an hour ago."""
    return [Asked(who, path, fields, NOW - n * HOUR) for n in range(1, 24 * days)]


SUSPECTS = {
    "nginx-browser": [Asked(NGINX, ROLE, [BROWSER])],
    "nginx-curl": [Asked(NGINX, INSTANCE_ID, ["User-Agent: curl/8.5.0"])],
    "nginx-python": [Asked(NGINX, ROLE, ["User-Agent: python-requests/2.31.0"])],
    "nginx-sqlmap": [Asked(NGINX, ROLE, ["User-Agent: sqlmap/1.7#stable (https://sqlmap.org)"])],
    "nginx-sdk-from-outside": [Asked(NGINX, ROLE, [BOTO_OLD, OUTSIDE])],
    "nginx-foreign-host": [Asked(NGINX, ROLE, ["Host: www.example.com"])],
    "nginx-public-address": [Asked(NGINX, ROLE, ["Host: 198.51.100.7"])],
    "nginx-cookie": [Asked(NGINX, ROLE, ["Cookie: a=b", "Referer: https://example.com/"])],
    "apache-nuclei": [
        Asked(APACHE, ROLE, ["User-Agent: Nuclei - Open-source project (github.com/projectd)"])
    ],
    "apache-curl": [Asked(APACHE, ROLE, ["User-Agent: curl/7.64.1", "Via: 1.1 www.example.com"])],
    "haproxy-wget": [Asked(HAPROXY, ROLE, ["User-Agent: Wget/1.21.3"])],
    "squid-browser": [Asked(SQUID, ROLE, [BROWSER, "Via: 1.1 p (squid/5.7)"])],
    "squid-curl-from-outside": [Asked(SQUID, ROLE, ["User-Agent: curl/8.5.0", OUTSIDE])],
    "envoy-nikto": [Asked(ENVOY, ROLE, ["User-Agent: Mozilla/5.00 (Nikto/2.5.0)"])],
    "php-curl": [Asked(PHP, ROLE, ["User-Agent: curl/7.88.1"])],
    "php-python-sdk": [Asked(PHP, ROLE, [BOTO_OLD])],
    "gunicorn-browser": [Asked(GUNICORN, ROLE, [BROWSER])],
    "gunicorn-java": [Asked(GUNICORN, ROLE, ["User-Agent: Java/1.8.0_392"])],
    "puma-go": [Asked(PUMA, ROLE, ["User-Agent: Go-http-client/1.1"])],
    "java-from-outside": [Asked(JAVA, ROLE, [OUTSIDE])],
    "java-browser": [Asked(JAVA, "/latest/user-data", [BROWSER])],
    "node-host": [Asked(NODE, ROLE, ["Host: attacker.example"])],
    "go-browser": [Asked(GO, ROLE, [BROWSER])],
    "kube2iam-browser": [Asked(Who("/bin/kube2iam"), ROLE, [BROWSER])],
    "headless-chrome": [Asked(Who("/usr/bin/chromium", unit="pdf.service"), ROLE, [BROWSER])],
    "another-cloud": [Asked(NGINX, "/computeMetadata/v1/", [BROWSER], status=404)],
    "one-among-many": [
        *calls(GUNICORN, INSTANCE_ID, "User-Agent: python-requests/2.31.0"),
        Asked(GUNICORN, ROLE, [BROWSER], NOW - 30 * HOUR),
    ],
    "sudden-credentials": [
        *calls(PHP, INSTANCE_ID),
        Asked(PHP, ROLES, (), NOW - 30 * HOUR),
        Asked(PHP, ROLE, (), NOW - 30 * HOUR + MINUTE),
    ],
    "sudden-credentials-of-a-library": [
        *calls(GUNICORN, INSTANCE_ID, "User-Agent: python-requests/2.31.0"),
        Asked(GUNICORN, ROLE, ["User-Agent: python-requests/2.31.0"], NOW - 30 * HOUR),
    ],
}
INNOCENTS = {
    "health-check-without-agent": [Asked(HAPROXY, "/", ())],
    "nginx-without-agent": calls(NGINX, INSTANCE_ID),
    "nginx-with-an-sdk-behind": [Asked(NGINX, ROLE, [BOTO_OLD])],
    "squid-curl": [Asked(SQUID, ROLE, ["User-Agent: curl/8.5.0", "Via: 1.1 p (squid/5.7)"])],
    "squid-sdk-inside": [Asked(SQUID, ROLE, [BOTO_OLD, "X-Forwarded-For: 10.0.0.5"])],
    "tinyproxy-python": [Asked(TINYPROXY, ROLE, ["User-Agent: python-requests/2.31.0"])],
    "envoy-curl": [Asked(ENVOY, ROLE, ["User-Agent: curl/8.5.0", "X-Forwarded-Proto: http"])],
    "curl-from-a-script": [
        Asked(Who("/usr/bin/curl", ("curl", ROLE), ancestors=[
            program("/bin/sh", "/bin/sh", "/opt/facts.sh", name="facts.sh")]),
            ROLE, ["User-Agent: curl/8.5.0"])
    ],
    "curl-that-says-mozilla": [
        Asked(Who("/usr/bin/curl", ("curl", "-A", "x"), ancestors=[SHELL, SSHD]), ROLE, [BROWSER])
    ],
    "curl-from-php": [
        Asked(Who("/usr/bin/curl", ("curl", ROLE), ancestors=[
            program("/usr/sbin/php-fpm8.2", "php-fpm: pool www")]),
            ROLE, ["User-Agent: curl/8.5.0"])
    ],
    "gunicorn-sdk": [Asked(GUNICORN, ROLE, [BOTO_OLD])],
    "puma-sdk": [Asked(PUMA, ROLE, ["User-Agent: aws-sdk-ruby3/3.50.0"])],
    "puma-net-http": [Asked(PUMA, ROLE, ["User-Agent: Ruby"])],
    "php-sdk": [Asked(PHP, ROLE, ["User-Agent: aws-sdk-php/3.100.0 GuzzleHttp/6.5 curl/7.64"])],
    "php-guzzle": [Asked(PHP, ROLE, ["User-Agent: GuzzleHttp/6.5.5 curl/7.64.0 PHP/7.3"])],
    "uwsgi-sdk": [Asked(UWSGI, ROLE, [BOTO_OLD])],
    "apache-mod-php": [Asked(APACHE, ROLE, ["User-Agent: aws-sdk-php/3.100.0"])],
    "java-sdk": [Asked(JAVA, ROLE, ["User-Agent: aws-sdk-java/1.11.500 Linux"])],
    "java-itself": [Asked(JAVA, ROLE, ["User-Agent: Java/1.8.0_392"])],
    "go-itself": [Asked(GO, INSTANCE_ID, ["User-Agent: Go-http-client/1.1"])],
    "prometheus": [
        Asked(Who("/usr/bin/prometheus", unit="prometheus.service"), INSTANCE_ID,
              ["User-Agent: Prometheus/2.45.0"])
    ],
    "node-fetch": [
        Asked(NODE, INSTANCE_ID,
              ["User-Agent: node", "accept-language: *", "sec-fetch-mode: cors"])
    ],
    "lynx-at-a-shell": [
        Asked(Who("/usr/bin/lynx", ("lynx", "http://169.254.169.254/"),
                  unit="session-3.scope", ancestors=[SHELL, SSHD], uid=1001),
              ROLE, ["User-Agent: Lynx/2.9.0 libwww-FM/2.14", "Accept-Language: en"])
    ],
    "browser-of-a-person": [
        Asked(Who("/usr/lib/firefox/firefox", unit="session-3.scope", uid=1001), "/", [BROWSER])
    ],
    "w3m-that-says-mozilla": [
        Asked(Who("/usr/bin/w3m", ("w3m", "http://169.254.169.254/"), uid=1001,
                  ancestors=[SHELL, SSHD]), "/", [BROWSER])
    ],
    "powershell": [
        Asked(Who("/opt/microsoft/powershell/7/pwsh", ("pwsh", "-File", "/opt/a.ps1")), ROLE,
              ["User-Agent: Mozilla/5.0 (Linux; Debian 12; en-US) PowerShell/7.4.1"])
    ],
    "a-scanners-own-agent": [
        Asked(Who("/opt/nessus_agent/sbin/nessus-service", unit="nessusagent.service"),
              INSTANCE_ID, ["User-Agent: Nessus Agent/10.4"])
    ],
    "kube2iam-curl": [Asked(Who("/bin/kube2iam"), ROLE, ["User-Agent: curl/8.5.0"])],
    "kube2iam-sdk-of-a-public-pod": [Asked(Who("/bin/kube2iam"), ROLE, [BOTO_OLD, OUTSIDE])],
    "own-name": [Asked(GO, ROLE, ["Host: imds.corp.internal"])],
    "v2-browser": [
        Asked(GUNICORN, ROLE, [BROWSER, "X-aws-ec2-metadata-token: x"]),
        Asked(GUNICORN, INSTANCE_ID, ["User-Agent: python-requests/2.31.0"]),
    ],
    "sdk-that-renews": [
        *calls(GUNICORN, INSTANCE_ID, "User-Agent: python-requests/2.31.0"),
        *calls(GUNICORN, ROLE, "User-Agent: python-requests/2.31.0", days=2),
    ],
    "credentials-from-the-start": [
        Asked(PHP, ROLE, (), NOW - 5 * DAY), *calls(PHP, INSTANCE_ID, days=4)
    ],
    "sdk-in-a-new-release": [
        *calls(GUNICORN, INSTANCE_ID, "User-Agent: python-requests/2.31.0"),
        Asked(GUNICORN, ROLE, [BOTO_OLD], NOW - 30 * HOUR),
    ],
    "javascript-sdk-once": [
        *calls(NODE, INSTANCE_ID, "User-Agent: axios/1.6.0"), Asked(NODE, ROLE, (), NOW - 30 * HOUR)
    ],
}  # fmt: skip


def apart(cases: Mapping[str, Sequence[Asked]]) -> list[Asked]:
    """Return all requests, the callers of each case with a user of their own."""
    return [
        each._replace(who=each.who._replace(uid=2000 + number))
        for number, asked in enumerate(cases.values())
        for each in asked
    ]


def by_case(found: Any, cases: Mapping[str, object]) -> dict[str, list[Any]]:
    """Return the callers, or incidents, of each case."""
    said: dict[str, list[Any]] = {name: [] for name in cases}
    for each in found:
        (number,) = re.findall(r"uid=(\d+)", each["caller"])
        said[list(cases)[int(number) - 2000]].append(each)
    return said


@pytest.fixture(scope="module")
def suspects(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return document(tmp_path_factory.mktemp("suspects"), *apart(SUSPECTS))


@pytest.fixture(scope="module")
def innocents(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return document(tmp_path_factory.mktemp("innocents"), *apart(INNOCENTS))


@pytest.mark.parametrize("name", SUSPECTS)
def test_a_request_for_somebody_else_is_an_incident(name: str, suspects: Any) -> None:
    """It is said to be possible, and what that rests on."""
    (incident,) = by_case(suspects["incidents"], SUSPECTS)[name]
    said = incident["diagnosis"]
    assert said["cause"] == "request_forgery"
    assert said["summary"].startswith("possible request forgery (SSRF)")
    assert said["evidence"]
    assert "possible, not proven" in said["advice"][0]
    assert suspects["verdict"]["judgement"] == "NOT SAFE"


@pytest.mark.parametrize("name", INNOCENTS)
def test_an_innocent_neighbour_is_none(name: str, innocents: Any) -> None:
    """Whatever else is to be done about it."""
    assert by_case(innocents["callers"], INNOCENTS)[name]
    assert not by_case(innocents["incidents"], INNOCENTS)[name]
    assert innocents["steps"][0]["title"].startswith("Fix")


# --- what is said ----------------------------------------------------------------------


ATTACK = (
    *calls(GUNICORN, INSTANCE_ID, BOTO_OLD, days=2),
    Asked(NGINX, ROLES, [BROWSER, OUTSIDE], NOW - 30 * HOUR),
    Asked(NGINX, ROLE, [BROWSER, OUTSIDE], NOW - 30 * HOUR + MINUTE),
)


def test_what_it_rests_on_and_what_to_do(tmp_path: Path) -> None:
    """Time, path, instance and client; block, look, revoke, and look for what was used."""
    found = document(tmp_path, *ATTACK)
    (incident,) = found["incidents"]
    said = incident["diagnosis"]
    (evidence,) = said["evidence"]
    assert evidence.startswith("2026-11-20 18:00:00 to 2026-11-20 18:01:00 UTC, " + INSTANCE)
    assert "2 requests such as " + ROLE in evidence
    assert "(success)" in evidence
    assert "203.0.113.9" in evidence
    assert "a browser's" in evidence
    commands = "\n".join(said["commands"])
    assert f"--instance-id {INSTANCE} --http-tokens required" in commands
    assert "iptables -I OUTPUT -d 169.254.169.254 -m owner --uid-owner www-data" in commands
    assert "aws:TokenIssueTime" in commands
    assert f"AttributeValue={INSTANCE} --start-time 2026-11-20T18:00:00Z" in commands
    assert "journalctl -u nginx.service --utc --since '2026-11-20 17:59:00 UTC'" in commands
    assert found["steps"][0]["title"].startswith("At once")
    assert found["steps"][0]["commands"] == said["commands"]


def test_a_role_in_the_path_is_the_one_to_revoke(tmp_path: Path) -> None:
    """Without it, a command asks which one that is."""
    said = diagnosis(tmp_path, Asked(NGINX, ROLE, [BROWSER]))
    assert any("--role-name web-role " in each for each in said["commands"])
    assert not any("describe-iam-instance-profile" in each for each in said["commands"])
    unnamed = diagnosis(tmp_path, Asked(NGINX, ROLES, [BROWSER]))
    assert any("describe-iam-instance-profile" in each for each in unnamed["commands"])


def test_the_policy_that_revokes_is_json(tmp_path: Path) -> None:
    """As a shell makes it, with the time at which it is pasted."""
    said = diagnosis(tmp_path, Asked(NGINX, ROLE, [BROWSER]))
    (command,) = (each for each in said["commands"] if "put-role-policy" in each)
    shown = subprocess.run(
        ["bash", "-c", command.replace("aws iam", "printf '%s\\n'")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    statement = json.loads(shown.stdout.splitlines()[-1])["Statement"][0]
    assert statement["Effect"] == "Deny"
    issued = statement["Condition"]["DateLessThan"]["aws:TokenIssueTime"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", issued)


def test_what_was_refused_needs_no_new_credentials(tmp_path: Path) -> None:
    """It is an incident all the same."""
    said = diagnosis(tmp_path, Asked(NGINX, ROLE, [BROWSER], status=401))
    assert said["cause"] == "request_forgery"
    assert "IMDS refused it" in said["summary"]
    assert not any("put-role-policy" in each for each in said["commands"])


def test_in_a_container_the_hop_limit_and_its_log_count(tmp_path: Path) -> None:
    """A rule for a user of the host does not reach it."""
    who = NGINX._replace(container=Container("3f1c" * 16, "docker"), unit=None)
    said = diagnosis(tmp_path, Asked(who, ROLE, [BROWSER]))
    commands = "\n".join(said["commands"])
    assert "--http-tokens required --http-put-response-hop-limit 1" in commands
    assert "docker logs --timestamps --since 2026-11-21T22:59:00Z" in commands
    assert "iptables" not in commands


def test_its_own_calls_keep_their_cure(tmp_path: Path) -> None:
    """An old SDK is to be upgraded whoever else asked."""
    said = diagnosis(
        tmp_path,
        *calls(GUNICORN, ROLE, BOTO_OLD, days=2),
        Asked(GUNICORN, ROLE, [BROWSER], NOW - 30 * HOUR),
    )
    assert said["cause"] == "request_forgery"
    assert "1 time without" in said["summary"]
    assert any(each.startswith("Its other IMDSv1 calls: botocore") for each in said["advice"])
    assert any("Upgrade botocore" in each for each in said["advice"])


def test_the_commands_find_the_request_in_an_access_log(tmp_path: Path) -> None:
    """In the time zone of the server, of files that are packed, too."""
    said = diagnosis(tmp_path, Asked(NGINX, ROLE, [BROWSER]))
    log = tmp_path / "x-access.log"
    there = '198.51.100.7 - - [22/Nov/2026:00:00:03 +0100] "GET /fetch?u=http%3A%2F%2F1 HTTP/1.1"'
    earlier = '198.51.100.7 - - [21/Nov/2026:23:00:03 +0100] "GET /?u=169.254.169.254 HTTP/1.1"'
    log.write_text(f"{there}\n{earlier}\n")
    subprocess.run(["gzip", "-k", str(log)], check=True)
    by_time, by_name = (each for each in said["commands"] if each.startswith("zcat"))
    found = [
        subprocess.run(
            ["bash", "-c", each.replace("/var/log/nginx/*access*", f"{tmp_path}/*access*")],
            capture_output=True, text=True, check=True, env={"TZ": "Europe/Berlin", "PATH": PATH},
        ).stdout.splitlines()
        for each in (by_time, by_name)
    ]  # fmt: skip
    assert found == [[there, there], [earlier, earlier]]


# --- above all else --------------------------------------------------------------------


def test_each_format_has_it_first(tmp_path: Path) -> None:
    """Before the verdict."""
    table = reported(tmp_path, *ATTACK, form="table")
    assert table.startswith("INCIDENT: 1 possible incident")
    assert table.index("possible request forgery") < table.index("NOT SAFE")
    in_full = reported(tmp_path, *ATTACK, form="table", more=["--callers"])
    assert in_full.index("aws iam put-role-policy") < in_full.index("Callers in the way")
    markdown = reported(tmp_path, *ATTACK, form="markdown")
    assert "INCIDENT" in markdown.splitlines()[0]
    assert markdown.index("put-role-policy") < markdown.index("NOT SAFE")
    html = reported(tmp_path, *ATTACK, form="html")
    assert html.index('id="incidents"') < html.index('id="verdict"')
    assert "put-role-policy" in html
    rows = list(csv.DictReader(io.StringIO(reported(tmp_path, *ATTACK, form="csv"))))
    assert rows[0]["cause"] == "request_forgery"
    assert "203.0.113.9" in rows[0]["evidence"]
    assert list(json.loads(reported(tmp_path, *ATTACK))).index("incidents") < 4


def test_without_one_nothing_is_said_of_it(tmp_path: Path) -> None:
    """Nor of the word, but for what a policy does not stop."""
    for form in ("table", "markdown", "html", "csv"):
        text = reported(tmp_path, Asked(GUNICORN, ROLE, [BOTO_OLD]), form=form)
        assert "INCIDENT" not in text
        assert "forgery" not in text.replace("which is where request forgery runs", "")
