"""Checks whether the kernel may preempt a task within a system call.

If it may, it can do so inside a program of type fentry. Then it skips that program for every
other task on the same CPU until the first one continues: ``__bpf_prog_enter_recur``
(kernel/bpf/trampoline.c) runs a program once per CPU at a time. Programs behind kprobes and
tracepoints run with preemption off (``trace_call_bpf``, kernel/trace/bpf_trace.c).
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from analyzer.host import kernel_config

# A kernel that can choose at run time (5.12 and later): "none voluntary (full)". Only root
# reads it, and some services cannot see it at all.
CURRENT_MODEL = Path("/sys/kernel/debug/sched/preempt")
COMMAND_LINE = Path("/proc/cmdline")
_CALM = ("none", "voluntary")
# What each tells of the model; the first that does is believed.
_CURRENT = re.compile(r"\((\w+)\)")
_ASKED_FOR = re.compile(r"(?:^|\s)preempt=(\w+)")
_BUILT = re.compile(r"^CONFIG_PREEMPT_(NONE|VOLUNTARY)=y$", re.MULTILINE)


def is_preemptible(
    version: str = os.uname().version,
    model: Path = CURRENT_MODEL,
    command_line: Path = COMMAND_LINE,
    configs: Sequence[Path] = kernel_config.PLACES,
) -> bool:
    """Tell it from the kernel's build (``uname -v``) and, where that leaves a choice, from that.

    A kernel that does not tell what it chose counts as preemptible.
    """
    words = [word for word in version.split() if word.startswith("PREEMPT")]
    if words != ["PREEMPT_DYNAMIC"]:
        return bool(words)
    sources = (((model,), _CURRENT), ((command_line,), _ASKED_FOR), (configs, _BUILT))
    for places, pattern in sources:
        told = pattern.search(kernel_config.text(places)[1])
        if told is not None:
            return told[1].lower() not in _CALM
    return True
