"""install.sh: what it leaves behind when all goes well."""

from __future__ import annotations

import re

import pytest

from tests.unit.install.host import CONFIG, DROP_INS, INSTALL, Host, differences
from tests.unit.install.programs import KERNEL

# The mounts that would hold what the service needs.
HOLDING = (
    "opt.mount opt-imds\\x2danalyzer.mount etc.mount etc-imds\\x2danalyzer.mount "
    "var.mount var-log.mount var-log-imds\\x2danalyzer.mount"
)

# It carries out; analyzer.service_plan decides, and is easier to test.
LINES_MAX = 699


def test_the_script_is_short() -> None:
    assert len(INSTALL.read_text(encoding="utf-8").splitlines()) <= LINES_MAX


def test_install(host: Host) -> None:
    done = host.run(umask=0o077)
    assert done.returncode == 0, done.stderr
    assert host.running == host.current == "1.0.0"
    assert "imds-analyzer 1.0.0 is running." in done.stdout
    assert done.stdout.endswith("is running.\ndoctor: all is well\n")
    tree = host.tree()
    assert tree[CONFIG].startswith("100644 # config.toml 1.0.0")
    assert tree["opt/imds-analyzer/releases"] == "40755"
    assert tree["var/log/imds-analyzer"] == "40750"
    assert tree["owner"].endswith(" imds-analyzer\n")
    assert [name for name in tree if name.startswith(DROP_INS)] == [
        DROP_INS,
        f"{DROP_INS}/before-cloud-init.conf",
    ]
    assert not [name for name in tree if name.startswith("run/imds")]


def test_the_order_of_what_others_see(running: Host) -> None:
    calls = [re.sub(r" /.*", "", call) for call in running.calls("useradd", "chown", "systemctl")]
    assert calls == [
        "systemctl show --property=ActiveState,Job,NeedDaemonReload imds-analyzer.service",
        "systemctl show --property=MainPID imds-analyzer.service",
        "systemctl --version",
        "systemctl show --property=After -- " + HOLDING,
        "systemctl is-enabled --quiet imds-analyzer.service",
        "useradd --system --user-group --no-create-home --home-dir",
        "chown -R imds-analyzer:imds-analyzer",
        "systemctl daemon-reload",
        "systemctl enable --quiet imds-analyzer.service",
        "systemctl restart imds-analyzer.service",
        "systemctl is-active --quiet imds-analyzer.service",
        "systemctl show --property=MainPID imds-analyzer.service",
    ]


def test_a_second_run_changes_nothing_and_says_so(running: Host) -> None:
    before = running.tree()
    done = running.run()
    assert done.returncode == 0
    assert "Nothing to do: imds-analyzer 1.0.0 is installed and running." in done.stdout
    assert running.tree() == before
    assert not [call for call in running.calls("systemctl") if "restart" in call]


def test_a_second_run_starts_a_service_that_was_stopped(running: Host) -> None:
    (running.root / "active").unlink()
    assert running.run().returncode == 0
    assert running.running == "1.0.0"


def test_an_upgrade_keeps_configuration_and_logs(installed: Host) -> None:
    installed.write(CONFIG, "# mine\n")
    installed.write("var/log/imds-analyzer/imds.jsonl", "{}\n")
    done = installed.run()
    assert done.returncode == 0, done.stderr
    assert installed.running == installed.current == "1.1.0"
    tree = installed.tree()
    assert tree[CONFIG].endswith(" # mine\n")
    assert tree[f"{CONFIG}.new"].startswith("100644 # config.toml 1.1.0")
    assert tree["var/log/imds-analyzer/imds.jsonl"].endswith(" {}\n")
    assert len(list((installed.root / "opt/imds-analyzer/releases").iterdir())) == 1


@pytest.mark.parametrize("options", [(), ("--uninstall", "--purge"), ("--logrotate",)])
def test_dry_run_changes_nothing_and_needs_no_root(installed: Host, options: tuple[str]) -> None:
    installed.write("uid", "1000\n")
    before = installed.tree()
    done = installed.run("--dry-run", *options)
    assert done.returncode == 0, done.stderr
    assert installed.tree() == before
    assert "systemctl" in done.stdout
    looking = {"show", "is-active", "is-enabled", "--version"}
    assert {call.split()[1] for call in installed.calls("systemctl")} <= looking


def test_dry_run_prints_what_a_run_does(host: Host) -> None:
    printed = host.run("--dry-run").stdout
    host.run()
    did = host.calls("apt-get", "useradd", "chown")
    did += [call for call in host.calls("systemctl") if call.split()[1] in {"enable", "restart"}]
    assert did
    for call in did:
        assert f"  {call}\n" in printed


def test_dry_run_prints_what_an_upgrade_removes(installed: Host) -> None:
    (release,) = installed.releases
    removal = f"rm -rf {installed.root}/opt/imds-analyzer/releases/{release}\n"
    assert removal in installed.run("--dry-run").stdout
    assert removal not in installed.run("--dry-run", "--no-start").stdout


def test_without_systemd(host: Host) -> None:
    (host.root / "run/systemd/system").rmdir()
    done = host.run()
    assert done.returncode == 1
    assert "systemd is not running here" in done.stderr
    done = host.run("--no-start")
    assert done.returncode == 0, done.stderr
    assert [call.split()[1] for call in host.calls("systemctl")] == [
        *("--version", "is-enabled", "enable")
    ]
    assert "starts with the next boot" in done.stdout


