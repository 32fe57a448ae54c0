"""Nobody can wipe the log: who calls without end, with long lines, pushes out no other's call."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

from analyzer.imds import IMDS_IPV4
from analyzer.lab.imds import ImdsProcess
from analyzer.lab.namespace import LabNamespace
from tests.faults.conftest import Observed
from tests.faults.service import Service, calls_of, events_of
from tests.live.watch import DEADLINE_S, new_marker

DEPTH, SENDS, PER_SEND = 16, 100, 682
NOBODY = 65534
LINE_BYTES_MAX = 16 << 10
# Sixteen processes with arguments that cannot be compressed; the last sends requests of HTTP/0.9.
ATTACKER = """
import base64, os, socket, sys
program, depth, address, sends, per_send = sys.argv[1], *sys.argv[2:6]
if int(depth):
    if os.fork() == 0:
        text = base64.b64encode(os.urandom(3000)).decode()
        left = str(int(depth) - 1)
        os.execv(sys.executable, [sys.executable, "-c", program, program, left, address, sends,
                                  per_send, text])
    sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
data = b"GET /\\n" * int(per_send)
client = socket.create_connection((address, 80))
for _ in range(int(sends)):
    try:
        client.sendall(data)
    except OSError:
        client = socket.create_connection((address, 80))
        client.sendall(data)
"""


def test_a_flood_of_long_lines_leaves_anothers_call(
    namespace: LabNamespace, imds: ImdsProcess, service: Service, observed: Observed
) -> None:
    """In the smallest log there is; every call is counted, and every line is bounded."""
    assert imds.listening
    marker = new_marker()
    text = service.config.read_text()
    service.config.write_text(
        text.replace("repeats_per_s = 0", "rotate_mib = 1\ntotal_mib = 3"), encoding="utf-8"
    )
    with service.running():
        with namespace.socket() as victim:
            victim.settimeout(DEADLINE_S)
            victim.connect((IMDS_IPV4, 80))
            victim.sendall(f"GET /latest/{marker}/0 HTTP/1.1\r\n\r\n".encode())
            assert victim.recv(4096)
        service.until_recorded(marker, 0)
        argv = [sys.executable, "-c", ATTACKER, ATTACKER, str(DEPTH), IMDS_IPV4, str(SENDS)]
        drop = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        done = subprocess.run(
            namespace.command([*drop, *argv, str(PER_SEND)]),
            capture_output=True,
            text=True,
            timeout=4 * DEADLINE_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        service.stop()
    lines = service.lines()
    longest = max(len(raw) for path in service.files() for raw in raw_lines(path))
    assert longest <= LINE_BYTES_MAX
    (found,) = (line for line in lines if f"/{marker}/" in line.get("url", {}).get("path", ""))
    assert found["imds"]["version"] == "v1"
    (stopped,) = events_of(lines, "analyzer_stopped")
    attack = [line for line in lines if line.get("url", {}).get("path") == "/"]
    calls = sum(calls_of(line) for line in attack)
    assert calls == SENDS * PER_SEND
    assert stopped["lost"] == 0
    observed(
        f"{calls} calls with 16 KiB each",
        f"{len(attack)} lines of at most {longest} bytes count all of them; the call before is"
        f" there; {stopped['cpu_s']} s of CPU, {stopped['rss_bytes'] / 1e6:.0f} MB",
    )


def raw_lines(path: Path) -> list[bytes]:
    """Return a file's lines as they are."""
    raw = path.read_bytes()
    return (gzip.decompress(raw) if path.suffix == ".gz" else raw).splitlines(keepends=True)
