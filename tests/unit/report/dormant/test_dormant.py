"""Scans are read as ``scan --json`` writes them, and joined with the hosts of a log."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from analyzer.errors import AnalyzerError
from analyzer.report.callers import CodeEvidence
from analyzer.report.dormant.joining import join_scans
from analyzer.report.dormant.reading import FORMAT, files, read
from analyzer.report.dormant.scanned import Place, Scanned
from analyzer.scan import findings as scan
from analyzer.scan.document import as_json
from analyzer.software.found import Library, ScriptLine
from analyzer.software.recorded import Code
from tests.unit.report_samples import DAY, HOST, INSTANCE, NOW, findings, group, host, v2_only

BOTOCORE = "/srv/app/venv/lib/python3.9/site-packages/botocore"
FACTS = "/opt/ops/facts.sh"


def document(folder: Path, *, name: str = HOST, **changes: Any) -> Path:
    """Write what the command writes, with two findings."""
    outcome = scan.Outcome(("/",), files=7)
    outcome.add(scan.Finding("library", "old", "botocore", BOTOCORE, "Upgrade.", "1.12.253"))
    outcome.add(scan.Finding("script", "old", "", FACTS, "Ask.", line=12, text="curl"))
    written = json.loads(as_json(outcome, name, NOW))
    # The build machine has no instance id, but its user may.
    written["host"].pop("id", None)
    path = folder / "scan.json"
    path.write_text(json.dumps({**written, **changes}), encoding="utf-8")
    return path


def test_the_document_of_the_scan_is_read(tmp_path: Path) -> None:
    (read_back,) = read(files([document(tmp_path)]))
    assert FORMAT == scan.FORMAT
    assert (read_back.host, read_back.at, read_back.is_complete) == (HOST, NOW, True)
    assert [place.text for place in read_back.places] == [
        f"botocore 1.12.253 in {BOTOCORE}",
        f"{FACTS}:12",
    ]


def test_a_directory_is_its_documents(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no scan")
    path = document(tmp_path)
    assert files([tmp_path]) == (path,)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format": 2}, "has format 2"),
        ({"findings": [{}]}, "is damaged"),
        ({"findings": 1}, "is damaged"),
        ({"timestamp": "soon"}, "is damaged"),
        ({"host": None}, "is damaged"),
        ({"counts": {}}, "is damaged"),
    ],
)
def test_a_damaged_document_is_named(tmp_path: Path, changes: Any, said: str) -> None:
    path = document(tmp_path, **changes)
    with pytest.raises(AnalyzerError) as caught:
        read([path])
    assert said in str(caught.value)
    assert "scan" in str(caught.value)


@pytest.mark.parametrize("content", ["", "[]", "{}", "{", '{"event": "imds_request"}'])
def test_what_is_no_scan_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(AnalyzerError, match="scan --json"):
        read([path])


def test_an_empty_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(AnalyzerError, match="has no file"):
        files([tmp_path])


def scanned(**fields: Any) -> Scanned:
    places = (Place("botocore", "1.12.253", BOTOCORE, 0, False), Place("", "", FACTS, 12, False))
    given = {"source": "s", "host": HOST, "instance_id": None, "at": NOW, "is_complete": True}
    return Scanned(**{**given, "places": places, **fields})


def test_code_that_called_is_not_dormant() -> None:
    """By what was read of the caller's code, or by the caller's name."""
    code = Code(libraries=(Library("pypi", "botocore", "1.12.253", BOTOCORE),))
    evidence = CodeEvidence(NOW, (HOST,), "/usr/bin/python3.9", code)
    caller = dataclasses.replace(group(), evidence=(evidence,))
    for callers, left in (
        ((caller,), [FACTS]),
        ((group(FACTS),), [BOTOCORE]),
        ((v2_only(),), [BOTOCORE, FACTS]),
        ((), [BOTOCORE, FACTS]),
    ):
        scans, strangers = join_scans([scanned()], findings(callers, [host()]), is_strict=False)
        assert [place.path for place in scans.by_host[HOST].places] == left
        assert strangers == ()


def test_code_that_called_elsewhere_is_dormant_here() -> None:
    """Each host is asked for itself."""
    line = Code(lines=(ScriptLine(FACTS, 12, "curl"),))
    caller = dataclasses.replace(
        group(hosts=("a",)), evidence=(CodeEvidence(NOW, ("a",), "/bin/sh", line),)
    )
    scans, _ = join_scans(
        [scanned(host="a"), scanned(host="b")],
        findings((caller,), [host("a"), host("b")]),
        is_strict=True,
    )
    assert [len(scans.by_host[name].places) for name in ("a", "b")] == [1, 2]


def test_the_last_scan_of_a_host_counts() -> None:
    scans, _ = join_scans(
        [scanned(places=()), scanned(at=NOW - DAY)], findings((), [host()]), is_strict=False
    )
    assert scans.by_host[HOST].places == ()


def test_a_scan_belongs_to_the_instance_not_to_the_name() -> None:
    """Private names repeat."""
    hosts = [host(key=INSTANCE, instance_id=INSTANCE)]
    for identity, fits in ((INSTANCE, True), ("i-0fedcba9876543210", False)):
        scans, strangers = join_scans(
            [scanned(instance_id=identity)], findings((), hosts), is_strict=False
        )
        assert (INSTANCE in scans.by_host, strangers) == (fits, () if fits else ("s",))
