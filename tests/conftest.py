"""Lets Ctrl-C end the tests and their programs, also those that a shell runs in the background."""

from __future__ import annotations

from tests import signals

signals.heed_interrupts()
