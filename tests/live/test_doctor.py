"""doctor says what the running kernel then does; it sends nothing and leaves nothing."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from analyzer.config.settings import Capture
from analyzer.doctor.trials import try_probes
from analyzer.errors import NoSourceWorks
from analyzer.recorder.sources.selection import open_source
from tests.cgroups import made_cgroup, maybe_hierarchy
from tests.live.watch import SLOWNESS

pytestmark = [pytest.mark.live, pytest.mark.quiet]

DEADLINE_S = 30 + 5 * SLOWNESS
DOCTOR = (sys.executable, "-m", "analyzer", "doctor")
WITHOUT_CAPABILITIES = ("setpriv", "--inh-caps=-all", "--bounding-set=-all")

Finding = dict[str, str]


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
        env=environment,
        cwd=Path(__file__).parents[2],
    )


def _document(*before: str) -> dict[str, Any]:
    done = _run(*before, *DOCTOR, "--json")
    document: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (0 if document["works"] else 1), done.stderr
    document["findings"] = {each["name"]: each for each in document["findings"]}
    return document


@pytest.fixture(scope="module")
def here() -> dict[str, Any]:
    """Return what it finds on this host. It tries each probe, which takes seconds."""
    return _document()


def _works(source: str, attach: str) -> str:
    """Return the probe's name, or "" when it does not attach."""
    try:
        opened = open_source(source, attach, Capture.ring_mib << 20)
    except NoSourceWorks:
        return ""
    opened.source.close()
    return opened.source.probe


def test_it_names_the_probe_that_run_chooses(here: dict[str, Any]) -> None:
    """And of each other core probe whether it attaches."""
    assert here["probe"] == (_works("auto", "auto") or None)
    for attach in ("fentry", "kprobe", "tracepoint"):
        finding = here["findings"][f"core/{attach}"]
        assert (finding["level"] == "ok") == bool(_works("core", attach)), finding
    assert here["kernel"] == {"release": platform.release(), "machine": platform.machine()}


class Isolated(NamedTuple):
    """A run in a namespace where the IMDS address is its own; the kernel's counts around it."""

    done: subprocess.CompletedProcess[str]
    before: str
    table: str
    after: str


@pytest.fixture(scope="module")
def isolated() -> Isolated:
    script = "ip link set lo up && ip addr add 169.254.169.254 dev lo && cat /proc/net/snmp && "
    script += 'echo === && "$@"; code=$? && echo === && cat /proc/net/snmp && exit $code'
    done = _run("unshare", "--net", "sh", "-c", script, "sh", *DOCTOR)
    return Isolated(done, *done.stdout.split("===\n"))


def test_the_table_fits_a_pipe(isolated: Isolated) -> None:
    """80 columns, no control codes, the conclusion last, nothing on standard error."""
    done, _, table, _ = isolated
    assert done.stderr == ""
    assert all(len(line) <= 80 for line in table.splitlines())
    assert all(each.isprintable() or each == "\n" for each in table)
    assert "`imds-analyzer run` works here, with core/" in table
    assert done.returncode == 0


def test_without_capabilities_it_fails_and_says_which() -> None:
    """Root of a container is that: user id 0, and nothing it may do."""
    document = _document(*WITHOUT_CAPABILITIES)
    findings = document["findings"]
    assert document["probe"] is None
    assert findings["may load"]["level"] == "fail"
    assert "CAP_BPF" in findings["may load"]["fix"]
    assert findings["may name"]["level"] == "warn"
    for name, finding in findings.items():
        if name == "packet/af_packet":
            assert (finding["level"], "CAP_NET_RAW" in finding["fix"]) == ("fail", True)
        elif "/" in name:
            assert finding["level"] == "fail", finding
            # What the kernel does not have is said first: no capability would help.
            assert "CAP_BPF" in finding["fix"] or "without kprobes" in finding["found"], finding


def test_in_a_user_namespace_capabilities_do_not_count() -> None:
    """A rootless container shows all of them as effective."""
    document = _document("unshare", "--user", "--map-root-user")
    assert document["probe"] is None
    assert "user namespace" in document["findings"]["may load"]["found"]


