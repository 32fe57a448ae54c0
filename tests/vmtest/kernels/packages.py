"""Fetch Debian packages of any suite with an apt of its own, signatures verified."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.vmtest.kernels.mirror import MirrorError, Mirrors, VmError

KEYRINGS = (
    Path("/usr/share/keyrings/debian-archive-keyring.pgp"),
    Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
)
# A mirror that hiccups is asked again; one that has not got the suite costs these waits once.
RETRY_WAITS_S = (2, 8, 20)
DOWNLOAD_TIMEOUT_S = 900

# What a kernel consists of. Compilers, initramfs tools and kbuild are not needed: BCC reads
# headers only, and virtme-ng makes its own initramfs.
KERNEL_PACKAGE = re.compile(r"^linux-(image|binary|modules|headers|base-\d)\S+$")
_DEPENDENCY = re.compile(
    r"^(?P<name>[a-z0-9][a-z0-9+.-]+)(?::\w+)?(?:\s*\(=\s*(?P<version>\S+)\))?"
)
_INSTALLS = re.compile(r"^Inst (\S+) \((\S+) ", re.MULTILINE)


class PackageError(VmError):
    """The mirror does not have a package that is needed."""


@dataclass(frozen=True)
class Package:
    """One version of a binary package; an empty version means apt's candidate."""

    name: str
    version: str = ""

    @property
    def spec(self) -> str:
        """Return the form apt-get takes."""
        return f"{self.name}={self.version}" if self.version else self.name


@dataclass(frozen=True)
class Offer:
    """A version of a package and the suite the mirror offers it in."""

    version: str
    suite: str


def parse_madison(text: str) -> list[Offer]:
    """Read ``apt-cache madison``: lines of ``package | version | uri suite/component arch …``."""
    offers = []
    for line in text.splitlines():
        columns = [column.strip() for column in line.split("|")]
        if len(columns) == 3 and len(columns[2].split()) >= 2:
            offers.append(Offer(columns[1], columns[2].split()[1].split("/")[0]))
    return offers


def parse_dependencies(depends: str) -> list[Package]:
    """Return the kernel's own packages among a Depends field, of alternatives the first."""
    found = []
    for clause in depends.split(","):
        match = _DEPENDENCY.match(clause.split("|")[0].strip())
        if match and KERNEL_PACKAGE.match(match["name"]):
            found.append(Package(match["name"], match["version"] or ""))
    return found


def parse_simulation(text: str) -> list[Package]:
    """Read ``apt-get install --simulate``: lines of ``Inst package (version suite [arch])``."""
    return [Package(match[1], match[2]) for match in _INSTALLS.finditer(text)]


def is_newer(version: str, than: str) -> bool:
    """Compare two Debian versions the way dpkg does."""
    compare = ["dpkg", "--compare-versions", version, "gt", than]
    return subprocess.run(compare, check=False).returncode == 0


class Apt:
    """An apt whose sources, lists and cache live in one directory and touch nothing else's."""

    def __init__(self, directory: Path, mirrors: Mirrors, suites: Iterable[str], arch: str) -> None:
        keyring = next((path for path in KEYRINGS if path.exists()), None)
        if keyring is None:
            raise PackageError(
                "Debian's archive keys are not installed, so packages cannot be verified. "
                "Run: apt-get install debian-archive-keyring"
            )
        for folder in ("lists/partial", "cache/archives/partial"):
            (directory / folder).mkdir(parents=True, exist_ok=True)
        (directory / "status").touch()
        (directory / "sources.list").write_text(
            "".join(
                f"deb [arch={arch} signed-by={keyring}] {uri} {suite} main\n"
                for suite in suites
                for uri in mirrors.uris_of(suite)
            ),
            encoding="utf-8",
        )
        settings = {
            "Dir::Etc::sourcelist": directory / "sources.list",
            "Dir::Etc::sourceparts": "-",
            "Dir::Etc::preferences": "-",
            "Dir::Etc::preferencesparts": "-",
            "Dir::State::lists": directory / "lists",
            "Dir::State::status": directory / "status",
            "Dir::Cache": directory / "cache",
            "APT::Architecture": arch,
            # The cache may be in a home directory that apt's own user cannot enter.
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
            "Acquire::AllowInsecureRepositories": "false",
            "Acquire::Retries": "3",
            "Acquire::http::Timeout": "30",
            "Acquire::https::Timeout": "30",
        }
        self._options = [
            word for key, value in settings.items() for word in ("-o", f"{key}={value}")
        ]

    def _run(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [arguments[0], *self._options, *arguments[1:]],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DOWNLOAD_TIMEOUT_S,
            check=False,
        )

    def _retry(self, *arguments: str, cwd: Path | None = None) -> str:
        """Run until it succeeds; return what was wrong the last time, empty when all is well."""
        trouble = ""
        for wait_s in (0, *RETRY_WAITS_S):
            time.sleep(wait_s)
            try:
                done = self._run(*arguments, cwd=cwd)
            except subprocess.TimeoutExpired:
                trouble = f"no end after {DOWNLOAD_TIMEOUT_S} s"
                continue
            if done.returncode == 0:
                return ""
            lines = done.stderr.strip().splitlines() or done.stdout.strip().splitlines()
            trouble = "; ".join(line for line in lines if line.startswith("E:")) or lines[-1]
        return trouble

    def update(self) -> None:
        """Fetch the package lists. A suite the mirror lacks is said on stderr and left out."""
        trouble = self._retry("apt-get", "-q", "update")
        if trouble:
            print(f"not every suite could be read: {trouble}", file=sys.stderr)

    def offers(self, package: str) -> list[Offer]:
        """List the versions of a package, each with its suite; newest first."""
        return parse_madison(self._run("apt-cache", "madison", package).stdout)

    def kernel_packages(self, roots: Sequence[Package]) -> list[Package]:
        """Follow the dependencies from meta packages to the packages that hold files."""
        found: dict[str, Package] = {}
        waiting = list(roots)
        while waiting:
            package = waiting.pop()
            if package.name in found:
                continue
            shown = self._run("apt-cache", "--no-all-versions", "show", package.spec).stdout
            if not shown.strip():
                raise PackageError(f"the mirror has no {package.spec}")
            fields = dict(
                line.split(":", 1)
                for line in shown.splitlines()
                if re.match(r"^[A-Z][\w-]*:", line)
            )
            found[package.name] = Package(package.name, fields["Version"].strip())
            waiting += parse_dependencies(fields.get("Depends", ""))
        return list(found.values())

    def closure(self, names: Sequence[str]) -> list[Package]:
        """Return these packages and all that they depend on, as for a machine with nothing."""
        install = ("apt-get", "install", "--simulate", "--yes", "--no-install-recommends")
        done = self._run(*install, *names)
        found = parse_simulation(done.stdout)
        if done.returncode != 0 or not found:
            trouble = done.stderr.strip() or done.stdout.strip()
            raise PackageError(f"the mirror cannot provide {' '.join(names)}: {trouble}")
        return found

    def download(self, packages: Sequence[Package], into: Path) -> list[Path]:
        """Download packages and return the files; apt has checked each against signed lists.

        Raises MirrorError when that did not work after all retries.
        """
        into.mkdir(parents=True, exist_ok=True)
        specs = [package.spec for package in packages]
        trouble = self._retry("apt-get", "-q", "download", *specs, cwd=into)
        files = sorted(into.glob("*.deb"))
        if trouble or len(files) != len(specs):
            raise MirrorError(f"could not download {' '.join(specs)}: {trouble or 'files missing'}")
        return files
