"""What starts a program: crontab, timer, unit, user data."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.software import origins
from analyzer.software.found import Origin, ScriptLine
from analyzer.software.root import Root
from analyzer.software.subject import Subject
from tests.unit.software.trees import tree

CRON = """\
# */5 * * * * root /opt/ops/facts.sh
SHELL=/bin/sh
*/5 * * * * root /opt/ops/facts.sh --quiet
0 1 * * * root /opt/ops/facts.sh.old
7 * * * * root curl -s http://169.254.169.254/latest/meta-data/
"""
FILES = {
    "/etc/crontab": CRON,
    "/var/spool/cron/crontabs/app": "@daily /srv/app/daily.py password=Tr0ub4dor3xyz\n",
    "/etc/systemd/system/facts.service": "[Service]\nExecStart=/opt/ops/facts.sh\n",
    "/usr/lib/systemd/system/facts.service": "[Service]\nExecStart=/usr/bin/facts\n",
    "/usr/lib/systemd/system/facts.timer": "[Timer]\nOnCalendar=hourly\n",
    "/usr/lib/systemd/system/worker@.service": "[Unit]\n[Service]\nExecStart=/opt/w %i\n",
}


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        (
            {"script": "/opt/ops/facts.sh"},
            [("cron", "/etc/crontab", 3)],
        ),
        ({"script": "/srv/app/daily.py"}, [("cron", "/var/spool/cron/crontabs/app", 1)]),
        (
            {"unit": "facts.service"},
            [
                ("unit", "/etc/systemd/system/facts.service", 2),
                ("timer", "/usr/lib/systemd/system/facts.timer", 2),
            ],
        ),
        ({"unit": "worker@7.service"}, [("unit", "/usr/lib/systemd/system/worker@.service", 3)]),
        (
            {"script": "/etc/cron.daily/facts"},
            [("cron", "/etc/cron.daily/facts", 0)],
        ),
        (
            {"script": "/var/lib/cloud/instance/scripts/part-001"},
            [("user-data", "/var/lib/cloud/instance/scripts/part-001", 0)],
        ),
        ({"script": "/opt/other.sh", "unit": "session-3.scope"}, []),
    ],
)
def test_the_origin(
    tmp_path: Path, fields: dict[str, str], wanted: list[tuple[str, str, int]]
) -> None:
    """Comments and longer names are not it."""
    with Root(str(tree(tmp_path, FILES))) as root:
        subject = Subject(root, "/usr/bin/bash", **fields)  # type: ignore[arg-type]
        found = [each for each in origins.of_process(subject) if isinstance(each, Origin)]
    assert [(each.kind, each.path, each.line) for each in found] == wanted
    assert "Tr0ub4dor3xyz" not in str(found)


def test_a_command_in_the_table_itself(tmp_path: Path) -> None:
    """The line to change is the table's."""
    with Root(str(tree(tmp_path, FILES))) as root:
        found = list(origins.of_process(Subject(root, "/usr/bin/curl")))
        other = list(origins.of_process(Subject(root, "/usr/bin/wget")))
    assert [(each.path, each.line) for each in found if isinstance(each, ScriptLine)] == [
        ("/etc/crontab", 5)
    ]
    assert other == []
