"""The unit and its drop-ins, as systemd reads them: offline, no service is started."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from analyzer.recorder.daemon.seccomp import REFUSED

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "systemd" / "imds-analyzer.service"
CLOUD_INIT = Path(__file__).parent / "cloud-init"
DROP_INS = sorted(
    path.name for path in UNIT.parent.glob("*.conf") if re.search("(?m)^\\[", path.read_text())
)
# Settings that older versions of systemd do not know, with the one that brought them.
NEWER = {"backoff.conf": 254}
# What install.sh can add together: what belongs to a kernel, and what was configured.
COMBINATIONS = [
    [],
    ["before-cloud-init.conf"],
    ["before-cloud-init.conf", "prometheus-tcp.conf"],
    ["bcc.conf"],
    ["bcc.conf", "prometheus-tcp.conf", "sys-admin.conf"],
    ["backoff.conf", "before-cloud-init.conf"],
    ["before-cloud-init.conf", "packet.conf", "prometheus-tcp.conf"],
]
# Without a drop-in, and with the one that most hosts have, the service is as closed as promised;
# others open what they are for.
EXPOSURE_MAX = 1.6
CLOSED = COMBINATIONS[:2]


def _systemd_version() -> int:
    if shutil.which("systemd-analyze") is None:
        pytest.fail("systemd-analyze is not installed: apt install systemd")
    said = subprocess.run(["systemd-analyze", "--version"], capture_output=True, check=True)
    return int(said.stdout.split()[1])


def _skip_newer(drop_ins: list[str]) -> None:
    for name in drop_ins:
        if _systemd_version() < NEWER.get(name, 0):
            pytest.skip(f"{name} is for systemd {NEWER[name]} and later")


def _install(directory: Path, drop_ins: list[str]) -> Path:
    """Install the unit for a program that exists; return its path."""
    unit = Path(shutil.copy(UNIT, directory))
    added = directory / f"{unit.name}.d"
    added.mkdir()
    for name in drop_ins:
        shutil.copy(UNIT.parent / name, added)
    (added / "zz-test.conf").write_text(f"[Service]\nExecStart=\nExecStart={sys.executable}\n")
    return unit


def _verify(directory: Path, unit: str) -> str:
    # With the colon at the end the machine's own units are found, too.
    environment = {**os.environ, "SYSTEMD_UNIT_PATH": f"{directory}:", "LC_ALL": "C"}
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr + done.stdout


@pytest.mark.parametrize("drop_ins", COMBINATIONS, ids="+".join)
def test_systemd_has_nothing_to_say_of_the_unit(tmp_path: Path, drop_ins: list[str]) -> None:
    """No unknown key, no bad value."""
    _skip_newer(drop_ins)
    said = _verify(tmp_path, str(_install(tmp_path, drop_ins)))
    assert [line for line in said.splitlines() if "imds-analyzer" in line] == []


def test_every_drop_in_is_among_the_combinations() -> None:
    """So that none is left unread."""
    assert {name for names in COMBINATIONS for name in names} == set(DROP_INS)


@pytest.mark.parametrize("drop_ins", CLOSED, ids="+".join)
def test_the_exposure_is_low(tmp_path: Path, drop_ins: list[str]) -> None:
    """As systemd counts it, without a running systemd."""
    if _systemd_version() < 250:
        pytest.skip("systemd-analyze security --offline= is for systemd 250 and later")
    unit = _install(tmp_path, drop_ins)
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)],
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"exposure level for imds-analyzer.service: ([0-9.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    assert float(found[1]) <= EXPOSURE_MAX, done.stdout


def _boot(directory: Path, release: str, ours: str, *, early: bool = True) -> str:
    """Have systemd plan a boot with cloud-init and us, ``ours`` added; return what it says."""
    for unit in (CLOUD_INIT / release).iterdir():
        shutil.copy(unit, directory)
        for target in re.findall(r"^WantedBy=(.*)$", unit.read_text(), re.MULTILINE):
            _want(directory, target, unit.name)
    _want(directory, "multi-user.target", "cloud-init.target")  # cloud-init's generator does
    _install(directory, ["before-cloud-init.conf"] if early else [])
    _want(directory, "multi-user.target", UNIT.name)
    (directory / f"{UNIT.name}.d" / "zz-ours.conf").write_text(ours)
    # A file system of which cloud-init's first stage has to do with, and that others wait for.
    _mount(directory, "mnt", "After=cloud-init-local.service\nBefore=local-fs.target")
    _want(directory, "local-fs.target", "mnt.mount")
    return _verify(directory, "multi-user.target")


def _mount(directory: Path, name: str, order: str) -> None:
    """Add the mount of ``/name``, with its place in the order."""
    (directory / f"{name}.mount").write_text(
        f"[Unit]\nDefaultDependencies=no\n{order}\n[Mount]\nWhat=tmpfs\nWhere=/{name}\nType=tmpfs\n"
    )


def _want(directory: Path, target: str, unit: str) -> None:
    wants = directory / f"{target}.wants"
    wants.mkdir(exist_ok=True)
    (wants / unit).symlink_to(directory / unit)


@pytest.mark.parametrize("release", sorted(path.name for path in CLOUD_INIT.iterdir()))
def test_starting_before_cloud_init_makes_no_cycle(tmp_path: Path, release: str) -> None:
    """Every version of cloud-init orders its stages differently."""
    said = _boot(tmp_path, release, "")
    assert "cycle" not in said, said


@pytest.mark.parametrize("release", sorted(path.name for path in CLOUD_INIT.iterdir()))
@pytest.mark.parametrize("after", ["local-fs.target", "sysinit.target"])
def test_a_cycle_would_be_found(tmp_path: Path, release: str, after: str) -> None:
    """What the unit leaves out, it leaves out for this reason."""
    said = _boot(tmp_path, release, f"[Unit]\nAfter={after}\n")
    assert re.search(r"(?m)ordering cycle", said), said


@pytest.mark.parametrize("release", sorted(path.name for path in CLOUD_INIT.iterdir()))
@pytest.mark.parametrize(
    ("order", "early", "cycle"),
    [
        ("After=local-fs-pre.target", True, False),
        # As cloud-init's `mounts:` and a file system over the network are ordered: these are why
        # install.sh looks at the mounts before it adds the drop-in.
        ("Requires=cloud-init.service\nAfter=cloud-init.service", True, True),
        ("Wants=network.target\nAfter=network.target", True, True),
        ("Requires=cloud-init.service\nAfter=cloud-init.service", False, False),
        ("Wants=network.target\nAfter=network.target", False, False),
    ],
)
def test_mounts_that_the_service_needs(
    tmp_path: Path, release: str, order: str, *, early: bool, cycle: bool
) -> None:
    """It can be before cloud-init, or wait for what waits for cloud-init."""
    if "cloud-init.service" in order and not (CLOUD_INIT / release / "cloud-init.service").exists():
        order = order.replace("cloud-init.service", "cloud-init-network.service")
    _mount(tmp_path, "opt", order)
    said = _boot(tmp_path, release, "", early=early)
    assert ("ordering cycle" in said) == cycle, said


# Read other processes' memory or write it, take their descriptors, compare what the kernel has.
CLOSED_CALLS = {
    *("ptrace", "process_vm_readv", "process_vm_writev", "process_madvise"),
    *("pidfd_getfd", "kcmp", "keyctl", "init_module", "mount", "reboot", "setuid"),
}
# Load, attach, name cgroups, drop capabilities and system calls; start, bound and end the worker
# that looks at callers; and an ordinary service's.
OPEN_CALLS = {
    *("bpf", "perf_event_open", "open_by_handle_at", "capset", "seccomp", "prctl"),
    *("clone", "socketpair", "prlimit64", "kill", "wait4"),
    *("openat", "read", "write", "ftruncate", "mmap", "poll", "sendto", "fsync", "clone3"),
}


def _allowed_calls(unit: Path) -> set[str]:
    """Return what the unit's filter comes to, read in order as systemd.exec(5) has it."""
    allowed: set[str] = set()
    for value in re.findall(r"^SystemCallFilter=(.*)$", unit.read_text(), re.MULTILINE):
        calls = {call for name in value.lstrip("~").split() for call in _calls_of(name)}
        allowed = allowed - calls if value.startswith("~") else allowed | calls
    return allowed


