"""Data flows one way: a stage imports itself and what all share, nothing else of ours."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "analyzer"
SHARED = {
    "analyzer",
    "analyzer.config.choices",
    "analyzer.recorder.clock",
    "analyzer.config.settings",
    "analyzer.config.rules",
    "analyzer.errors",
    "analyzer.recorder.masking",
    "analyzer.host.privileges",
    "analyzer.recorder.records",
    "analyzer.text",
    "analyzer.host.time_namespace",
    "analyzer.recorder.usage",
}

# stage: further modules it may import
STAGES: dict[str, set[str]] = {
    "sources": {"analyzer.recorder.sources.probe.layout"},
    "decode": set(),
    "classify": set(),
    "attribute": set(),
    "sinks": set(),
}


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""
            if node.module == "analyzer":
                yield from (f"analyzer.{alias.name}" for alias in node.names)


def _files(stage: str) -> list[Path]:
    return sorted((PACKAGE / stage).glob("**/*.py")) or [PACKAGE / f"{stage}.py"]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_imports_only_itself_and_what_all_share(stage: str) -> None:
    """No stage knows another."""
    allowed = SHARED | STAGES[stage] | {"analyzer.__version__"}
    for path in _files(stage):
        for name in _imports(path):
            if name.split(".")[0] == "analyzer" and name not in allowed:
                assert name.startswith(f"analyzer.{stage}"), f"{path.name} imports {name}"


def test_only_the_command_line_ends_the_process() -> None:
    """sys.exit and os._exit stand in cli.py and in programs that are children of their own."""
    ending = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.glob("**/*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("sys.exit", "exit")
    }
    assert ending <= {"cli.py", "lab/imds.py", "commands/doctor.py", "commands/lab.py"}
