"""Finds out of an instance's tags who owns it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Optional

# Keys of tags that teams put an owner in, without case and separators; the first found counts.
OWNER_TAGS = (
    "owner", "owners", "ownedby", "serviceowner", "technicalowner", "ownerteam", "owningteam",
    "team", "teamname", "squad", "contact", "owneremail", "owneremailaddress", "maintainer",
    "department", "costcenter", "costcentre", "project", "service", "application", "app",
)  # fmt: skip


def maybe_owner(tags: Mapping[str, str]) -> Optional[str]:
    """Return who owns an instance with these tags; None where no tag says so."""
    by_key: dict[str, str] = {}
    for key, value in sorted(tags.items()):
        by_key.setdefault(_plain(key), value)
    return next((by_key[each] for each in OWNER_TAGS if each in by_key), None)


def _plain(key: str) -> str:
    return re.sub(r"[\s_.:/-]+", "", key).lower()