def test_in_a_pid_and_cgroup_namespace_it_warns_and_works(here: dict[str, Any]) -> None:
    """A privileged container can attach, but reads another /proc than the kernel's.

    A mount of the host's cgroups shows them also in a cgroup namespace.
    """
    findings = here["findings"]
    assert findings["process ids"]["level"] == "ok"
    inside = _document("unshare", "--pid", "--fork", "--mount-proc", "--cgroup")
    assert inside["works"]
    assert inside["findings"]["process ids"]["level"] == "warn"
    assert inside["findings"]["cgroups"]["level"] == findings["cgroups"]["level"]


def test_with_the_cgroups_of_a_container_alone_it_warns_and_works() -> None:
    """As a container's runtime mounts them: its own are the root of what it sees."""
    hierarchy = maybe_hierarchy()
    if hierarchy is None:
        pytest.skip("no unified cgroup hierarchy is mounted: mount -t cgroup2 none DIRECTORY")
    mounted = f"umount {hierarchy} && mount -t cgroup2 none {hierarchy}"
    with made_cgroup(hierarchy) as cgroup:
        inside = _document(
            *("sh", "-ec", 'echo 0 > "$1/cgroup.procs"; shift; exec "$@"', "sh", str(cgroup)),
            *("unshare", "--cgroup", "--mount"),
            *("sh", "-ec", f'{mounted}; exec "$@"', "sh"),
        )
    assert inside["works"]
    assert inside["findings"]["cgroups"]["level"] == "warn"
    assert "shows a cgroup namespace" in inside["findings"]["cgroups"]["found"]


def test_a_shifted_boot_clock_is_told_and_works(here: dict[str, Any]) -> None:
    """A time namespace's offset is known to the kernel's file, and so taken into account."""
    assert here["findings"]["boot clock"]["level"] == "ok"
    inside = _document("unshare", "--time", "--boottime", "86400")
    assert inside["works"]
    assert inside["findings"]["boot clock"]["level"] == "info"
    assert "shifts it by +86400 s" in inside["findings"]["boot clock"]["found"]


@pytest.mark.parametrize(
    ("command", "level", "said"),
    [
        ("true", "info", "no route"),
        ("$IP addr add $ADDRESS dev lo", "warn", "an address of this host"),
        ("$IP route add blackhole $ADDRESS", "info", "blackhole"),
        ("$IP route add unreachable $ADDRESS", "info", "unreachable"),
        ("$IP route add prohibit $ADDRESS", "info", "prohibit"),
    ],
)
@pytest.mark.parametrize(
    ("name", "assignments"),
    [
        ("IPv4 route", "IP='ip -4'; ADDRESS=169.254.169.254"),
        ("IPv6 route", "IP='ip -6'; ADDRESS=fd00:ec2::254"),
    ],
)
def test_routes_are_those_of_the_network_namespace(
    name: str, assignments: str, command: str, level: str, said: str
) -> None:
    """Each of them set up in a namespace of its own, and looked up as the kernel would."""
    script = f"ip link set lo up && {assignments} && {command} && exec {_ROUTE[name]}"
    done = _run("unshare", "--net", "sh", "-c", script, "sh", sys.executable)
    assert done.returncode == 0, done.stderr
    found_level, found = done.stdout.strip().split(" ", 1)
    assert (found_level, said in found) == (level, True), found


# Only the one check: all of them, for each row, take minutes in an emulated machine.
_ROUTE = {
    name: f'"$1" -c \'from analyzer.doctor.network import {function} as ask; answer = ask(); '
    "print(answer.level.value, answer.found)'"
    for name, function in (("IPv4 route", "ipv4_route"), ("IPv6 route", "ipv6_route"))
}


def test_it_sends_nothing(isolated: Isolated) -> None:
    """Not one packet is counted."""
    assert isolated.done.returncode == 0, isolated.done.stderr
    assert "Tcp: " in isolated.before
    assert isolated.after == isolated.before


def test_trials_leave_no_descriptor_behind() -> None:
    """What BPF has is freed with its last descriptor, so none may stay open."""

    def descriptors() -> list[str]:
        links = (os.fspath(each) for each in Path("/proc/self/fd").iterdir())
        return sorted(os.readlink(each) for each in links if os.path.lexists(each))  # noqa: PTH115 (some are not paths)

    def bpf() -> list[str]:
        return [each for each in descriptors() if "bpf" in each or "perf_event" in each]

    before = bpf()
    trials = try_probes(with_bcc=False)
    assert any(each.works for each in trials)
    assert bpf() == before
