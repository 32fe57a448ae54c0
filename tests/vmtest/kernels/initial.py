"""The initial file system that a machine starts with: one program, `/init`, and what it takes."""

from __future__ import annotations

import lzma
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path


def make(busybox: Path, modules: Mapping[str, Path], script: str, target: Path) -> None:
    """Write it: busybox in /bin, modules (name in the root: file, may be .xz), `/init`."""
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch)
        (tree / "bin").mkdir()
        shutil.copy(busybox, tree / "bin" / "busybox")
        for name, path in modules.items():
            data = path.read_bytes()
            (tree / name).write_bytes(lzma.decompress(data) if path.suffix == ".xz" else data)
        init = tree / "init"
        init.write_text(script, encoding="utf-8")
        init.chmod(0o755)
        names = "".join(f"{path.relative_to(tree)}\n" for path in sorted(tree.rglob("*")))
        archive = subprocess.run(
            ["busybox", "cpio", "-o", "-H", "newc"],
            cwd=tree,
            input=names.encode(),
            capture_output=True,
            check=True,
        )
    target.write_bytes(archive.stdout)
