"""Runs the command line: ``python -m analyzer``, and the installed command.

The order in which ``run`` starts stands in analyzer.recorder.early_attach.
"""

from __future__ import annotations

import faulthandler
import signal
import sys
from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from analyzer.recorder.early_attach import HeadStart


def main() -> None:
    """Do as told; ``run`` attaches its probe before the rest is imported."""
    if sys.argv[1:2] in (["run"], ["doctor"]):
        from analyzer.host.permitted import use_permitted  # noqa: PLC0415 (with these alone)

        use_permitted()
    if sys.argv[1:2] == ["run"]:
        _run()
    else:
        _command_line(None)


def _run() -> None:
    from analyzer.recorder.daemon.signals import hold  # noqa: PLC0415 (with this command alone)

    hold()
    if sys.stderr is not None:
        # Where a hang is, if a watchdog ends it: files, lines and functions, no values.
        faulthandler.enable()
    from analyzer.recorder.early_attach import HeadStart  # noqa: PLC0415 (behind hold)

    head_start = HeadStart()
    try:
        head_start.begin(sys.argv[2:])
        _command_line(head_start)
    finally:
        head_start.drop()


def _command_line(head_start: Optional[HeadStart]) -> None:
    # Nothing is begun yet that an interrupt must end in order, and an import may swallow it.
    is_pythons = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if is_pythons:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from analyzer.cli import main as command_line  # noqa: PLC0415 (takes a while)

    if is_pythons:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    command_line(head_start)


if __name__ == "__main__":
    main()