def _calls_of(name: str) -> set[str]:
    if not name.startswith("@"):
        return {name}
    done = subprocess.run(
        ["systemd-analyze", "syscall-filter", "--no-pager", name],
        capture_output=True,
        text=True,
        check=True,
    )
    words = {line.strip() for line in done.stdout.splitlines() if line.startswith("    ")}
    listed = {word for word in words if word and not word.startswith(("#", "@"))}
    return listed.union(*(_calls_of(word) for word in words if word.startswith("@")))


def test_the_unit_reaches_into_no_other_process() -> None:
    """And can still do what it is for."""
    allowed = _allowed_calls(UNIT)
    assert allowed & CLOSED_CALLS == set()
    assert OPEN_CALLS - allowed == set()


def test_what_the_process_refuses_itself_is_closed_by_the_unit_or_needed_to_attach() -> None:
    """One list for both, so that neither forgets what the other has."""
    assert set(REFUSED) - CLOSED_CALLS == {"bpf", "perf_event_open"}


def test_no_drop_in_opens_a_system_call() -> None:
    """The filter is in one place."""
    for name in DROP_INS:
        assert "SystemCallFilter" not in (UNIT.parent / name).read_text(), name


def test_the_unit_says_what_each_capability_is_for() -> None:
    """Those that it has are those that it explains, in the same order."""
    text = UNIT.read_text()
    explained = re.findall(r"^#   (CAP_[A-Z_]+) ", text, re.MULTILINE)
    for setting in ("CapabilityBoundingSet", "AmbientCapabilities"):
        (value,) = re.findall(rf"^{setting}=(.*)$", text, re.MULTILINE)
        assert value.split() == explained
