"""install.sh when something is wrong: it says what, and leaves what was there before."""

from __future__ import annotations

import fcntl
import os
import re

import pytest

from tests.unit.install.host import Host, differences
from tests.unit.install.programs import FAKES_OWN

STEPS = (
    "install --yes --no-install-recommends",
    "-m venv",
    "--requirement",
    "--no-index --no-deps",
    "pip --disable-pip-version-check check",
    "imds-analyzer --version",
    "useradd",
    "--check",
    "chown -R imds",
    "systemctl daemon-reload",
    "systemctl enable",
    "systemctl restart",
)
# Those that an upgrade has, too.
UPGRADE_STEPS = [step for step in STEPS if step.split()[0] not in {"install", "useradd", "chown"}]
UPGRADE_STEPS.remove("systemctl enable")


@pytest.mark.parametrize("step", STEPS)
def test_a_step_of_the_first_installation_fails(host: Host, step: str) -> None:
    before = host.tree()
    host.write("fail", step)
    done = host.run()
    assert done.returncode == 1
    (failed,) = {call for call in host.calls() if step in call}
    if step != "systemctl restart":  # that one tells of the service's journal
        assert failed.split(" ", 1)[1] in done.stderr
        assert f"| no: {failed}" in done.stderr
    assert "What to do: " in done.stderr
    # The packages stay, and so does the list of them.
    assert differences(before, host.tree()) <= {
        *("opt", "usr/local", "usr/local/bin", "var", "var/log"),
        *("etc/systemd", "etc/systemd/system"),
        *("opt/imds-analyzer", "opt/imds-analyzer/packages"),
    }
    (host.root / "fail").unlink()
    done = host.run("--uninstall")
    if step != STEPS[0]:
        assert "for it, and that others may use by now: libbpf1 python3 python3-venv" in done.stdout


@pytest.mark.parametrize("step", UPGRADE_STEPS)
def test_a_step_of_an_upgrade_fails(installed: Host, step: str) -> None:
    before = installed.tree()
    installed.write("fail", step)
    if step == "systemctl restart":
        (installed.root / "fail").unlink()
        installed.write("broken", "1.1.0\n")
    done = installed.run()
    assert done.returncode == 1
    assert "The version that was installed before (1.0.0-" in done.stderr
    assert installed.running == installed.current == "1.0.0"
    (installed.root / "fail").unlink(missing_ok=True)
    assert differences(before, installed.tree()) == {"broken"} - set(FAKES_OWN)


def test_a_version_that_does_not_report_ready(installed: Host) -> None:
    installed.write("broken", "1.1.0\n")
    done = installed.run()
    assert done.returncode == 1
    assert "imds-analyzer 1.1.0 did not report ready" in done.stderr
    assert "| the kernel said no" in done.stderr
    assert re.search(r"before \(1\.0\.0-\w{8}\) is running\.\n$", done.stderr)
    # And once it is mended, the same run goes through.
    (installed.root / "broken").unlink()
    assert installed.run().returncode == 0
    assert installed.running == "1.1.0"


@pytest.mark.parametrize(("signal", "code"), [("INT", 130), ("TERM", 143), ("HUP", 129)])
@pytest.mark.parametrize("moment", ["-m venv", "systemctl daemon-reload"])
def test_an_interrupted_upgrade(installed: Host, signal: str, code: int, moment: str) -> None:
    before = installed.tree()
    installed.write("signal", moment)
    installed.write("signal_name", signal)
    done = installed.run()
    assert done.returncode == code, done.stderr
    assert "install.sh: interrupted" in done.stderr
    assert installed.running == installed.current == "1.0.0"
    assert not differences(before, installed.tree())


def test_what_was_left_by_a_run_that_was_killed_is_cleared(host: Host) -> None:
    host.write("signal", "pip --disable-pip-version-check check")
    host.write("signal_name", "KILL")
    assert host.run().returncode == -9
    (release,) = (host.root / "opt/imds-analyzer/releases").iterdir()
    (release / "half").touch()
    (host.root / "signal").unlink()
    assert host.run().returncode == 0
    assert not (release / "half").exists()


