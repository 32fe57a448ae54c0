"""Keys of callers: what tells their users."""

from __future__ import annotations

import pytest

from analyzer.logline.caller import identify
from analyzer.logline.keys import Place
from analyzer.logline.recognition import Image


@pytest.mark.parametrize(
    ("uid", "place", "told"),
    [
        (1000, Place(), "1000"),
        # systemd's DynamicUser= gives another number with each start of the unit.
        (61184, Place("agent.service"), "dynamic"),
        (61184, Place("agent.service", is_unit_chosen=True), "61184"),
        (61184, Place(), "61184"),
        # A user namespace gets its 65536 numbers anew with each container.
        (524_288 + 33, Place(container="docker"), "mapped-33"),
        (524_288 + 65_536 + 33, Place(container="docker"), "mapped-33"),
        (524_288 + 33, Place(), "524321"),
    ],
)
def test_a_user_is_told_by_what_stays_of_its_number(uid: int, place: Place, told: str) -> None:
    image = Image(7, uid, "curl", "/usr/bin/curl", ("curl", "x"))
    assert f"uid={told};" in identify(image, [], place).key


def test_where_no_launcher_tells_the_job_it_is_the_nearest() -> None:
    """What started it says more than nothing, and less than a job further up."""
    own = Image(7, 0, "curl", "/usr/bin/curl", ("curl", "x"))
    nearest = Image(6, 0, "wget", "/usr/bin/wget", ("wget",))
    job = Image(4, 0, "job", "/srv/job", ("/srv/job",))
    assert identify(own, [nearest], Place()).key == "uid=0;program=curl;by=wget"
    assert identify(own, [nearest, job], Place()).key == "uid=0;program=curl;by=/srv/job"
