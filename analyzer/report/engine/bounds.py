"""Holds what the queries in ``queries/`` are filled with: bounds, patterns and names."""

from __future__ import annotations

from collections.abc import Mapping

from analyzer.imds import AWS, AZURE, DIGITALOCEAN, GCP, IBM, LINODE, OCI, OTHER_CLOUDS
from analyzer.logline.events import CAPTURE_READ, EVENTS, HEARTBEAT, LOST, STARTED, STOPPED
from analyzer.logline.fields import VERSIONS
from analyzer.logline.line import LINE_MAX
from analyzer.logline.named_caller import NOT_TEXT, TEXT_MAX, UNKNOWN
from analyzer.logline.strange import INSIDE
from analyzer.report.callers import EVIDENCE_MAX, EVIDENCE_OF_GROUP_MAX, FURTHER, SIGHTINGS_MAX
from analyzer.report.engine.numbers import CALLS, COUNT, NUMBERS, SECONDS_MAX
from analyzer.report.hosts import CAPTURE_HOST, CAPTURE_PROBE

MICROSECONDS = 1_000_000
MINUTE_US = 60 * MICROSECONDS
DAY_US = 86_400 * MICROSECONDS
# A request is counted when its line is due. Its answer is waited for, a minute at most, and so is
# the rest of its head.
COUNTED_LATE_US = 2 * MINUTE_US
USERS_LISTED_MAX = 10
AGENTS_LISTED_MAX = 10
# Kinds of use of one caller that are looked at; those that look least like its own come first.
USES_MAX = 100
# A time in UTC as the log has it, or as a database writes it.
TIME = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.][0-9]{1,9})?"
    r"(?:Z|[+]00(?::?00)?)?\z"
)
# Instance ids begin with i- or mi-. A name must not pass for one: see host_keys.sql.
HOST_MARK = "host="
LIKE_A_KEY = rf"^(m?i-|{HOST_MARK})"
# Of cloud-init, which runs at each boot, and user data's scripts. Its unit for devices that come
# later (cloud-init-hotplugd) is not one of them.
BOOT_UNITS = (
    *("cloud-init.service", "cloud-init-local.service", "cloud-init-main.service"),
    *("cloud-init-network.service", "cloud-config.service", "cloud-final.service"),
)
USER_DATA = "/var/lib/cloud/"
# How other releases and tools spell the clouds; the case of letters does not matter.
SPELLINGS: Mapping[str, str] = {
    **{provider: provider for provider in (AWS, *OTHER_CLOUDS)},
    **{name.lower(): provider for provider, name in OTHER_CLOUDS.items()},
    **dict.fromkeys(("google", "gce", "google cloud platform", "googlecloud"), GCP),
    **dict.fromkeys(("microsoft", "microsoft azure", "msft"), AZURE),
    **dict.fromkeys(("oracle", "oraclecloud", "oracle cloud infrastructure"), OCI),
    **dict.fromkeys(("alibaba", "aliyun", "alibaba cloud", "alibabacloud"), "alibaba"),
    **dict.fromkeys(("tencent", "tencent cloud", "tencentcloud"), "tencent"),
    **dict.fromkeys(("ibmcloud", "softlayer"), IBM),
    **dict.fromkeys(("huawei", "huawei cloud"), "huawei"),
    "digital ocean": DIGITALOCEAN,
    "akamai": LINODE,
    "scaleway": "scaleway",
    "exoscale": "exoscale",
    "upcloud": "upcloud",
    "cloudstack": "cloudstack",
}
# Characters of ``code``: the recorder writes half of it at most.
CODE_MAX = 1 << 17
# 2019-11-19, on which AWS announced IMDSv2. No line is older.
IMDSV2_SINCE_US = 1_574_121_600 * MICROSECONDS
# Lines about the analyzer itself that say when it was running, or what it has lost.
_MARKS = (HEARTBEAT, STARTED, STOPPED, LOST, CAPTURE_READ)

# Losses that leave every request recorded, without its outcome or its caller.
OF_NO_REQUEST = ("answers_", "senders_")

GLOBALS: Mapping[str, object] = {
    "MICROSECONDS": MICROSECONDS,
    "MINUTE_US": MINUTE_US,
    "COUNTED_LATE_US": COUNTED_LATE_US,
    "DAY_US": DAY_US,
    # Between the parts of a folded line's count, and between its counts.
    "UNIT": "chr(31)",
    "RECORD": "chr(30)",
    "MARKS": _MARKS,
    "OF_NO_REQUEST": OF_NO_REQUEST,
    # Kinds of calls in one folded line: 6 operations with 6 outcomes, and some more.
    "KINDS_MAX": 64,
    # Of one host. What is left out is the oldest: stretches of time are then not covered, losses
    # are one for each reason.
    "SPANS_MAX": 1000,
    "LOSSES_MAX": 200,
    "BOOTS_MAX": 200,
    "NAMES_MAX": 20,
    # As soon after a boot a call belongs to it.
    "AT_BOOT_US": 600 * MICROSECONDS,
    "BOOT_UNITS": BOOT_UNITS,
    "USER_DATA": USER_DATA,
    "SIGHTINGS_MAX": SIGHTINGS_MAX,
    # Of all sightings together: 2,000 hosts with ten callers each have as many in 50 days.
    "SIGHTING_DAYS_MAX": 1_000_000,
    "SPELLINGS": SPELLINGS,
    "PROVIDERS": sorted(set(SPELLINGS.values())),
    "EVENTS": tuple(EVENTS),
    "IMDSV2_SINCE_US": IMDSV2_SINCE_US,
    "INSIDE": INSIDE,
    "HOST_MARK": HOST_MARK,
    "LIKE_A_KEY": LIKE_A_KEY,
    # A heartbeat says how long it has been since the last; a second's difference comes from clocks
    # that are set while the analyzer runs.
    "GAP_US": 5 * MICROSECONDS,
    # The longest interval that can be configured.
    "INTERVAL_MAX_S": 86_400,
    "COUNT": COUNT,
    "CALLS": CALLS,
    "NUMBERS": NUMBERS,
    "SECONDS_MAX": SECONDS_MAX,
    "VERSIONS": VERSIONS,
    "TEXT_MAX": TEXT_MAX,
    "NOT_TEXT": NOT_TEXT,
    "UNKNOWN": UNKNOWN,
    "LINE_MAX": LINE_MAX,
    "CODE_MAX": CODE_MAX,
    "EVIDENCE_OF_GROUP_MAX": EVIDENCE_OF_GROUP_MAX,
    "EVIDENCE_MAX": EVIDENCE_MAX,
    "CAPTURE_HOST": CAPTURE_HOST,
    "CAPTURE_PROBE": CAPTURE_PROBE,
    "FURTHER": FURTHER,
}
