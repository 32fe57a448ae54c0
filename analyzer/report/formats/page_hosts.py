"""Folds the verdicts on hosts into a table: what is said of many is said once.

The sentence of a reason is beside the host only in a small fleet, and only if no other host has
the same. Everything else is a short name there, and a sentence in the list of reasons.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Optional

from analyzer.imds import AWS
from analyzer.report.formats import fleet, reason_words, selection
from analyzer.report.formats.page_words import Label
from analyzer.report.hosts import Host
from analyzer.report.result import CLEARED, WORST_FIRST, Reason, Report, Verdict
from analyzer.report.roster.instances import Instance

# Up to here each host's reasons have room beside it.
SMALL_FLEET = 10
# How many sentences of one reason the page lists, and how many hosts beside each.
SENTENCES_MAX = 50
NAMED_MAX = 20
CALLERS_MAX = 3  # of one host; the numbers of the others are beside them


@dataclass(frozen=True)
class HostRow:
    """One host. ``codes`` are of all reasons that are in the way, ``sentences`` its own."""

    verdict: Verdict
    host: Optional[Host]
    name: str
    id: Optional[str]
    has_namesake: bool
    instance: Optional[Instance]
    codes: tuple[str, ...]
    sentences: tuple[str, ...]
    is_as_whole: bool
    callers: selection.Shown[str]

    @property
    def group(self) -> str:
        """The group that it belongs to."""
        return self.verdict.group or (self.instance.group if self.instance else None) or ""

    @property
    def owner(self) -> str:
        """The owner, "" if unknown."""
        return (self.instance.owner if self.instance else None) or ""


@dataclass(frozen=True)
class Sentence:
    """A sentence about some hosts."""

    text: str
    hosts: selection.Shown[str]
    number: int


@dataclass(frozen=True)
class FoldedReason:
    """A reason over all hosts: how many have it, and each of its sentences once."""

    code: str
    name: str
    hosts: int
    sentences: selection.Shown[Sentence]


@dataclass(frozen=True)
class Table:
    """The hosts, worst first, and the sentences about several of them."""

    rows: selection.Shown[HostRow]
    obstacles: tuple[FoldedReason, ...]
    remarks: tuple[FoldedReason, ...]

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups of the hosts."""
        return tuple(sorted({each.group for each in self.rows.items if each.group}))

    @property
    def has_owners(self) -> bool:
        """True if any host has an owner."""
        return any(each.owner for each in self.rows.items)

    @property
    def codes(self) -> tuple[str, ...]:
        """The reasons that are beside the hosts, the most frequent first."""
        counted = Counter(code for each in self.rows.items for code in each.codes)
        return tuple(code for code, _ in counted.most_common())


def table(report: Report, labels: Mapping[tuple[str, str], Label], limit: int) -> Table:
    """Return the table of at most ``limit`` hosts."""
    ordered = sorted(report.host_verdicts, key=lambda each: WORST_FIRST.index(each.judgement))
    names = fleet.names(report)
    others = [each for each in ordered if not _is_as_whole(each, report)]
    obstacles = [(each, selection.obstacles(each)) for each in others]
    shared = Counter(reason for _, reasons in obstacles for reason in reasons)
    if len(ordered) <= SMALL_FLEET:
        own = {reason for reason, number in shared.items() if number == 1}
    else:
        own = set()
    folded = [(each, [one for one in reasons if one not in own]) for each, reasons in obstacles]
    remarks = [(each, selection.remarks(each)) for each in others]
    shown = selection.first(ordered, limit)
    build = _Rows(report, labels, own)
    return Table(
        selection.Shown(tuple(build.row(each) for each in shown.items), shown.left_out),
        _fold(folded, names),
        _fold(remarks, names),
    )


def _is_as_whole(verdict: Verdict, report: Report) -> bool:
    return verdict.reasons == report.verdict.reasons


class _Rows:
    """Builds rows; looks up what is known of a host once."""

    def __init__(
        self, report: Report, labels: Mapping[tuple[str, str], Label], own: set[Reason]
    ) -> None:
        self._report = report
        self._own = own
        self._hosts = {each.key: each for each in report.findings.hosts}
        self._instances = fleet.by_host(report)
        self._labels = labels
        self._alike = Counter(self._name(each) for each in report.host_verdicts)

    def row(self, verdict: Verdict) -> HostRow:
        """Return the row of a verdict."""
        key = verdict.host or ""
        host = self._hosts.get(key)
        name = self._name(verdict)
        id_ = (host.instance_id if host else None) or (key if key != name else None)
        reasons = selection.obstacles(verdict)
        is_as_whole = _is_as_whole(verdict, self._report)
        callers = [
            self._labels.get((each.caller, AWS), Label(each.caller)).whole
            for each in verdict.callers
            if each.standing not in CLEARED
        ]
        return HostRow(
            verdict=verdict,
            host=host,
            name=name,
            id=id_,
            has_namesake=self._alike[name] > 1,
            instance=self._instances.get(key),
            codes=tuple(dict.fromkeys(each.code for each in reasons)),
            sentences=() if is_as_whole else tuple(e.text for e in reasons if e in self._own),
            is_as_whole=is_as_whole,
            callers=selection.first(list(dict.fromkeys(callers)), CALLERS_MAX),
        )

    def _name(self, verdict: Verdict) -> str:
        host = self._hosts.get(verdict.host or "")
        return verdict.name or (host.name if host else verdict.host) or ""


def _fold(
    verdicts: Sequence[tuple[Verdict, Sequence[Reason]]], names: Mapping[str, str]
) -> tuple[FoldedReason, ...]:
    """Return each reason with its sentences and their hosts, the most frequent first."""
    by_code: dict[str, dict[str, list[str]]] = {}
    hosts: dict[str, set[str]] = {}
    for verdict, reasons in verdicts:
        key = verdict.host or ""
        for reason in reasons:
            texts = by_code.setdefault(reason.code, {})
            texts.setdefault(reason.text, []).append(names.get(key, verdict.name or key))
            hosts.setdefault(reason.code, set()).add(key)
    found = [
        FoldedReason(code, reason_words.reason(code), len(hosts[code]), _sentences(texts))
        for code, texts in by_code.items()
    ]
    return tuple(sorted(found, key=lambda each: -each.hosts))


def _sentences(texts: Mapping[str, Sequence[str]]) -> selection.Shown[Sentence]:
    ordered = sorted(texts.items(), key=lambda pair: -len(pair[1]))
    shown = selection.first(ordered, SENTENCES_MAX)
    sentences = (
        Sentence(text, selection.first(hosts, NAMED_MAX), len(hosts)) for text, hosts in shown.items
    )
    return selection.Shown(tuple(sentences), shown.left_out)
