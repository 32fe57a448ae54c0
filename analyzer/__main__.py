"""Run the command line: ``python -m analyzer``, and the installed command."""

from __future__ import annotations

import faulthandler
import sys

from analyzer.orders import hold


def main() -> None:
    """Hold what may be ordered while modules are still imported, then do as told."""
    if sys.argv[1:2] == ["run"]:
        hold()
        if sys.stderr is not None:
            # Where a hang is, if a watchdog ends it: files, lines and functions, no values.
            faulthandler.enable()
    from analyzer.cli import main as command_line  # noqa: PLC0415 (takes a while)

    command_line()


if __name__ == "__main__":
    main()
