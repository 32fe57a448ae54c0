"""What is tried in which order, and how a preemptible kernel changes that."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analyzer.config.settings import AUTO
from analyzer.errors import ConfigError, SourceUnavailable
from analyzer.host.preemption import is_preemptible
from analyzer.recorder.sources import selection
from analyzer.recorder.sources.selection import candidates

DYNAMIC = "#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2"


def _told(folder: Path, **files: str) -> bool:
    """Ask with these files: ``model``, ``command_line``, ``config``."""
    for name, text in files.items():
        (folder / name).write_text(text + "\n", encoding="ascii")
    packed = folder / "config.gz"
    packed.write_bytes(gzip.compress(b"CONFIG_PREEMPT_BUILD=y\n# CONFIG_PREEMPT_NONE is not set\n"))
    configs = (folder / "config", packed)
    return is_preemptible(DYNAMIC, folder / "model", folder / "command_line", configs)


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("#1 SMP Debian 5.10.262-1 (2026-10-01)", False),
        ("#1 SMP PREEMPT Tue Oct 6", True),
        ("#1 SMP PREEMPT_RT Debian 6.1.192-2", True),
        ("#1 SMP PREEMPT_LAZY @0", True),
    ],
)
def test_a_kernel_without_a_choice_tells_by_its_name(version: str, expected: bool) -> None:
    """Nothing else is asked."""
    assert is_preemptible(version, Path("/dev/zero"), Path("/dev/zero"), ()) is expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, True),
        ({"model": "(none) voluntary full"}, False),
        ({"model": "none (voluntary) full", "command_line": "quiet preempt=full"}, False),
        ({"model": "none voluntary (full)", "config": "CONFIG_PREEMPT_NONE=y"}, True),
        ({"model": "full (lazy)"}, True),
        ({"command_line": "root=/dev/sda1 preempt=none quiet"}, False),
        ({"command_line": "preempt=full", "config": "CONFIG_PREEMPT_VOLUNTARY=y"}, True),
        ({"command_line": "quiet nopreempt=none", "config": "CONFIG_PREEMPT_LAZY=y"}, True),
        ({"command_line": "quiet", "config": "CONFIG_PREEMPT_VOLUNTARY=y"}, False),
        ({"config": "# CONFIG_PREEMPT_NONE is not set\nCONFIG_PREEMPT_VOLUNTARY_BUILD=y"}, True),
    ],
)
def test_where_there_is_a_choice_the_chosen_counts(
    tmp_path: Path, files: dict[str, str], expected: bool
) -> None:
    """The current model before the command line, that before the build's default."""
    assert _told(tmp_path, **files) is expected


@pytest.mark.parametrize(
    ("preemptible", "has_btf", "expected"),
    [
        (
            False,
            True,
            "core/fentry core/kprobe core/tracepoint bcc/fentry bcc/kprobe packet/af_packet",
        ),
        (
            True,
            True,
            "core/kprobe core/fentry core/tracepoint bcc/kprobe bcc/fentry packet/af_packet",
        ),
        (
            False,
            False,
            "bcc/kprobe core/fentry core/kprobe core/tracepoint bcc/fentry packet/af_packet",
        ),
        (
            True,
            False,
            "bcc/kprobe core/kprobe core/fentry core/tracepoint bcc/fentry packet/af_packet",
        ),
    ],
)
def test_order_is_the_kernels(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    preemptible: bool,
    has_btf: bool,
    expected: str,
) -> None:
    """Nothing that can miss a call comes before something that cannot."""
    monkeypatch.setattr(selection, "is_preemptible", lambda: preemptible)
    monkeypatch.setattr(selection, "BTF", tmp_path if has_btf else tmp_path / "none")
    assert [f"{name}/{how}" for name, how in candidates(AUTO, AUTO)] == expected.split()


@pytest.mark.parametrize(
    ("source", "attach", "said"),
    [
        ("bcc", "tracepoint", "bcc attaches with fentry or kprobe"),
        ("packet", "kprobe", "reads packets and attaches to nothing"),
    ],
)
def test_what_no_source_does_is_refused(source: str, attach: str, said: str) -> None:
    """Before anything is loaded."""
    with pytest.raises(ConfigError, match=said):
        candidates(source, attach)


def test_packets_are_no_way_to_attach() -> None:
    """Who asks for kprobes gets them or an error."""
    assert "packet" not in {source for source, _ in candidates(AUTO, "kprobe")}


@pytest.mark.parametrize(
    ("preemptible", "has_btf", "works", "put_off"),
    [
        (True, True, "core/kprobe", ["core/fentry"]),
        (True, True, "core/fentry", []),
        (True, True, "bcc/kprobe", ["bcc/fentry"]),
        (False, True, "core/kprobe", []),
        (True, False, "bcc/kprobe", []),
        (False, False, "bcc/kprobe", []),
    ],
)
def test_fentry_is_said_to_be_put_off_only_where_it_is(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    preemptible: bool,
    has_btf: bool,
    works: str,
    put_off: list[str],
) -> None:
    """Without type information it could not have worked; elsewhere it was tried."""

    def opener(loader: str) -> Callable[..., Any]:
        def open_or_not(attach: str, _ring_bytes: int, *, wants_wire: bool) -> object:
            assert wants_wire
            if f"{loader}/{attach}" != works:
                raise SourceUnavailable(f"{loader}/{attach}", "is not there", "use another")
            return object()

        return open_or_not

    monkeypatch.setattr(selection, "is_preemptible", lambda: preemptible)
    monkeypatch.setattr(selection, "BTF", tmp_path if has_btf else tmp_path / "none")
    monkeypatch.setattr(
        selection, "_OPEN", {name: opener(name) for name in ("core", "bcc", "packet")}
    )
    tried = selection.open_source(AUTO, AUTO, 1 << 20).tried
    assert [each.source for each in tried if "not tried" in each.lacks] == put_off
