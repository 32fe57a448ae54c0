"""Turns flags and a configuration file into one frozen Config.

Each setting stands here once, with its default and the rule for its values. The file's sections
and keys are the names of the fields; ``systemd/config.toml`` explains them to operators.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Optional

from analyzer.config.choices import ATTACHES, AUTO, RING_MIBS, SOURCES, Wanted
from analyzer.config.rules import (
    Address,
    FilePath,
    Listening,
    Name,
    Names,
    Number,
    OneOf,
    PowerOfTwo,
    Rule,
    Switch,
    TcpAddress,
    UnixAddress,
    Whole,
)

__all__ = [  # and what is defined here
    "ATTACHES",
    "AUTO",
    "SOURCES",
    "Address",
    "TcpAddress",
    "UnixAddress",
]

SINKS = ("file", "stdout", "journald")
ROTATIONS = ("size", "external")
# Labels that a line has room for; a label's name has a prefix of 253 characters, a slash and 63.
LABELS_MAX, LABEL_BYTES = 8, 317
MASKED, NAMES = ARGUMENTS = ("masked", "names")

# What takes effect only with a new start: the probe stays attached over a reload.
NEEDS_RESTART = frozenset(
    f"capture.{key}"
    for key in ("source", "attach", "wire", "ring_mib", "write_pcap", "write_pcap_mib")
)


def _setting(default: object, rule: Rule) -> Any:  # noqa: ANN401 (as dataclasses.field does)
    return field(default=default, metadata={"rule": rule})


@dataclass(frozen=True)
class Capture:
    """The settings of capturing."""

    source: str = _setting(AUTO, OneOf(SOURCES))
    attach: str = _setting(AUTO, OneOf(ATTACHES))
    # Whether packets are watched beside calls: what was sent is then known, not what was offered.
    wire: bool = _setting(Wanted().wire, Switch())
    ring_mib: int = _setting(Wanted().ring_mib, PowerOfTwo(RING_MIBS[0], RING_MIBS[-1]))
    # IMDS answers within milliseconds; SDKs give up after one second and go on otherwise.
    # Requests that wait are held in memory.
    response_wait_s: float = _setting(5.0, Number(0, 60))
    # A request and its answer take about 1 KiB with the caller's name.
    write_pcap: Optional[str] = _setting(None, FilePath(may_be_empty=True))
    write_pcap_mib: int = _setting(64, Whole(1, 65536))

    @property
    def wanted(self) -> Wanted:
        """The settings that decide how to attach."""
        return Wanted(self.source, self.attach, self.wire, self.ring_mib)


@dataclass(frozen=True)
class LogSettings:
    """The destination of the lines, and how much of them is kept."""

    sink: str = _setting("file", OneOf(SINKS))
    file: str = _setting("/var/log/imds-analyzer/imds.jsonl", FilePath())
    rotation: str = _setting("size", OneOf(ROTATIONS))
    rotate_mib: int = _setting(20, Whole(1, 1024))
    total_mib: int = _setting(200, Whole(3, 1 << 20))
    # What is logged of arguments: all of them, secrets masked, or only what names things.
    arguments: str = _setting(MASKED, OneOf(ARGUMENTS))
    # Below a second, heartbeats would be most of the log; above a day, nobody would wait for one.
    heartbeat_s: float = _setting(60.0, Number(1, 86_400))
    # The least holds what is never cut: times, addresses, versions, numbers. The greatest is below
    # what a start takes for a line of its own (sinks.repair).
    line_kib: int = _setting(16, Whole(4, 512))
    # SDKs and agents that start make some ten calls at once, and then one in minutes.
    repeats_per_s: int = _setting(50, Whole(0, 100_000))
    sync_s: float = _setting(5.0, Number(0, 3600))

    @property
    def rotate_bytes(self) -> int:
        """Size at which the file is rotated."""
        return self.rotate_mib << 20

    @property
    def line_bytes(self) -> int:
        """The most that a line may have, its end included."""
        return self.line_kib << 10

    @property
    def total_bytes(self) -> int:
        """Size of the file and all that was rotated together."""
        return self.total_mib << 20


@dataclass(frozen=True)
class MetricsSettings:
    """The outputs of counts; None is off."""

    prometheus: Optional[Address] = _setting(None, Listening())  # noqa: RUF009 (immutable)
    textfile: Optional[str] = _setting(None, FilePath(ending=".prom", may_be_empty=True))
    emf: bool = _setting(False, Switch())
    emf_file: Optional[str] = _setting(None, FilePath(may_be_empty=True))
    interval_s: float = _setting(60.0, Number(1, 86_400))


@dataclass(frozen=True)
class EvidenceSettings:
    """Settings for reading the code of callers."""

    enabled: bool = _setting(True, Switch())


@dataclass(frozen=True)
class KubernetesSettings:
    """Facts about the node of containers and pods. "" means: find out."""

    # Labels of pods, by name, that go into each line of the pod's.
    labels: tuple[str, ...] = _setting((), Names(LABELS_MAX, LABEL_BYTES))
    # The directory at which the node's files are, for an analyzer in a container.
    root: Optional[str] = _setting(None, FilePath(may_be_empty=True))
    node: str = _setting("", Name(LABEL_BYTES))
    cluster: str = _setting("", Name(LABEL_BYTES))


@dataclass(frozen=True)
class Config:
    """Settings of ``imds-analyzer run``."""

    capture: Capture = field(default_factory=Capture)
    log: LogSettings = field(default_factory=LogSettings)
    metrics: MetricsSettings = field(default_factory=MetricsSettings)
    evidence: EvidenceSettings = field(default_factory=EvidenceSettings)
    kubernetes: KubernetesSettings = field(default_factory=KubernetesSettings)

    def as_dict(self) -> dict[str, dict[str, object]]:
        """Return the settings as they go into ``analyzer_started``: as in a file."""
        return {
            section: {key: plain(value) for key, value in settings.items()}
            for section, settings in asdict(self).items()
        }

    def needs(self) -> list[str]:
        """Return what install.sh has to prepare for these settings, in its words.

        ``bcc`` and its files, ``perf`` events for attaching, the ``packet`` sockets' drop-in,
        ``any`` of what works, a TCP ``port``, ``logrotate``.
        """
        capture, address = self.capture, self.metrics.prometheus
        needs = {
            "bcc": capture.source == "bcc",
            "perf": capture.source == "bcc" or capture.attach in {"kprobe", "tracepoint"},
            "packet": capture.source == "packet",
            "any": capture.source == AUTO and capture.attach == AUTO,
            "port": isinstance(address, TcpAddress),
            "logrotate": self.log.rotation == "external",
        }
        return [name for name, is_needed in needs.items() if is_needed]

    def flat(self) -> dict[str, object]:
        """Return the settings by ``section.key``."""
        return {
            f"{section}.{key}": value
            for section, settings in self.as_dict().items()
            for key, value in settings.items()
        }


def plain(value: object) -> object:
    """Return a setting's value as it is written in a file."""
    if value is None:
        return ""
    if isinstance(value, (TcpAddress, UnixAddress)):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


