"""install.sh with a real wheel, real virtual environments and no network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from analyzer import __version__
from tests.packaging.conftest import ENVIRONMENT, Once
from tests.schema import SCHEMA_PATH
from tests.unit.install.host import Host, host_with_this_python


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """Return a host with this one's Python."""
    try:
        return host_with_this_python(tmp_path / "host")
    except LookupError as error:
        pytest.skip(str(error))


@pytest.fixture
def quick_host(host: Host, environment: Path) -> Host:
    """Return such a host whose Python copies an environment; the first test has one made.

    Nothing in an environment says where it is but scripts that install.sh does not start.
    """
    body = f"""case $* in
'-I -m venv '*) exec cp -a '{environment}' "$4" ;;
*) exec /usr/bin/python3 "$@" ;;
esac"""
    host.program("usr/bin/python3", "python3", body)
    return host


def _kept_environment(host: Host) -> Path:
    """Have a copy of the environment that install.sh makes, for the other tests; returns its place.

    pip takes half of the time of an installation to install itself there.
    """
    kept = host.root / ENVIRONMENT
    body = f"""/usr/bin/python3 "$@" || exit
case $* in '-I -m venv '*) cp -a "$4" '{kept}' ;; esac"""
    host.program("usr/bin/python3", "python3", body)
    return kept


@pytest.mark.live
def test_install_without_network(host: Host, wheel: Path, needed: Path, once: Once) -> None:
    bare = _kept_environment(host)
    options = ("--wheel", str(wheel), "--offline", str(needed), "--no-start")
    isolated = ("unshare", "--net")
    done = host.run(*options, prefix=isolated)
    assert done.returncode == 0, done.stderr
    once(ENVIRONMENT, bare.rename)
    # doctor has loaded and attached the probes that came with the wheel.
    assert "`imds-analyzer run` works here, with core/" in done.stdout, done.stdout
    command = host.root / "usr/local/bin/imds-analyzer"
    said = subprocess.run(
        [command, "--version"], capture_output=True, text=True, check=True, cwd="/"
    )
    assert said.stdout == f"imds-analyzer, version {__version__}\n"
    schema = subprocess.run([command, "log-schema"], capture_output=True, check=True, cwd="/")
    assert schema.stdout == SCHEMA_PATH.read_bytes()
    _is_isolated(command, host.root / "hostile")
    modules = host.root / "opt/imds-analyzer/current/lib"
    for name in ("imds.x86_64", "imds.aarch64", "imds-typed.x86_64", "imds-typed.aarch64"):
        (found,) = modules.rglob(f"{name}.bpf.o")
        assert found.stat().st_size > 0
    assert (host.root / "etc/systemd/system/imds-analyzer.service").exists()
    assert (host.root / "etc/imds-analyzer/config.toml").exists()

    before = host.tree_of("opt", "etc")
    done = host.run(*options, prefix=isolated)
    assert done.returncode == 0, done.stderr
    assert f"Nothing to do: imds-analyzer {__version__} is installed." in done.stdout
    assert host.tree_of("opt", "etc") == before

    assert host.run("--uninstall", "--purge").returncode == 0
    assert not (host.root / "opt/imds-analyzer").exists()


def _is_isolated(command: Path, place: Path) -> None:
    """Fail where the program takes modules of the working directory, of PYTHON*, or of the user."""
    user = subprocess.run(
        [sys.executable, "-c", "import site; print(site.getusersitepackages())"],
        env={**os.environ, "PYTHONUSERBASE": str(place)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    touch = f"import pathlib\npathlib.Path({str(place / 'taken')!r}).touch()\n"
    for directory in (place, Path(user)):
        directory.mkdir(parents=True)
        for name in ("analyzer", "click", "sitecustomize", "usercustomize"):
            (directory / f"{name}.py").write_text(touch)
    environment = {**os.environ, "PYTHONPATH": str(place), "PYTHONUSERBASE": str(place)}
    subprocess.run([command, "--version"], cwd=place, env=environment, check=True)
    assert not (place / "taken").exists()
    # The same Python, not isolated, takes them.
    python = [str(command.resolve().with_name("python")), "-c", "pass"]
    subprocess.run(python, cwd=place, env=environment, check=True)
    assert (place / "taken").exists()


@pytest.mark.live
def test_a_package_that_is_not_what_was_locked(quick_host: Host, wheel: Path, needed: Path) -> None:
    host = quick_host
    forged = host.root / "forged"
    shutil.copytree(needed, forged)
    (victim,) = forged.glob("click-*.whl")
    victim.write_bytes(victim.read_bytes() + b"\0")
    done = host.run("--wheel", str(wheel), "--offline", str(forged), "--no-start")
    assert done.returncode == 1
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in done.stderr
    assert not (host.root / "opt/imds-analyzer/releases").exists()


@pytest.mark.live
def test_settings_of_pip_that_are_for_others(
    quick_host: Host, wheel: Path, needed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where packages come from is the operator's to say; where they go is not."""
    host = quick_host
    lock = host.release / "requirements.lock"
    lock.write_text(_without_extras(lock.read_text()))
    elsewhere = host.root / "elsewhere"
    settings = host.root / "pip.conf"
    settings.write_text(
        f"[global]\nfind-links =\n    {needed}\nno-index = true\n"
        f"[install]\nuser = true\nrequire-hashes = true\ntarget = {elsewhere}\n"
    )
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)  # they win over files
    monkeypatch.setenv("PIP_CONFIG_FILE", str(settings))
    monkeypatch.setenv("PIP_PYTHON", "/usr/bin/python3")
    # 0 means: do not compile. pip reads the variable as the value of `compile`; no test needs it.
    monkeypatch.setenv("PIP_NO_COMPILE", "0")
    done = host.run("--wheel", str(wheel), "--no-start", prefix=("unshare", "--net"))
    assert done.returncode == 0, done.stderr
    assert (host.root / "opt/imds-analyzer/current/bin/imds-analyzer").exists()
    assert not elsewhere.exists()


def _without_extras(lock: str) -> str:
    """Return the part of a lock that the program needs without its extras."""
    names: set[str] = set()
    wanted = ["imds-analyzer"]
    while wanted:
        found = [Requirement(text) for text in requires(wanted.pop()) or ()]
        new = {
            each.name for each in found if not each.marker or each.marker.evaluate({"extra": ""})
        }
        wanted += new - names
        names |= new
    packages = re.split(r"\n(?=\S)", lock)
    return "\n".join(each for each in packages if each.partition("==")[0] in names)
