"""Who made a request, in words."""

from __future__ import annotations

from typing import Any

import pytest

from analyzer.logline.who import Who, program, who
from analyzer.tail.phrase import fitted, phrase, symbols
from tests.unit.tail_lines import CURL, cron_job, golden, process

BOTO = "Boto3/1.9.253 Botocore/1.12.253"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (CURL, "curl"),
        (process("deploy.sh", "/usr/bin/dash", "/bin/sh", "/srv/deploy.sh", "v1"), "deploy.sh"),
        (process("bash", "/usr/bin/bash", "bash", "-e", "-o", "pipefail", "/srv/a b.sh"), "a b.sh"),
        (process("bash", "/usr/bin/bash", "-bash"), "bash"),
        (process("sh", "/usr/bin/dash", "sh", "-c", "curl x", "name"), "sh"),
        (process("sh", "/usr/bin/bash", "sh", "-exc", "curl x"), "sh"),
        (process("python3", "/usr/bin/python3.9", "python3", "-u", "-X", "dev", "w.py"), "w.py"),
        (process("python3", "/usr/bin/python3.9", "python3", "-m", "gunicorn", "a:b"), "gunicorn"),
        (process("python3", "/usr/bin/python3.9", "python3", "-c", "import os"), "python3"),
        # Its own words in place of its arguments.
        (process("gunicorn", "/usr/bin/python3.9", "gunicorn", "app:app"), "gunicorn"),
        (process("java", "/opt/jdk/bin/java", "java", "-Xmx1g", "-jar", "/srv/app.jar"), "app.jar"),
        (process("java", "/opt/jdk/bin/java", "java", "-cp", "a:b", "com.example.Main"),
         "com.example.Main"),
        (process("node", "/usr/bin/node", "node", "-r", "dotenv/config", "server.js"), "server.js"),
        (process("node", "/usr/bin/node", "node", "-e", "fetch(1)"), "node"),
        (process("perl", "/usr/bin/perl", "perl", "-w", "/usr/bin/facts.pl"), "facts.pl"),
        (process("ruby", "/usr/bin/ruby3.1", "ruby", "-I", "lib", "bin/agent"), "agent"),
        (process("php", "/usr/bin/php8.2", "php", "-d", "a=b", "-f", "/srv/x.php"), "x.php"),
        # Not a shell, though somebody calls it so.
        (process("sh", "/opt/evil", "sh", "/srv/deploy.sh"), "sh"),
        ({"executable": "/usr/bin/wget", "pid": 1}, "wget"),
        ({"args": 5, "name": ["x"]}, "?"),
        (None, "?"),
    ],
)  # fmt: skip
def test_an_interpreter_is_called_by_its_script(fields: Any, said: str) -> None:
    """Everything else by its name."""
    assert program(fields).name == said


def test_a_script_out_of_cron() -> None:
    """Shells that only start what cron was told, repetitions and pid 1 are left out."""
    said = who(cron_job())
    assert said == Who(("curl", "deploy.sh", "cron"), "cron.service", "", "", "")
    assert phrase(said, symbols("utf-8")) == "curl ← deploy.sh ← cron, unit cron.service"
    assert phrase(said, symbols("ascii")) == "curl <- deploy.sh <- cron, unit cron.service"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("contract-example",
         f"worker.py ← gunicorn, unit app.service, docker 3f1c3f1c3f1c, user app, {BOTO}"),
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
        (42, "curl ← deploy.sh ← cron, unit cron.service"),
        (41, "curl ← deploy.sh, unit cron.service"),
        (34, "curl, unit cron.service"),
        (22, "curl ← deploy.sh"),
        (15, "curl, unit cro…"),
        (1, "…"),
    ],
)
def test_what_there_is_no_room_for_goes(room: int, said: str) -> None:
    """Who called stays longest."""
    assert fitted(who(cron_job()), symbols("utf-8"), room) == said
