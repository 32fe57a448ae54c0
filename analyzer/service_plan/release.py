"""Decides whether a release must be made, where, and by which commands. No I/O."""

from __future__ import annotations

from typing import NamedTuple

from analyzer.service_plan.lines import DISK, Line
from analyzer.service_plan.places import NAME

# A virtual environment takes 140 MB, and pip as much again for a moment.
NEEDED_KIB = 300 << 10
_PIP = ("-I", "-m", "pip", "--disable-pip-version-check")
_LOCKED = ("--no-deps", "--only-binary", ":all:", "--require-hashes", "--requirement")


class ReleaseFacts(NamedTuple):
    """The facts that decide about a release."""

    base: str
    version: str
    digest: str  # of the wheel, the lock and Python's version
    whole: frozenset[str]  # releases of which nothing is missing
    present: frozenset[str]  # those that are there, whole or not
    in_use: frozenset[str]  # that run, or ran before
    free_kib: int
    room: str  # where that is
    wheel: str
    lock: str
    offline: str
    python: str
    python_version: str
    machine: str
    restorecon: bool  # a system with SELinux


def release(facts: ReleaseFacts) -> list[Line]:
    """Return the lines that name the release, and make it where there is none."""
    plain = f"{facts.base}/releases/{facts.version}-{facts.digest}"
    places = (plain, f"{plain}.again")
    for place in places:
        if place in facts.whole:
            return [("release", place)]
    # One that runs, or ran, stays until there is another, even if it is damaged.
    target = next((place for place in places if place not in facts.in_use), places[-1])
    lines: list[Line] = [] if target == plain else [("say", f"{plain} is damaged")]
    if facts.free_kib < NEEDED_KIB:
        what = f"{facts.free_kib >> 10} MiB are free in {facts.room}, {NEEDED_KIB >> 10} are needed"
        return [*lines, ("fail", what, "make room there")]
    return [*lines, *_made(facts, target)]


def _made(facts: ReleaseFacts, target: str) -> list[Line]:
    return [
        ("say", f"Installing {NAME} {facts.version} into {target}"),
        ("make-release", target),
        *(_cleared(target) if target in facts.present else ()),
        ("run", DISK, "mkdir", "-p", f"{facts.base}/releases"),
        (
            *("run", f"{facts.python} cannot make virtual environments: install its venv module"),
            *(facts.python, "-I", "-m", "venv", target),
        ),
        *_filled(facts, target),
        _by_itself(target, "isolate"),
        ("run", "the program does not start: report its output", _program(target), "--version"),
        # Its policy wants what lies in bin/ labelled as programs.
        *([("run", "is the SELinux policy in order?", "restorecon", "-R", facts.base)]
          if facts.restorecon else ()),
        _by_itself(target, "seal"),
    ]  # fmt: skip


def _by_itself(target: str, what: str) -> Line:
    """Have the release's own Python finish it; see analyzer.service_plan.whole."""
    module = ("-I", "-m", "analyzer.service_plan.whole")
    return ("run", DISK, f"{target}/bin/python", *module, what, target)


def _program(target: str) -> str:
    return f"{target}/bin/{NAME}"


def _cleared(target: str) -> list[Line]:
    """Remove what a run that was killed has left; first what says that it is whole."""
    return [
        ("run", DISK, "rm", "-f", f"{target}/.complete"),
        ("run", DISK, "rm", "-rf", target),
    ]


def _filled(facts: ReleaseFacts, target: str) -> list[Line]:
    pip = (f"{target}/bin/python", *_PIP)
    install = (*pip, "--no-input", "install", "--no-cache-dir")
    package = f"{target}/lib/python{facts.python_version}/site-packages/analyzer"
    return [
        ("pip-settings",),
        _requirements(facts, install),
        (
            *("run", "is the wheel whole? Build or fetch it again"),
            *(*install, "--no-index", "--no-deps", facts.wheel),
        ),
        (
            *("run", "requirements.lock is not the wheel's: take both from one release"),
            *(*pip, "check"),
        ),
        (
            *("run", "the wheel was built without the compiled probes: build it with 'make wheel'"),
            *("test", "-f", f"{package}/bpf/build/imds.{facts.machine}.bpf.o"),
        ),
    ]


def _requirements(facts: ReleaseFacts, install: Line) -> Line:
    if facts.offline:
        remedy = (
            f"fill {facts.offline} on a host with network, with this Python "
            f"({facts.python_version}, {facts.machine}): "
            "pip download --require-hashes -r requirements.lock -d DIR"
        )
        source: Line = ("--no-index", "--find-links", facts.offline)
    else:
        remedy = (
            "is the package index reachable (a proxy, PIP_INDEX_URL)? Without network use "
            "--offline DIR"
        )
        source = ("--retries", "5", "--timeout", "30")
    return ("run", remedy, *install, *source, *_LOCKED, facts.lock)
