"""Uses of credentials: counted from records, wherever these come from, and never by IMDSv2's."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st

from analyzer.account.credentials.file import COLUMNS, Found, Progress, read, read_any, save
from analyzer.account.credentials.uses import Uses, counted, maybe_use
from analyzer.errors import AnalyzerError, ConfigError
from analyzer.report.engine.cloudtrail import question, statements
from tests.unit.account.credentials.records import (
    ACCOUNT,
    AGENT,
    AT,
    HOUR,
    INSTANCE,
    MINUTE,
    OTHER,
    REGION,
    ROLE,
    record,
    some,
)


def expected() -> tuple[Uses, ...]:
    objects = Uses(
        *(ACCOUNT, REGION, ROLE, INSTANCE, "s3.amazonaws.com", "GetObject"),
        first_at=AT,
        last_at=AT + 2 * MINUTE,
        user_agent=AGENT,
        issued_at=AT - HOUR,
        calls=3,
        errors=1,
        sources=("10.0.0.7", "AWS Internal"),
    )
    listed = Uses(
        *(ACCOUNT, REGION, ROLE, INSTANCE, "s3.amazonaws.com", "ListBuckets"),
        first_at=AT,
        last_at=AT,
        user_agent=AGENT,
        issued_at=AT - HOUR,
        sources=("10.0.0.7",),
    )
    other = Uses(
        *(ACCOUNT, REGION, ROLE, OTHER, "s3.amazonaws.com", "GetObject"),
        first_at=AT,
        last_at=AT,
        user_agent=AGENT,
        sources=("10.0.0.7",),
    )
    return objects, listed, other


def test_calls_by_imdsv1s_credentials_are_counted() -> None:
    uses = [use for each in some() if (use := maybe_use(each)) is not None]
    assert len(uses) == 6
    assert counted(uses) == expected()


def test_counting_goes_on_from_what_was_counted() -> None:
    uses = [use for each in some() if (use := maybe_use(each)) is not None]
    assert counted(uses[3:], counted(uses[:3])) == expected()


@given(
    st.recursive(
        st.none() | st.text(max_size=5) | st.integers(),
        lambda inner: st.dictionaries(
            st.sampled_from(
                ["userIdentity", "sessionContext", "ec2RoleDelivery", "principalId", "eventTime"]
            ),
            inner,
        ),
        max_leaves=20,
    )
)
def test_no_record_raises(document: object) -> None:
    assert maybe_use(document) is None or isinstance(document, dict)


@pytest.mark.parametrize("name", ["trail.json", "trail.json.gz"])
@pytest.mark.parametrize("is_directory", [False, True])
def test_files_of_a_trail_are_read(tmp_path: Path, name: str, *, is_directory: bool) -> None:
    directory = tmp_path / "2026" / "11"
    directory.mkdir(parents=True)
    raw = json.dumps({"Records": some()}).encode()
    (directory / name).write_bytes(gzip.compress(raw) if name.endswith("gz") else raw)
    assert read_any(tmp_path if is_directory else directory / name) == (expected(), ())


def test_a_result_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "uses.json"
    progress = {"a|b|c": Progress(oldest=AT, ids=("event-1",), events=3, error="Throttled")}
    found = Found(AT - HOUR, AT, expected(), progress)
    save(path, found)
    assert read(path) == found
    assert not found.is_complete
    said = "a b c: not all was looked up: Throttled"
    assert read_any(path) == (expected(), (said,))
    assert list(tmp_path.iterdir()) == [path]
    assert b"ASIA" not in path.read_bytes()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{}", "is not a result"),
        (b'{"Records": [', "is not a file of a trail"),
        (b"account,other\n", "has other columns"),
        (",".join(COLUMNS).encode() + b"\na,b\n", "line 2: is not a complete row"),
        (b"\x1f\x8b\x08", "gzip is damaged"),
        (
            gzip.compress(b"", mtime=0)[:10] + b"\xff" * 9,
            "gzip is damaged",
        ),  # no deflated block begins so
    ],
)
def test_what_is_none_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "uses"
    path.write_bytes(content)
    with pytest.raises(AnalyzerError, match=said):
        read_any(path)


def test_a_directory_without_a_trail_says_how_to_copy_it(tmp_path: Path) -> None:
    with pytest.raises(AnalyzerError, match="aws s3 sync"):
        read_any(tmp_path)


def _lowered(value: Any, depth: int = 0) -> Any:
    """Return a record as the table has it: all names in small letters."""
    if isinstance(value, dict):
        return {name.lower(): _lowered(inner, depth + 1) for name, inner in value.items()}
    return value


@pytest.fixture
def trail(tmp_path: Path) -> duckdb.DuckDBPyConnection:
    """Return a database with CloudTrail's table, as far as the query needs it."""
    path = tmp_path / "records.json"
    path.write_text("\n".join(json.dumps(_lowered(each)) for each in some()), encoding="utf-8")
    connection = duckdb.connect()
    connection.execute(
        f"CREATE TABLE trail AS SELECT *, '2026/11/28' AS day FROM read_json('{path}',"  # noqa: S608
        " format = 'newline_delimited', columns = {useridentity: 'STRUCT(principalid VARCHAR,"
        " accountid VARCHAR, sessioncontext STRUCT(attributes STRUCT(creationdate VARCHAR),"
        " sessionissuer STRUCT(username VARCHAR), ec2roledelivery VARCHAR))', eventtime: 'VARCHAR',"
        " eventsource: 'VARCHAR', eventname: 'VARCHAR', awsregion: 'VARCHAR',"
        " sourceipaddress: 'VARCHAR', useragent: 'VARCHAR', errorcode: 'VARCHAR'})"
    )
    return connection