def test_no_start_leaves_a_running_service_alone(installed: Host) -> None:
    done = installed.run("--no-start")
    assert done.returncode == 0, done.stderr
    assert installed.running == "1.0.0"
    assert installed.current == "1.1.0"
    # It imports when it needs to: its files must stay until it is restarted.
    assert len(list((installed.root / "opt/imds-analyzer/releases").iterdir())) == 2
    assert "the running service takes it with: systemctl restart" in done.stdout


def test_uninstall_leaves_nothing_but_logs(host: Host) -> None:
    before = host.tree()
    host.run("--logrotate", "--with-bcc")
    host.write("var/log/imds-analyzer/imds.jsonl", "{}\n")
    host.write(f"{DROP_INS}/mine.conf", "")
    done = host.run("--uninstall")
    assert done.returncode == 0, done.stderr
    assert "libbpf1 python3 python3-venv logrotate python3-bpfcc" in done.stdout
    left = {"opt", "etc/systemd", "etc/systemd/system", "etc/logrotate.d", "var", "var/log"}
    left |= {"usr/local", "usr/local/bin"}
    logs = {"var/log/imds-analyzer", "var/log/imds-analyzer/imds.jsonl"}
    assert differences(before, host.tree()) == left | logs
    assert host.tree()["owner"].endswith(" root\n")
    assert host.run("--uninstall", "--purge").returncode == 0
    assert differences(before, host.tree()) == left
    assert host.run("--uninstall").stdout == "Nothing to do: imds-analyzer is not installed.\n"


def test_uninstall_leaves_another_ones_command(host: Host) -> None:
    host.write("usr/local/bin/imds-analyzer", "another's")
    done = host.run()
    assert done.returncode == 1
    assert "is there, and not from this script" in done.stderr
    host.run("--uninstall")
    assert (host.root / "usr/local/bin/imds-analyzer").read_text() == "another's"


def test_logrotate(host: Host) -> None:
    assert host.run("--logrotate").returncode == 0
    tree = host.tree()
    assert 'rotation = "external"\n' in tree[CONFIG]
    assert "etc/logrotate.d/imds-analyzer" in tree
    host.write(CONFIG, "[log]\n")
    done = host.run("--logrotate")
    assert 'Set rotation = "external" under [log]' in done.stdout


def test_bcc_is_remembered_only_when_asked_for(host: Host) -> None:
    place = host.root / DROP_INS / "bcc.conf"
    host.write(f"lib/modules/{KERNEL}/build/include/linux/uio.h", "")
    assert host.run("--with-bcc").returncode == 0
    assert host.run().returncode == 0
    assert place.exists()
    assert "Nothing to do" in host.run().stdout
    assert host.run("--without-bcc").returncode == 0
    assert not place.exists()
    assert host.run().returncode == 0
    assert not place.exists()


def test_bcc_by_configuration(running: Host) -> None:
    running.write(CONFIG, '[capture]\nsource = "bcc"\n')
    assert running.run().returncode == 0
    assert (running.root / DROP_INS / "bcc.conf").exists()
    assert [call for call in running.calls("apt-get") if call.endswith(" python3-bpfcc")]
    assert "systemctl restart imds-analyzer.service" in running.calls("systemctl")


def test_a_group_that_is_there_already(host: Host) -> None:
    host.write("group", "")
    assert host.run().returncode == 0
    (call,) = host.calls("useradd")
    assert call.startswith("useradd --system --gid imds-analyzer --no-create-home")


def test_a_user_that_has_no_group_of_its_name(host: Host) -> None:
    """As one from a directory service may; the unit names both."""
    host.write("user", "")
    assert host.run().returncode == 0
    assert host.calls("useradd", "groupadd") == ["groupadd --system imds-analyzer"]


def test_removal_long_after(running: Host) -> None:
    """What was unpacked for the installation need not be kept for it."""
    kept = running.root / "opt/imds-analyzer/install.sh"
    done = running.run("--uninstall", script=kept)
    assert done.returncode == 0, done.stderr
    assert not kept.exists()
    assert not list((running.root / "opt").iterdir())


def test_programs_that_a_small_system_has_not(running: Host) -> None:
    """The diffutils are not on every host; without them files are not taken for changed."""
    running.program("usr/bin/cmp", "cmp", "exit 127")
    assert "Nothing to do" in running.run().stdout


def test_offline(host: Host) -> None:
    (host.root / "wheels").mkdir()
    assert host.run("--offline", "wheels").returncode == 0
    pip = [call for call in host.calls("python3") if " install " in call]
    assert len(pip) == 2
    assert all("--no-index" in call for call in pip)
    assert f"--find-links {host.root / 'wheels'}" in pip[0]


def test_where_the_wheel_comes_from(host: Host) -> None:
    (wheel,) = host.release.glob("*.whl")
    other = host.root / "other dir"
    other.mkdir()
    wheel.rename(other / wheel.name)
    done = host.run()
    assert done.returncode == 1
    assert "there is no wheel beside this script" in done.stderr
    assert "make wheel" in done.stderr
    assert host.run("--version", "--wheel", f"other dir/{wheel.name}").stdout == (
        "imds-analyzer 1.0.0\n"
    )
    assert host.run("--wheel", f"other dir/{wheel.name}").returncode == 0
