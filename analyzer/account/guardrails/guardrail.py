"""Defines a file that keeps IMDSv1 off: what it is, what it stops, and how it is applied."""

from __future__ import annotations

import enum
import shlex
from dataclasses import dataclass
from pathlib import Path

FILES = Path(__file__).with_name("files")
# Stands in a command for what only the operator knows.
TARGET = "TARGET_ID"


class Kind(enum.Enum):
    """Kind of a file, as AWS names it. The value is how the documents call it."""

    CLOUDFORMATION = "CloudFormation template"
    DECLARATIVE = "declarative policy for EC2"
    SERVICE_CONTROL = "service control policy"
    IDENTITY = "IAM policy, or service control policy"
    ENDPOINT = "VPC endpoint policy"


@dataclass(frozen=True)
class Guardrail:
    """A file, and what it is worth.

    ``gaps`` are sentences on what it does not stop. ``is_way_back_shut`` says that once it is
    applied, IMDSv1 cannot simply be turned on again. ``commands`` have DIRECTORY where the
    directory of the files belongs.
    """

    file: str
    kind: Kind
    title: str
    effect: str
    gaps: tuple[str, ...]
    commands: tuple[str, ...]
    is_way_back_shut: bool = False

    @property
    def text(self) -> str:
        """The file's content."""
        return (FILES / self.file).read_text(encoding="utf-8")

    def commands_in(self, directory: str) -> tuple[str, ...]:
        """Return the commands that apply the file from a directory."""
        place = shlex.quote(directory.rstrip("/") or "/")
        return tuple(each.replace("DIRECTORY", place) for each in self.commands)
