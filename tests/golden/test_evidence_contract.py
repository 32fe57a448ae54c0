"""Lines on the code of callers keep the log contract, whatever was found."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer import __version__
from analyzer.logline.evidence_fields import ECOSYSTEMS, MANAGERS, ORIGINS
from analyzer.recorder.evidence.fields import to_fields
from analyzer.recorder.evidence.looks import CODE_SHARE, evidence_fields
from analyzer.recorder.records import Record
from analyzer.recorder.sinks.encoding import encode
from analyzer.recorder.sinks.jsonl import JsonlSink
from analyzer.recorder.sinks.log import LineLog
from analyzer.recorder.sinks.stream import StreamWriter
from analyzer.software.found import EntryPoint, Found, Library, Origin, Package, ScriptLine
from analyzer.software.recorded import code_of
from tests.golden.test_log_contract import BOOT_ID, CONTRACT, GOLDENS, HOST_NAME, checked

GOLDEN = Path(__file__).parent / "evidence" / "caller-evidence.jsonl"
FOUND: tuple[Found, ...] = (
    Library(
        "pypi",
        "botocore",
        "1.12.253",
        "/srv/app/venv/lib/python3.9/site-packages/botocore",
        ("boto3 1.9.253", "s3transfer 0.1.13"),
    ),
    Package("dpkg", "python3.9-minimal", "3.9.2-1", "/usr/bin/python3.9", "Debian"),
    EntryPoint("pypi", "gunicorn", "20.1.0", "/srv/app/venv/bin/gunicorn"),
    ScriptLine("/srv/app/worker.py", 12, 'url = "http://169.254.169.254/latest/"'),
    Origin("unit", "/etc/systemd/system/app.service", 0, "app.service"),
)
LINE_BYTES = 4096
USES = ("call", "token", "tool")
TEXT = st.text(max_size=700)
ALL = st.lists(
    st.one_of(
        st.builds(
            Library, st.sampled_from(ECOSYSTEMS), TEXT, TEXT, TEXT, st.lists(TEXT).map(tuple)
        ),
        st.builds(Package, st.sampled_from(MANAGERS), TEXT, TEXT, TEXT, TEXT),
        st.builds(EntryPoint, st.sampled_from(ECOSYSTEMS), TEXT, TEXT, TEXT),
        st.builds(ScriptLine, TEXT, st.integers(1, 10**6), TEXT, st.sampled_from(USES)),
        st.builds(Origin, st.sampled_from(ORIGINS), TEXT, st.integers(0, 10**6), TEXT),
    ),
    max_size=100,
)


def write(record: Record, *found: Found, lacks: tuple[str, ...] = (), line_bytes: int = 0) -> bytes:
    """Return what the sink writes of these findings, as they come from the worker."""
    line_bytes = line_bytes or 16 << 10
    code = to_fields(code_of(found, lacks), int(line_bytes * CODE_SHARE))
    fd = os.memfd_create("log")
    try:
        log = LineLog(StreamWriter(os.dup(fd), "log"))
        sink = JsonlSink(
            log,
            lambda: HOST_NAME,
            BOOT_ID,
            now_ns=lambda: CONTRACT.at_ns + 10**9,
            line_bytes=line_bytes,
        )
        sink.set_probe("core/fentry")
        fields = evidence_fields(record, json.loads(encode(code)))
        sink.tell("caller_evidence", "info", **fields)
        sink.close()
        return os.pread(fd, 1 << 20, 0)
    finally:
        os.close(fd)


def named(record: Record) -> Record:
    """Return a record whose caller is identified, with its file."""
    from analyzer.recorder.attribute.identity import identified  # noqa: PLC0415 (as the recorder)

    process = record.caller.process
    assert process is not None
    process = process._replace(
        executable_inode=260_178, executable_device=254 << 20, mount_namespace=4_026_531_841
    )
    return record._replace(caller=identified(record.caller._replace(process=process)))


def test_the_golden() -> None:
    """Readers depend on its names, types and order."""
    raw = write(named(CONTRACT), *FOUND, lacks=("limit",))
    (line,) = checked(raw, 1)
    assert line["imds"]["caller"]["key"].endswith("script=/srv/app/worker.py")
    text = raw.decode().replace(f'"version":"{__version__}"', '"version":"VERSION"')
    assert text == GOLDEN.read_text("utf-8")


@pytest.mark.parametrize("name", sorted(GOLDENS))
def test_each_caller_has_a_line_of_the_schema(name: str) -> None:
    record = GOLDENS[name]
    if record.caller.process is not None:
        checked(write(named(record)), 1)


@given(ALL, st.lists(TEXT, max_size=20))
def test_whatever_is_found_fits_into_a_line_of_the_schema(
    found: list[Found], lacks: list[str]
) -> None:
    """Files of others' hold any text, and any number of packages."""
    raw = write(named(CONTRACT), *found, lacks=tuple(lacks), line_bytes=LINE_BYTES)
    assert len(raw) <= LINE_BYTES
    checked(raw, 1)
