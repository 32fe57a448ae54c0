"""Whether the kernel may take a task off the CPU in the middle of a system call.

Where it may, it can do so inside a program of type fentry, and then skips that program for
every other task on the same CPU until the first one continues: ``__bpf_prog_enter_recur``
(kernel/bpf/trampoline.c) runs a program once per CPU at a time. Programs behind kprobes and
tracepoints run with preemption off (``trace_call_bpf``, kernel/trace/bpf_trace.c).
"""

from __future__ import annotations

import platform
import re
from pathlib import Path

# Since 5.12, where the model can be chosen at run time: "none voluntary (full)".
CURRENT_MODEL = Path("/sys/kernel/debug/sched/preempt")
_CHOSEN = re.compile(r"\((\w+)\)")
_CALM = ("none", "voluntary")


def is_preemptible(version: str = platform.version(), model: Path = CURRENT_MODEL) -> bool:
    """Tell it from the kernel's build (``uname -v``) and, if readable, from its current model.

    A kernel that chooses at run time and does not tell what it chose counts as preemptible.
    """
    words = [word for word in version.split() if word.startswith("PREEMPT")]
    if words != ["PREEMPT_DYNAMIC"]:
        return bool(words)
    try:
        chosen = _CHOSEN.search(model.read_text(encoding="ascii"))
    except OSError:
        return True
    return chosen is None or chosen[1] not in _CALM
