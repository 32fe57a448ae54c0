"""A use is joined with the callers that fetched these credentials, and with no others."""

from __future__ import annotations

import json

import pytest

from analyzer.account.credentials.joining import LIFETIME, Fetch, Known, join
from analyzer.account.credentials.uses import Uses, counted, maybe_use
from analyzer.account.credentials.words import as_json, as_text
from tests.unit.account.credentials.records import (
    AT,
    HOUR,
    INSTANCE,
    MINUTE,
    OTHER,
    ROLE,
    record,
    some,
)


def uses(*records: object) -> tuple[Uses, ...]:
    return counted(use for each in records or some() if (use := maybe_use(each)) is not None)


def fetch(
    at: object = AT - MINUTE, caller: str = "curl from deploy.sh", **changes: object
) -> Fetch:
    given: dict[str, object] = {"instance": INSTANCE, "role": ROLE, **changes}
    return Fetch(caller=caller, first_at=at, last_at=at, **given)  # type: ignore[arg-type]


def test_uses_are_grouped_by_role_instance_and_user_agent() -> None:
    first, second = join(uses(), [fetch()], {INSTANCE})
    assert (first.role, first.instance, first.calls) == (ROLE, INSTANCE, 4)
    assert first.actions == (("s3:GetObject", 3), ("s3:ListBuckets", 1))
    assert first.sources == ("10.0.0.7", "AWS Internal")
    assert first.callers == ("curl from deploy.sh",)
    assert (second.instance, second.known) == (OTHER, Known.NOT_WATCHED)


@pytest.mark.parametrize(
    ("of", "fits"),
    [
        (fetch(AT - HOUR), True),  # when they were made
        (fetch(AT - HOUR - 4 * MINUTE), True),  # clocks differ
        (fetch(AT - HOUR - 6 * MINUTE), False),  # before they were made
        (fetch(AT), True),
        (fetch(AT + 6 * MINUTE), False),  # after they were used
        (fetch(role=None), True),
        (fetch(role="another"), False),
        (fetch(instance=OTHER), False),
    ],
)
def test_a_fetch_fits_between_the_making_and_the_last_use(of: Fetch, *, fits: bool) -> None:
    (joined,) = join(uses(record()), [of], {INSTANCE})
    assert joined.callers == (("curl from deploy.sh",) if fits else ())
    assert joined.known is (Known.CALLERS if fits else Known.NOBODY)


def test_without_the_time_of_making_the_lifetime_counts() -> None:
    use = uses(record(issued_at=None))
    assert join(use, [fetch(AT - LIFETIME)], {INSTANCE})[0].known is Known.CALLERS
    assert join(use, [fetch(AT - LIFETIME - HOUR)], {INSTANCE})[0].known is Known.NOBODY


def test_callers_with_the_most_fetches_come_first() -> None:
    fetches = [fetch(caller="a"), fetch(caller="b", calls=3), fetch(caller="a", at=AT)]
    assert join(uses(record()), fetches, ())[0].callers == ("b", "a")


def test_the_words_say_who_or_what_to_do() -> None:
    text = as_text(join(uses(), [fetch()], {INSTANCE, OTHER}))
    assert "5 API calls with credentials from IMDSv1" in text
    assert f"{ROLE} on {INSTANCE}" in text
    assert "-> fetched by curl from deploy.sh" in text
    assert "no caller fetched them by IMDSv1 at that time" in text
    assert "has no log" in as_text(join(uses(), [], ()))
    assert "No API call" in as_text(())


def test_the_words_are_safe_on_a_terminal() -> None:
    text = as_text(join(uses(record(agent="\x1b[31m", action="A\nB")), [fetch(caller="\x07")], ()))
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "A\nB" not in text


def test_json_has_the_same_sums() -> None:
    joined = join(uses(), [fetch()], {INSTANCE})
    document = json.loads(as_json(joined, ["i-1: was not looked up"]))
    assert document["calls"] == sum(each["calls"] for each in document["uses"]) == 5
    assert [each["known"] for each in document["uses"]] == ["callers", "not_watched"]
    assert document["is_complete"] is False
