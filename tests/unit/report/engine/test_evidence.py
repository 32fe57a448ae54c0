"""What was read of callers' code comes with its group, by what it says and on which hosts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analyzer.report.callers import EVIDENCE_OF_GROUP_MAX, Group
from analyzer.report.findings import Findings
from analyzer.software.found import EntryPoint, Library, Origin, Package, ScriptLine
from tests.unit.report.engine.lines import HOUR, MINUTE, START, Boot, Line, found_in

CODE: dict[str, Any] = {
    "libraries": [
        {"type": "pypi", "name": "botocore", "version": "1.12.253", "path": "/srv/app/botocore",
         "required_by": ["s3transfer 0.1.13"]},
        {"type": "pypi", "name": "boto", "path": "/srv/app/boto"},
    ],
    "packages": [{"type": "dpkg", "name": "python3.9-minimal", "version": "3.9.2-1",
                  "path": "/usr/bin/python3.9", "vendor": "Debian"}],
    "entry_point": {"type": "pypi", "name": "gunicorn", "version": "20.1.0"},
    "script": {"lines": [{"path": "/opt/facts.sh", "line": 12, "text": "curl 169.254.169.254"}]},
    "origins": [{"type": "cron", "path": "/etc/crontab", "line": 3}],
    "lacks": ["limit"],
    "left_out": 2,
}  # fmt: skip
A, B = Boot("a", "boot-a", "i-0a"), Boot("b", "boot-b")


def evidence(boot: Boot, code: object, key: str = "app", minutes: int = 0, **more: Any) -> Line:
    """Return a line on the code of a caller."""
    who = {"program": key, "kind": "program", "key": key}
    return boot.event(
        START + minutes * MINUTE,
        "caller_evidence",
        imds={"caller": who},
        process={"pid": 1, "executable": "/usr/bin/python3.9"},
        code=code,
        **more,
    )


def one(findings: Findings) -> Group:
    (group,) = findings.groups
    return group


def test_all_of_it_is_read(tmp_path: Path) -> None:
    """Each part has its type."""
    (found,) = one(found_in(tmp_path, [evidence(A, CODE), A.call(START)])).evidence
    assert found.code.libraries == (
        Library("pypi", "botocore", "1.12.253", "/srv/app/botocore", ("s3transfer 0.1.13",)),
        Library("pypi", "boto", "", "/srv/app/boto"),
    )
    assert found.code.packages == (
        Package("dpkg", "python3.9-minimal", "3.9.2-1", "/usr/bin/python3.9", "Debian"),
    )
    assert found.code.entry_point == EntryPoint("pypi", "gunicorn", "20.1.0", "")
    assert found.code.lines == (ScriptLine("/opt/facts.sh", 12, "curl 169.254.169.254"),)
    assert found.code.origins == (Origin("cron", "/etc/crontab", 3),)
    assert (found.code.lacks, found.code.left_out) == (("limit",), 2)
    assert (found.hosts, found.executable, found.at) == (("i-0a",), "/usr/bin/python3.9", START)


def test_hosts_of_which_the_same_is_told_stand_together(tmp_path: Path) -> None:
    """What is told of the most hosts stands first."""
    other = {"lacks": ["limit"]}
    lines = [evidence(A, CODE), evidence(B, CODE, minutes=1), evidence(Boot("c", "c"), other)]
    lines += [A.call(START), B.call(START)]
    first, second = one(found_in(tmp_path, lines)).evidence
    assert (first.hosts, first.at) == (("b", "i-0a"), START + MINUTE)
    assert (second.hosts, second.code.lacks) == (("c",), ("limit",))


def test_what_was_read_later_counts(tmp_path: Path) -> None:
    """An upgrade is seen; containers are told apart."""
    former, later = {"lacks": ["former"]}, {"lacks": ["later"]}
    lines = [evidence(A, later, minutes=5), evidence(A, former), A.call(START)]
    lines.append(evidence(A, former, minutes=1, container={"id": "3f1c"}))
    found = one(found_in(tmp_path, lines)).evidence
    assert sorted(each.code.lacks for each in found) == [("former",), ("later",)]
    found = one(found_in(tmp_path, lines[:3])).evidence
    assert [each.code.lacks for each in found] == [("later",)]


def test_it_counts_from_before_the_window(tmp_path: Path) -> None:
    """It is told once, when a caller is first seen."""
    lines = [evidence(A, CODE), A.call(START + 2 * HOUR)]
    assert one(found_in(tmp_path, lines, since=START + HOUR)).evidence


def test_a_caller_without_requests_has_no_group(tmp_path: Path) -> None:
    """Nor does what nobody else's key says count for another."""
    assert one(found_in(tmp_path, [evidence(A, CODE, key="other"), A.call(START)])).evidence == ()


def test_of_many_texts_the_rest_is_counted(tmp_path: Path) -> None:
    """A hostile host can have one line on each of thousands of made-up executables."""
    lines = [A.call(START)]
    for number in range(EVIDENCE_OF_GROUP_MAX + 7):
        line = evidence(A, {"lacks": [str(number)]})
        lines.append({**line, "process": {"executable": f"/bin/{number}"}})
    group = one(found_in(tmp_path, lines))
    assert (len(group.evidence), group.evidence_left_out) == (EVIDENCE_OF_GROUP_MAX, 7)


WRONG: tuple[object, ...] = (
    *(None, 7, "text", [], {}, [CODE], {"libraries": "boto"}, {"libraries": [7, None, []]}),
    *({"libraries": [{"name": 7}]}, {"script": {"lines": [{"path": "", "line": 1}]}}),
    {"left_out": -1},
    {"lacks": ["x" * (1 << 18)]},  # no line of the recorder's has as much
)


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Group]:
    """Return the groups of callers, each of which has one of these, and of one that has not."""
    lines = [evidence(A, code, key=f"app-{number}") for number, code in enumerate((*WRONG, CODE))]
    lines += [A.call(START, key=f"app-{number}") for number in range(len(WRONG) + 1)]
    findings = found_in(tmp_path_factory.mktemp("wrong"), lines)
    return {group.key.caller: group for group in findings.groups}


@pytest.mark.parametrize("number", range(len(WRONG)))
def test_what_cannot_be_right_is_left_out(wrong: dict[str, Group], number: int) -> None:
    """The line itself counts as one of the analyzer's."""
    assert wrong[f"app-{number}"].evidence == ()
    assert wrong[f"app-{len(WRONG)}"].evidence


def test_hostile_lists_are_cut(tmp_path: Path) -> None:
    """No format has to show a thousand of anything."""
    code = {
        "libraries": [{"name": "n" * 600, "required_by": ["r"] * 100}] * 100,
        "script": {"lines": [{"path": "/x", "line": 2**40, "text": 7}] * 100},
    }
    (found,) = one(found_in(tmp_path, [evidence(A, code), A.call(START)])).evidence
    assert len(found.code.libraries) == 40
    assert len(found.code.libraries[0].name) == 512
    assert len(found.code.libraries[0].required_by) == 5
    assert found.code.lines == (ScriptLine("/x", 0, ""),) * 5
