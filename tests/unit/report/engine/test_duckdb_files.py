"""DuckDB reads each file that it can; the others are named, and the rest is reported."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from pathlib import Path
from typing import Callable

import duckdb
import pytest

from analyzer.report.engine.duckdb import gather
from analyzer.report.engine.gathering import Options
from analyzer.report.findings import Findings
from analyzer.report.inputs import InputError, open_inputs

HEARTBEAT = {
    "timestamp": "2026-11-21T18:50:01.123456Z",
    "event": "heartbeat",
    "interval_s": 60.0,
    "host": {"name": "h", "boot_id": "b"},
    "cloud": {"instance": {"id": "i-1"}},
}
REQUEST = {
    "timestamp": "2026-11-21T18:50:02.123456Z",
    "event": "imds_request",
    "imds": {
        "version": "v1",
        "reason": "no_token_header",
        "operation": "get",
        "provider": "aws",
        "caller": {"key": "curl", "program": "curl"},
    },
    "process": {"executable": "/usr/bin/curl"},
    "host": {"name": "h", "boot_id": "b"},
}
LINE = json.dumps(HEARTBEAT).encode() + b"\n"
V1 = json.dumps(REQUEST, separators=(",", ":")).encode() + b"\n"


def findings(*paths: Path, memory: str = "1GB") -> Findings:
    with open_inputs([str(path) for path in paths]) as inputs:
        return gather(inputs, Options(memory=memory))


def unread(found: Findings) -> dict[str, str]:
    return {Path(each.file).name: each.problem for each in found.unread}


def v1_of(found: Findings) -> int:
    return int(sum(host.requests["v1"] for host in found.hosts))


def table(path: Path, question: str) -> Path:
    """Write the answer to a question as Parquet; in it, LINES are the lines of one request."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = path.with_suffix(".lines")
    lines.write_bytes(V1)
    read = f"read_json('{lines}', hive_partitioning = false)"
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({question.replace('LINES', read)}) TO '{path}'")
    lines.unlink()
    return path


TABLES = {
    "as it is": "SELECT * FROM LINES",
    "with a column named filename": "SELECT *, 'another' AS filename FROM LINES",
    "with times": "SELECT * REPLACE (timestamp::TIMESTAMP AS timestamp) FROM LINES",
    "with more columns": "SELECT *, 3 AS more, [1] AS list FROM LINES",
    "in another order": "SELECT host, imds, event, process, timestamp FROM LINES",
}


def test_tables_with_any_columns_are_read_together(tmp_path: Path) -> None:
    """Each as if it were alone, whatever types a column has in the others."""
    for number, question in enumerate(TABLES.values()):
        table(tmp_path / f"{number}.parquet", question)
    found = findings(tmp_path)
    assert (v1_of(found), found.lines) == (len(TABLES), len(TABLES))
    assert (found.damaged, found.unread) == (0, ())
    assert {group.example["process"]["executable"] for group in found.groups} == {"/usr/bin/curl"}


def test_a_table_with_other_types_is_damage(tmp_path: Path) -> None:
    """Its rows are counted; those of others are read."""
    table(tmp_path / "a.parquet", "SELECT * FROM LINES")
    table(tmp_path / "b.parquet", "SELECT 1 AS timestamp, 'x' AS event, 'h' AS host, 2 AS imds")
    found = findings(tmp_path)
    assert (v1_of(found), found.damaged, found.unread) == (1, 1, ())
    assert [Path(each.file).name for each in found.damage] == ["b.parquet"]


def overwritten(content: bytes) -> bytes:
    middle = len(content) // 3
    return content[:10] + b"\xff" * (middle - 10) + content[middle:]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        pytest.param(lambda content: content[:-9], "is Parquet without its end", id="cut"),
        pytest.param(overwritten, "is Parquet that cannot be read: ", id="overwritten"),
        pytest.param(
            lambda content: content[:-30] + b"\xff" * 22 + content[-8:],
            "is Parquet that cannot be read: ",
            id="description overwritten",
        ),
    ],
)
def test_a_damaged_table_is_named(
    tmp_path: Path, change: Callable[[bytes], bytes], problem: str
) -> None:
    """And the others are read, text and tables."""
    file = table(tmp_path / "bad.parquet", "SELECT t.* FROM LINES AS t, range(3000)")
    table(tmp_path / "good.parquet", "SELECT * FROM LINES")
    (tmp_path / "imds.jsonl").write_bytes(V1)
    file.write_bytes(change(file.read_bytes()))
    found = findings(tmp_path)
    assert (v1_of(found), found.files, found.damaged) == (2, 2, 0)
    assert list(unread(found)) == ["bad.parquet"]
    assert unread(found)["bad.parquet"].startswith(problem)


def test_a_table_of_something_else_is_named(tmp_path: Path) -> None:
    """With nothing else, there is no report."""
    file = table(tmp_path / "other.parquet", "SELECT 1 AS a, 'x' AS timestamp")
    with pytest.raises(InputError, match="without the columns timestamp and event"):
        findings(file)
    (tmp_path / "imds.jsonl").write_bytes(V1)
    found = findings(tmp_path)
    assert (v1_of(found), found.files) == (1, 1)
    assert unread(found) == {"other.parquet": "is Parquet without the columns timestamp and event"}


FOLDERS = ("host=other", "event=heartbeat/imds=1", "timestamp=2020-01-01")


