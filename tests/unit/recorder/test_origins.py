"""A realm has so many budgets, whoever is in it."""

from __future__ import annotations

import pytest

from analyzer.recorder.origins import ORIGINS_OF_NO_REALM, ORIGINS_OF_REALM, REALMS_MAX, Realms

IDLE_NS = 10


@pytest.mark.parametrize(
    ("realm", "most"), [("/user.slice/user-1001.slice", ORIGINS_OF_REALM),
                        ("", ORIGINS_OF_NO_REALM)]
)  # fmt: skip
def test_further_origins_of_a_realm_count_together(realm: str, most: int) -> None:
    """Those of another realm do not; who has a place keeps it."""
    realms = Realms(IDLE_NS)
    found = [realms.counted_for(number, realm, 1) for number in range(most + 3)]
    assert found == [*range(most), *[("rest of", realm)] * 3]
    assert realms.counted_for(most, "/other.service", 1) == most
    assert realms.counted_for(0, realm, IDLE_NS) == 0


def test_an_idle_origin_leaves_its_place() -> None:
    """Once it has its whole burst again, and not before."""
    realms = Realms(IDLE_NS)
    for number in range(ORIGINS_OF_REALM):
        realms.counted_for(number, "/a", 1)
    realms.counted_for(0, "/a", 2)
    assert realms.counted_for("late", "/a", IDLE_NS) == ("rest of", "/a")
    assert realms.counted_for("late", "/a", IDLE_NS + 1) == "late"
    # The one that was used longest ago, which is then one of the rest itself.
    others = [*range(2, ORIGINS_OF_REALM), 0]
    assert [realms.counted_for(each, "/a", IDLE_NS + 1) for each in others] == others
    assert realms.counted_for(1, "/a", IDLE_NS + 1) == ("rest of", "/a")


def test_realms_are_bounded() -> None:
    """The one that was used longest ago is forgotten."""
    realms = Realms(IDLE_NS)
    for number in range(ORIGINS_OF_REALM):
        realms.counted_for(number, "/first", 1)
    for number in range(REALMS_MAX - 1):
        realms.counted_for(0, f"/{number}", 1)
    assert realms.counted_for("more", "/first", 1) == ("rest of", "/first")
    for number in range(REALMS_MAX):
        realms.counted_for(0, f"/{number}", 1)
    assert realms.counted_for("more", "/first", 1) == "more"
