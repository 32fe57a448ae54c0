"""Asks an engine for what was read of callers' code, and reads it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from analyzer.report.callers import CodeEvidence
from analyzer.report.engine.rows import Ask, at, by_first
from analyzer.report.engine.sql import query
from analyzer.software.recorded import Code, from_fields


class OfGroup(NamedTuple):
    """The evidence of a group; ``left_out`` is how much more there is."""

    evidence: tuple[CodeEvidence, ...] = ()
    left_out: int = 0


def gather_evidence(ask: Ask) -> Mapping[int, OfGroup]:
    """Return the evidence by the number of its group; what is most frequent stands first."""
    hosts = by_first(ask(query("evidence_hosts")))
    found: dict[int, list[CodeEvidence]] = defaultdict(list)
    texts: dict[int, int] = {}
    for number, group, executable, text, texts_of_group, last_us in ask(query("evidence_texts")):
        texts[group] = int(texts_of_group)
        code = _code(text)
        if code != Code():
            named = tuple(host for (host,) in hosts[number])
            found[group].append(CodeEvidence(at(last_us), named, executable, code))
    return {
        group: OfGroup(tuple(evidence), texts[group] - len(evidence))
        for group, evidence in found.items()
    }


def _code(text: str) -> Code:
    """Return what a text says; nothing for one that Python does not read."""
    try:
        return from_fields(json.loads(text))
    except (ValueError, RecursionError):
        return Code()
