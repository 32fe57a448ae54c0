"""What is tried in which order, and how a preemptible kernel changes that."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.config import AUTO
from analyzer.errors import ConfigError
from analyzer.sources import selection
from analyzer.sources.preemption import is_preemptible
from analyzer.sources.selection import candidates


@pytest.mark.parametrize(
    ("version", "model", "expected"),
    [
        ("#1 SMP Debian 5.10.262-1 (2026-10-01)", "full", False),
        ("#1 SMP PREEMPT Tue Oct 6", "none", True),
        ("#1 SMP PREEMPT_RT Debian 6.1.192-2", None, True),
        ("#1 SMP PREEMPT_LAZY @0", None, True),
        ("#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2", "(none) voluntary full", False),
        ("#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2", "none (voluntary) full", False),
        ("#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2", "none voluntary (full)", True),
        ("#1 SMP PREEMPT_DYNAMIC Debian 7.3.4-1", "full (lazy)", True),
        ("#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2", None, True),
        ("#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2", "", True),
    ],
)
def test_preemption_is_told_from_build_and_model(
    tmp_path: Path, version: str, model: str | None, expected: bool
) -> None:
    """The model that was chosen at run time counts only where there is a choice."""
    file = tmp_path / "preempt"
    if model is not None:
        file.write_text(model + "\n", encoding="ascii")
    assert is_preemptible(version, file) is expected


@pytest.mark.parametrize(
    ("preemptible", "has_btf", "expected"),
    [
        (False, True, "core/fentry core/kprobe core/tracepoint bcc/fentry bcc/kprobe"),
        (True, True, "core/kprobe core/fentry core/tracepoint bcc/kprobe bcc/fentry"),
        (False, False, "bcc/kprobe core/fentry core/kprobe core/tracepoint bcc/fentry"),
        (True, False, "bcc/kprobe core/kprobe core/fentry core/tracepoint bcc/fentry"),
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


def test_what_no_loader_does_is_refused() -> None:
    """Before anything is loaded."""
    with pytest.raises(ConfigError, match="bcc attaches with fentry or kprobe"):
        candidates("bcc", "tracepoint")
