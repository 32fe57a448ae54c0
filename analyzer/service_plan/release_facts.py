"""Gathers the facts that decide about the release and about what follows its start."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Optional

from analyzer.service_plan.extras import ExtraFacts
from analyzer.service_plan.facts import config_needs, is_enabled, maybe_said
from analyzer.service_plan.places import NAME
from analyzer.service_plan.release import ReleaseFacts
from analyzer.service_plan.request import PlanRequest
from analyzer.service_plan.result import ResultFacts
from analyzer.service_plan.whole import is_whole

# Enough to tell releases of one version apart by their inputs.
DIGEST_DIGITS = 8
# Where `df -Pk` writes the free blocks: the fourth field of the second line.
_FREE_FIELD = 3


def release_facts(request: PlanRequest) -> ReleaseFacts:
    """Return what decides about the release."""
    base = request.places.base
    digest = _digest(request)
    plain = f"{base}/releases/{request.version}-{digest}"
    places = (plain, f"{plain}.again")
    room = _nearest(base)
    return ReleaseFacts(
        base=base,
        version=request.version,
        digest=digest,
        whole=frozenset(filter(is_whole, places)),
        present=frozenset(place for place in places if Path(place).exists()),
        in_use=frozenset(f"{base}/{name}" for name in (request.running, request.old) if name),
        free_kib=_free_kib(room),
        room=room,
        wheel=request.wheel,
        lock=request.lock,
        offline=request.offline,
        python=request.python,
        python_version=request.python_version,
        machine=request.machine,
        restorecon=shutil.which("restorecon") is not None,
    )


def _digest(request: PlanRequest) -> str:
    """Return the digits that tell what a release is made of: wheel, lock, and Python's version."""
    total = hashlib.sha256(Path(request.wheel).read_bytes())
    total.update(Path(request.lock).read_bytes())
    total.update(f"{request.python_version}\n".encode())
    return total.hexdigest()[:DIGEST_DIGITS]


def _nearest(place: str) -> str:
    """Return the directory that a new one would be made in."""
    path = Path(place)
    return str(next(each for each in (path, *path.parents) if each.is_dir()))


def _free_kib(place: str) -> int:
    # As the operator would ask.
    (_, line, *_) = (maybe_said("df", "-Pk", place) or "\n0 0 0 0").splitlines()
    return int(line.split()[_FREE_FIELD])


def extra_facts(request: PlanRequest) -> ExtraFacts:
    """Return what decides about the rest."""
    places = request.places
    has_config = Path(places.config).exists()
    releases = sorted(Path(places.base, "releases").glob("*"))
    return ExtraFacts(
        places=places,
        shipped=request.shipped,
        script=request.script if Path(request.script).is_file() else "",
        bcc_asked=request.bcc,
        bcc_before=Path(places.bcc_mark).exists(),
        news=_has_news(request),
        logrotate=request.logrotate == "yes",
        rotates_too=has_config and "logrotate" not in config_needs(request),
        releases=tuple(str(each) for each in releases if each.is_dir()),
        kept=frozenset((request.release, *_kept(request))),
    )


def _has_news(request: PlanRequest) -> bool:
    """Tell whether the release has other defaults than the one before it, and the settings."""
    defaults = _maybe_bytes(Path(request.shipped, "config.toml"))
    if defaults is None or defaults == _maybe_bytes(Path(request.places.config)):
        return False
    before = Path(request.places.base, request.before)
    olds = before.glob("lib/python*/site-packages/analyzer/systemd/config.toml")
    return bool(request.before) and any(_maybe_bytes(old) not in {None, defaults} for old in olds)


def _maybe_bytes(path: Path) -> Optional[bytes]:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _kept(request: PlanRequest) -> list[str]:
    """Return the releases that run, or are the way back of a run that has not ended."""
    base = request.places.base
    way_back = Path(base, "previous/release")
    names = [request.running, str(way_back.readlink()) if way_back.is_symlink() else ""]
    return [f"{base}/{name}" for name in names if name]


def result_facts(request: PlanRequest) -> ResultFacts:
    """Return what decides about the last message."""
    is_same = request.start == "yes" and f"{request.places.base}/{request.old}" == request.release
    return ResultFacts(
        program=f"{request.places.current}/bin/{NAME}",
        version=request.version,
        dry_run=request.dry_run == "yes",
        changed=request.changed == "yes",
        start=request.start == "yes",
        was_active=request.was_active == "yes",
        old="" if is_same else Path(request.old).name,
        is_enabled=request.dry_run == "yes" or not request.old or is_enabled(),
    )
