"""Declares the fields of ``caller_evidence``: the code of a caller, as it was read from its host.

See fields.py. Members of the lists have the names of ECS's `package` fields, where it has one.
"""

from __future__ import annotations

from typing import Annotated, TypedDict

from analyzer.logline.callers import (
    DEVICE,
    NOT_KNOWN,
    NOT_READ,
    PID_MEANING,
    Container,
    Orchestrator,
    Service,
    User,
)
from analyzer.logline.facts import (
    COUNTED,
    NOT_EMPTY,
    PID,
    TEXT,
    TIME,
    Fact,
    between,
    items,
    one_of,
)
from analyzer.logline.fields import Who

NOTHING_FOUND = "if none was found"
# As analyzer.software.found has them, which this module may not import.
ECOSYSTEMS = (
    "maven", "pypi", "npm", "gem", "composer", "nuget", "go", "cargo", "cpan",
)  # fmt: skip
MANAGERS = ("dpkg", "rpm", "apk", "snap", "pip", "gem", "npm")
ORIGINS = ("cron", "timer", "unit", "user-data", "init", "profile")


class EvidenceImds(TypedDict, total=False):
    """The caller."""

    caller: Annotated[Who, Fact("The caller by name, as in its requests.")]


class EvidenceProcess(TypedDict, total=False):
    """The process that was looked at."""

    pid: Annotated[int, Fact(PID_MEANING, rule=PID)]
    name: Annotated[str, Fact("Name of the process in the kernel (comm).", "if it is empty", TEXT)]
    executable: Annotated[
        str, Fact("Path of the executable, from the kernel at the call.", NOT_READ, TEXT)
    ]
    executable_inode: Annotated[
        int, Fact("Inode number of the executable.", NOT_KNOWN, between(1, 2**64 - 1))
    ]
    executable_device: Annotated[
        str, Fact("Device of the executable, major:minor.", NOT_KNOWN, DEVICE)
    ]
    mount_namespace: Annotated[
        int,
        Fact("Inode number of the mount namespace of all paths.", NOT_KNOWN, between(1, 2**32 - 1)),
    ]
    start: Annotated[str, Fact("Start time of the process.", rule=TIME)]
    user: Annotated[User, Fact("The user that it runs as.")]


class CodeLibrary(TypedDict, total=False):
    """A library that the program can load."""

    type: Annotated[str, Fact("Its ecosystem.", rule=one_of(*ECOSYSTEMS))]
    name: Annotated[str, Fact("Name in the ecosystem, such as `botocore`.", rule=TEXT)]
    version: Annotated[str, Fact("Version.", NOT_KNOWN, TEXT)]
    path: Annotated[
        str, Fact("Path in the program's root. `!` precedes the path in an archive.", rule=TEXT)
    ]
    required_by: Annotated[
        list[str],
        Fact(
            "Packages that require it, with versions.", "if none does", {**NOT_EMPTY, **items(TEXT)}
        ),
    ]


class CodePackage(TypedDict, total=False):
    """The package that owns a file of the program."""

    type: Annotated[str, Fact("Package manager.", rule=one_of(*MANAGERS))]
    name: Annotated[str, Fact("Package name.", rule=TEXT)]
    version: Annotated[str, Fact("Version.", NOT_KNOWN, TEXT)]
    path: Annotated[str, Fact("The owned file.", rule=TEXT)]
    vendor: Annotated[str, Fact("Vendor or maintainer.", NOT_KNOWN, TEXT)]


class CodeEntryPoint(TypedDict, total=False):
    """The application that an interpreter runs."""

    type: Annotated[str, Fact("Its ecosystem.", rule=one_of(*ECOSYSTEMS))]
    name: Annotated[str, Fact("Name, such as `gunicorn`.", rule=TEXT)]
    version: Annotated[str, Fact("Version.", NOT_KNOWN, TEXT)]
    path: Annotated[str, Fact("The started file.", NOT_KNOWN, TEXT)]


class CodeLine(TypedDict, total=False):
    """A line of a script that names IMDS."""

    path: Annotated[str, Fact("Path of the script.", rule=TEXT)]
    line: Annotated[int, Fact("Line number, from 1.", rule=COUNTED)]
    use: Annotated[
        str,
        Fact(
            "`call`: without a token in sight. `token`: with a token, or for one. `tool`: by"
            " `ec2metadata`.",
            rule=one_of("call", "token", "tool"),
        ),
    ]
    text: Annotated[
        str,
        Fact("The line. Secrets are `[redacted]`.", 'with `[log] arguments = "names"`', TEXT),
    ]


class CodeScript(TypedDict, total=False):
    """The script."""

    lines: Annotated[list[CodeLine], Fact("At most five lines that name IMDS.", rule=NOT_EMPTY)]


class CodeOrigin(TypedDict, total=False):
    """The place that starts the program."""

    type: Annotated[str, Fact("Kind of the place.", rule=one_of(*ORIGINS))]
    path: Annotated[str, Fact("Path of the file.", rule=TEXT)]
    name: Annotated[str, Fact("Name of the unit or timer.", NOT_KNOWN, TEXT)]
    line: Annotated[int, Fact("Line number, from 1.", "if the whole file is meant", COUNTED)]


class Code(TypedDict, total=False):
    """Findings in a caller's code."""

    libraries: Annotated[
        list[CodeLibrary], Fact("Libraries that can call IMDS.", NOTHING_FOUND, NOT_EMPTY)
    ]
    packages: Annotated[
        list[CodePackage], Fact("Packages that own its files.", NOTHING_FOUND, NOT_EMPTY)
    ]
    entry_point: Annotated[CodeEntryPoint, Fact("The application.", NOTHING_FOUND)]
    script: Annotated[CodeScript, Fact("The script.", NOTHING_FOUND)]
    origins: Annotated[list[CodeOrigin], Fact("Places that start it.", NOTHING_FOUND, NOT_EMPTY)]
    lacks: Annotated[
        list[str],
        Fact(
            "Reasons why less was found than there may be. `limit`: the look used up its CPU time"
            " or bytes.",
            "if there are none",
            {**NOT_EMPTY, **items(TEXT)},
        ),
    ]
    left_out: Annotated[int, Fact("Findings that had no room in the line.", "if none", COUNTED)]


class CallerEvidence(TypedDict, total=False):
    """A caller, with the findings in its code."""

    imds: Annotated[EvidenceImds, Fact("The caller.")]
    process: Annotated[EvidenceProcess, Fact("The process that was looked at.")]
    container: Annotated[Container, Fact("The caller's container.", "outside of containers")]
    orchestrator: Annotated[
        Orchestrator, Fact("The orchestrator of the container.", "without an orchestrator")
    ]
    service: Annotated[Service, Fact("The caller's unit.", "outside of units")]
    code: Annotated[Code, Fact("What was found.", "if nothing was found")]
