"""The chart's own files agree with the program, and do what they say; no Helm is needed."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from analyzer import __version__
from deploy.helm import CHART
from deploy.settings_schema import SCHEMA, updated

PREPARE = CHART / "files" / "prepare.py"
SECCOMP = json.loads((CHART / "files" / "seccomp.json").read_text(encoding="utf-8"))
CHECKOUT = Path(__file__).parents[2]
CONTAINERFILE = CHECKOUT / "Containerfile"
UNIT = CHECKOUT / "systemd" / "imds-analyzer.service"
# Refused once the probe is attached (recorder/daemon/seccomp.py); the profile is for all of a run.
LATE = {"bpf", "perf_event_open"}


def _prepare(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", str(PREPARE), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_chart_has_the_program_s_version() -> None:
    text = (CHART / "Chart.yaml").read_text(encoding="utf-8")
    assert (
        re.findall(r'^(?:version|appVersion): "?([^"\n]+)', text, re.MULTILINE) == [__version__] * 2
    )


def test_the_schema_has_the_program_s_settings() -> None:
    """`make schema` updates it."""
    assert SCHEMA.read_text(encoding="utf-8") == updated()


def test_the_chart_starts_the_image_s_program() -> None:
    image = CONTAINERFILE.read_text(encoding="utf-8")
    (entrypoint,) = re.findall(r"^ENTRYPOINT (.*)$", image, re.MULTILINE)
    helpers = (CHART / "templates" / "_helpers.tpl").read_text(encoding="utf-8")
    assert f"\n{json.loads(entrypoint)[0]}\n" in helpers
    users = re.findall(r"^USER (\d+):(\d+)$", image, re.MULTILINE)
    values = (CHART / "values.yaml").read_text(encoding="utf-8")
    assert [tuple(re.findall(r"^(?:user|group): (\d+)$", values, re.MULTILINE))] == users


def _allowed(architecture_free_name: str) -> bool:
    return any(
        rule["action"] == "SCMP_ACT_ALLOW" and architecture_free_name in rule["names"]
        for rule in SECCOMP["syscalls"]
    )


@pytest.mark.parametrize("name", sorted({"open_by_handle_at", "capset", "seccomp", *LATE}))
def test_the_profile_allows_what_attaching_needs(name: str) -> None:
    assert _allowed(name)


def test_the_profile_refuses_what_the_unit_refuses() -> None:
    refused = re.findall(r"^SystemCallFilter=~(ptrace .*)$", UNIT.read_text("utf-8"), re.MULTILINE)
    names = refused[0].split()
    assert len(names) > 4
    others = ["mount", "unshare", "setns", "init_module", "kexec_load", "io_uring_setup", "keyctl"]
    assert not [name for name in [*names, *others] if _allowed(name)]
    assert SECCOMP["defaultAction"] == "SCMP_ACT_ERRNO"


def test_the_profile_names_no_system_call_twice() -> None:
    names = [name for rule in SECCOMP["syscalls"] if "args" not in rule for name in rule["names"]]
    assert sorted(set(names)) == sorted(names)


@pytest.mark.skipif(shutil.which("apparmor_parser") is None, reason="apparmor is not installed")
def test_apparmor_s_parser_accepts_the_profile(tmp_path: Path) -> None:
    """It compiles it without loading it, and refuses the same with a mistake."""
    profile = (CHART / "files" / "apparmor").read_text(encoding="utf-8")
    results = []
    for number, text in enumerate((profile, profile.replace("ptrace (read)", "ptrace (reed)"))):
        path = tmp_path / str(number)
        path.write_text(text, encoding="utf-8")
        command = ["apparmor_parser", "--skip-kernel-load", "--skip-cache", str(path)]
        results.append(subprocess.run(command, capture_output=True, check=False).returncode)
    assert results[0] == 0
    assert results[1] != 0


def test_preparing_installs_a_profile(tmp_path: Path) -> None:
    source, target = tmp_path / "profile", tmp_path / "seccomp" / "imds.json"
    target.parent.mkdir()
    source.write_text("new")
    target.write_text("old")
    done = _prepare(f"--install={source}:{target}")
    assert (done.returncode, done.stderr) == (0, "")
    assert target.read_text() == "new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o644
    assert [each.name for each in target.parent.iterdir()] == ["imds.json"]


def test_preparing_gives_the_log_to_the_user(tmp_path: Path) -> None:
    """Its own user and group here: no other can be given without root."""
    log = tmp_path / "log"
    log.mkdir(mode=0o777)
    (log / "imds.jsonl").write_text("{}")
    done = _prepare(f"--own={os.getuid()}:{os.getgid()}:{log}")
    assert (done.returncode, done.stderr) == (0, "")
    assert stat.S_IMODE(log.stat().st_mode) == 0o750


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files to another user: needs root")
def test_preparing_gives_files_but_follows_no_link(tmp_path: Path) -> None:
    log, other = tmp_path / "log", tmp_path / "other"
    log.mkdir()
    other.write_text("root's")
    (log / "imds.jsonl").write_text("{}")
    (log / "link").symlink_to(other)
    assert _prepare(f"--own=4711:4712:{log}").returncode == 0
    owners = {path.name: (path.lstat().st_uid, path.lstat().st_gid) for path in log.iterdir()}
    assert owners == {"imds.jsonl": (4711, 4712), "link": (0, 0)}
    assert (log.stat().st_uid, log.stat().st_gid) == (4711, 4712)
    assert other.stat().st_uid == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files to another user: needs root")
def test_preparing_needs_one_capability_also_after_a_restart(tmp_path: Path) -> None:
    """Of another user, too: root without CAP_DAC_OVERRIDE may not look into its directory."""
    tmp_path.chmod(0o755)
    log = tmp_path / "log"
    log.mkdir()
    (log / "imds.jsonl").write_text("{}")
    caps = ["setpriv", "--no-new-privs", "--bounding-set=-all,+chown", "--inh-caps=-all"]
    for user in (4711, 4711, 4713):
        command = [*caps, sys.executable, "-I", str(PREPARE), f"--own={user}:4712:{log}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert {(each.stat().st_uid, each.stat().st_gid) for each in (log, log / "imds.jsonl")} == {
            (user, 4712)
        }


@pytest.mark.parametrize("option", ["--own=0:0:{}", "--install=/etc/hostname:{}/profile"])
def test_preparing_refuses_a_directory_that_is_a_link(tmp_path: Path, option: str) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    done = _prepare(option.format(link))
    assert done.returncode != 0
    assert "OSError" in done.stderr or "NotADirectoryError" in done.stderr
    assert not list(real.iterdir())
