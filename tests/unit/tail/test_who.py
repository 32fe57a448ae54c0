"""Who made a request, in words."""

from __future__ import annotations

import pytest

from analyzer.tail.callers import Who, who
from analyzer.tail.layout import fitted, phrase, symbols
from tests.unit.tail_lines import cron_job, golden

BOTO = "Boto3/1.9.253 Botocore/1.12.253"


def test_a_script_out_of_cron() -> None:
    """The program and who started it, as the recorder wrote it, without their paths."""
    said = who(cron_job())
    assert said == Who(("curl", "deploy.sh"), "cron.service")
    assert phrase(said, symbols("utf-8")) == "curl ← deploy.sh, unit cron.service"
    assert phrase(said, symbols("ascii")) == "curl <- deploy.sh, unit cron.service"


def test_without_the_field_it_is_the_executable() -> None:
    """As in logs of before."""
    fields = cron_job()
    del fields["imds"]["caller"]
    assert who(fields).actors == ("curl",)
    fields["process"]["executable"] = "/opt/tools/fetch"
    assert who(fields).actors == ("fetch",)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("contract-example",
         f"worker.py ← gunicorn, unit app.service, docker 3f1c3f1c3f1c, user app, {BOTO}"),
        ("from-a-container-with-names",
         f"worker.py ← gunicorn, deployment payments/api, container app, user app, {BOTO}"),
        ("from-a-service-of-compose",
         f"worker.py ← gunicorn, service shop/front, container shop-front-1, user app, {BOTO}"),
        ("from-a-kubernetes-pod",
         f"worker.py ← gunicorn, pod 8a4ef2b1, user app, {BOTO}"),
        ("from-an-ecs-task",
         f"worker.py ← gunicorn, unit app.service, task 5a1b9c2d, user app, {BOTO}"),
        ("probe-of-another-cloud",
         "worker.py ← gunicorn, unit app.service, docker 3f1c3f1c3f1c, user app"),
        ("unreadable-from-a-thread-that-is-gone", "curl, uid 1001"),
    ],
)  # fmt: skip
def test_where_it_ran_and_as_whom(name: str, said: str) -> None:
    """A container's scope is not named beside it; a library's user agent tells nothing."""
    assert phrase(who(golden(name)), symbols("utf-8")) == said


@pytest.mark.parametrize(
    ("room", "said"),
    [
        (35, "curl ← deploy.sh, unit cron.service"),
        (34, "curl, unit cron.service"),
        (22, "curl ← deploy.sh"),
        (15, "curl, unit cro…"),
        (1, "…"),
    ],
)
def test_what_there_is_no_room_for_goes(room: int, said: str) -> None:
    """Who called stays longest."""
    assert fitted(who(cron_job()), symbols("utf-8"), room) == said
