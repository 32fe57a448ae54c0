"""Decides what is left to do once the new release is in use. No I/O."""

from __future__ import annotations

from typing import NamedTuple

from analyzer.service_plan.lines import DISK, Line
from analyzer.service_plan.places import HostFiles
from analyzer.service_plan.service import FILE_MODE


class ExtraFacts(NamedTuple):
    """The facts that decide about extras."""

    places: HostFiles
    shipped: str
    script: str  # the install.sh that runs; empty: it cannot be read
    bcc_asked: str
    bcc_before: bool
    news: bool  # the defaults differ from those of the release before, and from the settings
    logrotate: bool
    rotates_too: bool  # the configuration does not leave it to logrotate
    releases: tuple[str, ...]
    kept: frozenset[str]  # the new release, what runs, and the way back


def extras(facts: ExtraFacts) -> list[Line]:
    """Return the lines, in order."""
    return [
        *_script(facts),
        *_bcc_mark(facts),
        *_defaults(facts),
        *_logrotate(facts),
        *_old_releases(facts),
    ]


def _script(facts: ExtraFacts) -> list[Line]:
    """Keep it for --uninstall, when what was unpacked is long gone."""
    place = f"{facts.places.base}/install.sh"
    return [("install-file", facts.script, place, FILE_MODE)] if facts.script else []


def _bcc_mark(facts: ExtraFacts) -> list[Line]:
    mark = facts.places.bcc_mark
    if facts.bcc_asked == "yes" and not facts.bcc_before:
        return [("changed",), ("run", DISK, "touch", mark)]
    return [("remove", mark)] if facts.bcc_asked == "no" else []


def _defaults(facts: ExtraFacts) -> list[Line]:
    if not facts.news:
        return []
    config = facts.places.config
    said = f"{config} stays as it is; the new version's defaults are in {config}.new"
    return [
        ("install-file", f"{facts.shipped}/config.toml", f"{config}.new", FILE_MODE),
        ("say", said),
    ]


def _logrotate(facts: ExtraFacts) -> list[Line]:
    if not facts.logrotate:
        return []
    rule = f"{facts.shipped}/imds-analyzer.logrotate"
    lines: list[Line] = [("install-file", rule, facts.places.logrotate, FILE_MODE)]
    if facts.rotates_too:
        config = facts.places.config
        said = f'Set rotation = "external" under [log] in {config}, or both will rotate the log.'
        lines.append(("say", said))
    return lines


def _old_releases(facts: ExtraFacts) -> list[Line]:
    """Remove what nobody uses. A service that was not restarted still imports from its own."""
    lines: list[Line] = []
    for release in facts.releases:
        if release not in facts.kept:
            lines += [
                ("changed",),
                ("run", DISK, "rm", "-f", f"{release}/.complete"),
                ("run", DISK, "rm", "-rf", release),
            ]
    return lines
