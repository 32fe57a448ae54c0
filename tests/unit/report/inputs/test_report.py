"""``imds-analyzer report`` on a folder with anything in it: no format ends with a traceback."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest

from analyzer.report.formats import FORMATS
from tests.unit.report.engine.test_duckdb_files import LINE, STRANGE, V1

DEADLINE_S = 60.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logs")
    for number, content in enumerate(STRANGE.values()):
        # Each is of another caller, whose example it then is.
        (folder / f"{number}").write_bytes(content.replace(b'"curl"', b'"curl %d"' % number))
    (folder / os.fsdecode(b"web\xff\x1b[2J\n.jsonl")).write_bytes(LINE + b"torn\xff\n" + V1)
    (folder / "README").write_bytes(b"Logs.\n")
    (folder / "cut.gz").write_bytes(gzip.compress(V1)[:-3])
    (folder / "cut.parquet").write_bytes(b"PAR1")
    (folder / "loop").symlink_to(folder)
    return folder


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_is_written(folder: Path, form: str) -> None:
    """In a locale without Unicode, too; and the IMDSv1 calls count."""
    done = subprocess.run(
        [sys.executable, "-m", "analyzer", "report", "--verdict", "--format", form, str(folder)],
        capture_output=True,
        check=False,
        timeout=DEADLINE_S,
        env={**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    )
    assert b"Traceback" not in done.stderr
    assert (done.returncode, done.stderr) == (3, b"")
    assert b"curl" in done.stdout
    assert b"\x1b" not in done.stdout
