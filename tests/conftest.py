"""Lets the tests' programs be interrupted, also where the tests themselves are not to be.

A shell that runs the tests in the background has them ignore SIGINT, and so their children.
"""

from __future__ import annotations

import signal

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
