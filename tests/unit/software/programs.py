"""Makes trees of files, and asks finders about processes that would run in them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Union

from analyzer.software.budget import Budget
from analyzer.software.finders import Finder
from analyzer.software.found import EntryPoint, Found, Library
from analyzer.software.root import Root
from analyzer.software.subject import Subject

# A link to the path behind it.
LINK = "-> "


def make_tree(root: Path, files: Mapping[str, Union[str, bytes]]) -> Path:
    """Write files by their path below the root; a path that ends in ``/`` is a folder."""
    for name, text in files.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("/"):
            path.mkdir(exist_ok=True)
        elif isinstance(text, str) and text.startswith(LINK):
            path.symlink_to(text.removeprefix(LINK))
        else:
            path.write_bytes(text.encode() if isinstance(text, str) else text)
    return root


def ask(
    finder: Finder,
    tree: Path,
    executable: str,
    *args: str,
    script: str = "",
    cwd: str = "/",
    home: str = "",
    open_files: tuple[str, ...] = (),
) -> list[str]:
    """Return what a process runs, as ``shown`` has it."""
    with Root(str(tree), Budget(bytes_max=64 << 20, files_max=10000, cpu_s=60)) as root:
        subject = Subject(
            root, executable, args, script=script, cwd=cwd, home=home, open_files=open_files
        )
        return [shown(each) for each in finder.of_process(subject)]


def look(finder: Finder, tree: Path, path: str) -> list[str]:
    """Return what a file says, as ``shown`` has it; the finder wants the file by its name."""
    assert finder.is_wanted(path)
    with Root(str(tree), Budget(bytes_max=64 << 20, files_max=10000, cpu_s=60)) as root:
        return [shown(each) for each in finder.of_file(root, path)]


def shown(found: Found) -> str:
    """Return ``botocore 1.12.253 in /srv/botocore < boto3 1.9.253``, ``runs gunicorn 20.1.0``."""
    if isinstance(found, EntryPoint):
        return f"runs {found.name} {found.version} by {found.path}"
    assert isinstance(found, Library)
    by = f" < {', '.join(found.required_by)}" if found.required_by else ""
    return f"{found.name} {found.version} in {found.path}{by}"
