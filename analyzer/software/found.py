"""Defines what can be found of software: libraries, packages, lines of scripts, origins."""

from __future__ import annotations

from typing import NamedTuple, Union

# As the table of clients names them (analyzer.clients).
ECOSYSTEMS = (
    "maven", "pypi", "npm", "gem", "composer", "nuget", "go", "cargo", "cpan",
)  # fmt: skip
MANAGERS = ("dpkg", "rpm", "apk", "snap", "pip", "gem", "npm")
ORIGINS = ("cron", "timer", "unit", "user-data", "init", "profile")


class Library(NamedTuple):
    """A library that a program can load.

    ``ecosystem`` is one of ECOSYSTEMS. ``name`` is the ecosystem's own
    (``com.amazonaws:aws-java-sdk-core``, ``botocore``, ``github.com/aws/aws-sdk-go``); it is an
    artifact's name alone where the group is unknown. ``version`` is "" if unknown. ``path`` is
    the place in the program's own root; inside an archive ``app.jar!/BOOT-INF/lib/x.jar``.
    ``required_by`` names what asks for it, with its version: ``s3transfer 0.1.13``.
    """

    ecosystem: str
    name: str
    version: str
    path: str
    required_by: tuple[str, ...] = ()


class Package(NamedTuple):
    """The package that owns a file.

    ``manager`` is one of MANAGERS, ``path`` the file that is owned, ``vendor`` the package's
    maintainer or vendor, "" if unknown.
    """

    manager: str
    name: str
    version: str
    path: str
    vendor: str = ""


class ScriptLine(NamedTuple):
    """A line of a script that calls IMDS.

    ``line`` counts from 1, ``text`` is masked and cut. ``use`` is ``call`` for a call without a
    token in sight, ``token`` for one with a token or for it, ``tool`` for ``ec2metadata``.
    """

    path: str
    line: int
    text: str
    use: str = "call"


class Origin(NamedTuple):
    """The place that starts a program: a crontab's line, a timer, a unit, user data.

    ``kind`` is one of ORIGINS; ``line`` is 0 where the file as a whole says it.
    """

    kind: str
    path: str
    line: int = 0
    name: str = ""


class EntryPoint(NamedTuple):
    """The application that an interpreter runs, by its entry point: ``gunicorn 20.1.0``."""

    ecosystem: str
    name: str
    version: str
    path: str


Found = Union[Library, Package, ScriptLine, Origin, EntryPoint]
