"""Decides which of the distribution's packages a host needs. No I/O."""

from __future__ import annotations

from typing import Callable, NamedTuple

from analyzer.service_plan.lines import Line

# ID-VERSION_ID of /etc/os-release: what libbpf is called there.
LIBBPF = {"debian-11": "libbpf0", "ubuntu-22.04": "libbpf0"}
LIBBPF_APT, LIBBPF_DNF = "libbpf1", "libbpf"
# Where dnf is, install.sh has found or installed a Python, and which one differs.
PYTHON_APT = ("python3", "python3-venv")
# It waits for others who use it; mirrors are busy.
APT = ("apt-get", "-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3")
INSTALL_APT = (*APT, "install", "--yes", "--no-install-recommends")
INSTALL_DNF = ("dnf", "--assumeyes", "--setopt=install_weak_deps=False", "install")
_REACHABLE = "make the package sources reachable, or install these yourself and run this again:"


class PackageFacts(NamedTuple):
    """The facts that decide about packages."""

    system: str
    kernel: str
    has_btf: bool
    has_headers: bool
    bcc_asked: str  # yes with --with-bcc, no with --without-bcc
    bcc_before: bool  # --with-bcc was given earlier
    logrotate: bool


def uses_apt(system: str) -> bool:
    """Tell whether the packages are Debian's; the others are RPM's."""
    return system.split("-", maxsplit=1)[0] in {"debian", "ubuntu"}


def wants_bcc(facts: PackageFacts) -> bool:
    """Tell whether BCC is needed, whatever the configuration says.

    Without the kernel's type information (BTF) nothing else works.
    """
    if not facts.has_btf or facts.bcc_asked == "yes":
        return True
    return facts.bcc_before and facts.bcc_asked != "no"


def packages(facts: PackageFacts, is_installed: Callable[[str], bool]) -> list[Line]:
    """Return how to install what is missing: what must be there, then what may fail."""
    apt = uses_apt(facts.system)
    names = [LIBBPF.get(facts.system, LIBBPF_APT if apt else LIBBPF_DNF)]
    names += PYTHON_APT if apt else ()
    if facts.logrotate:
        names.append("logrotate")
    if wants_bcc(facts):
        names.append(_bcc(facts))
    return _installed(facts, names, is_installed, with_bcc=wants_bcc(facts))


def packages_for_bcc(facts: PackageFacts, is_installed: Callable[[str], bool]) -> list[Line]:
    """Return the same where only the configuration asks for BCC."""
    return _installed(facts, [_bcc(facts)], is_installed, with_bcc=True)


def _installed(
    facts: PackageFacts, names: list[str], is_installed: Callable[[str], bool], *, with_bcc: bool
) -> list[Line]:
    missing = [name for name in names if not is_installed(name)]
    headers = _headers(facts) if with_bcc and not facts.has_headers else None
    if headers is not None and not facts.has_btf:
        # Nothing works without them.
        missing, headers = [*missing, headers], None
    command = INSTALL_APT if uses_apt(facts.system) else INSTALL_DNF
    lines: list[Line] = []
    if missing:
        what = " ".join(missing)
        lines += [
            ("say", f"Installing the distribution's packages: {what}"),
            ("patiently",),
            *_lists(facts),
            ("run", f"{_REACHABLE} {what}", *command, *missing),
            ("note-packages", *missing),
        ]
    if headers is not None:
        # Mirrors drop the headers of older kernels. Another probe works, so this may fail.
        lines += [
            ("say", f"Installing the kernel's headers, for BCC: {headers}"),
            *(() if missing else _lists(facts)),
            ("install-headers", headers, *command, headers),
        ]
    return lines


def _lists(facts: PackageFacts) -> list[Line]:
    """Update apt's lists. A broken source of somebody else fails that; what is needed may do."""
    if not uses_apt(facts.system):
        return []
    warning = "apt-get update failed; going on with the lists that are there"
    return [("try", warning, *APT, "update")]


def _bcc(facts: PackageFacts) -> str:
    return "python3-bpfcc" if uses_apt(facts.system) else "python3-bcc"


def _headers(facts: PackageFacts) -> str:
    if uses_apt(facts.system):
        return f"linux-headers-{facts.kernel}"
    # The package has other names for Amazon's newer and Oracle's own kernels.
    return f"kernel-devel-uname-r = {facts.kernel}"
