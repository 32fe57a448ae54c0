"""States the fix for a library, a package or a script's line that calls, or would call, IMDSv1.

The report says it of what was seen, ``scan`` of what lies on the disk: in the same words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Optional

from analyzer.clients.entry import Client
from analyzer.clients.table import Clients

# A version that cannot speak v2; one that is not known.
OLD, UNKNOWN = "old", "unknown"


class Cure(NamedTuple):
    """A fix as a sentence; ``state`` is OLD or UNKNOWN."""

    state: str
    sentence: str
    client: Optional[Client] = None


def of_library(
    clients: Clients,
    ecosystem: str,
    name: str,
    version: str,
    path: str,
    required_by: Sequence[str] = (),
) -> Optional[Cure]:
    """Return the fix of a library at a version; None if it needs none, or no entry names it."""
    client = maybe_client(clients, ecosystem, name)
    if client is None:
        return None
    short = name.rpartition(":")[2] if ecosystem == "maven" else name
    cure = _upgrade(client, short, version, path)
    if cure is None or not required_by:
        return cure
    return cure._replace(sentence=f"{cure.sentence} It is required by {', '.join(required_by)}.")


def of_package(clients: Clients, name: str, version: str, path: str) -> Optional[Cure]:
    """Return the fix of an installed package; ``path`` is the database that names it."""
    client = clients.maybe_package(name)
    return None if client is None else _upgrade(client, name, version, path)


def of_line(path: str, line: int) -> Cure:
    """Return the fix of a script's line that calls without a token."""
    return Cure(
        OLD,
        f"`{path}:{line}` calls without a token. Request a token first and send it with each"
        " request.",
    )


def maybe_client(clients: Clients, ecosystem: str, name: str) -> Optional[Client]:
    """Return the entry of a library; a jar whose group is unknown is found by its artifact."""
    found = clients.maybe_library(ecosystem, name)
    if found is not None or ecosystem != "maven" or ":" in name:
        return found
    ending = f":{name}"
    return next(
        (
            each
            for each in clients.entries
            if any(text.startswith("maven:") and text.endswith(ending) for text in each.library)
        ),
        None,
    )


def _upgrade(client: Client, name: str, version: str, path: str) -> Optional[Cure]:
    # An epoch is the distribution's, not the program's (deb-version(7)).
    is_below = client.maybe_is_below(version.rpartition(":")[2])
    if is_below is False or client.needs == "0":
        return None
    goal = f"to {client.needs} or later" if client.needs else ""
    if is_below is None:
        floor = f" It must be {client.needs} or later." if client.needs else ""
        return Cure(UNKNOWN, f"Find the version of `{name}` in `{path}`.{floor}", client)
    if not goal:
        advice = f" {client.advice}" if client.advice else ""
        return Cure(
            OLD,
            f"Replace `{name}` {version} in `{path}`: no version that needs no IMDSv1 is known."
            f"{advice}",
            client,
        )
    return Cure(OLD, f"Upgrade `{name}` {version} in `{path}` {goal}.", client)
