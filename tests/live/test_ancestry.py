"""Scripts that end at once are named with their paths and arguments, whoever is quick."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from analyzer.imds import IMDS_IPV4
from analyzer.lab.imds import ImdsProcess
from analyzer.lab.namespace import LabNamespace
from tests.live.conftest import REQUIRED
from tests.live.watch import DEADLINE_S, SLOWNESS, Line, Watch, eventually, new_marker
from tests.unit.asleep import wait_until_asleep

URL = f"http://{IMDS_IPV4}/latest/meta-data"
CURL = shutil.which("curl") or "curl is not installed"
SH, BASH = (str(Path(shutil.which(name) or name).resolve()) for name in ("sh", "bash"))

# Odd numbers; an emulated machine is asked for less of the same.
CURLS = max(11, int(101 / SLOWNESS) | 1)
# Four times a second for five seconds, and one.
TIMES = max(5, int(21 / SLOWNESS) | 1)
BETWEEN_S = 0.25

# Calls, has its child wait until it may send, and ends meanwhile or becomes something else.
WAITS_AND_CALLS = f"""
import os, socket, sys
sys.stdin.read()
client = socket.create_connection(({IMDS_IPV4!r}, 80))
client.sendall(f"GET /latest/meta-data/{{sys.argv[1]}} HTTP/1.1\\r\\n\\r\\n".encode())
os._exit(0)
"""
HANDS_OVER = f"""
import os, socket, sys
client = socket.create_connection(({IMDS_IPV4!r}, 80))
if os.fork() == 0:
    client.sendall(f"GET /latest/meta-data/{{sys.argv[1]}} HTTP/1.1\\r\\n\\r\\n".encode())
    client.recv(4096)
    os._exit(0)
