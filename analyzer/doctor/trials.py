"""Tries each probe: attaches it as ``run`` would, and closes it at once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple, Optional

from analyzer.config.settings import AUTO, Capture
from analyzer.doctor.findings import CheckResult, fine, lacking, note, warning
from analyzer.errors import NoSourceWorks, SourceUnavailable
from analyzer.recorder.sources.selection import candidates, open_source

SLOW_SOURCE = "bcc"
# It shows less than the others, and is no reason not to try them.
LAST_SOURCE = "packet"


_TURNS = {SLOW_SOURCE: 1, LAST_SOURCE: 2}


class Trial(NamedTuple):
    """The result of trying one probe, such as ``core/fentry``."""

    probe: str
    answer: CheckResult
    works: bool
    # Why packets were not watched beside calls; None where they were.
    wire_lacks: Optional[SourceUnavailable] = None


def try_probes(*, with_bcc: bool) -> tuple[Trial, ...]:
    """Try the probes, and return them in the order in which ``run`` prefers them.

    BCC compiles for seconds: without ``with_bcc`` it is tried only where nothing else works,
    and not further than to the first that does.
    """
    # A source and its error are kept until all are tried: libbpf, which BCC uses too, may
    # still print through the callback of the one that was opened last.
    kept: list[object] = []
    tried: dict[str, Trial] = {}
    order = candidates(AUTO, AUTO)
    for source, attach in sorted(order, key=lambda each: _TURNS.get(each[0], 0)):
        probe = f"{source}/{attach}"
        if source != SLOW_SOURCE or with_bcc:
            tried[probe] = _try(source, attach, kept)
        elif maybe_chosen(tuple(tried.values())) is not None:
            answer = note("not tried, as compiling takes long; --bcc tries it")
            tried[probe] = Trial(probe, answer, works=False)
        else:
            tried[probe] = _try(source, attach, kept)
    return tuple(tried[f"{source}/{attach}"] for source, attach in order)


def maybe_chosen(trials: Sequence[Trial]) -> Optional[str]:
    """Return the probe that ``run`` would use, or None when none works."""
    return next((each.probe for each in trials if each.works), None)


def wire(trials: Sequence[Trial]) -> CheckResult:
    """Tell whether packets are watched beside calls, with the probe that ``run`` would use."""
    chosen = next((each for each in trials if each.works), None)
    if chosen is None:
        return note("not tried, as no probe works")
    if chosen.wire_lacks is None:
        return fine("packets are watched: what was sent is known, not only what was offered")
    lacks = chosen.wire_lacks
    found = f"packets are not watched, so a program can hide what it sends: {lacks.lacks}"
    return warning(found, lacks.remedy)


def _try(source: str, attach: str, kept: list[object]) -> Trial:
    probe = f"{source}/{attach}"
    began = time.monotonic()
    try:
        opened = open_source(source, attach, Capture.ring_mib << 20)
    except NoSourceWorks as error:
        kept.append(error)
        reason = error.tried[0]
        return Trial(probe, lacking(reason.lacks, reason.remedy), works=False)
    took_s = time.monotonic() - began
    opened.source.close()
    kept.append(opened)
    found = f"attached in {took_s:.2f} s with {opened.source.library}"
    return Trial(probe, fine(found), works=True, wire_lacks=opened.source.wire_lacks)
