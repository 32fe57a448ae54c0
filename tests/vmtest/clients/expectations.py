"""What each kind of client is known to send, by how the instance's metadata options are set."""

from __future__ import annotations

from typing import NamedTuple, Optional

from analyzer.lab.service import MetadataOptions


class Setting(NamedTuple):
    """How the instance's metadata options are set. ``patience_s``: how long a client waits."""

    name: str
    options: MetadataOptions
    patience_s: int
    title: str

    def timeout_s(self, slowness: float) -> int:
        """Return the time-out to give to clients on a machine that is so many times slower."""
        return round(self.patience_s + slowness)


# Only where nothing will come is a client kept from waiting long: a short time-out on a busy
# machine would make a client fall back that need not.
SETTINGS = (
    Setting("optional", MetadataOptions(), 20, "IMDS takes calls with and without a token"),
    Setting(
        "required", MetadataOptions(require_tokens=True), 20, "IMDS refuses calls without a token"
    ),
    Setting(
        "dropped",
        MetadataOptions(drop_tokens=True),
        1,
        "the token request is not answered, as behind a hop limit",
    ),
)


class Kind(NamedTuple):
    """What a record says of a request. ``outcome`` is None where it was not seen."""

    version: str
    reason: str
    outcome: Optional[str]

    def __str__(self) -> str:
        """Return the three in one line."""
        return f"{self.version} {self.reason} {self.outcome or '(no outcome)'}"


class Expectation(NamedTuple):
    """The kinds of requests in order of first appearance, per setting, and why these.

    How many there are of each kind is not told here: that IMDS itself counts.
    """

    optional: tuple[Kind, ...]
    required: tuple[Kind, ...]
    dropped: tuple[Kind, ...]
    why: str

    def kinds(self, setting: Setting) -> tuple[Kind, ...]:
        """Return what is expected in a setting."""
        kinds: tuple[Kind, ...] = getattr(self, setting.name)
        return kinds


BARE = Kind("v1", "no_token_header", "success")
BARE_REFUSED = Kind("v1", "no_token_header", "rejected")
TOKEN = Kind("v2", "token_request", "success")
TOKEN_LOST = Kind("v2", "token_request", "no_response")
WITH_TOKEN = Kind("v2", "token_header", "success")
FALLBACK = Kind("v1", "fallback_after_token_failure", "success")

V1_ONLY = Expectation(
    (BARE,),
    (BARE_REFUSED,),
    (BARE,),
    "knows no session tokens: enforcement breaks it, and the hop limit is nothing to it",
)
FALLS_BACK = Expectation(
    (TOKEN, WITH_TOKEN),
    (TOKEN, WITH_TOKEN),
    (TOKEN_LOST, FALLBACK),
    "asks for a token first, and goes on without one when none comes",
)
BOTH_WAYS = Expectation(
    (BARE, TOKEN, WITH_TOKEN),
    (BARE_REFUSED, TOKEN, WITH_TOKEN),
    (BARE, TOKEN_LOST, FALLBACK),
    "our program calls both ways from one process, and without a token when none comes",
)
PROCESS_PER_CALL = Expectation(
    (BARE, TOKEN, WITH_TOKEN),
    (BARE_REFUSED, TOKEN, WITH_TOKEN),
    (BARE, TOKEN_LOST),
    "our script calls both ways, each by a process of its own, and a fallback is told by process",
)
NEVER_FALLS_BACK = Expectation(
    (TOKEN, WITH_TOKEN),
    (TOKEN, WITH_TOKEN),
    (TOKEN_LOST,),
    "asks for all there is with a token, and for nothing when none comes (since 20.2, on EC2)",
)
TOKEN_ALONE = Expectation(
    (TOKEN, WITH_TOKEN),
    (TOKEN, WITH_TOKEN),
    (TOKEN_LOST,),
    "asks with a token alone, and for nothing when none comes",
)
ROLE_WITHOUT = Expectation(
    (BARE, TOKEN, WITH_TOKEN),
    (BARE_REFUSED,),
    (BARE, TOKEN_LOST, FALLBACK),
    "asks for the role's name without a token, and for its credentials with one",
)
