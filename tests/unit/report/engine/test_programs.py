"""Callers become what a person would fix."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Optional

from analyzer.report.engine.duckdb import gather
from analyzer.report.engine.gathering import Options
from analyzer.report.findings import Key
from analyzer.report.inputs import open_inputs

Process = tuple[str, list[str]]

DAEMON: Process = ("/usr/sbin/cron", ["/usr/sbin/cron", "-f"])
SH: Process = ("/usr/bin/dash", ["/bin/sh", "-c", "curl x"])

# Executable and arguments -> program, and whether somebody else made it call.
PROGRAMS: tuple[tuple[str, list[str], str, bool], ...] = (
    ("/opt/agent", ["agent", "run"], "/opt/agent", False),
    ("/usr/bin/python3.11", ["python3", "/srv/a.py", "x"], "/srv/a.py", False),
    ("/usr/bin/python3.11", ["python3", "-u", "-W", "ignore", "-Xdev", "a.py"], "a.py", False),
    ("/usr/bin/python3.11", ["python3", "-Im", "http.client"], "python -m http.client", False),
    ("/usr/bin/python3.11", ["python3", "-c", "import boto3"], "/usr/bin/python3.11", True),
    ("/usr/bin/python3.11", ["python3"], "/usr/bin/python3.11", True),
    ("/usr/bin/python3.11", ["/usr/bin/python3", "/usr/bin/aws", "s3"], "/usr/bin/aws", True),
    ("/usr/local/bin/pypy3", ["pypy3", "a.py"], "a.py", False),
    ("/usr/bin/bash", ["/bin/bash", "-euo", "pipefail", "/opt/x.sh", "-c"], "/opt/x.sh", False),
    ("/usr/bin/bash", ["bash", "-lc", "/opt/x.sh"], "/usr/bin/bash", True),
    ("/usr/bin/bash", ["-bash"], "/usr/bin/bash", True),
    ("/usr/lib/jvm/bin/java", ["java", "-Xmx1g", "-jar", "a.jar", "b"], "a.jar", False),
    ("/usr/lib/jvm/bin/java", ["java", "-cp", "lib/*", "-D=x", "org.Main"], "org.Main", False),
    ("/usr/bin/node", ["node", "--inspect", "-r", "dotenv", "s.js"], "s.js", False),
    ("/usr/bin/node", ["node", "--eval", "1"], "/usr/bin/node", True),
    ("/usr/bin/node", ["node", "-e", "1"], "/usr/bin/node", True),
    ("/usr/bin/perl", ["perl", "-w", "-I", "lib", "-MPOSIX", "p.pl"], "p.pl", False),
    ("/usr/bin/perl", ["perl", "-wne", "print", "p.pl"], "/usr/bin/perl", True),
    ("/usr/bin/ruby3.1", ["ruby", "-W0", "-rjson", "r.rb"], "r.rb", False),
    ("/usr/bin/php8.2", ["php", "-d", "x=y", "-f", "p.php"], "p.php", False),
    ("/usr/bin/curl", ["curl", "-s", "http://x/"], "curl", True),
    ("/bin/busybox", ["wget", "http://x/"], "/bin/busybox wget", True),
    ("/bin/busybox", ["busybox", "wget", "http://x/"], "/bin/busybox wget", True),
    ("/bin/busybox", ["sh", "/opt/x.sh"], "/opt/x.sh", False),
    ("/bin/busybox", ["busybox", "sh", "-c", "x"], "/bin/busybox sh", True),
    ("", ["whatever"], "named", False),
    ("/usr/bin/python3", ["python3", "/root/ansible-tmp-17.1-3/A.py"],
     "/root/ansible-tmp-*/A.py", False),
    ("/usr/bin/bash", ["sh", "/tmp/tmp.Zx81kQ2abc"], "/tmp/tmp*", False),  # noqa: S108
)  # fmt: skip

# Ancestors, nearest first -> the launcher of a curl.
LAUNCHERS: tuple[tuple[list[Process], Optional[str]], ...] = (
    ([], None),
    ([SH], None),
    ([SH, DAEMON], "/usr/sbin/cron"),
    ([SH, ("/usr/bin/bash", ["bash", "/opt/x.sh"]), DAEMON], "/opt/x.sh"),
    ([("/usr/bin/sudo", ["sudo", "curl"]), ("/usr/bin/timeout", ["timeout", "9"]), DAEMON],
     "/usr/sbin/cron"),
    ([("/usr/bin/python3", ["python3", "-c", "x"]), DAEMON], "/usr/bin/python3"),
    ([("/bin/busybox", ["sh", "-c", "x"]), ("/bin/busybox", ["crond"])], "/bin/busybox crond"),
)  # fmt: skip

UNITS: tuple[tuple[str, Optional[str]], ...] = (
    ("app.service", "app.service"),
    ("session-12.scope", "session-*.scope"),
    ("session-c1.scope", "session-*.scope"),
    ("run-r0123456789abcdef0123456789abcdef.service", "run-*.service"),
    ("run-u12.scope", "run-*.scope"),
    ("run-p4242-i17.service", "run-*.service"),
    ("user@1000.service", "user@*.service"),
    ("getty@tty1.service", "getty@tty1.service"),
    ("worker@7.service", "worker@*.service"),
    ("sshd@12-10.0.0.1:22-10.0.0.2:50000.service", "sshd@*.service"),
    (f"docker-{'ab' * 32}.scope", None),
    (f"cri-containerd-{'ab' * 32}.scope", None),
    (f"libpod-conmon-{'ab' * 32}.scope", "libpod-conmon-*.scope"),
    ("vte-spawn-0b5e8a52-7d3c-4c0e-9f5e-1c2d3e4f5a6b.scope", "vte-spawn-*.scope"),
    ("app-firefox-4242.scope", "app-firefox-*.scope"),
)

PLACES: tuple[tuple[dict[str, Any], str], ...] = (
    ({}, "host"),
    ({"container": {"id": "c"}}, "container"),
    ({"container": {"id": "c", "runtime": "podman"}}, "podman"),
    (
        {"container": {"id": "c", "runtime": "containerd"},
         "orchestrator": {"type": "ecs", "resource": {"id": "t"}}},
        "ecs",
    ),
)  # fmt: skip


def process(executable: str, args: list[str]) -> dict[str, Any]:
    fields: dict[str, Any] = {"pid": 1, "name": "named", "args": args, "user": {"id": "0"}}
    return {**fields, "executable": executable} if executable else fields


def line(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "timestamp": f"2026-11-21T18:50:01.{number:06d}Z",
        "event": "imds_request",
        "imds": {
            "version": "v2",
            "operation": "token",
            "reason": "token_request",
            "provider": "aws",
        },
        "url": {"path": f"/{number}"},
        "process": process("/usr/bin/curl", ["curl"]),
        "host": {"name": "h", "boot_id": "b"},
        **fields,
    }


def keys(directory: Path, lines: list[dict[str, Any]]) -> list[Key]:
    """Return the key of each line's group; the path tells which line is in it."""
    file = directory / "imds.jsonl"
    file.write_text("".join(json.dumps(each) + "\n" for each in lines))
    found: dict[str, Key] = {}
    with open_inputs([str(file)]) as files:
        for at, one in enumerate(lines):
            # A user agent of its own keeps each line in a group of its own.
            one["user_agent"] = {"original": f"{at}"}
        file.write_text("".join(json.dumps(each) + "\n" for each in lines))
        for group in gather(files, Options()).groups:
            found[str(group.key.user_agent)] = group.key
    return [found[f"{at}"] for at in range(len(lines))]


