"""Judges code that ``scan`` found and that has not called. Each rule returns its sentence."""

from __future__ import annotations

from typing import Optional

from analyzer.report.formats.wording import at, listed, number
from analyzer.report.verdict.evidence import Evidence


def dormant(of: Evidence) -> Optional[str]:
    """Say what would call IMDSv1 and has not."""
    return None if of.scans.is_strict else _found(of)


def dormant_code(of: Evidence) -> Optional[str]:
    """Say the same with ``--strict``."""
    return _found(of) if of.scans.is_strict else None


def not_scanned(of: Evidence) -> Optional[str]:
    """Say with ``--strict`` that a host was not scanned, or not all of it."""
    if not of.scans.is_strict:
        return None
    scan = of.scans.by_host.get(of.host.key)
    if scan is None:
        return "it has no scan: run `imds-analyzer scan --json` there, or leave out --strict"
    if not scan.is_complete:
        return (
            f"the scan of {at(scan.at)} did not read everything: run it as root to its end, or"
            " leave out --strict"
        )
    return None


def _found(of: Evidence) -> Optional[str]:
    scan = of.scans.by_host.get(of.host.key)
    if scan is None or not (scan.places or scan.left_out):
        return None
    count = number(len(scan.places) + scan.left_out, "place")
    unknown = sum(place.is_unknown for place in scan.places)
    versions = f" ({unknown} of unknown version)" if unknown else ""
    named = f": {listed([place.text for place in scan.places])}" if scan.places else ""
    return (
        f"the scan of {at(scan.at)} found {count} that would call IMDSv1{versions}, and"
        f" did not{named}. `imds-analyzer scan` has the fixes"
    )
