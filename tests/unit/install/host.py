"""A host to run install.sh on that is only a directory.

What belongs to a distribution (package manager, systemctl, user database) is a program of a few
lines under the directory's usr/bin that notes how it was called; see programs.py. Everything else
that install.sh calls is the real thing, also what decides: analyzer.service_plan. tests/packaging
makes real virtual environments.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from unittest.mock import patch

from analyzer.service_plan.lines import SEPARATOR
from analyzer.service_plan.stages import plan
from tests import signals
from tests.unit.install.programs import FAKES_OWN, KERNEL, PROGRAM, PROGRAMS, PYTHON, script

CHECKOUT = Path(__file__).parents[3]
INSTALL = CHECKOUT / "install.sh"
CONFIG = "etc/imds-analyzer/config.toml"
DROP_INS = "etc/systemd/system/imds-analyzer.service.d"
# Only root can make it, so that root's install.sh heeds the directory.
MARK = ".imds-analyzer-test-root"


class Host:
    """One such host; ``run`` runs install.sh on it."""

    def __init__(self, root: Path, os_release: str, machine: str = "x86_64") -> None:
        self.root = root
        self.release = root / "release"
        # What /bin/sh is there.
        debian = "debian" in os_release
        self.shell = ("/bin/sh",) if debian else ("/bin/bash", "--posix")
        for place in ("usr/bin", "etc", "run/systemd/system", "proc/sys/kernel", "release"):
            (root / place).mkdir(parents=True)
        self.write(MARK, "")
        (root / MARK).chmod(0o600)
        self.write("sys/kernel/btf/vmlinux", "")
        self.write("etc/os-release", os_release)
        self.write("proc/sys/kernel/cap_last_cap", "40\n")
        self.write("machine", f"{machine}\n")
        self.write("version", "3.9\n")
        self.write("systemd", "252\n")
        self.write("chosen", "core/fentry\n")
        self.write("uid", "0\n")
        self.write("installed", "")
        self.write("owner", "root\n")
        for name, body in PROGRAMS.items():
            self.program(f"usr/bin/{name}", name, body)
        self.program("usr/bin/python3", "python3", PYTHON)
        self.program("python", "python3.12", PYTHON)
        self.program("imds-analyzer", "imds-analyzer", PROGRAM)
        (self.release / "install.sh").symlink_to(INSTALL)
        self.write("release/requirements.lock", "click==8.1.8\n")
        self.offer("1.0.0")

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def program(self, path: str, name: str, body: str) -> None:
        self.write(path, script(self.root, name, body))
        (self.root / path).chmod(0o755)

    def offer(self, version: str) -> None:
        """Put the wheel of a version beside install.sh, in place of another."""
        for wheel in self.release.glob("*.whl"):
            wheel.unlink()
        self.write(f"release/imds_analyzer-{version}-py3-none-any.whl", f"{version}\n")

    def run(
        self,
        *options: str,
        umask: int = 0o022,
        prefix: tuple[str, ...] = (),
        script: Path | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run install.sh, behind the prefix's program if there is one; the calls are noted anew."""
        self.write("calls", "")
        return subprocess.run(
            [
                *signals.HEEDED,
                *prefix,
                *self.shell,
                str(script or self.release / "install.sh"),
                *options,
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=110,
            cwd=self.root,
            env={**os.environ, "IMDS_ANALYZER_TEST_ROOT": str(self.root)},
            umask=umask,
        )

    def plan(self, stage: str, system: str = "debian-12", **options: str) -> list[list[str]]:
        """Return the lines of a stage by this host's files, decided in this process.

        The programs that it asks are the host's, as with install.sh.
        """
        options = {
            "root": str(self.root),
            "system": system,
            "kernel": KERNEL,
            "release": f"{self.root}/opt/imds-analyzer/releases/1.0.0",
            "python_version": "3.9",
            **options,
        }
        words = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        path = f"{self.root / 'usr/bin'}{os.pathsep}{os.environ['PATH']}"
        with patch.dict(os.environ, {"PATH": path}):
            text = plan([stage, *words], (self.root / "chosen").read_text().strip)
        return [line.split(SEPARATOR) for line in text.splitlines()]

    def boot(self) -> None:
        """Start the service as a boot would: nothing of what ran before is left."""
        for command in ("daemon-reload", "restart"):
            program = self.root / "usr/bin/systemctl"
            subprocess.run([program, command, "imds-analyzer.service"], check=True)

    def calls(self, *names: str) -> list[str]:
        """Return the calls of these programs, in order."""
        lines = (self.root / "calls").read_text(encoding="utf-8").splitlines()
        return [line for line in lines if not names or line.split()[0] in names]

    @property
    def running(self) -> str:
        """The version that the service runs, or nothing."""
        active = self.root / "active"
        return active.read_text(encoding="utf-8").strip() if active.exists() else ""

    @property
    def releases(self) -> list[str]:
        """The releases that are there."""
        return sorted(path.name for path in (self.root / "opt/imds-analyzer/releases").iterdir())

    @property
    def current(self) -> str:
        """The version that the host's command starts."""
        command = self.root / "usr/local/bin/imds-analyzer"
        return (command.resolve().parents[1] / "version").read_text(encoding="utf-8").strip()

    def tree_of(self, *places: str) -> list[tuple[str, int]]:
        """Return the files below these places, each with its time of change in ns."""
        paths = (path for place in places for path in (self.root / place).rglob("*"))
        return sorted((str(path), path.lstat().st_mtime_ns) for path in paths)

    def tree(self, *, without: tuple[str, ...] = ("calls",)) -> dict[str, str]:
        """Return all files with their content, links with their target."""
        found = {}
        for path in sorted(self.root.rglob("*")):
            name = str(path.relative_to(self.root))
            if name in without:
                continue
            if path.is_symlink():
                found[name] = f"-> {path.readlink()}"
            elif path.is_file():
                found[name] = f"{path.stat().st_mode:o} {path.read_text(encoding='utf-8')}"
            else:
                found[name] = f"{path.stat().st_mode:o}"
        return found


def host_with_this_python(root: Path) -> Host:
    """Return a host with this one's Python and the real lock; packages and systemd are faked.

    Raises LookupError on distributions whose packages are looked up with other programs.
    """
    os_release = Path("/etc/os-release").read_text(encoding="utf-8")
    if "ID=debian" not in os_release and "ID=ubuntu" not in os_release:
        raise LookupError("this is neither Debian nor Ubuntu")
    host = Host(root, os_release)
    host.program("usr/bin/python3", "python3", 'exec /usr/bin/python3 "$@"')
    shutil.copy2(CHECKOUT / "requirements.lock", host.release / "requirements.lock")
    return host


def differences(before: dict[str, str], after: dict[str, str]) -> set[str]:
    """Return the files that are not alike in two trees; see Host.tree."""
    names = {*before, *after} - set(FAKES_OWN)
    return {name for name in names if before.get(name) != after.get(name)}