def test_a_program_is_what_somebody_wrote(tmp_path: Path) -> None:
    """The script behind an interpreter's options; the executable where there is none."""
    lines = [
        line(at, process={**process(executable, args), "ancestors": [process(*DAEMON)]})
        for at, (executable, args, _, _) in enumerate(PROGRAMS)
    ]
    found = [(key.program, key.launcher) for key in keys(tmp_path, lines)]
    assert found == [
        (program, "/usr/sbin/cron" if is_tool else None) for _, _, program, is_tool in PROGRAMS
    ]


def test_a_launcher_is_the_nearest_that_is_no_shell(tmp_path: Path) -> None:
    """Nor a program that only passes on that it was started."""
    lines = [
        line(at, process={**process("/usr/bin/curl", ["curl"]),
                          "ancestors": [process(*each) for each in ancestors]})
        for at, (ancestors, _) in enumerate(LAUNCHERS)
    ]  # fmt: skip
    assert [key.launcher for key in keys(tmp_path, lines)] == [each for _, each in LAUNCHERS]


def test_a_unit_is_without_the_numbers_of_a_run(tmp_path: Path) -> None:
    """And a container's scope is no unit."""
    lines = [line(at, service={"name": name}) for at, (name, _) in enumerate(UNITS)]
    assert [key.unit for key in keys(tmp_path, lines)] == [unit for _, unit in UNITS]


def test_a_place_is_the_outermost_that_is_known(tmp_path: Path) -> None:
    """The orchestrator, else the runtime, else a container, else the host."""
    lines = [line(at, **fields) for at, (fields, _) in enumerate(PLACES)]
    assert [key.place for key in keys(tmp_path, lines)] == [place for _, place in PLACES]


def test_a_separator_in_a_name_forges_no_program(tmp_path: Path) -> None:
    """What stands between the fields is taken out of those that a caller may choose."""
    forged = {"pid": 1, "name": "x\x1f/usr/bin/good", "executable": "/tmp/bad\x1e\x1fgood"}  # noqa: S108
    (key,) = keys(tmp_path, [line(0, process={**forged, "user": {"id": "0"}})])
    assert key.program == "/tmp/bad??good"  # noqa: S108


def test_further_callers_are_one(tmp_path: Path) -> None:
    """Beyond the limit the ones with the fewest calls lose their names, not their counts."""
    file = tmp_path / "imds.jsonl"
    lines = [
        line(at, process=process(f"/opt/{at % 7}", []), user_agent={"original": "x"})
        for at in range(30)
    ]
    file.write_text("".join(json.dumps(each) + "\n" for each in lines))
    with open_inputs([str(file)]) as files:
        found = gather(files, Options(groups_max=3))
    assert [(each.key.program, each.requests) for each in found.groups] == [
        ("(further callers)", 16),
        ("/opt/0", 5),
        ("/opt/1", 5),
        ("/opt/2", 4),
    ]
