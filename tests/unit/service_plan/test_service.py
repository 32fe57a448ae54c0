"""What surrounds a release, by the facts of hosts; and how the plan is written."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from analyzer.cli import cli
from analyzer.service_plan.extras import ExtraFacts, extras
from analyzer.service_plan.lines import Line, Unwritable, written
from analyzer.service_plan.places import HostFiles
from analyzer.service_plan.service import AccountFacts, ServiceFacts, SystemFacts, service
from tests.unit.install.host import CHECKOUT
from tests.unit.service_plan import test_packages, test_units

NEW = AccountFacts(has_user=False, has_group=False, log_owner="")
OLD = AccountFacts(has_user=True, has_group=True, log_owner="imds-analyzer")
USUAL = ServiceFacts(
    places=HostFiles(""),
    release="/opt/imds-analyzer/releases/1",
    shipped="/shipped",
    account=OLD,
    packages=test_packages.USUAL,
    unit=test_units.USUAL,
    system=SystemFacts(runs_systemd=True, enable=False, has_command_directory=True),
    has_config=True,
)
EXTRA = ExtraFacts(
    places=HostFiles(""),
    shipped="/shipped",
    script="",
    bcc_asked="",
    bcc_before=False,
    news=False,
    logrotate=False,
    rotates_too=False,
    releases=("/opt/imds-analyzer/releases/1", "/opt/imds-analyzer/releases/2"),
    kept=frozenset({"/opt/imds-analyzer/releases/1", "/opt/imds-analyzer/releases/2"}),
)


def lines_of(**facts: Any) -> list[Line]:
    return service(USUAL._replace(**facts), lambda _name: False)


def test_a_new_host_gets_all() -> None:
    system = SystemFacts(runs_systemd=True, enable=True, has_command_directory=False)
    lines = lines_of(account=NEW, system=system, has_config=False)
    assert [line[2] for line in lines if line[0] == "run"] == [
        *("useradd", "/opt/imds-analyzer/releases/1/bin/imds-analyzer"),
        *("mkdir", "chmod", "chown", "mkdir", "systemctl"),
    ]
    assert {("made-user",), ("made-config",), ("reload",)} < set(lines)
    # What says that it is enabled comes last: until then nothing starts it.
    assert lines[-1][2:] == ("systemctl", "enable", "--quiet", "imds-analyzer.service")


def test_a_host_that_has_all_gets_its_files_and_the_check() -> None:
    verbs = {verb for verb, *_ in lines_of()}
    assert verbs == {"run", "install-file", "remove", "install-link", "reload"}
    assert len([line for line in lines_of() if line[0] == "run"]) == 1


@pytest.mark.parametrize(
    ("account", "command"),
    [
        (NEW, "useradd --system --user-group --no-create-home"),
        (NEW._replace(has_group=True), "useradd --system --gid imds-analyzer --no-create-home"),
        (OLD._replace(has_group=False), "groupadd --system imds-analyzer"),
    ],
)
def test_user_and_group(account: AccountFacts, command: str) -> None:
    commands = [" ".join(line[2:]) for line in lines_of(account=account)]
    assert [each for each in commands if each.startswith(command)]


def test_bcc_by_configuration_alone() -> None:
    """Otherwise its packages came before the release was made."""
    unit = test_units.USUAL._replace(with_bcc=True)
    asked = test_packages.USUAL._replace(bcc_asked="yes")
    assert [line for line in lines_of(unit=unit) if "python3-bpfcc" in line]
    assert not [line for line in lines_of(unit=unit, packages=asked) if "python3-bpfcc" in line]


@pytest.mark.parametrize(
    ("facts", "lines"),
    [
        ({}, []),
        ({"script": "/a/install.sh"}, [("install-file", "/a/install.sh")]),
        ({"bcc_asked": "yes", "bcc_before": True}, []),
        ({"bcc_asked": "no"}, [("remove", "/opt/imds-analyzer/with-bcc")]),
        ({"news": True}, [("install-file", "/shipped/config.toml"), ("say",)]),
        ({"logrotate": True}, [("install-file", "/shipped/imds-analyzer.logrotate")]),
        ({"kept": frozenset(EXTRA.releases[1:])}, [("changed",), ("run",), ("run",)]),
    ],
)
def test_what_is_left_to_do(facts: dict[str, Any], lines: list[Line]) -> None:
    found = extras(EXTRA._replace(**facts))
    assert [line[: len(wanted)] for line, wanted in zip(found, lines)] == lines
    assert len(found) == len(lines)


WORDS = st.text(st.characters(exclude_characters="\t\n\0", exclude_categories=["Cs"]), min_size=1)


@given(st.lists(st.lists(WORDS, min_size=1), min_size=1))
def test_what_is_written_is_read_the_same(lines: list[list[str]]) -> None:
    text = written(tuple(line) for line in lines)
    assert [line.split("\t") for line in text.split("\n")] == lines


@pytest.mark.parametrize("word", ["", "a\tb", "a\nb", "\0"])
def test_a_word_that_would_be_read_as_others_is_refused(word: str) -> None:
    with pytest.raises(Unwritable):
        written([("run", word)])


def test_install_sh_knows_every_verb() -> None:
    script = (CHECKOUT / "install.sh").read_text(encoding="utf-8")
    _, body = script.split("\nstep() {")
    known = {
        line.split(")")[0].strip() for line in body.split("esac")[0].splitlines() if ") " in line
    }
    new = SystemFacts(runs_systemd=True, enable=True, has_command_directory=False)
    unit = test_units.USUAL._replace(with_bcc=True)
    planned = lines_of(account=NEW, system=new, has_config=False, unit=unit)
    planned += extras(EXTRA._replace(bcc_asked="yes", news=True, kept=frozenset()))
    assert {verb for verb, *_ in planned} <= known


def test_the_command_is_hidden() -> None:
    assert "service-plan" not in CliRunner().invoke(cli, ["--help"]).output
    done = CliRunner().invoke(cli, ["service-plan", "python"])
    assert done.output == f"{sys.version_info[0]}.{sys.version_info[1]}\n"


def test_it_runs_from_the_wheel_without_a_virtual_environment(tmp_path: Path) -> None:
    """By the standard library alone; the wheel's other modules are not in its way."""
    wheel = tmp_path / "imds_analyzer-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path in (CHECKOUT / "analyzer").rglob("*.py"):
            archive.write(path, path.relative_to(CHECKOUT))
    (tmp_path / "etc/imds-analyzer").mkdir(parents=True)
    for stage in ("python", "packages", "service", "extras", "result"):
        done = subprocess.run(
            [
                *(sys.executable, "-I", "-S", f"{wheel}/analyzer/service_plan", stage),
                *(f"--root={tmp_path}", "--system=amzn-2023", "--kernel=6.1", "--release=/r"),
                *("--python-version=3.11", "--version=1", "--probe="),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
