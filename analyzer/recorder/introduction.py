"""Describes the recorder, the kernel and the settings for the log's first line."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from analyzer.host.container import maybe_runtime
from analyzer.host.container_lacks import lacking
from analyzer.recorder.clock import BootClock
from analyzer.recorder.usage import started_boottime_ns
from analyzer.text import timestamp

if TYPE_CHECKING:
    from analyzer.config.settings import Config
    from analyzer.recorder.early_attach import AttachedSource
    from analyzer.recorder.sources import Source


def introduction(config: Config, attached: AttachedSource) -> dict[str, object]:
    """Return the fields of ``analyzer_started``."""
    opened = attached.opened
    boot_at_ns = BootClock().epoch_offset_ns()
    since_start_ns = max(0, attached.at_boottime_ns - started_boottime_ns())
    return {
        "boot": {"time": timestamp(boot_at_ns)},
        "attached": {
            "since_boot_s": round(attached.at_boottime_ns / 1e9, 3),
            "since_start_s": round(since_start_ns / 1e9, 3),
        },
        "kernel": {"release": platform.release(), "machine": platform.machine()},
        "library": opened.source.library,
        "witnesses": _witnesses(opened.source),
        "python": platform.python_version(),
        "tried": [
            {"probe": each.source, "lacks": each.lacks, "remedy": each.remedy}
            for each in opened.tried
        ],
        "configuration": config.as_dict(),
    }


def sandbox() -> dict[str, object]:
    """Return what the container lacks that this process is in; nothing outside of one.

    It is asked before privileges are dropped, which would count as lacking.
    """
    runtime = maybe_runtime()
    if runtime is None:
        return {}
    lacks = [{"lacks": each.lacks, "remedy": each.remedy} for each in lacking(runtime)]
    return {"sandbox": {"runtime": runtime.value, "lacks": lacks}}


def _witnesses(source: Source) -> dict[str, object]:
    """Return by what calls and packets are watched, and why packets are not."""
    lacks = source.wire_lacks
    if source.probe.startswith("packet"):
        return {"wire": source.probe}
    if lacks is None:
        return {"call": source.probe, "wire": "cgroup_skb"}
    return {
        "call": source.probe,
        "wire_lacks": lacks.lacks,
        "wire_remedy": lacks.remedy,
        "meaning": "the log tells what callers offered to send, which need not be what was sent",
    }
