"""Selects the way of capturing: the first that works on this host, or the one asked for."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from analyzer.config.choices import AUTO
from analyzer.errors import ConfigError, NoSourceWorks, SourceUnavailable
from analyzer.host.kernel_symbols import BTF
from analyzer.host.preemption import is_preemptible
from analyzer.host.time_namespace import offset_ns
from analyzer.recorder.sources import Source


class Opened(NamedTuple):
    """An attached source, and what was tried before it."""

    source: Source
    tried: list[SourceUnavailable]


def _open_core(attach: str, ring_bytes: int, *, wants_wire: bool) -> Source:
    from analyzer.recorder.sources.probe.core import CoreSource  # noqa: PLC0415 (only what is used is loaded)

    return CoreSource(attach, ring_bytes, wants_wire=wants_wire)


def _open_bcc(attach: str, ring_bytes: int, *, wants_wire: bool) -> Source:
    from analyzer.recorder.sources.probe.bcc import BccSource  # noqa: PLC0415 (only what is used is loaded)

    return BccSource(attach, ring_bytes, wants_wire=wants_wire)


def _open_packet(attach: str, ring_bytes: int, *, wants_wire: bool) -> Source:  # noqa: ARG001
    from analyzer.recorder.sources.packets.live import PacketSource  # noqa: PLC0415 (only what is used is loaded)

    return PacketSource(attach, ring_bytes)


class _Opener(Protocol):
    def __call__(self, attach: str, ring_bytes: int, *, wants_wire: bool) -> Source: ...


_OPEN: dict[str, _Opener] = {
    "core": _open_core,
    "bcc": _open_bcc,
    "packet": _open_packet,
}

# What each loader can do, best first: fentry costs least, tracepoints see least. Where the
# kernel is preemptible, kprobes come before fentry, which misses calls there. Packets are last:
# they show one network namespace only, and who sent them is found afterwards, or not.
_CANDIDATES = (
    ("core", "fentry"),
    ("core", "kprobe"),
    ("core", "tracepoint"),
    ("bcc", "fentry"),
    ("bcc", "kprobe"),
    ("packet", "af_packet"),
)
_LOADERS = tuple(_OPEN)


# Source: what it attaches to, where that is not all there is.
NO_SUCH = {
    "bcc": "bcc attaches with fentry or kprobe",
    "packet": "it reads packets and attaches to nothing; leave --attach out",
}


def candidates(source: str, attach: str) -> list[tuple[str, str]]:
    """Return what to try, in order; raises ConfigError when nothing can do what is asked."""
    found = [
        each for each in _CANDIDATES if source in (AUTO, each[0]) and attach in (AUTO, each[1])
    ]
    if not found:
        raise ConfigError(f"--source {source} cannot do --attach {attach}: {NO_SUCH[source]}")
    if is_preemptible():
        found.sort(key=lambda each: (_LOADERS.index(each[0]), each[1] != "kprobe"))
    if not BTF.exists():
        # Without BTF only BCC's kprobe can work: try it first, keep the others for the error.
        found.sort(key=lambda each: each != ("bcc", "kprobe"))
    return found


def open_source(source: str, attach: str, ring_bytes: int, *, wants_wire: bool = True) -> Opened:
    """Attach the first candidate that works; raises NoSourceWorks with all reasons.

    Raises ServiceError where the times of its events could not be told.
    """
    offset_ns()
    tried: list[SourceUnavailable] = []
    order = candidates(source, attach)
    for name, how in order:
        try:
            opened = _OPEN[name](how, ring_bytes, wants_wire=wants_wire)
        except SourceUnavailable as error:
            tried.append(error)
        else:
            return Opened(opened, [*tried, *_passed_over(order, name, how)])
    raise NoSourceWorks(tried)


def _passed_over(order: list[tuple[str, str]], chosen: str, attach: str) -> list[SourceUnavailable]:
    """Say why fentry, which costs less, was not even tried."""
    is_put_off = BTF.exists() and is_preemptible()  # else it was tried, or could not work
    if attach != "kprobe" or not is_put_off or (chosen, "fentry") not in order:
        return []
    lacks = "was not tried: this kernel is preemptible, and calls could be missed"
    return [SourceUnavailable(f"{chosen}/fentry", lacks, "--attach fentry uses it anyway")]