def test_two_at_once(host: Host) -> None:
    (host.root / "opt").mkdir()
    descriptor = os.open(host.root / "opt", os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        done = host.run()
    finally:
        os.close(descriptor)
    assert done.returncode == 1
    assert "another install.sh is at work" in done.stderr
    assert host.calls("apt-get", "useradd") == []
    assert host.run().returncode == 0


def test_not_root(host: Host) -> None:
    host.write("uid", "1000\n")
    done = host.run()
    assert done.returncode == 1
    assert done.stderr.startswith("install.sh: this needs root\nWhat to do: run it with sudo")


def test_no_room(host: Host) -> None:
    host.program("usr/bin/df", "df", "echo head; echo /dev/x 100 99 1024 99% /")
    done = host.run()
    assert done.returncode == 1
    assert "1 MiB are free in" in done.stderr


def test_two_wheels(host: Host) -> None:
    host.write("release/imds_analyzer-2.0.0-py3-none-any.whl", "2.0.0\n")
    done = host.run()
    assert done.returncode == 1
    assert "there are several wheels" in done.stderr


def test_a_wheel_that_is_not_what_was_released(host: Host) -> None:
    names = ("imds_analyzer-1.0.0-py3-none-any.whl", "requirements.lock")
    host.write("release/SHA256SUMS", "".join(f"{'0' * 64}  {name}\n" for name in names))
    done = host.run()
    assert done.returncode == 1
    assert "is not what it was when the release was made" in done.stderr
    assert host.calls("apt-get") == []


@pytest.mark.parametrize(
    "options", [("--nonsense",), ("--wheel",), ("--purge",), ("extra",), ("--offline",)]
)
def test_wrong_options(host: Host, options: tuple[str]) -> None:
    done = host.run(*options)
    assert done.returncode == 2
    assert "usage: install.sh [options]" in done.stderr


@pytest.mark.parametrize(("options", "attempts"), [((), 4), (("--offline", "."), 1)])
def test_package_sources_that_do_not_answer(
    host: Host, options: tuple[str, ...], attempts: int
) -> None:
    host.write("fail", "apt-get")
    done = host.run(*options)
    assert done.returncode == 1
    assert "install these yourself and run this again: libbpf1 python3" in done.stderr
    assert len(host.calls("apt-get")) == 2 * attempts
    pauses = ["5", "10", "20"][: attempts - 1]
    assert [call.split()[1] for call in host.calls("sleep")] == 2 * pauses


def test_a_broken_package_source_of_somebody_else(host: Host) -> None:
    host.write("fail", "Retries=3 update")
    done = host.run()
    assert done.returncode == 0, done.stderr
    assert done.stderr == (
        "install.sh: apt-get update failed; going on with the lists that are there\n"
        "  | no: apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 update\n"
    )
    assert host.running == "1.0.0"


def test_a_failed_start_says_what_doctor_finds(host: Host) -> None:
    """Its doctor goes with it, so the remedy cannot be to run it."""
    host.write("broken", "1.0.0\n")
    host.write("finding", "fail  libbpf  is missing\n            -> install it\ninfo  more\n")
    done = host.run()
    assert done.returncode == 1
    assert done.stderr == (
        "install.sh: imds-analyzer 1.0.0 did not report ready\n"
        "What the service said:\n"
        "  | the kernel said no\n"
        "What its doctor finds on this host:\n"
        "  | fail  libbpf  is missing\n"
        "  |             -> install it\n"
        "  | doctor: all is well\n"
        "What to do: fix what these name, and run this again\n"
        "What was installed until then is removed again; the distribution's packages stay.\n"
    )


def test_logs_of_an_installation_that_was_taken_back(host: Host) -> None:
    """The user is gone, and its number may be given to another."""
    host.write("var/log/imds-analyzer/imds.jsonl", "{}\n")
    host.write("broken", "1.0.0\n")
    assert host.run().returncode == 1
    assert host.tree()["owner"].endswith(" root\n")


def test_a_stopped_service_is_stopped_after_a_failed_upgrade(installed: Host) -> None:
    (installed.root / "active").unlink()
    installed.write("broken", "1.1.0\n")
    assert installed.run().returncode == 1
    assert installed.current == "1.0.0"
    assert not installed.running
    assert "systemctl stop imds-analyzer.service" in installed.calls("systemctl")


def test_a_host_that_cannot_run_it(host: Host) -> None:
    host.write("fail", "imds-analyzer doctor")
    done = host.run("--no-start")
    assert done.returncode == 0
    assert "/bin/imds-analyzer doctor\nThis host cannot run it as it is" in done.stdout
