"""Decides why a group calls as it does and what to do: a table, the first match wins.

| what is seen                                                    | cause         |
|-----------------------------------------------------------------|---------------|
| requests that somebody else seems to have made (:mod:`.suspicions`) | request_forgery |
| asks for another cloud                                          | other_cloud   |
| no v1, but requests that could not be read                      | unreadable    |
| no v1                                                           | v2_only       |
| v1 from what stands for all further callers                     | unknown       |
| v1 from a proxy that is known, or sent on, with no failed token request | proxy |
| v1 of a person at a shell, or of a command by ssh               | script        |
| v1 after a token request that failed, of the process or its script | fallback   |
| curl with a token header that is empty                          | fallback      |
| a version below the first that needs no v1, with a setting for it | configured_v1 |
| a version below the first that needs no v1                      | old_sdk       |
| a version that speaks v2, or v2 calls beside v1, no failed token request | configured_v1 |
| a program of somebody else's, or known by name, version unknown | unknown       |
| `/` and nothing else, not from curl and the like                | probe         |
| curl and the like, or an interpreter's script                   | script        |
| anything else                                                   | unknown       |

No I/O. Everything quoted from the log is hostile: ``formats`` neutralise what they show, and
commands quote it (:mod:`analyzer.report.diagnosis.commands`).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Callable, Optional

from analyzer.clients.entry import Client
from analyzer.clients.table import Clients, Recognition
from analyzer.clients.versions import maybe_version
from analyzer.imds import AWS
from analyzer.logline.caller import PERSON
from analyzer.logline.interpreters import SCRIPT
from analyzer.report.callers import FURTHER, Group
from analyzer.report.diagnosis import (
    code,
    foreign,
    forgery,
    others,
    people,
    pods,
    probes,
    proxies,
    scripts,
    sdks,
    ways,
)
from analyzer.report.diagnosis.origins import Origin, origin_of
from analyzer.report.diagnosis.remembered import maybe_before
from analyzer.report.diagnosis.scene import Scene, scene_of
from analyzer.report.diagnosis.surroundings import ALONE, Surroundings, TokenRequests
from analyzer.report.diagnosis.targets import Case, targets_of
from analyzer.report.diagnosis.whose import recognised
from analyzer.report.result import Diagnosis, Entry

FALLBACK = "fallback_after_token_failure"


@dataclass(frozen=True)
class GroupFacts:
    """The facts that the rules look at."""

    group: Group
    clients: Clients
    around: Surroundings = ALONE

    @functools.cached_property
    def scene(self) -> Scene:
        """The processes around the example."""
        return scene_of(self.group)

    @functools.cached_property
    def origin(self) -> Optional[Origin]:
        """The origin of the calling script, if the script is no plain file."""
        return origin_of(self.scene)

    @functools.cached_property
    def found(self) -> Optional[Recognition]:
        """The recognised client, with the facts about it."""
        return recognised(self.group, self.scene, self.origin, self.clients)

    @functools.cached_property
    def asked(self) -> TokenRequests:
        """The token requests of its job."""
        return self.around.token_requests(self.group)

    @property
    def client(self) -> Optional[Client]:
        """The client, as far as known."""
        return self.found.client if self.found else None

    @property
    def v1(self) -> int:
        """The number of tokenless requests."""
        return self.group.count("v1")

    @property
    def fell_back(self) -> bool:
        """True if v1 calls came after a token request that failed."""
        return bool(self.group.token_failures) or any(
            each.reason == FALLBACK for each in self.group.tallies
        )

    @property
    def is_below(self) -> Optional[bool]:
        """True if its version is below the first that needs no v1; None if that is unknown."""
        if self.found is None or self.found.client.kind not in ("program", "sdk"):
            return None
        return self.found.client.maybe_is_below(self.found.version)

    @property
    def has_setting(self) -> bool:
        """True if a setting makes it speak v2 at its version."""
        since = self.client.setting_since if self.client else None
        return since is not None and not self._is_below(since)

    @property
    def is_script(self) -> bool:
        """True if a tool was called, or an interpreter runs a script."""
        key = self.group.key
        own = self.scene.own
        kind = self.client.kind if self.client else None
        if _is_known(self):
            return False
        if kind == "tool" or own is None:
            return kind == "tool" or key.kind == SCRIPT
        is_edited = others.runs_scripts(own.program.file)
        is_run = own.is_inline or SCRIPT in (own.program.kind, key.kind)
        return own.is_tool or (is_edited and (is_run or not own.is_bare or bool(self.scene.script)))

    @property
    def is_person(self) -> bool:
        """True if a person typed it, or sent it by ssh."""
        is_at_shell = self.group.key.kind == PERSON or self.scene.login is not None
        return is_at_shell and self.origin is None and self.is_below is not False

    @property
    def fell_back_in_script(self) -> bool:
        """True if its script asks for tokens, and most v1 calls are where it gets none."""
        if not self.is_script or not self.asked.failed:
            return False
        if not self.group.v1_by_asked:
            return not self.asked.succeeded
        return 2 * scripts.unasked(self.group) < self.v1

    def before(self) -> str:
        """Return that a token request may have failed before the log began, else ""."""
        return maybe_before(self.group, self.scene, self.around)

    def _is_below(self, other: str) -> bool:
        version = maybe_version(self.found.version if self.found else None)
        threshold = maybe_version(other)
        return version is not None and threshold is not None and version < threshold


def _is_known(facts: GroupFacts) -> bool:
    return facts.client is not None and facts.client.kind in ("program", "sdk")


def _is_probe(facts: GroupFacts) -> bool:
    is_tool = facts.client is not None and facts.client.kind == "tool"
    return not is_tool and "process" in facts.group.example and probes.is_probe(facts.group)


def _is_product(facts: GroupFacts) -> bool:
    return facts.found is not None and foreign.is_product(facts.found)


# What is seen -> what is said of it.
RULES: tuple[tuple[Callable[[GroupFacts], bool], Callable[[GroupFacts], Diagnosis]], ...] = (
    (lambda facts: facts.group.key.provider != AWS, lambda f: others.other_cloud(f.group)),
    (
        lambda facts: not facts.v1 and facts.group.count("unknown") > 0,
        lambda f: others.unreadable(f.group),
    ),
    (lambda facts: not facts.v1, lambda f: others.v2_only(f.group, f.found)),
    (lambda facts: facts.group.key.program == FURTHER, lambda f: others.further(f.group)),
    (
        lambda facts: facts.client is not None and facts.client.kind == "proxy",
        lambda f: proxies.known(f.group, f.found),
    ),
    (lambda facts: proxies.is_sent_on(facts.group), lambda f: proxies.relay(f.group, f.found)),
    (lambda facts: facts.is_person, lambda f: people.person(f.group, f.found, f.scene, f.asked)),
    (
        lambda facts: facts.fell_back_in_script,
        lambda f: scripts.fallback(f.group, f.found, f.origin, f.asked, f.scene),
    ),
    (lambda facts: facts.fell_back, lambda f: sdks.fallback(f.group, f.found)),
    (
        lambda facts: facts.is_script and scripts.has_empty_header(facts.scene),
        lambda f: scripts.empty_header(f.group, f.found, f.origin),
    ),
    (
        lambda facts: facts.group.forwarded > 0 or proxies.is_marked(facts.group),
        lambda f: proxies.relay(f.group, f.found),
    ),
    (
        lambda facts: facts.is_below is True and facts.has_setting,
        lambda f: sdks.configured(f.group, f.found, needs_setting=True),
    ),
    (lambda facts: facts.is_below is True, lambda f: sdks.old(f.group, f.found)),
    (
        lambda facts: (
            facts.is_below is False
            or (_is_known(facts) and not _is_product(facts) and facts.group.count("v2") > 0)
        ),
        lambda f: sdks.configured(f.group, f.found, needs_setting=False, before=f.before()),
    ),
    (_is_product, lambda f: foreign.product(f.group, f.found)),
    (_is_known, lambda f: sdks.version_unknown(f.group, f.found)),
    (_is_probe, lambda f: probes.probe(f.group, f.found)),
    (
        lambda facts: facts.is_script,
        lambda f: scripts.script(f.group, f.found, f.origin, f.asked, f.scene),
    ),
    (lambda facts: "process" not in facts.group.example, lambda f: others.address_only(f.group)),
    (
        lambda facts: facts.group.count("v2") > 0,
        lambda f: sdks.configured(f.group, f.found, needs_setting=False),
    ),
    (lambda _: True, lambda f: others.unknown(f.group, f.found)),
)


def diagnose(
    group: Group,
    clients: Clients,
    around: Surroundings = ALONE,
    ids: Mapping[Optional[str], Optional[str]] = MappingProxyType({}),
) -> Diagnosis:
    """Return why a group calls as it does.

    ``around`` says what other groups tell of it, ``ids`` are instances by host key, from a roster.
    """
    return entry_of(group, clients, around, ids).diagnosis


def entry_of(
    group: Group,
    clients: Clients,
    around: Surroundings = ALONE,
    ids: Mapping[Optional[str], Optional[str]] = MappingProxyType({}),
) -> Entry:
    """Return a group with its diagnosis, and what has to be changed for it; see diagnose."""
    facts = GroupFacts(group, clients, around)
    said = next(say(facts) for matches, say in RULES if matches(facts))
    in_code = code.fixes_in_code(group, clients, said)
    fixed = ways.with_way(group, clients, code.with_code(group, said, in_code))
    ordinary = pods.with_role(group, fixed)
    diagnosis = forgery.maybe_incident(group, facts.found, ordinary, ids) or ordinary
    if not facts.v1 or group.key.provider != AWS:
        return Entry(group, diagnosis)
    case = Case(group, facts.scene, facts.origin, facts.found, diagnosis, in_code)
    return Entry(group, diagnosis, targets_of(case))
