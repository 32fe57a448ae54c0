"""Commands to copy: a shell takes what comes from the log as text, and the two lines work."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.imds import IMDS_IPV4
from analyzer.lab.loopback import LocalImds
from analyzer.lab.metadata import ZONE
from analyzer.lab.service import MetadataOptions
from analyzer.report.callers import Group
from analyzer.report.diagnosis.commands import looks, quoted, replacement
from tests.unit.report_samples import HOSTILE, curl_script, fallback, group, hostile, kube2iam

TIMEOUT_S = 30


def bash(script: str) -> bytes:
    return subprocess.run(
        ["bash", "-c", script],
        check=True,
        capture_output=True,
        timeout=TIMEOUT_S,
        env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"},
    ).stdout


@pytest.mark.parametrize(
    "text",
    [
        HOSTILE, "", "plain", "a b", "$(id)", "`id`", "'", '"', "\\", "\\'\n", "-rf", "\x1b[2J",
        "\u202e'\\", "💾\x00".replace("\x00", ""), "é\x85", "\U000e0001", "\ud7ff\ufffe",
    ],
)  # fmt: skip
def test_bash_turns_a_quoted_text_back_into_itself(text: str) -> None:
    """And nothing of it is run; what is copied is printable."""
    assert quoted(text).isprintable()
    assert bash(f"printf %s {quoted(text)}").decode() == text


@given(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])))
def test_any_text_is_quoted_printably(text: str) -> None:
    """No line end, escape sequence or direction mark is left."""
    assert quoted(text).isprintable()


def _against(imds: LocalImds, group: Group) -> bytes:
    """Run the two lines with the address replaced: nothing here may call the real one."""
    script = "\n".join(replacement(group)).replace(IMDS_IPV4, f"127.0.0.1:{imds.port}")
    assert "169.254" not in script
    return bash("set -eu\n" + script)


@pytest.mark.parametrize("tool", ["curl", "wget"])
def test_the_two_lines_get_what_the_caller_asked_for(tool: str) -> None:
    """From an IMDS that requires tokens."""
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    caller = curl_script(
        program=f"/usr/bin/{tool}", executable=f"/usr/bin/{tool}", user_agent=f"{tool}/1"
    )
    with LocalImds(MetadataOptions(require_tokens=True)) as imds:
        assert _against(imds, caller).decode().strip() == ZONE


def test_a_hostile_path_stays_a_path() -> None:
    """It is percent-encoded, and asks for nothing but itself."""
    for each in (hostile(), hostile(paths=(("/latest/$(touch x);'\"`id`", 1),))):
        commands = replacement(each)
        assert all(command.isprintable() for command in commands)
        bash(f"curl() {{ :; }}\n{commands[0]}\n{commands[1]}\ntest ! -e x")


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/latest/user-data", "/latest/user-data"),
        ("http://169.254.169.254/latest/user-data", "/latest/user-data"),
        ("http://evil.example/latest/user-data", "/latest/user-data"),
        ("/a b[1]{2}", "/a%20b%5B1%5D%7B2%7D"),
        ("/%41", "/%41"),
        ("/\ud800", "/%3F"),
        ("@evil.example/x", "/latest/meta-data/"),
        ("", "/latest/meta-data/"),
    ],
)
def test_the_path_is_the_callers_own(path: str, asked: str) -> None:
    """On no other host than IMDS."""
    last = replacement(curl_script(paths=((path, 1),)))[1].split()[-1].strip("'")
    assert last == f"http://169.254.169.254{asked}"


def test_a_token_request_is_not_what_is_repeated() -> None:
    """Of a caller with both, the call is taken."""
    paths = (("/latest/api/token", 50), ("/latest/meta-data/ami-id", 3))
    assert replacement(curl_script(paths=paths, line={}))[1].endswith("/latest/meta-data/ami-id")


def test_over_ipv6_the_lines_ask_over_ipv6() -> None:
    """With the brackets that a URL needs, and -g for curl."""
    caller = curl_script()
    line = {**caller.example, "destination": {"ip": "fd00:ec2::254", "port": 80}}
    token, call = replacement(curl_script(line=line))
    assert "-g -X PUT" in token
    assert "'http://[fd00:ec2::254]/latest/" in call


def test_a_caller_is_looked_up_where_it_runs() -> None:
    """By package and unit on the host, by container, pod or task elsewhere."""
    assert looks(group(unit="cron.service"))[0].startswith("dpkg -S /srv/app/worker.py ")
    bare = group(unit=None, args=("python3",))
    assert looks(bare) == ("dpkg -S /usr/bin/python3.9 2>/dev/null || rpm -qf /usr/bin/python3.9",)
    assert looks(group(unit="session-*.scope"))[1] == "systemctl list-units -- 'session-*.scope'"
    assert looks(fallback())[-1] == f"docker inspect {'3f1c' * 16}"
    assert '"8a4ef2b1-65b5-4a52-9f2c-0c1f0a4e6d3b"' in looks(kube2iam())[0]
    task = {"type": "ecs", "resource": {"type": "task", "id": "5a1b9c2d5a1b9c2d"}}
    assert "describe-tasks" in looks(fallback(orchestrator=task))[-1]
    forged = {"type": "kubernetes", "resource": {"type": "pod", "id": '")}{x'}}
    assert "{x" not in " ".join(looks(kube2iam(orchestrator=forged)))


def test_a_pod_with_names_is_looked_up_by_them() -> None:
    resource = {"type": "pod", "id": "8a4ef2b1-65b5-4a52-9f2c-0c1f0a4e6d3b", "name": "api-7d-x2x4z"}
    parent = {"type": "Deployment", "name": "api"}
    pod = {
        "type": "kubernetes",
        "namespace": "payments",
        "resource": {**resource, "parent": parent},
    }
    assert looks(kube2iam(orchestrator=pod)) == (
        "kubectl -n payments get deployment api -o yaml",
        "kubectl -n payments get pod api-7d-x2x4z -o wide",
    )
    # Whoever names containers names no command.
    forged = {**pod, "namespace": "$(reboot)"}
    assert "reboot" not in " ".join(looks(kube2iam(orchestrator=forged)))
    hostile_owner = {**resource, "parent": {"type": "Deployment", "name": "--x"}}
    assert looks(kube2iam(orchestrator={**pod, "resource": hostile_owner})) == (
        "kubectl -n payments get pod api-7d-x2x4z -o wide",
    )
