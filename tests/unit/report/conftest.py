"""Lets the reports of one test share their findings: another format needs no other answer.

A test that changes how findings are made belongs to ``engine/``, where nothing is kept but the
instance of DuckDB.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from pathlib import Path
from typing import NamedTuple

import pytest

from analyzer.report.engine import duckdb
from analyzer.report.engine.gathering import Options
from analyzer.report.findings import Findings
from analyzer.report.inputs import Inputs
from tests.duckdb_instance import opened_instance, shared_instance

__all__ = ["opened_instance", "shared_instance"]


class _Question(NamedTuple):
    """What findings depend on: files by name, place and content, and the options."""

    inputs: Inputs
    contents: tuple[bytes, ...]
    options: Options


@functools.lru_cache(maxsize=8)
def _answered(question: _Question) -> Findings:
    return _gather(question.inputs, question.options)


_gather = duckdb.gather


@pytest.fixture(autouse=True)
def _reports_share_an_instance(shared_instance: None) -> None:
    """Open DuckDB once."""


@pytest.fixture(autouse=True)
def _reports_share_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask DuckDB once about the same bytes; tests of the engine call it themselves."""

    def gather(inputs: Inputs, options: Options) -> Findings:
        contents = (hashlib.sha256(Path(file.path).read_bytes()).digest() for file in inputs)
        silent = dataclasses.replace(options, progress=_tell_nobody)
        return _answered(_Question(inputs, tuple(contents), silent))

    monkeypatch.setattr(duckdb, "gather", gather)


def _tell_nobody(share: float) -> None:
    del share
