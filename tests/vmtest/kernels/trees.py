"""File trees that machines of another type run on, unpacked from Debian's packages and kept.

No program of the other machine type is run to make one, and so none of the packages' scripts:
what of their work is needed, a recipe names.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.vmtest.clients.targets import ForeignPython, compile_ahead
from tests.vmtest.kernels.kernels import cache_dir, extract, locked
from tests.vmtest.kernels.mirror import machine_mirrors
from tests.vmtest.kernels.packages import Apt

ACCOUNTS = ("passwd", "group")
# Nobody reads these in the guest, and they are a third of the files.
UNREAD = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info")
# Before Debian 13, whose base-files has them, these came from an installer.
MERGED = ("bin", "sbin", "lib")
MARKER = "whole"


class Recipe(NamedTuple):
    """What a tree is made of. ``links``, by path, are what the packages' scripts would make.

    ``compiled`` are folders with the Python that they are compiled for, where that can be done.
    """

    name: str
    arch: str
    suites: tuple[str, ...]
    packages: tuple[str, ...]
    links: tuple[tuple[str, str], ...]
    compiled: tuple[tuple[str, ForeignPython], ...] = ()

    @property
    def directory(self) -> Path:
        """Where the tree is kept. Another recipe of the same name has another directory."""
        lists = (self.suites, self.packages, dict(self.links), ACCOUNTS, UNREAD)
        facts = repr((*lists, *self.compiled))
        name = f"{self.name}-{hashlib.sha256(facts.encode()).hexdigest()[:12]}"
        return cache_dir().parent / "roots" / name

    def make(self, *, refresh: bool = False) -> Path:
        """Return the tree; makes it where there is none, in a minute or some. Raises VmError."""
        final = self.directory
        final.parent.mkdir(parents=True, exist_ok=True)
        with locked(final.parent / "lock"):
            if (final / MARKER).exists() and not refresh:
                return final
            # Nothing under the final name is ever incomplete: it appears by a rename.
            scratch = Path(tempfile.mkdtemp(prefix=".partial-", dir=final.parent))
            try:
                apt = Apt(scratch / "apt", machine_mirrors(), self.suites, self.arch)
                apt.update()
                tree = scratch / "tree"
                for name in MERGED:
                    (tree / "usr" / name).mkdir(parents=True)
                    (tree / name).symlink_to(f"usr/{name}")
                for deb in apt.download(apt.closure(self.packages), scratch / "debs"):
                    extract(deb, tree)
                self._finish(tree)
                shutil.rmtree(final, ignore_errors=True)
                tree.rename(final)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
            for other in final.parent.glob(f"{self.name}-*"):
                if other != final:
                    shutil.rmtree(other)
        return final

    def _finish(self, tree: Path) -> None:
        for link, target in self.links:
            path = tree / link
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(target)
        for name in ACCOUNTS:
            source = tree / "usr" / "share" / "base-passwd" / f"{name}.master"
            shutil.copy(source, tree / "etc" / name)
        (tree / "etc" / "hosts").write_text("127.0.0.1 localhost\n::1 localhost\n", "utf-8")
        for folder, python in self.compiled:
            compile_ahead(tree / folder, python, tree)
        (tree / "usr" / "lib" / "modules").mkdir(exist_ok=True)
        for folder in UNREAD:
            shutil.rmtree(tree / folder, ignore_errors=True)
        (tree / MARKER).touch()
