"""What a guest wrote, and what becomes of it: nothing that was not done counts as well."""

from __future__ import annotations

import json
from typing import Any

from tests.vmtest.systems.guest.place import leftovers
from tests.vmtest.systems.report import STEPS, judge, table


def written(*lines: dict[str, Any]) -> str:
    """Return lines as the guest writes them."""
    return "".join(json.dumps(line) + "\n" for line in lines)


def step(boot: int, name: str, trouble: str = "") -> dict[str, Any]:
    """Return a step's line."""
    result = {"ok": not trouble, "seconds": 2.5, "trouble": trouble}
    return {"boot": boot, "kind": "step", "name": name, **result}


ALL = [step(boot, name) for boot, name in STEPS]


def test_all_steps_of_both_boots_make_a_system_good() -> None:
    """Facts go along."""
    fact = {"boot": 1, "kind": "fact", "name": "python", "value": "3.9.2"}
    report = judge("debian-11", written(fact, *ALL), ["", ""], 100.0)
    assert report.problems == []
    assert "3.9.2" in table([report])


def test_a_failed_step_is_a_problem_with_its_reason() -> None:
    """The table shows it, too."""
    report = judge("debian-11", written(*ALL[:-1], step(2, "purge", "left behind: /x")), [], 1.0)
    assert report.problems == ["debian-11: purge: left behind: /x"]
    assert "FAILED" in table([report])


def test_steps_that_were_never_reached_are_a_problem() -> None:
    """Also when all that was reached went well; and a line that was cut off was not reached."""
    text = written(*ALL)
    report = judge("debian-12", text[:-10], [], 1.0)
    assert report.problems == ["debian-12: not done: purge of boot 2"]
    assert judge("debian-12", "", ["boot 1: did not boot"], 1.0).problems[0].endswith("boot")


def test_what_the_first_boot_did_does_not_count_for_the_second() -> None:
    """Steps of one name are kept apart."""
    report = judge("debian-13", written(*(each for each in ALL if each["boot"] == 1)), [], 1.0)
    assert "boot of boot 2" in report.problems[0]


def test_only_what_nobody_else_accounts_for_is_left_over() -> None:
    """Packages' files, what they compile, and the system's own records are not ours."""
    before = {"/etc", "/usr/bin/python3"}
    owned = {"/usr/bin/pip", "/usr/lib/python3/dist-packages/pip"}
    after = (
        before
        | owned
        | {
            "/usr/lib/python3/dist-packages/pip/__pycache__",
            "/usr/lib/python3/dist-packages/pip/__pycache__/a.pyc",
            "/var/lib/dpkg/info/python3-venv.list",
            "/var/backups/dpkg.status.0",
            "/opt/imds-analyzer/__pycache__/b.pyc",
            "/etc/imds-analyzer",
        }
    )
    assert leftovers(before, after, owned) == [
        "/etc/imds-analyzer",
        "/opt/imds-analyzer/__pycache__/b.pyc",
    ]
