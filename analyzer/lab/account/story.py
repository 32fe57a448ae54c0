"""Tells the story of the lab's accounts as tables: what is in them, who is watched, who calls.

Two accounts in three Regions. The tables are all that is made up; everything else follows.
"""

from __future__ import annotations

import datetime
import enum
from typing import NamedTuple, Optional

IRELAND, VIRGINIA, MUMBAI = "eu-west-1", "us-east-1", "ap-south-1"
REGIONS = (IRELAND, VIRGINIA, MUMBAI)
PRODUCTION, SHOP = "production", "shop"

# The instances are older than what CloudWatch is asked for, so that its silence counts.
LIFE = datetime.timedelta(days=16)
# The verdict judges seven days; the logs begin before them.
WATCHED = datetime.timedelta(days=9)
HOUR = datetime.timedelta(hours=1)


class Calls(enum.Enum):
    """Calls of a watched instance: those of all programs of the lab, or those by v2 alone."""

    ALL = "all"
    V2 = "v2"


class Machine(NamedTuple):
    """An instance. ``calls`` is None where nobody watches it.

    ``counted`` are v1 calls an hour, once in 12 hours, that CloudWatch counts where no log is.
    ``gone`` is how long ago a group replaced it.
    """

    name: str
    account: str
    region: str
    tokens: str
    image: str
    team: str
    group: Optional[str] = None
    calls: Optional[Calls] = None
    counted: int = 0
    gone: Optional[datetime.timedelta] = None


class Group(NamedTuple):
    """An Auto Scaling group. ``version`` is what it asks its template of the same name for."""

    name: str
    account: str
    region: str
    version: Optional[str]
    tokens: tuple[str, ...]


_BATCH = Machine("batch-2", PRODUCTION, VIRGINIA, "optional", "old", "data", "batch", Calls.V2)
MACHINES = (
    Machine("web-1", PRODUCTION, IRELAND, "optional", "old", "web", "web", Calls.ALL),
    Machine("api-1", PRODUCTION, IRELAND, "optional", "new", "api", "api", Calls.V2),
    Machine("api-2", PRODUCTION, IRELAND, "optional", "new", "api", "api", Calls.V2),
    _BATCH._replace(name="batch-1", calls=Calls.ALL, gone=datetime.timedelta(days=3)),
    # What called by v1 on its predecessor has not been seen on it by v2.
    _BATCH,
    Machine("cron-1", PRODUCTION, VIRGINIA, "optional", "old", "data", counted=25),
    Machine("archive-1", PRODUCTION, MUMBAI, "optional", "old", "data"),
    Machine("legacy-1", SHOP, IRELAND, "optional", "old", "shop", "legacy", counted=4),
    Machine("search-1", SHOP, VIRGINIA, "required", "new", "shop"),
)

# ``tokens`` are those of the template's versions, the last of which is the default and the latest.
GROUPS = (
    Group("web", PRODUCTION, IRELAND, "1", ("optional", "required")),  # pins the old one
    Group("api", PRODUCTION, IRELAND, "$Default", ("required",)),
    Group("batch", PRODUCTION, VIRGINIA, "$Latest", ("optional",)),  # replaced its instance
    Group("legacy", SHOP, IRELAND, None, ()),  # by a launch configuration that says nothing
)

# The account's defaults for new instances, where it has set any.
DEFAULTS = {(SHOP, VIRGINIA): {"HttpTokens": "required"}}
