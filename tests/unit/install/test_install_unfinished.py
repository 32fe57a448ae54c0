"""install.sh after a run that did not finish, or did not start what it installed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.install.host import CONFIG, DROP_INS, Host, differences
from tests.unit.log_files import eventually

UNIT = "etc/systemd/system/imds-analyzer.service"
RELEASES = "opt/imds-analyzer/releases"


def kill_at(host: Host, moment: str) -> None:
    """Have the run end there as by kill -9."""
    host.write("signal", moment)
    host.write("signal_name", "KILL")
    assert host.run().returncode == -9
    (host.root / "signal").unlink()
    # The program that was asked then lives on for a moment, as systemctl would.
    called = int((host.root / "signaller").read_text())
    eventually("what was asked has ended", lambda: not _runs(called))


def _runs(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"


@pytest.fixture
def staged(installed: Host) -> Host:
    """Return a host where 1.0.0 runs, and 1.1.0 was installed without being started."""
    assert installed.run("--no-start").returncode == 0
    assert (installed.running, installed.current) == ("1.0.0", "1.1.0")
    return installed


def test_a_run_starts_what_one_before_only_installed(staged: Host) -> None:
    done = staged.run()
    assert done.returncode == 0, done.stderr
    assert "imds-analyzer 1.1.0 is running (before: 1.0.0-" in done.stdout
    assert staged.running == "1.1.0"
    (release,) = staged.releases
    assert release.startswith("1.1.0-")


def test_what_runs_is_kept_as_often_as_it_is_not_started(staged: Host) -> None:
    before = staged.tree()
    assert staged.run("--no-start").returncode == 0
    assert not differences(before, staged.tree())
    staged.offer("1.2.0")
    assert staged.run("--no-start").returncode == 0
    assert [each[:5] for each in staged.releases] == ["1.0.0", "1.2.0"]
    # And that is what a start that fails goes back to, with its unit.
    staged.write("broken", "1.2.0\n")
    done = staged.run()
    assert done.returncode == 1
    assert re.search(r"before \(1\.0\.0-\w{8}\) is running\.\n$", done.stderr)
    assert staged.running == staged.current == "1.0.0"
    assert "imds-analyzer.service 1.0.0\n" in staged.tree()[UNIT]


def test_a_boot_may_have_started_it(staged: Host) -> None:
    staged.boot()
    assert staged.run().returncode == 0
    assert staged.running == "1.1.0"
    assert len(staged.releases) == 1
    before = staged.tree()
    assert "Nothing to do" in staged.run().stdout
    assert not differences(before, staged.tree())


@pytest.mark.parametrize("moment", ["systemctl daemon-reload", "systemctl restart"])
@pytest.mark.parametrize("broken", [False, True])
def test_an_upgrade_that_was_killed(installed: Host, moment: str, *, broken: bool) -> None:
    before = installed.tree()
    if broken:
        installed.write("broken", "1.1.0\n")
    kill_at(installed, moment)
    done = installed.run()
    if broken:
        assert done.returncode == 1
        assert re.search(r"before \(1\.0\.0-\w{8}\) is running\.\n$", done.stderr)
        assert installed.running == installed.current == "1.0.0"
        left = differences(before, installed.tree())
        assert {each for each in left if not each.startswith(RELEASES)} == set()
    else:
        assert done.returncode == 0, done.stderr
        assert "1.1.0 is running (before: 1.0.0-" in done.stdout
        assert installed.running == installed.current == "1.1.0"
        assert len(installed.releases) == 1
        assert not (installed.root / "opt/imds-analyzer/previous").exists()
    assert not list(installed.root.glob("run/imds-*"))


def test_a_changed_drop_in_that_was_not_put_into_force(running: Host) -> None:
    running.write(CONFIG, '[metrics]\nprometheus = "127.0.0.1:9469"\n')
    kill_at(running, "systemctl restart")
    assert running.run().returncode == 0
    assert "systemctl restart imds-analyzer.service" in running.calls("systemctl")
    # The same where nobody has told systemd.
    running.write(f"{DROP_INS}/mine.conf", "[Service]\n")
    assert running.run().returncode == 0
    calls = running.calls("systemctl")
    assert "systemctl daemon-reload" in calls
    assert "systemctl restart imds-analyzer.service" in calls


def test_a_first_installation_that_was_killed(host: Host) -> None:
    host.write("broken", "1.0.0\n")
    kill_at(host, "systemctl restart")
    done = host.run()
    assert done.returncode == 1
    assert "installed before" not in done.stderr
    assert not (host.root / UNIT).exists()
    assert not (host.root / "usr/local/bin/imds-analyzer").is_symlink()
    (host.root / "broken").unlink()
    assert host.run().returncode == 0
    assert host.running == "1.0.0"
    assert (host.root / "enabled").exists()


@pytest.mark.parametrize("missing", ["bin/imds-analyzer", "bin/python", "lib"])
@pytest.mark.parametrize("active", [True, False])
def test_a_damaged_release_is_made_anew(running: Host, missing: str, *, active: bool) -> None:
    (release,) = (running.root / RELEASES).iterdir()
    if missing == "lib":
        (config,) = release.rglob("config.toml")
        config.write_text("")
    else:
        (release / missing).unlink()
    if not active:
        (running.root / "active").unlink()
    # It stays where the other cannot be made: it may do for what runs.
    running.write("fail", "--no-index --no-deps")
    assert running.run().returncode == 1
    assert running.releases == [release.name]
    assert (running.running == "1.0.0") == active
    (running.root / "fail").unlink()
    _is_made(running, f"{release.name}.again")


def test_one_that_was_made_anew_and_is_damaged_makes_room_for_the_first(running: Host) -> None:
    """There are two places, and one of them is always free."""
    (first,) = running.releases
    for name in (f"{first}.again", first):
        next((running.root / RELEASES).rglob("config.toml")).write_text("")
        _is_made(running, name)
        assert "Nothing to do" in running.run().stdout


def _is_made(host: Host, name: str) -> None:
    """Run install.sh; fails if it does not make the release of this name, and start that."""
    done = host.run()
    assert done.returncode == 0, done.stderr
    assert "systemctl restart imds-analyzer.service" in host.calls("systemctl")
    assert host.running == "1.0.0"
    assert host.releases == [name]


@pytest.mark.parametrize("state", ["activating", "job"])
def test_a_service_that_is_to_be_started_again_is_not_given_up(installed: Host, state: str) -> None:
    """It waits for its next start when the upgrade fails."""
    (installed.root / "active").unlink()
    if state == "job":
        installed.write("job", "17\n")
    else:
        installed.write("state", f"{state}\n")
    installed.write("broken", "1.1.0\n")
    done = installed.run()
    assert done.returncode == 1
    assert "before (1.0.0-" in done.stderr
    assert installed.running == installed.current == "1.0.0"
    assert not [call for call in installed.calls("systemctl") if "stop" in call]


def test_a_healthy_service_is_not_restarted_by_a_failure(installed: Host) -> None:
    installed.write("fail", "systemctl daemon-reload")
    done = installed.run()
    assert done.returncode == 1
    assert re.search(r"before \(1\.0\.0-\w{8}\) is running\.\n$", done.stderr)
    assert not [call for call in installed.calls("systemctl") if "restart" in call]


def test_a_failure_after_the_new_version_is_in_use(installed: Host) -> None:
    installed.write("etc/logrotate.d", "a file")
    done = installed.run("--logrotate")
    assert done.returncode == 1
    assert done.stderr.endswith(
        "imds-analyzer 1.1.0 is installed and running; what failed comes after that: "
        "fix it and run this again.\n"
    )
    assert installed.running == installed.current == "1.1.0"


def test_a_service_that_was_disabled_stays_so(installed: Host) -> None:
    (installed.root / "enabled").unlink()
    assert installed.run().returncode == 0
    assert not (installed.root / "enabled").exists()
    (installed.root / "active").unlink()
    installed.offer("1.2.0")
    assert "the service is disabled, and stays so" in installed.run("--no-start").stdout
    # After a removal it is a first installation again.
    assert installed.run("--uninstall").returncode == 0
    assert installed.run().returncode == 0
    assert (installed.root / "enabled").exists()
