"""Where this machine's own apt gets Debian from, so that no mirror is ever named here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

APT_ETC = Path("/etc/apt")


class VmError(Exception):
    """Base of everything that keeps a virtual machine from running; says what to do."""


class MirrorError(VmError):
    """The machine's apt configuration names no Debian mirror, or the mirror did not answer."""


@dataclass(frozen=True)
class AptEntry:
    """One (URI, suite) pair of the machine's apt configuration, with its components."""

    uri: str
    suite: str
    components: tuple[str, ...]


@dataclass(frozen=True)
class Mirrors:
    """URIs of the archive proper and of its security updates, in the order they were found."""

    archive: tuple[str, ...]
    security: tuple[str, ...]

    def uris_of(self, suite: str) -> tuple[str, ...]:
        """Return the URIs under which a suite is to be looked for."""
        return self.security if suite.endswith("-security") else self.archive


def parse_one_line(text: str) -> list[AptEntry]:
    """Read a ``.list`` file; options in brackets are dropped, they are not ours to follow."""
    entries = []
    for line in text.splitlines():
        words = line.split("#", 1)[0].split()
        if not words or words[0] != "deb":
            continue
        del words[0]
        if words and words[0].startswith("["):
            while words and not words.pop(0).endswith("]"):
                pass
        if len(words) >= 2:
            entries.append(AptEntry(words[0], words[1], tuple(words[2:])))
    return entries


def parse_deb822(text: str) -> list[AptEntry]:
    """Read a ``.sources`` file: stanzas of fields, each with any number of URIs and suites."""
    entries = []
    for fields in _stanzas(text):
        if fields.get("enabled", "yes").strip().lower() in {"no", "false", "0"}:
            continue
        if "deb" not in fields.get("types", "").split():
            continue
        entries += [
            AptEntry(uri, suite, tuple(fields.get("components", "").split()))
            for uri in fields.get("uris", "").split()
            for suite in fields.get("suites", "").split()
        ]
    return entries


def _stanzas(text: str) -> Iterable[dict[str, str]]:
    fields: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        if not line.strip():
            if fields:
                yield fields
            fields, name = {}, ""
        elif line[0] in " \t":
            if name:
                fields[name] += " " + line.strip()
        elif ":" in line:
            name, value = line.split(":", 1)
            name = name.strip().lower()
            fields[name] = value.strip()
    if fields:
        yield fields


def choose_mirrors(entries: Iterable[AptEntry], codename: str) -> Mirrors:
    """Tell the Debian archive and its security updates from third parties' repositories.

    Only entries with component ``main`` count. Should a third party look the same, its
    signature will not verify and apt drops it. Raises MirrorError when nothing is left.
    """
    archive: dict[str, None] = {}
    security: dict[str, None] = {}
    for entry in entries:
        if "main" not in entry.components:
            continue
        if entry.suite in {codename, "stable", "oldstable", "oldoldstable", "testing"}:
            archive[entry.uri] = None
        elif entry.suite.replace("/updates", "-security").endswith("-security"):
            security[entry.uri] = None
    if not archive:
        raise MirrorError(
            f"no Debian mirror for {codename} in {APT_ETC}: kernels for the virtual machines come "
            "from the mirror this machine uses. Add one to /etc/apt/sources.list"
        )
    return Mirrors(tuple(archive), tuple(security))


def machine_mirrors(etc: Path = APT_ETC, os_release: Path = Path("/etc/os-release")) -> Mirrors:
    """Read the mirrors from the machine's own apt configuration. Raises MirrorError."""
    entries: list[AptEntry] = []
    one_line = [etc / "sources.list", *sorted(etc.glob("sources.list.d/*.list"))]
    for path in one_line:
        if path.is_file():
            entries += parse_one_line(path.read_text(encoding="utf-8"))
    for path in sorted(etc.glob("sources.list.d/*.sources")):
        entries += parse_deb822(path.read_text(encoding="utf-8"))
    codename = ""
    for line in os_release.read_text(encoding="utf-8").splitlines():
        if line.startswith("VERSION_CODENAME="):
            codename = line.split("=", 1)[1].strip().strip('"')
    return choose_mirrors(entries, codename)
