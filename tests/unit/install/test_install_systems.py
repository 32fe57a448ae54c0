"""install.sh's package manager calls on each system, from recorded /etc/os-release files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.install.host import Host
from tests.unit.install.programs import KERNEL

OS_RELEASE = Path(__file__).parent / "os_release"
APT_UPDATE = "apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 update"
APT_INSTALL = (
    "apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "
    "install --yes --no-install-recommends "
)
DNF_INSTALL = "dnf --assumeyes --setopt=install_weak_deps=False install "
APT = ("debian", "ubuntu")
EL = ("rhel", "rocky", "almalinux", "ol", "centos")

# System: the packages, and the version of its python3.
SYSTEMS = {
    "debian-11": ("libbpf0 python3 python3-venv", "3.9"),
    "debian-12": ("libbpf1 python3 python3-venv", "3.11"),
    "debian-13": ("libbpf1 python3 python3-venv", "3.13"),
    "ubuntu-22.04": ("libbpf0 python3 python3-venv", "3.10"),
    "ubuntu-24.04": ("libbpf1 python3 python3-venv", "3.12"),
    "amzn-2023": ("libbpf", "3.9"),
    **{f"{name}-8": ("libbpf python3.12", "3.6") for name in EL},
    **{f"{name}-9": ("libbpf", "3.9") for name in EL},
    **{f"{name}-10": ("libbpf", "3.12") for name in EL},
}
BTF = "sys/kernel/btf/vmlinux"
KINDS = ("debian-12", "amzn-2023", "rhel-8")
REFUSED = (
    *("debian-10", "debian-sid", "ubuntu-20.04", "rhel-7", "amzn-2"),
    *("fedora-41", "alpine-3.20", "opensuse-leap-15.6"),
)


def recorded(system: str) -> str:
    return (OS_RELEASE / system).read_text(encoding="utf-8")


def bare(tmp_path: Path, system: str, python: str, machine: str = "x86_64") -> Host:
    """Return a host where only Python is installed; 3.6 answers that it is too old."""
    host = Host(tmp_path / "host", recorded(system), machine)
    host.write("version", f"{python}\n")
    if python == "3.6":
        host.program("usr/bin/python3", "python3", "exit 1")
    return host


def for_bcc(system: str) -> str:
    if system.startswith(APT):
        return f"python3-bpfcc linux-headers-{KERNEL}"
    return f"python3-bcc kernel-devel-uname-r = {KERNEL}"


def install_calls(system: str, packages: str) -> list[str]:
    if system.startswith(APT):
        return [APT_UPDATE, APT_INSTALL + packages]
    # Python first, by itself: it decides about the others.
    names = packages.split()
    python = [
        DNF_INSTALL + name for name in names if name.startswith("python3") and "bcc" not in name
    ]
    others = " ".join(name for name in packages.split(" ") if DNF_INSTALL + name not in python)
    return [*python, DNF_INSTALL + others]


def planned(host: Host, system: str) -> list[str]:
    """Return the calls that are planned once there is a Python; decided in this process."""
    calling = {"run", "try", "install-headers"}
    lines = host.plan("packages", system)
    return [" ".join(words[1:]) for verb, *words in lines if verb in calling]


def asked(host: Host) -> list[str]:
    """Return the package manager's calls that change something."""
    return [call for call in host.calls("apt-get", "dnf") if " list " not in call]


def test_every_recorded_system_is_tested() -> None:
    assert {path.name for path in OS_RELEASE.iterdir()} == {*SYSTEMS, *REFUSED}


@pytest.mark.parametrize(
    ("system", "machine"),
    [*((system, "x86_64") for system in SYSTEMS), *((system, "aarch64") for system in KINDS)],
)
def test_packages(tmp_path: Path, system: str, machine: str) -> None:
    packages, python = SYSTEMS[system]
    host = bare(tmp_path, system, python, machine)
    done = host.run()
    assert done.returncode == 0, done.stderr
    assert asked(host) == install_calls(system, packages)
    assert host.running == "1.0.0"
    # What is there is not installed again.
    assert planned(host, system) == []
    if system in KINDS:
        assert host.run().returncode == 0
        assert host.calls("apt-get", "dnf") == []


@pytest.mark.parametrize("system", SYSTEMS)
def test_packages_where_nothing_but_bcc_works(tmp_path: Path, system: str) -> None:
    packages, python = SYSTEMS[system]
    host = bare(tmp_path, system, python)
    (host.root / BTF).unlink()
    calls = install_calls(system, f"{packages} {for_bcc(system)}")
    # Where dnf is, install.sh has installed a Python by then.
    assert planned(host, system) == (calls if system.startswith(APT) else calls[-1:])


