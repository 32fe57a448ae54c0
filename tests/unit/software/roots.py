"""Roots with a budget that no test uses up, and finders asked about one file or process."""

from __future__ import annotations

from pathlib import Path

from analyzer.software.budget import Budget
from analyzer.software.finders import Finder
from analyzer.software.found import Found
from analyzer.software.root import Root
from analyzer.software.subject import Subject

MUCH = 1 << 30


def open_root(directory: Path) -> Root:
    return Root(str(directory), Budget(bytes_max=MUCH, files_max=10_000, cpu_s=60))


def of_file(finder: Finder, root: Path, path: str) -> list[Found]:
    with open_root(root) as opened:
        return list(finder.of_file(opened, path))


def of_process(finder: Finder, root: Path, executable: str, **facts: object) -> list[Found]:
    with open_root(root) as opened:
        return list(finder.of_process(Subject(opened, executable, **facts)))  # type: ignore[arg-type]