SECTIONS: dict[str, type] = {
    "capture": Capture,
    "log": LogSettings,
    "metrics": MetricsSettings,
    "evidence": EvidenceSettings,
    "kubernetes": KubernetesSettings,
}


def settings() -> Iterator[tuple[str, str, Rule]]:
    """Yield section, key and rule of each setting."""
    for section, kind in SECTIONS.items():
        for each in fields(kind):
            yield section, each.name, each.metadata["rule"]


RULES: dict[str, Rule] = {f"{section}.{key}": rule for section, key, rule in settings()}


def build(values: dict[str, object]) -> Config:
    """Make a Config of parsed values by ``section.key``; defaults stand for the others."""
    return Config(
        **{
            section: kind(
                **{
                    each.name: values[f"{section}.{each.name}"]
                    for each in fields(kind)
                    if f"{section}.{each.name}" in values
                }
            )
            for section, kind in SECTIONS.items()
        }
    )


def conflicts(config: Config) -> Iterator[tuple[str, str]]:
    """Yield the key and what is wrong, for settings that do not go together."""
    if config.capture.source == "bcc" and config.capture.attach == "tracepoint":
        yield "capture.attach", 'source "bcc" attaches with "fentry" or "kprobe" only'
    if config.capture.source == "packet" and config.capture.attach != AUTO:
        yield "capture.attach", 'must be "auto": source "packet" attaches to nothing'
    if config.log.rotation == "size" and config.log.total_mib < 3 * config.log.rotate_mib:
        yield (
            "log.total_mib",
            f"must be at least {3 * config.log.rotate_mib}, three times rotate_mib",
        )
    emf_file = config.metrics.emf_file if config.metrics.emf else None
    is_log = config.log.sink == "file" and emf_file is not None
    if is_log and os.path.normpath(emf_file or "") == os.path.normpath(config.log.file):
        yield "metrics.emf_file", 'is the log itself: leave it "" to have these lines there'
