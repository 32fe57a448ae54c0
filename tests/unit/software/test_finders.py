"""Findings of one process: what a finder found before a limit or a fault stands."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator

import pytest

from analyzer.software import finders
from analyzer.software.budget import Spent
from analyzer.software.found import Found, Library
from analyzer.software.root import Root
from analyzer.software.subject import Subject

BOTO = Library("pypi", "boto", "2.49.0", "/usr/lib/python3/dist-packages/boto")


def _add(monkeypatch: pytest.MonkeyPatch, name: str, end: Exception | None) -> None:
    module = types.ModuleType(f"analyzer.software.{name}")

    def of_process(_subject: Subject) -> Iterator[Found]:
        yield BOTO
        yield BOTO._replace(path=f"/opt/{name}")
        if end is not None:
            raise end

    module.of_process = of_process  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(finders, "NAMES", (*finders.NAMES, name))


@pytest.mark.parametrize(
    ("end", "lacks"),
    [
        (None, []),
        (PermissionError(13, "Permission denied"), ["first: Permission denied"]),
        (Spent(), ["limit"]),
    ],
)
def test_what_was_found_stands(
    monkeypatch: pytest.MonkeyPatch, end: Exception | None, lacks: list[str]
) -> None:
    """A fault ends one finder, a limit all of them."""
    monkeypatch.setattr(finders, "NAMES", ())
    _add(monkeypatch, "first", end)
    _add(monkeypatch, "second", None)
    with Root("/") as root:
        found, why = finders.of_process(Subject(root, "/usr/bin/python3.11"))
    second = [] if isinstance(end, Spent) else [BOTO._replace(path="/opt/second")]
    assert found == [BOTO, BOTO._replace(path="/opt/first"), *second]
    assert why == lacks
