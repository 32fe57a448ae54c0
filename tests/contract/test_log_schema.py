"""The shipped JSON Schema, the declared fields and the code say the same."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import analyzer
from analyzer import imds
from analyzer.config.settings import SECTIONS
from analyzer.logline import events, evidence_fields, fields, own_fields
from analyzer.logline.described import Kind, fields_of, kinds_by_path, paths_of_line
from analyzer.logline.schema import text
from analyzer.recorder import classify, records, source_events
from analyzer.recorder.decode import connections, http
from analyzer.recorder.metrics.health import EMF, PROMETHEUS, TEXTFILE
from analyzer.recorder.sinks.bounds import _REQUEST_TEXTS
from analyzer.recorder.sources import losses
from analyzer.recorder.sources.tcp import reassembly
from analyzer.software import found
from tests.log_format import DOCUMENT, written
from tests.schema import SCHEMA_PATH

PACKAGE = Path(analyzer.__file__).parent
SCHEMA: dict[str, Any] = json.loads(SCHEMA_PATH.read_text("utf-8"))
# Reasons that are constants of the stages, and in the code of classify.
REASONS = {
    *(each.value for each in source_events.Problem),
    *(records.CHANGEABLE, records.UNFRAMED, *records.COUNTED_DIFFERENTLY, http.INCOMPLETE),
    *("token_header", "token_request", "no_token_header", "other_cloud_probe"),
    "fallback_after_token_failure",
}


def test_the_file_is_what_the_declared_fields_say() -> None:
    """``make schema`` writes it anew."""
    assert SCHEMA_PATH.read_text("utf-8") == text()


def test_the_schema_is_one() -> None:
    """Those who hold lines to it (tests.schema) take that for granted: the check takes long."""
    Draft202012Validator.check_schema(SCHEMA)


def test_the_document_is_what_the_declared_fields_say() -> None:
    """``make schema`` writes its tables and examples anew."""
    document = DOCUMENT.read_text("utf-8")
    assert document.count("written by `make schema`") >= 7
    assert document == written(document)


def test_the_command_prints_the_file() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "analyzer", "log-schema"], capture_output=True, check=True
    )
    assert done.stdout == SCHEMA_PATH.read_bytes()


def test_each_event_has_fields_and_a_definition() -> None:
    """None is left over, and each name stands in the code that writes it."""
    assert set(events.EVENTS) == set(own_fields.FIELDS_OF)
    assert SCHEMA["properties"]["event"]["enum"] == list(events.EVENTS)
    names = {
        value: name
        for name, value in vars(events).items()
        if isinstance(value, str) and value in events.EVENTS
    }
    written = "".join(path.read_text("utf-8") for path in (PACKAGE / "recorder").rglob("*.py"))
    for event in events.EVENTS:
        assert re.search(rf"\b{names[event]}\b", written), event


def test_no_event_is_named_by_hand() -> None:
    """Whoever writes or reads one takes its name from events.py; SQL has only known ones."""
    quoted = re.compile(rf"\"({'|'.join(events.EVENTS)})\"")
    for path in PACKAGE.rglob("*.py"):
        if path.name != "events.py" and "metrics" not in path.parts:
            found = [each for each in quoted.findall(path.read_text("utf-8")) if each != "metrics"]
            assert found == [], path


def test_queries_ask_for_known_events() -> None:
    """SQL can only name them by hand."""
    compared = re.compile(r"\bevent (?:=|<>) '([^']*)'")
    read = "".join(path.read_text("utf-8") for path in PACKAGE.rglob("*.sql"))
    # Of lines that --until leaves out, the event does not matter.
    named = set(compared.findall(read)) - {"", "left_out"}
    assert events.REQUEST in named
    assert named <= set(events.EVENTS)


def test_a_field_has_one_type_in_all_events() -> None:
    """Databases refuse lines in which a name means another type."""
    for event in events.EVENTS:
        for path, field in paths_of_line(event):
            assert _plain(field.kind) == _plain(kinds_by_path()[path]), (event, path)


def _plain(kind: Kind) -> tuple[str, ...]:
    """Return a type as a database sees it; an object's members are fields of their own."""
    return (kind.name, *(() if kind.of is None else _plain(kind.of)))


def test_the_words_for_software_are_those_of_the_finders() -> None:
    """The log line declares them by itself, as it does not know the finders."""
    assert evidence_fields.ECOSYSTEMS == found.ECOSYSTEMS
    assert evidence_fields.MANAGERS == found.MANAGERS
    assert evidence_fields.ORIGINS == found.ORIGINS


def test_every_definition_is_closed() -> None:
    """A field that nobody declared does not fit."""
    assert all(each["additionalProperties"] is False for each in SCHEMA["$defs"].values())


def test_declared_values_are_those_of_the_code() -> None:
    assert set(fields.VERSIONS) == {each.value for each in records.Version}
    assert set(fields.OUTCOMES) == {each.value for each in records.Outcome}
    operations = {name for _, name in classify._OPERATIONS}
    assert set(fields.OPERATIONS) == {*operations, "other"}
    providers = {name for *_, name in classify._PROVIDERS}
    assert set(fields.PROVIDERS) == {*providers, imds.AWS}
    assert set(fields.REASONS) == REASONS
    written = {*losses.REASONS, *reassembly._LOSSES, connections.EVICTED, "log_not_written"}
    assert set(own_fields.LOSSES) == written
    attributions = {each.value for each in source_events.Attribution} - {"call"}
    assert set(SCHEMA["$defs"]["Imds"]["properties"]["attribution"]["enum"]) == attributions
    outputs = SCHEMA["$defs"]["metrics_failed"]["properties"]["output"]["enum"]
    assert outputs == [PROMETHEUS, TEXTFILE, EMF]
    sections = [field.name for field in fields_of(own_fields.Configuration)]
    assert sections == list(SECTIONS)
    for path in _REQUEST_TEXTS:
        assert path in kinds_by_path()


READERS = {"text", "number", "text_at", "value_at"}
# What these are called with begins within a line, at an object of one of these names.
WITHIN = (
    *((), ("process",), ("process", "ancestors"), ("imds", "repeated"), ("imds", "caller")),
    ("requests",),
)


def paths_read(path: Path) -> Iterator[tuple[str, ...]]:
    """Yield the paths of names that a module asks lines for."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        called = getattr(node.func, "attr", getattr(node.func, "id", ""))
        names = [each.value for each in node.args if isinstance(each, ast.Constant)]
        if called in READERS and names:
            yield tuple(map(str, names))


@pytest.mark.parametrize("folder", ["tail", "logline"])
def test_readers_ask_for_declared_fields(folder: str) -> None:
    """A name that no line has would be read as nothing, for ever."""
    declared = set(kinds_by_path())
    read = {each for path in (PACKAGE / folder).rglob("*.py") for each in paths_read(path)}
    assert read, "nothing is read any more: this test looks in the wrong place"
    unknown = [path for path in read if not any((*at, *path) in declared for at in WITHIN)]
    assert unknown == []