@pytest.mark.parametrize("why", ["no BTF", "--with-bcc"])
@pytest.mark.parametrize("system", KINDS)
def test_packages_for_bcc(tmp_path: Path, system: str, why: str) -> None:
    packages, python = SYSTEMS[system]
    host = bare(tmp_path, system, python)
    if why == "no BTF":
        (host.root / BTF).unlink()
    done = host.run(*([] if why == "no BTF" else [why]))
    assert done.returncode == 0, done.stderr
    if why == "no BTF":
        expected = install_calls(system, f"{packages} {for_bcc(system)}")
    else:  # by themselves: they may fail
        bcc, headers = for_bcc(system).split(" ", 1)
        expected = install_calls(system, f"{packages} {bcc}")
        expected += install_calls(system, headers)[-1:]
    assert asked(host) == expected
    assert (host.root / "etc/systemd/system/imds-analyzer.service.d/bcc.conf").exists()


@pytest.mark.parametrize("system", KINDS)
def test_headers_that_are_gone_from_the_mirror(tmp_path: Path, system: str) -> None:
    """Where there is type information, it works without BCC."""
    host = bare(tmp_path, system, SYSTEMS[system][1])
    host.write("fail", KERNEL)
    done = host.run("--with-bcc")
    assert done.returncode == 0, done.stderr
    assert f"{KERNEL} could not be installed; without it BCC does not work" in done.stderr
    (host.root / BTF).unlink()
    assert host.run().returncode == 1


@pytest.mark.parametrize(
    ("offered", "chosen", "version"),
    [
        ("python3.11\npython39\n", "python3.11", "3.11"),
        ("python39\n", "python39", "3.9"),
        ("", "python3.12", "3.12"),
    ],
)
def test_an_older_minor_release_has_an_older_python(
    tmp_path: Path, offered: str, chosen: str, version: str
) -> None:
    host = bare(tmp_path, "rocky-8", "3.6")
    host.write("offered", offered)
    done = host.run()
    assert done.returncode == 0, done.stderr
    assert asked(host) == install_calls("rocky-8", f"libbpf {chosen}")
    assert (host.root / f"opt/imds-analyzer/current/lib/python{version}").is_dir()


@pytest.mark.parametrize("place", ["build", "source"])
def test_headers_that_are_there_are_not_installed(tmp_path: Path, place: str) -> None:
    host = bare(tmp_path, "debian-12", "3.11")
    host.write(f"lib/modules/{KERNEL}/{place}/include/linux/uio.h", "")
    assert host.run("--with-bcc").returncode == 0
    (_, install) = asked(host)
    assert install.endswith(" python3-venv python3-bpfcc")


def test_a_newer_python_that_is_there_is_used(tmp_path: Path) -> None:
    host = bare(tmp_path, "rhel-8", "3.6")
    host.write("version", "3.9\n")
    host.program("usr/bin/python3.9", "python3.9", (host.root / "python").read_text())
    host.write("installed", "libbpf\n")
    done = host.run()
    assert done.returncode == 0, done.stderr
    assert host.calls("dnf") == []
    assert (host.root / "opt/imds-analyzer/current/lib/python3.9").is_dir()


@pytest.mark.parametrize("system", REFUSED)
def test_refused_systems(tmp_path: Path, system: str) -> None:
    host = bare(tmp_path, system, "3.9")
    before = host.tree()
    done = host.run()
    assert done.returncode == 1
    (pretty,) = [line for line in recorded(system).splitlines() if line.startswith("PRETTY_NAME")]
    assert pretty.split('"')[1] in done.stderr
    assert "What to do: " in done.stderr
    assert host.tree() == before


def test_amazon_linux_2_is_told_what_helps(tmp_path: Path) -> None:
    done = bare(tmp_path, "amzn-2", "3.7").run()
    assert done.stderr == (
        "install.sh: Amazon Linux 2 is at its end of life, and its Python 3.7 is too old for "
        "imds-analyzer\n"
        "What to do: capture the calls there (tcpdump -i any -w imds.pcap host 169.254.169.254) "
        "and run 'imds-analyzer replay' on the capture on another system\n"
    )


@pytest.mark.parametrize("machine", ["i686", "armv7l", "riscv64"])
def test_refused_machines(tmp_path: Path, machine: str) -> None:
    host = bare(tmp_path, "debian-12", "3.11", machine)
    done = host.run()
    assert done.returncode == 1
    assert f"the machine type {machine} is not supported" in done.stderr
    assert host.calls("apt-get") == []


def test_no_os_release(tmp_path: Path) -> None:
    host = bare(tmp_path, "debian-12", "3.11")
    (host.root / "etc/os-release").unlink()
    done = host.run()
    assert done.returncode == 1
    assert "this system is not supported: no /etc/os-release" in done.stderr
