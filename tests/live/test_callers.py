"""The right program is named, with its ancestors, also when it is gone at once."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from analyzer.imds import IMDS_IPV4
from tests.live.watch import DEADLINE_S, Line, Watch, eventually, new_marker

URL = f"http://{IMDS_IPV4}/latest/meta-data"
TOKEN = "AQAEANxVDmHAxbXMGsSdu0pvtFbWNpTXRpWM8wcyJ7yRUc3zQeJ8aQ=="
CURL = shutil.which("curl") or "curl is not installed"

# Sends and exits without waiting for the answer: nothing of it is left to look at.
SEND_AND_DIE = (
    "import os, socket, sys; s = socket.create_connection((sys.argv[1], 80));"
    "s.sendall(f'GET /latest/meta-data/{sys.argv[2]} HTTP/1.1\\r\\n\\r\\n'.encode()); os._exit(0)"
)


def _ancestor_pids(line: Line) -> list[int]:
    return [each["pid"] for each in line["process"]["ancestors"]]


def _run(watch: Watch, *argv: str, **options: Any) -> int:
    """Run a program in the namespace to its end; returns its pid."""
    child = subprocess.Popen(
        watch.namespace.command(argv),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        **options,
    )
    try:
        _, said = child.communicate(timeout=DEADLINE_S)
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
    assert child.returncode == 0, said
    return child.pid


def test_curl_is_named_with_everything(watch: Watch) -> None:
    """A short-lived curl: pid, name, arguments, user, start and ancestors up to pid 1."""
    marker = new_marker()
    pid = _run(watch, CURL, "-sS", f"{URL}/{marker}")
    process = watch.one(marker)["process"]
    assert process["pid"] == pid
    assert process["name"] == "curl"
    assert process["args"] == [CURL, "-sS", f"{URL}/{marker}"]
    assert process["user"] == {"id": "0", "name": "root"}
    assert process["ancestors"][0]["pid"] == os.getpid()
    assert process["ancestors"][0]["executable"] == str(Path("/proc/self/exe").readlink())
    assert process["ancestors"][-1]["pid"] == 1
    me = psutil.Process()
    assert _ancestors_of_us(process["ancestors"]) == [me.pid, *(each.pid for each in me.parents())]


def _ancestors_of_us(ancestors: list[dict[str, Any]]) -> list[int]:
    return [each["pid"] for each in ancestors]


def test_user_agent_is_recorded(watch: Watch) -> None:
    """Curl says who it is."""
    marker = new_marker()
    _run(watch, CURL, "-sS", f"{URL}/{marker}")
    assert watch.one(marker)["user_agent"]["original"].startswith("curl/")


def test_a_process_that_is_gone_is_named_in_full(watch: Watch) -> None:
    """The kernel took name, arguments and ancestors while the process was alive."""
    marker = new_marker()
    argv = [sys.executable, "-c", SEND_AND_DIE, IMDS_IPV4, marker]
    pid = _run(watch, *argv)
    process = watch.one(marker)["process"]
    assert process["pid"] == pid
    assert process["args"] == argv
    assert process["name"].startswith("python")
    assert _ancestor_pids(watch.one(marker))[0] == os.getpid()


def test_a_script_is_the_ancestor_of_its_curl(watch: Watch, tmp_path: Path) -> None:
    """deploy.sh calls curl: both are there, the script with its path."""
    marker = new_marker()
    script = tmp_path / "deploy.sh"
    # A second command keeps the shell from becoming curl.
    script.write_text(f"#!/bin/sh\n{CURL} -sS {URL}/{marker}\ntrue\n")
    script.chmod(0o755)
    pid = _run(watch, str(script))
    process = watch.one(marker)["process"]
    assert process["name"] == "curl"
    parent = process["ancestors"][0]
    assert parent["pid"] == pid
    assert parent["name"] == "deploy.sh"


def test_the_thread_group_is_named_not_the_thread(watch: Watch) -> None:
    """A named worker thread sends; the record has the process and the thread's id."""
    marker = new_marker()
    program = (
        "import socket, sys, threading\n"
        "def work():\n"
        "    open('/proc/thread-self/comm', 'w').write('http-worker-1')\n"
        "    s = socket.create_connection((sys.argv[1], 80))\n"
        "    s.sendall(f'GET /latest/meta-data/{sys.argv[2]} HTTP/1.1\\r\\n\\r\\n'.encode())\n"
        "    s.recv(100)\n"
        "t = threading.Thread(target=work); t.start(); t.join()\n"
    )
    pid = _run(watch, sys.executable, "-c", program, IMDS_IPV4, marker)
    process = watch.one(marker)["process"]
    assert process["pid"] == pid
    assert process["name"].startswith("python")
    assert process["thread"]["id"] != pid


