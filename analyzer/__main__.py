"""Run the command line: ``python -m analyzer``, and the installed command."""

from __future__ import annotations

import sys

from analyzer.orders import hold


def main() -> None:
    """Hold what may be ordered while modules are still imported, then do as told."""
    if sys.argv[1:2] == ["run"]:
        hold()
    from analyzer.cli import main as command_line  # noqa: PLC0415 (takes a while)

    command_line()


if __name__ == "__main__":
    main()
