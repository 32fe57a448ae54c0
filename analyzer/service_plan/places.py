"""Names the files of an installed service, below the root of a host."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

NAME = "imds-analyzer"
SERVICE = f"{NAME}.service"


class HostFiles(NamedTuple):
    """The files of one host; ``root`` is empty but in tests."""

    root: str

    @property
    def base(self) -> str:
        """The directory that install.sh owns."""
        return f"{self.root}/opt/{NAME}"

    @property
    def current(self) -> str:
        """The link to the release in use."""
        return f"{self.base}/current"

    @property
    def command(self) -> str:
        """The link to its program, in everybody's PATH."""
        return f"{self.root}/usr/local/bin/{NAME}"

    @property
    def config(self) -> str:
        """The operator's settings."""
        return f"{self.root}/etc/{NAME}/config.toml"

    @property
    def unit(self) -> str:
        """The unit; its drop-ins lie in the directory of the same name and ``.d``."""
        return f"{self.root}/etc/systemd/system/{SERVICE}"

    @property
    def logs(self) -> str:
        """The directory of the logs."""
        return f"{self.root}/var/log/{NAME}"

    @property
    def logrotate(self) -> str:
        """The rule for logrotate."""
        return f"{self.root}/etc/logrotate.d/{NAME}"

    @property
    def bcc_mark(self) -> str:
        """The file that exists after ``--with-bcc``, also for upgrades."""
        return f"{self.base}/with-bcc"

    def shipped(self, release: str, python_version: str) -> str:
        """Return the directory with the files that a release brings for the host."""
        return f"{release}/lib/python{python_version}/site-packages/analyzer/systemd"

    def exists(self, path: str) -> bool:
        """Tell whether a file is there, by its path on the host."""
        return Path(f"{self.root}{path}").exists()