def test_names_of_folders_are_no_fields(tmp_path: Path) -> None:
    """Also where they look like those that databases write."""
    for folder in FOLDERS:
        inner = tmp_path / folder
        table(inner / "a.parquet", "SELECT * FROM LINES")
        table(inner / "b.parquet", "SELECT *, 1 AS more FROM LINES")
        (inner / "c.jsonl").write_bytes(V1)
        (inner / "d.gz").write_bytes(gzip.compress(V1))
    found = findings(tmp_path)
    count = 4 * len(FOLDERS)
    assert (v1_of(found), found.lines, found.damaged, found.unread) == (count, count, 0, ())
    assert [host.name for host in found.hosts] == ["h"]
    assert found.groups[0].example["process"]["executable"] == "/usr/bin/curl"


NAMES = (b"web\xff.jsonl", b"new\nline", b"quote'.x", b"[a]*?{b,c}", b"back\\slash", b"s3:", b" ")


def test_any_name_is_read(tmp_path: Path) -> None:
    """Also one that is no text, or a pattern to DuckDB; damage in it has its line."""
    for number, name in enumerate(NAMES):
        (tmp_path / f"{number}").mkdir()
        path = os.fsencode(tmp_path / f"{number}") + b"/" + name
        Path(os.fsdecode(path)).write_bytes(V1 + b"torn\n")
    (tmp_path / "other").write_bytes(V1)
    found = findings(tmp_path)
    assert (v1_of(found), found.unread) == (len(NAMES) + 1, ())
    assert sorted(Path(each.file).parent.name for each in found.damage) == [
        f"{number}" for number in range(len(NAMES))
    ]
    assert {(each.line, each.problem) for each in found.damage} == {(2, "is not JSON")}
    assert found.damaged == len(NAMES)
    for each in found.damage:
        each.file.encode()


RARE_GZIP = {
    "padded": gzip.compress(V1) + bytes(512),
    "padded between": gzip.compress(LINE) + bytes(512) + gzip.compress(V1),
    "with a comment": gzip.compress(V1)[:3] + b"\x10" + gzip.compress(V1)[4:10] + b"note\0"
    + gzip.compress(V1)[10:],
    "many members": gzip.compress(LINE) * 50 + gzip.compress(V1),
    "a line over two members": gzip.compress(V1[:100]) + gzip.compress(V1[100:]),
}  # fmt: skip


def test_gzip_of_any_form_is_read_to_its_end(tmp_path: Path) -> None:
    """DuckDB alone refuses some of these."""
    for name, content in RARE_GZIP.items():
        (tmp_path / name).write_bytes(content)
    found = findings(tmp_path)
    assert (v1_of(found), found.damage, found.unread) == (len(RARE_GZIP), (), ())


@pytest.mark.parametrize(
    "end", [slice(-8, -4), slice(-4, None)], ids=["wrong checksum", "wrong length"]
)
def test_gzip_that_is_not_what_was_written_is_damage(tmp_path: Path, end: slice) -> None:
    """DuckDB alone takes it as it is; the lines count, and the file is named."""
    packed = bytearray(gzip.compress(LINE + V1))
    packed[end] = zlib.crc32(bytes(packed[end])).to_bytes(4, "big")
    (tmp_path / "imds.gz").write_bytes(packed + gzip.compress(LINE))
    found = findings(tmp_path)
    assert (v1_of(found), found.lines, found.damaged) == (1, 2, 1)
    assert [each.problem for each in found.damage] == [
        "its compressed data is damaged: read up to there"
    ]


STRANGE = {
    "500 levels": V1[:-2] + b',"x":' + b"[" * 500 + b"]" * 500 + b"}\n",
    "500 levels of objects": V1[:-2] + b',"x":' + b'{"a":' * 500 + b"1" + b"}" * 501 + b"\n",
    "100000 levels": V1[:-2] + b',"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n",
    "5000 digits": V1[:-2] + b',"x":' + b"9" * 5000 + b"}\n",
    "too large a number": V1[:-2] + b',"x":1e999}\n',
    "a number for a text": V1.replace(b'"/usr/bin/curl"', b"9" * 30),
    "CRLF": V1[:-1] + b"\r\n",
}


@pytest.fixture(scope="module")
def strange(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    """Return the findings of all of these lines, each of a caller of its own."""
    folder = tmp_path_factory.mktemp("strange")
    for number, line in enumerate(STRANGE.values()):
        own = line.replace(b'"key":"curl"', b'"key":"curl-%d"' % number)
        assert own != line
        (folder / f"{number}").write_bytes(own)
    return findings(folder)


@pytest.mark.parametrize("name", STRANGE)
def test_a_strange_line_counts(strange: Findings, name: str) -> None:
    """Python may not be able to read it as an example; then there is none."""
    number = list(STRANGE).index(name)
    (group,) = (each for each in strange.groups if each.key.caller == f"curl-{number}")
    assert group.count("v1") == 1
    json.dumps(group.example, allow_nan=False, indent=1)
    assert (v1_of(strange), strange.damaged, strange.unread) == (len(STRANGE), 0, ())


def test_nothing_is_lost_beside_all_that_is_wrong(tmp_path: Path) -> None:
    """Damage, foreign files and rare forms in one folder: what is right is all there."""
    for number, content in enumerate((*STRANGE.values(), *RARE_GZIP.values())):
        (tmp_path / f"{number}").write_bytes(content)
    (tmp_path / "long").write_bytes(V1 + b"x" * (20 << 20) + b"\n" + V1)
    (tmp_path / "README").write_bytes(b"Logs.\n")
    (tmp_path / "cut.gz").write_bytes(gzip.compress(V1)[:-3])
    file = table(tmp_path / "bad.parquet", "SELECT t.* FROM LINES AS t, range(3000)")
    file.write_bytes(overwritten(file.read_bytes()))
    found = findings(tmp_path)
    assert v1_of(found) == len(STRANGE) + len(RARE_GZIP) + 3
    assert sorted(unread(found)) == ["README", "bad.parquet"]
    assert sorted({Path(each.file).name for each in found.damage}) == ["cut.gz", "long"]