os.wait()
os.execv("/bin/true", ["/bin/true", "of-another-program"])
"""
CALLS_AND_EXECS = f"""
import os, socket, sys
client = socket.create_connection(({IMDS_IPV4!r}, 80))
client.sendall(f"GET /latest/meta-data/{{sys.argv[1]}} HTTP/1.1\\r\\n\\r\\n".encode())
client.recv(4096)
os.execv("/bin/true", ["/bin/true", "of-another-program"])
"""


@pytest.fixture(autouse=True)
def _knows_programs(request: pytest.FixtureRequest) -> None:
    names = [name for name in ("probe", "one_probe") if name in request.fixturenames]
    if any(request.getfixturevalue(name).startswith("bcc/") for name in names):
        pytest.skip("with BCC, /proc alone tells what ancestors run")


def _script(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def _chain(line: Line) -> list[tuple[Any, Any]]:
    """Return executable and arguments of the caller and its ancestors, nearest first."""
    process = line["process"]
    return [(each.get("executable"), each.get("args")) for each in (process, *process["ancestors"])]


def _run(watch: Watch, *argv: str) -> None:
    watch.namespace.run(argv, timeout_s=DEADLINE_S)


def test_curls_back_to_back_all_have_their_script(watch: Watch, tmp_path: Path) -> None:
    """A hundred calls by a loop, over within a second or two: each has it all."""
    marker = new_marker()
    loop = f"for n in $(seq {CURLS}); do {CURL} -sS {URL}/{marker}/$n; done\n"
    script = _script(tmp_path / "many.sh", f"#!{SH}\n{loop}")
    _run(watch, script, "--of", "many")
    lines = watch.settled(marker)
    assert sorted(_chain(line)[:2] for line in lines) == sorted(
        [(CURL, [CURL, "-sS", f"{URL}/{marker}/{n}"]), (SH, [SH, script, "--of", "many"])]
        for n in range(1, CURLS + 1)
    )


def test_every_link_of_a_chain_of_scripts_is_named(watch: Watch, tmp_path: Path) -> None:
    """Four times a second: bash, sh, Python and curl, each of which ends at once."""
    marker = new_marker()
    inner = _script(
        tmp_path / "inner.py",
        f"import subprocess, sys\nsubprocess.run([{CURL!r}, '-sS', {URL + '/'!r} + sys.argv[1]])\n",
    )
    middle = _script(tmp_path / "middle.sh", f'{sys.executable} {inner} "$1"; true\n')
    outer = _script(tmp_path / "outer.sh", f'{SH} {middle} "$1"; true\n')
    for number in range(TIMES):
        begun = time.monotonic()
        _run(watch, BASH, outer, f"{marker}/{number}")
        # A pause is part of the load: the analyzer rests longer between single calls.
        time.sleep(max(0.0, begun + BETWEEN_S - time.monotonic()))
    python = str(Path(sys.executable).resolve())
    lines = watch.settled(marker)
    assert sorted(_chain(line)[:4] for line in lines) == sorted(
        [
            (CURL, [CURL, "-sS", f"{URL}/{marker}/{n}"]),
            (python, [sys.executable, inner, f"{marker}/{n}"]),
            (SH, [SH, middle, f"{marker}/{n}"]),
            (BASH, [BASH, outer, f"{marker}/{n}"]),
        ]
        for n in range(TIMES)
    )


def test_a_subshell_whose_script_has_ended_has_its_path(watch: Watch, tmp_path: Path) -> None:
    """The subshell runs what its script ran, though it never called exec."""
    marker = new_marker()
    fifo = tmp_path / "may-go"
    script = _script(
        tmp_path / "leaves.sh",
        f"#!{SH}\nmkfifo {fifo}\n( read -r _ < {fifo}; {CURL} -sS {URL}/{marker}; true ) "
        "> /dev/null 2>&1 < /dev/null &\n",
    )
    # The script has ended when this returns.
    _run(watch, script, "in-background")
    fifo.write_text("\n")
    deadline = time.monotonic() + DEADLINE_S
    while not watch.requests(marker):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    line = watch.one(marker)
    assert _chain(line)[:2] == [
        (CURL, [CURL, "-sS", f"{URL}/{marker}"]),
        (SH, [SH, script, "in-background"]),
    ]
    assert line["process"]["ancestors"][0]["name"] == "leaves.sh"


@pytest.mark.parametrize(
    ("program", "place"), [(CALLS_AND_EXECS, 0), (HANDS_OVER, 1)], ids=["caller", "ancestor"]
)
def test_what_is_executed_after_the_call_is_not_shown(
    watch: Watch, program: str, place: int
) -> None:
    """A process that becomes /bin/true after the call is shown as what it was."""
    marker = new_marker()
    argv = [sys.executable, "-c", program, marker]
    _run(watch, *argv)
    assert _chain(watch.one(marker))[place] == (str(Path(sys.executable).resolve()), argv)


def test_an_ancestor_is_shown_as_what_it_became_before_the_call(
    watch: Watch, tmp_path: Path
) -> None:
    """A script that has a child and then becomes another program is that program."""
    marker = new_marker()
    fifo = tmp_path / "called"
    script = _script(
        tmp_path / "becomes.sh",
        f"#!{SH}\nmkfifo {fifo}\n"
        f"( until grep -q ^cat /proc/$$/comm; do :; done; {CURL} -sS {URL}/{marker}; "
        f"echo > {fifo} ) &\nexec cat {fifo}\n",
    )
    _run(watch, script)
    cat = str(Path(shutil.which("cat") or "cat").resolve())
    assert _chain(watch.one(marker))[:3] == [
        (CURL, [CURL, "-sS", f"{URL}/{marker}"]),
        (SH, [SH, script]),
        (cat, ["cat", str(fifo)]),
    ]


def test_a_script_from_before_the_analyzer_is_named_when_it_is_gone(
    one_probe: str, namespace: LabNamespace, imds: ImdsProcess, tmp_path: Path
) -> None:
    """It forked before, never again, and ends right behind its child's call."""
    assert imds.listening
    marker = new_marker()
    script = _script(tmp_path / "before.sh", f'{sys.executable} -c "$1" {marker}\n:\n')
    watch = Watch(one_probe, namespace, tmp_path)
    # Its end closes what the script waits for, also where the probe does not attach.
    with namespace.popen([SH, script, WAITS_AND_CALLS], stdin=subprocess.PIPE) as former:
        eventually("the script has its child", lambda: psutil.Process(former.pid).children())
        with watch.running(required=one_probe in REQUIRED):
            assert watch.process is not None
            wait_until_asleep(watch.process.pid, "what runs already is read")
            assert former.stdin is not None
            # It is not quick enough, certainly.
            with watch.paused():
                former.stdin.close()
                assert former.wait(DEADLINE_S) == 0
            line = watch.one(marker)
    assert _chain(line)[1] == (SH, [SH, script, WAITS_AND_CALLS])
