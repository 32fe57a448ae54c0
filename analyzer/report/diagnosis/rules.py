"""Decides why a group calls as it does and what to do: a table, the first match wins.

| what is seen                                                    | cause         |
|-----------------------------------------------------------------|---------------|
| requests that somebody else seems to have made (:mod:`.suspicions`) | request_forgery |
| asks for another cloud                                          | other_cloud   |
| no v1, but requests that could not be read                      | unreadable    |
| no v1                                                           | v2_only       |
| v1 from what stands for all further callers                     | unknown       |
| v1 from a proxy that is known, or with X-Forwarded-For and no failed token request | proxy |
| v1 after a token request that failed                            | fallback      |
| a version below the first that needs no v1, with a setting for it | configured_v1 |
| a version below the first that needs no v1                      | old_sdk       |
| a version that speaks v2, or v2 calls beside v1, no failed token request | configured_v1 |
| known by name, version unknown                                  | unknown       |
| `/` and nothing else, not from curl and the like                | probe         |
| curl and the like, or an interpreter's script                   | script        |
| anything else                                                   | unknown       |

No I/O. Everything quoted from the log is hostile: ``formats`` neutralise what they show, and
commands quote it (:mod:`analyzer.report.diagnosis.commands`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Callable, Optional

from analyzer.clients.entry import Client
from analyzer.clients.table import Clients, Recognition
from analyzer.clients.versions import maybe_version
from analyzer.imds import AWS
from analyzer.report.diagnosis import forgery, others, probes, proxies, sdks
from analyzer.report.diagnosis.clients import maybe_recognise
from analyzer.report.findings import FURTHER, Group
from analyzer.report.result import Diagnosis

FALLBACK = "fallback_after_token_failure"


@dataclass(frozen=True)
class GroupFacts:
    """The facts that the rules look at."""

    group: Group
    found: Optional[Recognition]

    @property
    def client(self) -> Optional[Client]:
        """Who it is, as far as known."""
        return self.found.client if self.found else None

    @property
    def v1(self) -> int:
        """Tokenless requests."""
        return self.group.count("v1")

    @property
    def fell_back(self) -> bool:
        """Whether v1 calls came after a token request that failed."""
        return bool(self.group.token_failures) or any(
            each.reason == FALLBACK for each in self.group.tallies
        )

    @property
    def is_below(self) -> Optional[bool]:
        """Whether its version is below the first that needs no v1; None where that is unknown."""
        if self.found is None or self.found.client.kind not in ("program", "sdk"):
            return None
        return self.found.client.maybe_is_below(self.found.version)

    @property
    def has_setting(self) -> bool:
        """Whether a setting makes it speak v2 at its version."""
        since = self.client.setting_since if self.client else None
        return since is not None and not self._is_below(since)

    @property
    def is_script(self) -> bool:
        """Whether a tool was called, or something started it, or an interpreter runs a script."""
        key = self.group.key
        kind = self.client.kind if self.client else None
        if kind == "tool" or key.kind == "script" or key.launcher is not None:
            return True
        process = self.group.example.get("process")
        executable = process.get("executable") if isinstance(process, Mapping) else None
        return isinstance(executable, str) and others.is_interpreter(executable, key.program)

    def _is_below(self, other: str) -> bool:
        version = maybe_version(self.found.version if self.found else None)
        threshold = maybe_version(other)
        return version is not None and threshold is not None and version < threshold


def _is_known(facts: GroupFacts) -> bool:
    return facts.client is not None and facts.client.kind in ("program", "sdk")


def _is_probe(facts: GroupFacts) -> bool:
    is_tool = facts.client is not None and facts.client.kind == "tool"
    return not is_tool and "process" in facts.group.example and probes.is_probe(facts.group)


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
    (lambda facts: facts.fell_back, lambda f: sdks.fallback(f.group, f.found)),
    (lambda facts: facts.group.forwarded > 0, lambda f: proxies.relay(f.group, f.found)),
    (
        lambda facts: facts.is_below is True and facts.has_setting,
        lambda f: sdks.configured(f.group, f.found, needs_setting=True),
    ),
    (lambda facts: facts.is_below is True, lambda f: sdks.old(f.group, f.found)),
    (
        lambda facts: facts.is_below is False or (_is_known(facts) and facts.group.count("v2") > 0),
        lambda f: sdks.configured(f.group, f.found, needs_setting=False),
    ),
    (_is_known, lambda f: sdks.version_unknown(f.group, f.found)),
    (_is_probe, lambda f: probes.probe(f.group, f.found)),
    (lambda facts: facts.is_script, lambda f: others.script(f.group, f.found)),
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
    ids: Mapping[Optional[str], Optional[str]] = MappingProxyType({}),
) -> Diagnosis:
    """Return why a group calls as it does. ``ids`` are instances by host key, from a roster."""
    facts = GroupFacts(group, maybe_recognise(clients, group))
    ordinary = next(say(facts) for matches, say in RULES if matches(facts))
    return forgery.maybe_incident(group, facts.found, ordinary, ids) or ordinary
