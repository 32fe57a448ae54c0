"""Checks where a process may be ended. `make lint` holds who may import whom (import-linter)."""

from __future__ import annotations

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "analyzer"


def test_only_the_command_line_ends_the_process() -> None:
    """sys.exit and os._exit stand in cli.py and in programs that are children of their own."""
    ending = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.glob("**/*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("sys.exit", "exit")
    }
    assert ending <= {"cli.py", "lab/imds.py", "commands/doctor.py", "commands/lab.py"}