def test_the_effective_user_is_recorded(watch: Watch) -> None:
    """A call by another user carries that user's id and name."""
    marker = new_marker()
    nobody = pwd.getpwnam("nobody")
    # curl becomes nobody after nsenter has used root's right to enter the namespace.
    _run(
        watch,
        "setpriv",
        f"--reuid={nobody.pw_uid}",
        "--clear-groups",
        "--",
        CURL,
        "-sS",
        f"{URL}/{marker}",
    )
    process = watch.one(marker)["process"]
    assert process["user"] == {"id": str(nobody.pw_uid), "name": "nobody"}
    assert process["name"] == "curl"


def test_a_hostile_name_stays_one_line(watch: Watch, tmp_path: Path) -> None:
    """Newlines, quotes, escapes and bytes that are no text stay inside their fields."""
    marker = new_marker()
    hostile = os.fsencode(tmp_path) + b'/a\n"\x1b[31m\xff'
    Path(os.fsdecode(hostile)).symlink_to(sys.executable)
    argv = [os.fsdecode(hostile), "-c", SEND_AND_DIE, IMDS_IPV4, marker]
    _run(watch, *argv)
    process = watch.one(marker)["process"]
    assert process["name"] == 'a\n"\x1b[31m\\xff'
    assert process["args"][0].endswith('/a\n"\x1b[31m\\xff')


def test_more_arguments_than_are_copied_are_marked(watch: Watch) -> None:
    """An argument vector beyond the copy limit is either read from /proc or marked as cut."""
    marker = new_marker()
    filler = "x" * 3000
    _run(watch, sys.executable, "-c", SEND_AND_DIE, IMDS_IPV4, marker, filler)
    process = watch.one(marker)["process"]
    assert process["args"][:2] == [sys.executable, "-c"]
    assert process.get("args_truncated") or process["args"][-1] == filler


def test_a_token_in_the_arguments_is_masked(watch: Watch) -> None:
    """Neither the caller's nor an ancestor's arguments show a token."""
    marker = new_marker()
    header = f"X-aws-ec2-metadata-token: {TOKEN}"
    # The shell stays until its arguments have been read: then its input ends.
    shell = ["sh", "-c", f'{CURL} -sS -H "{header}" {URL}/{marker}; read -r _; true']
    with subprocess.Popen(
        watch.namespace.command(shell), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    ):
        eventually("the call is written", lambda: watch.requests(marker))
    line = watch.one(marker)
    assert line["imds"]["version"] == "v2"
    assert "[redacted]" in " ".join(line["process"]["args"])
    assert "[redacted]" in " ".join(line["process"]["ancestors"][0]["args"])
    assert TOKEN not in watch.log.read_text()


@pytest.mark.parametrize("callers", [31])
def test_many_at_once_are_all_named(watch: Watch, callers: int) -> None:
    """Processes that call at the same moment do not cost each other's records."""
    marker = new_marker()
    argv = [sys.executable, "-S", "-E", "-c", SEND_AND_DIE, IMDS_IPV4]
    children = [
        subprocess.Popen(watch.namespace.command([*argv, f"{marker}/{number}"]))
        for number in range(callers)
    ]
    for child in children:
        assert child.wait(DEADLINE_S) == 0
    found = watch.settled(marker)
    watch.all_are_named([child.pid for child in children], found)
    for line in found:
        assert line["process"]["args"][-1] in line["url"]["path"]


# Calls on one connection: twice by itself, by a thread, by a child, again by itself, and by itself
# under another name. Prints who called.
TAKING_TURNS = """
import os, socket, sys, threading
connection = socket.create_connection((sys.argv[1], 80))

def call(number):
    target = f'/latest/meta-data/{sys.argv[2]}-{number}'
    connection.sendall(f'GET {target} HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n'.encode())
    head = b''
    while b'\\r\\n\\r\\n' not in head:
        head += connection.recv(1000)
    print(os.getpid(), threading.get_native_id(), flush=True)

call(0)
call(1)
thread = threading.Thread(target=call, args=(2,)); thread.start(); thread.join()
child = os.fork()
if not child:
    call(3)
    os._exit(0)
os.waitpid(child, 0)
call(4)
open('/proc/self/comm', 'w').write('renamed')
call(5)
"""


def test_each_call_on_a_kept_connection_has_its_own_caller(watch: Watch) -> None:
    """Process, thread and name are those of that call, not those of the one before."""
    marker = new_marker()
    argv = watch.namespace.command([sys.executable, "-c", TAKING_TURNS, IMDS_IPV4, marker])
    said = subprocess.run(argv, stdout=subprocess.PIPE, timeout=DEADLINE_S, check=True).stdout
    expected = [tuple(map(int, line.split())) for line in said.splitlines()]
    processes = [watch.one(f"{marker}-{number}")["process"] for number in range(6)]
    found = [(each["pid"], each.get("thread", {}).get("id", each["pid"])) for each in processes]
    assert found == expected
    assert len(set(expected)) == 3
    assert [each["name"] for each in processes].count("renamed") == 1
    assert processes[5]["name"] == "renamed"
