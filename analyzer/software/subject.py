"""Defines the subject of a look at software: one process, or one program that is gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from analyzer.software.root import Root


@dataclass(frozen=True)
class Subject:
    """A process as its log line names it, and the root that its paths are relative to.

    ``args`` are as the process has them, so paths in them may be relative to ``cwd``. ``pid`` is
    None if the process is gone: finders then use its files alone. ``script`` is the path of the
    script that an interpreter runs, "" for none. ``open_files`` are the paths that
    /proc/PID/fd and /proc/PID/maps name, and empty for a process that is gone.
    """

    root: Root
    executable: str
    args: tuple[str, ...] = ()
    pid: Optional[int] = None
    script: str = ""
    cwd: str = "/"
    unit: str = ""
    home: str = ""
    open_files: tuple[str, ...] = ()
