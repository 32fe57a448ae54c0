"""Undoes what nohup and a shell's background jobs leave to their children: ignored signals.

A shell cannot trap what is ignored, and Python installs no handler for it.
"""

from __future__ import annotations

import signal

# Starts the command behind it as a terminal would; `preexec_fn` is unsafe beside other threads.
HEEDED = ("env", "--default-signal=HUP,INT,TERM")


def heed_interrupts() -> None:
    """Let Ctrl-C end this process and those that it starts. SIGHUP stays as nohup wants it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
