"""What install.sh, run as root, believes: neither files nor programs that others can have made."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable

import pytest

from tests.unit.install.host import CHECKOUT, MARK, Host

OTHER = 65_533
WHEEL = "imds_analyzer-1.0.0-py3-none-any.whl"
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="for others it is no privilege: needs root")


def _sum(host: Host, *names: str) -> None:
    """Write SHA256SUMS as `make release` does, of these files."""
    lines = [
        f"{hashlib.sha256((host.release / name).read_bytes()).hexdigest()}  {name}\n"
        for name in names
    ]
    host.write("release/SHA256SUMS", "".join(lines))


class TestSums:
    def test_a_release_that_names_all_of_its_files_is_installed(self, host: Host) -> None:
        """As it is unpacked."""
        _sum(host, WHEEL, "requirements.lock", "install.sh")
        assert host.run().returncode == 0
        assert host.running == "1.0.0"

    @pytest.mark.parametrize(
        ("named", "unnamed"),
        [
            (("requirements.lock", "install.sh"), WHEEL),
            ((WHEEL, "install.sh"), "requirements.lock"),
            ((), WHEEL),
        ],
    )
    def test_what_it_does_not_name_is_refused(
        self, host: Host, named: tuple[str, ...], unnamed: str
    ) -> None:
        """Another's wheel, put beside a release whose other files are right."""
        _sum(host, *named)
        done = host.run()
        assert done.returncode == 1
        assert f"SHA256SUMS does not name {unnamed}" in done.stderr
        assert "What to do: " in done.stderr
        assert not (host.root / "opt/imds-analyzer").exists()

    @pytest.mark.parametrize(
        "line", [f"0123  {WHEEL}", f"{'0' * 64}  ./{WHEEL}", f"{'0' * 64}  {WHEEL}.old", WHEEL]
    )
    def test_a_line_that_is_no_sum_of_it_does_not_name_it(self, host: Host, line: str) -> None:
        """Such as sha256sum passes over."""
        _sum(host, "requirements.lock")
        sums = host.release / "SHA256SUMS"
        sums.write_text(f"{sums.read_text()}{line}\n")
        done = host.run()
        assert done.returncode == 1
        assert f"does not name {WHEEL}" in done.stderr

    def test_sums_that_cannot_be_read_are_not_passed_over(self, host: Host) -> None:
        """A link to nowhere is not the same as no file."""
        (host.release / "SHA256SUMS").symlink_to("nowhere")
        done = host.run()
        assert done.returncode == 1
        assert "SHA256SUMS cannot be read" in done.stderr

    def test_a_wheel_of_ones_own_needs_none(self, host: Host) -> None:
        """From a checkout, or with --wheel from a directory without sums."""
        (host.root / "own").mkdir()
        wheel = host.root / "own" / WHEEL
        wheel.write_text("1.0.0\n")
        assert host.run("--wheel", str(wheel)).returncode == 0


def _no_mark(host: Host) -> None:
    (host.root / MARK).unlink()


def _anothers_mark(host: Host) -> None:
    os.chown(host.root / MARK, OTHER, OTHER)


def _linked_mark(host: Host) -> None:
    (host.root / MARK).unlink()
    (host.root / "empty").touch(mode=0o600)
    (host.root / MARK).symlink_to("empty")


def _hard_linked_mark(host: Host) -> None:
    (host.root / "same").hardlink_to(host.root / MARK)


def _open_mark(host: Host) -> None:
    (host.root / MARK).chmod(0o644)


def _anothers_directory(host: Host) -> None:
    os.chown(host.root, OTHER, OTHER)


def _open_directory(host: Host) -> None:
    host.root.chmod(0o777)


def _sticky_directory(host: Host) -> None:
    host.root.chmod(0o1777)


def _groups_directory(host: Host) -> None:
    host.root.chmod(0o775)


def _open_parent(host: Host) -> None:
    host.root.parent.chmod(0o777)


def _anothers_parent(host: Host) -> None:
    os.chown(host.root.parent, OTHER, OTHER)


@as_root
class TestRoot:
    @pytest.mark.parametrize(
        "change",
        [
            *(_no_mark, _anothers_mark, _linked_mark, _hard_linked_mark, _open_mark),
            *(_anothers_directory, _open_directory, _sticky_directory, _groups_directory),
            *(_open_parent, _anothers_parent),
        ],
        ids=lambda each: each.__name__[1:],
    )
    def test_of_a_directory_that_others_can_have_made_nothing_is_started(
        self, host: Host, change: Callable[[Host], None]
    ) -> None:
        """Or whoever may run install.sh by sudo could have root run his own programs."""
        change(host)
        done = host.run("--dry-run")
        assert done.returncode == 1
        assert "IMDS_ANALYZER_TEST_ROOT is for this project's tests" in done.stderr
        assert host.calls() == []

    def test_of_the_tests_own_they_are(self, host: Host) -> None:
        """Below a directory that all may write, if it is sticky, as /tmp is."""
        host.root.parent.chmod(0o1777)
        assert host.run("--dry-run").returncode == 0
        assert host.calls("dpkg-query")

    def test_for_others_it_is_no_privilege(self, host: Host) -> None:
        """They start only what they could start themselves."""
        _no_mark(host)
        for place in (host.root, *host.root.parents[:-2]):
            place.chmod(place.stat().st_mode | 0o055)
        own = host.root / "install.sh"
        own.write_bytes((CHECKOUT / "install.sh").read_bytes())
        (host.root / "calls").write_text("")
        (host.root / "calls").chmod(0o666)
        done = host.run(
            *("--dry-run", "--wheel", str(host.release / WHEEL)),
            prefix=("setpriv", f"--reuid={OTHER}", f"--regid={OTHER}", "--clear-groups", "--"),
            script=own,
        )
        assert "IMDS_ANALYZER_TEST_ROOT" not in done.stderr
        assert host.calls("uname")


def test_python_is_always_isolated(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter of these hosts refuses to be started otherwise."""
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    monkeypatch.setenv("PYTHONUSERBASE", "/somewhere")
    assert host.run().returncode == 0
    assert host.calls("python3")
    assert all(call.split()[1] == "-I" for call in host.calls("python3"))
    program = host.root / "opt/imds-analyzer/current/bin/imds-analyzer"
    place = program.resolve().parent
    assert program.read_text().startswith(f"#!{place}/python -I\n")
    assert (program.stat().st_mode & 0o777) == 0o755


def test_the_unit_starts_the_program_that_is_isolated() -> None:
    """And nothing else of Python's; nothing in its environment is for an interpreter."""
    text = (CHECKOUT / "systemd/imds-analyzer.service").read_text(encoding="utf-8")
    (start,) = [line for line in text.splitlines() if line.startswith("ExecStart=")]
    assert start.startswith("ExecStart=/opt/imds-analyzer/current/bin/imds-analyzer run ")
    assert "Environment=PYTHON" not in text


def test_install_sh_starts_no_python_that_is_not() -> None:
    """Each line that starts an interpreter says so."""
    lines = (CHECKOUT / "install.sh").read_text(encoding="utf-8").splitlines()
    started = [line for line in lines if re.search(r'^ *(\w+=\$\(|exec )?"[^"]*python" -', line)]
    assert len(started) >= 2
    assert [line for line in started if '" -I ' not in line] == []
