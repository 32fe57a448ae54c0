"""Compares AWS's count with what was recorded, each instance with its own figures. Does no I/O.

Figures that name no instance are compared with the sum over the hosts that have no figures of
their own: all, as a rule.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Optional

from analyzer.report.cloudwatch.differences import Account, Comparison, Difference
from analyzer.report.cloudwatch.figures import CloudWatch, Series, Total
from analyzer.report.cloudwatch.periods import Compared, Counts, compare_periods, compare_total
from analyzer.report.cloudwatch.question import NO_TOKEN, REJECTED
from analyzer.report.cloudwatch.silence import lacks, silent
from analyzer.report.findings import Findings, Tokenless
from analyzer.report.formats.wording import listed, number
from analyzer.report.hosts import Host, Span


@dataclass(frozen=True)
class _Share:
    """Figures, and the hosts that they are of.

    ``keys`` are the hosts that a difference may be of: None stands for all. ``is_own``: the
    figures name the host.
    """

    series: tuple[Series, ...]
    hosts: tuple[Host, ...]
    keys: tuple[Optional[str], ...]
    is_own: bool


def compare(
    cloudwatch: CloudWatch, findings: Findings, judged: Optional[Span] = None
) -> Comparison:
    """Return where AWS's figures and the log do not agree.

    ``findings.tokenless`` must have periods of ``cloudwatch.bucket_s``. ``judged`` is the time
    that the figures should hold.
    """
    if cloudwatch.period_s % findings.bucket_s or cloudwatch.bucket_s % findings.bucket_s:
        raise ValueError("the log's periods do not fit into CloudWatch's")
    shares = _shares(cloudwatch, findings)
    length = datetime.timedelta(seconds=cloudwatch.period_s)
    differences: list[Difference] = []
    silences: dict[str, tuple[Span, ...]] = {}
    accounts: dict[str, Account] = {}
    partial: list[Host] = []
    found: list[Compared] = []
    totals = _by_instance(cloudwatch.totals)
    for share in shares:
        calls = _calls(share, findings)
        compared = compare_periods(_counts(share.series), length, calls, share.hosts)
        found.append(compared)
        of_host = totals.get(share.hosts[0].instance_id or "", ()) if share.is_own else ()
        for total in of_host:
            row = compare_total(total.metric, total.span, total.count, calls, share.hosts[0])
            differences += [replace(row, host=share.hosts[0].key)] if row.missing else []
        is_partial = _is_partial(share, cloudwatch, judged)
        partial += share.hosts if is_partial else ()
        for key in share.keys:
            differences += (replace(each, host=key) for each in compared.differences)
        if share.is_own:
            key = share.hosts[0].key
            accounts[key] = Account(compared.counted, compared.recorded, is_partial)
            if not compared.is_contradicted and (spans := _silent(share, cloudwatch, of_host)):
                silences[key] = spans
    differences.sort(key=lambda each: (each.period.start, each.host or "", each.metric))
    scope, is_narrow = _scope(cloudwatch, findings, shares)
    return Comparison(
        periods=len({start for each in found for start in each.starts}),
        counted=sum(each.counted for each in found),
        recorded=sum(each.recorded for each in found),
        differences=tuple(differences),
        notes=(*cloudwatch.notes, *scope, *_part_notes(partial), *_shift_notes(found)),
        silent=silences,
        is_partial=cloudwatch.is_partial or is_narrow or bool(partial),
        accounts=accounts,
    )


def _shares(cloudwatch: CloudWatch, findings: Findings) -> tuple[_Share, ...]:
    """Return the figures of each host, and those that may be of any other."""
    named: dict[str, list[Series]] = {}
    for each in cloudwatch.series:
        if each.instance is not None and each.counts:
            named.setdefault(each.instance, []).append(each)
    shares = []
    others = []
    for host in findings.hosts:
        own = named.pop(host.instance_id, None) if host.instance_id else None
        if own:
            shares.append(_Share(tuple(own), (host,), (host.key,), is_own=True))
        else:
            others.append(host)
    series = [each for each in cloudwatch.series if each.instance is None and each.counts]
    if not series:
        # Figures of an instance without a log may be those of a host without an id.
        others = [each for each in others if each.instance_id is None]
    if any(each.instance_id is None for each in others):
        series += (each for several in named.values() for each in several)
    if series and others:
        keys = tuple(each.key for each in others) if shares else (None,)
        shares.append(_Share(tuple(series), tuple(others), keys, is_own=False))
    return tuple(shares)


def _counts(series: Iterable[Series]) -> dict[str, Counts]:
    counts: dict[str, Counter[datetime.datetime]] = {}
    for each in series:
        counts.setdefault(each.metric, Counter()).update(each.counts)
    return dict(counts)


def _calls(share: _Share, findings: Findings) -> tuple[Tokenless, ...]:
    return tuple(each for host in share.hosts for each in findings.tokenless.get(host.key, ()))


def _by_instance(totals: Iterable[Total]) -> dict[str, tuple[Total, ...]]:
    found: dict[str, tuple[Total, ...]] = {}
    for each in totals:
        found[each.instance] = (*found.get(each.instance, ()), each)
    return found


def _silent(
    share: _Share, cloudwatch: CloudWatch, totals: Sequence[Total] = ()
) -> tuple[Span, ...]:
    """Return when AWS counted no call of a host, if its figures are all there.

    Calls of a total may have been at any time of it.
    """
    if cloudwatch.is_partial or not all(each.is_certain for each in share.series):
        return ()
    counts = _counts(share.series)
    refused = [at for at, count in counts.get(REJECTED, {}).items() if count]
    length = datetime.timedelta(seconds=cloudwatch.point_s)
    spans = silent(counts.get(NO_TOKEN, {}), refused, length)
    after = max((each.span.end for each in totals if each.count), default=None)
    if after is None:
        return spans
    return tuple(Span(max(each.start, after), each.end) for each in spans if each.end > after)


def _is_partial(share: _Share, cloudwatch: CloudWatch, judged: Optional[Span]) -> bool:
    """Tell whether figures of a host are missing in the time that it is judged by."""
    if not all(each.is_certain for each in share.series):
        return True
    if judged is None:
        return False
    start = max(judged.start, min(each.first_at for each in share.hosts))
    end = min(judged.end, max(each.last_at for each in share.hosts))
    times = {at for each in share.series for at in each.counts}
    return lacks(
        times, datetime.timedelta(seconds=cloudwatch.point_s), Span(start, max(start, end))
    )


# --- notes ---------------------------------------------------------------------------------


def _scope(
    cloudwatch: CloudWatch, findings: Findings, shares: Sequence[_Share]
) -> tuple[list[str], bool]:
    """Return what the two are not of alike, and whether hosts are without figures."""
    compared = {host.key for share in shares for host in share.hosts}
    notes = []
    if any(not each.is_own for each in shares) and len(findings.hosts) > 1:
        notes.append(
            f"labels name no instance; the log has {len(findings.hosts)} hosts, and figures that"
            " name none must be of all hosts that have none of their own"
        )
    used = {id(series) for share in shares for series in share.series}
    left = [each for each in cloudwatch.series if each.counts and id(each) not in used]
    calls = sum(sum(each.counts.values()) for each in left)
    if left and (without_log := sorted({each.instance for each in left if each.instance})):
        many = number(len(without_log), "instance")
        notes.append(
            f"of {many} there are figures, but no log: {listed(without_log)}; AWS counted"
            f" {number(calls, 'call')} without a token there"
        )
    elif left:
        notes.append("figures that name no instance are left out: each host has figures of its own")
    without_figures = [each.name for each in findings.hosts if each.key not in compared]
    if without_figures:
        many = number(len(without_figures), "host")
        notes.append(f"of {many} there is a log, but no figures: {listed(without_figures)}")
    return notes, bool(without_figures)


def _part_notes(partial: Sequence[Host]) -> list[str]:
    if not partial:
        return []
    many = number(len(partial), "host")
    return [f"of {many} figures are missing: {listed([each.name for each in partial])}"]


def _shift_notes(found: Sequence[Compared]) -> list[str]:
    shifted = sum(each.shifted for each in found)
    if not shifted:
        return []
    were = "call was" if shifted == 1 else "calls were"
    return [f"{shifted} {were} counted in the period beside that in which it was recorded"]
