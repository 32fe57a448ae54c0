"""Choose the way of capturing: the first that works on this host, or the one asked for."""

from __future__ import annotations

from typing import Callable, NamedTuple

from analyzer.config import AUTO
from analyzer.errors import ConfigError, NoSourceWorks, SourceUnavailable
from analyzer.sources import Source
from analyzer.sources.symbols import BTF


class Opened(NamedTuple):
    """An attached source, and what was tried before it."""

    source: Source
    tried: list[SourceUnavailable]


def _open_core(attach: str, ring_bytes: int) -> Source:
    from analyzer.sources.core import CoreSource  # noqa: PLC0415 (only what is used is loaded)

    return CoreSource(attach, ring_bytes)


def _open_bcc(attach: str, ring_bytes: int) -> Source:
    from analyzer.sources.bcc import BccSource  # noqa: PLC0415 (only what is used is loaded)

    return BccSource(attach, ring_bytes)


_OPEN: dict[str, Callable[[str, int], Source]] = {"core": _open_core, "bcc": _open_bcc}

# What each loader can do, best first: fentry costs least, tracepoints see least.
_CANDIDATES = (
    ("core", "fentry"),
    ("core", "kprobe"),
    ("core", "tracepoint"),
    ("bcc", "fentry"),
    ("bcc", "kprobe"),
)


def candidates(source: str, attach: str) -> list[tuple[str, str]]:
    """Return what to try, in order; raises ConfigError when nothing can do what is asked."""
    found = [
        each for each in _CANDIDATES if source in (AUTO, each[0]) and attach in (AUTO, each[1])
    ]
    if not found:
        raise ConfigError(
            f"--source {source} cannot do --attach {attach}: bcc attaches with fentry or kprobe"
        )
    if not BTF.exists():
        # Without BTF only BCC's kprobe can work: try it first, keep the others for the error.
        found.sort(key=lambda each: each != ("bcc", "kprobe"))
    return found


def open_source(source: str, attach: str, ring_bytes: int) -> Opened:
    """Attach the first candidate that works; raises NoSourceWorks with all reasons."""
    tried: list[SourceUnavailable] = []
    for name, how in candidates(source, attach):
        try:
            return Opened(_OPEN[name](how, ring_bytes), tried)
        except SourceUnavailable as error:
            tried.append(error)
    raise NoSourceWorks(tried)
