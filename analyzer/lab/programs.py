"""Defines the real programs that the lab runs, and the requests that each sends."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import NamedTuple, Optional

from analyzer.imds import IMDS_IPV4, IMDS_IPV6

_TIMEOUT_S = 30  # each ends long before, also if nobody answers it
_IPV4 = f"http://{IMDS_IPV4}"
_IPV6 = f"http://[{IMDS_IPV6}]"
_TOKEN = "/latest/api/token"  # noqa: S105 - a path
_INSTANCE = "/latest/meta-data/instance-id"
_REGION = "/latest/meta-data/placement/region"
_CURL = f"curl -sS -o /dev/null --max-time {_TIMEOUT_S}"
_CURL_TOKEN = (
    f"curl -sS --max-time {_TIMEOUT_S} -X PUT "
    f"-H 'X-aws-ec2-metadata-token-ttl-seconds: 60' {_IPV4}{_TOKEN}"
)
_CURL_V2 = f'token=$({_CURL_TOKEN})\n{_CURL} -H "X-aws-ec2-metadata-token: $token" {_IPV4}'

_DEPLOY_SH = f"""\
#!/bin/sh
# Where does this instance run? Once the old way, once with a session token.
case $1 in
v1)
  {_CURL} {_IPV4}{_REGION} ;;
v2)
  {_CURL_V2}{_REGION} ;;
esac
"""

_FACTS_PY = f'''\
"""Ask for the instance id, once the old way, once with a session token."""
import sys, urllib.error, urllib.request

def ask(path, method="GET", **headers):
    headers = {{name.replace("_", "-"): value for name, value in headers.items()}}
    request = urllib.request.Request("{_IPV4}" + path, method=method, headers=headers)
    try:
        return urllib.request.urlopen(request, timeout={_TIMEOUT_S}).read().decode()
    except urllib.error.HTTPError as refused:
        return str(refused)

if sys.argv[1] == "v2":
    token = ask("{_TOKEN}", "PUT", X_aws_ec2_metadata_token_ttl_seconds="60")
    ask("{_INSTANCE}", X_aws_ec2_metadata_token=token)
else:
    ask("{_INSTANCE}")
'''

_KEEPALIVE_PY = f'''\
"""One connection, three requests: without a token, for a token, and with it."""
import http.client

connection = http.client.HTTPConnection("{IMDS_IPV4}", timeout={_TIMEOUT_S})

def ask(method, path, headers={{}}):
    connection.request(method, path, headers=headers)
    return connection.getresponse().read().decode()

ask("GET", "{_INSTANCE}")
token = ask("PUT", "{_TOKEN}", {{"X-aws-ec2-metadata-token-ttl-seconds": "60"}})
ask("GET", "{_REGION}", {{"X-aws-ec2-metadata-token": token}})
'''

_SCRIPTS = {"deploy.sh": _DEPLOY_SH, "facts.py": _FACTS_PY, "keepalive.py": _KEEPALIVE_PY}


class Call(NamedTuple):
    """One request as the log tells it."""

    version: str
    method: str
    path: str


class LabProgram(NamedTuple):
    """One program to run. ``caller``: the process that sends, by its name in the log."""

    name: str
    argv: tuple[str, ...]
    caller: str
    expected: tuple[Call, ...]
    needs: tuple[str, ...] = ()
    needs_ipv6: bool = False


def write_programs(directory: Path) -> tuple[LabProgram, ...]:
    """Write the scripts into ``directory`` and return all programs, in the order to run them."""
    for name, text in _SCRIPTS.items():
        (directory / name).write_text(text, encoding="utf-8")
        (directory / name).chmod(0o700)
    python = Path(sys.executable).name[:15]  # as the kernel keeps it
    facts, keepalive = str(directory / "facts.py"), str(directory / "keepalive.py")
    # A second shell in between, as with cron or a build server, so that there is a tree to name.
    shell = "bash" if shutil.which("bash") else "sh"

    # Started by its own name the script is known by it to the kernel. Not so where the
    # directory is mounted noexec, which os.access tells.
    script = f"{directory}/deploy.sh"
    start = f"'{script}'" if os.access(script, os.X_OK) else f"sh '{script}'"

    def deploy(version: str) -> tuple[str, ...]:
        return (shell, "-c", f"{start} {version}; exit $?")

    def curl(url: str) -> tuple[str, ...]:
        return (*_CURL.split(), url)

    v1_instance, v1_region = Call("v1", "GET", _INSTANCE), Call("v1", "GET", _REGION)
    v2_token = Call("v2", "PUT", _TOKEN)
    v2_instance = (v2_token, Call("v2", "GET", _INSTANCE))
    v2_region = (v2_token, Call("v2", "GET", _REGION))
    wget = ("wget", "-q", "-O", "-", "-t", "1", "-T", str(_TIMEOUT_S), _IPV4 + _INSTANCE)
    return (
        LabProgram("curl", curl(_IPV4 + _INSTANCE), "curl", (v1_instance,), ("curl",)),
        LabProgram(
            "curl with a token",
            ("sh", "-c", f"{_CURL_V2}{_INSTANCE}; exit $?"),
            "curl",
            v2_instance,
            ("curl",),
        ),
        LabProgram(
            "curl over IPv6", curl(_IPV6 + _INSTANCE), "curl", (v1_instance,), ("curl",), True
        ),
        LabProgram("wget", wget, "wget", (v1_instance,), ("wget",)),
        LabProgram("Python", (sys.executable, facts, "v1"), python, (v1_instance,)),
        LabProgram("Python with a token", (sys.executable, facts, "v2"), python, v2_instance),
        LabProgram("shell script", deploy("v1"), "curl", (v1_region,), ("curl",)),
        LabProgram("shell script with a token", deploy("v2"), "curl", v2_region, ("curl",)),
        LabProgram(
            "both on one connection",
            (sys.executable, keepalive),
            python,
            (v1_instance, *v2_region),
        ),
    )


def maybe_why_skipped(program: LabProgram, ipv6_problem: Optional[str]) -> Optional[str]:
    """Return why a program cannot be run here, None where it can."""
    missing = [name for name in program.needs if shutil.which(name) is None]
    if missing:
        return f"{' and '.join(missing)} is not installed"
    if program.needs_ipv6 and ipv6_problem is not None:
        return f"no IPv6: {ipv6_problem}"
    return None


def program_environment(directory: Path) -> dict[str, str]:
    """Return the environment to run them in: no proxy, no personal settings of curl or wget."""
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(directory), "LC_ALL": "C"}
