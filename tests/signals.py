"""Signals as a program finds them that was started from a terminal."""

from __future__ import annotations

import signal


def heed() -> None:
    """Undo what nohup and background jobs leave to children; for ``preexec_fn``.

    A shell cannot trap what is ignored, and Python installs no handler for it.
    """
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