@pytest.mark.parametrize("is_translated", [False, True])
def test_the_query_finds_the_same_as_reading_the_records(
    trail: duckdb.DuckDBPyConnection, tmp_path: Path, *, is_translated: bool
) -> None:
    """Also what Athena gets, translated back; its answer is read as CSV."""
    asked = question("trail", AT - HOUR, AT + HOUR, since_day="2026/11/28")
    if is_translated:
        text = statements(None, (), (), AT - HOUR, AT + HOUR)
        asked = text.rpartition("says who fetched them.")[2].strip().rstrip(";")
        (asked,) = sqlglot.transpile(asked, read="athena", write="duckdb")
        asked = asked.replace('"imds"."cloudtrail_logs"', "trail")
    answer = trail.execute(asked)
    assert tuple(column[0] for column in answer.description or ()) == COLUMNS
    to = io.StringIO()
    writer = csv.writer(to, quoting=csv.QUOTE_ALL)  # as Athena writes it
    writer.writerows([COLUMNS, *answer.fetchall()])
    path = tmp_path / "answer.csv"
    path.write_text(to.getvalue(), encoding="utf-8")
    assert sorted(read_any(path).uses, key=str) == sorted(expected(), key=str)


def test_the_query_keeps_to_its_time(trail: duckdb.DuckDBPyConnection) -> None:
    assert len(trail.execute(question("trail", AT + MINUTE, AT + HOUR)).fetchall()) == 1
    assert trail.execute(question("trail", AT + HOUR, AT + 2 * HOUR)).fetchall() == []


def test_athenas_statements_are_whole() -> None:
    text = statements("s3://trail-bucket/AWSLogs/o-1", [ACCOUNT, "2"], [REGION], AT, AT + HOUR)
    statement = text.rpartition("says who fetched them.")[2].strip().rstrip(";")
    assert len(sqlglot.parse(statement, read="athena")) == 1
    assert "LIST_SLICE" not in text
    assert "GROUP BY ALL" not in text
    assert "'projection.account.values' = '123456789012,2'" in text
    place = "s3://trail-bucket/AWSLogs/o-1/"
    assert f"'{place}${{account}}/CloudTrail/${{region}}/${{day}}'" in text
    (table,) = [each for each in text.split(";") if "CREATE EXTERNAL" in each]
    assert sqlglot.parse_one(table[table.index("CREATE") :], read="athena")
    with pytest.raises(ConfigError, match="is not an S3 location"):
        statements("s3://x'; DROP TABLE", (), (), AT, AT)


def test_a_role_is_named_by_its_session_if_nothing_else_names_it() -> None:
    of = record()
    del of["userIdentity"]["sessionContext"]["sessionIssuer"]
    use = maybe_use(of)
    assert use is not None
    assert use.role == ROLE
