"""The image's list of files, and the file capabilities of its interpreter."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from analyzer.host.permitted import use_permitted
from analyzer.host.privileges import CAPABILITIES
from image.capabilities import GRANTED, encoded
from image.contents import INTERPRETER, LIBRARIES, PYTHON, is_omitted
from image.libraries import _without_report
from image.rootfs import USER

CHECKOUT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    "path",
    [
        INTERPRETER,
        f"usr/lib/python{PYTHON}/lib-dynload/_ctypes.cpython-311-x86_64-linux-gnu.so",
        f"usr/lib/python{PYTHON}/encodings/utf_8.py",
        f"{LIBRARIES}/analyzer/bpf/build/imds.x86_64.bpf.o",
        "usr/lib/x86_64-linux-gnu/libbpf.so.1",
        "usr/lib/aarch64-linux-gnu/libz.so.1.2.13",
        "usr/lib/x86_64-linux-gnu/libcrypto.so.3",
        "usr/share/doc/libc6/copyright",
        "usr/share/imds-analyzer/packages",
        "etc/passwd",
    ],
)
def test_what_runs_stays(path: str) -> None:
    """And so do licences."""
    assert not is_omitted(path)


@pytest.mark.parametrize(
    "path",
    [
        "usr/bin/dpkg",
        "usr/bin/tar",
        "usr/sbin/ldconfig",
        f"usr/lib/python{PYTHON}/test/test_os.py",
        f"usr/lib/python{PYTHON}/lib-dynload/_sqlite3.cpython-311-x86_64-linux-gnu.so",
        "usr/lib/x86_64-linux-gnu/libsqlite3.so.0.8.6",
        f"usr/lib/python{PYTHON}/lib-dynload/_crypt.cpython-311-x86_64-linux-gnu.so",
        "usr/lib/x86_64-linux-gnu/libcrypt.so.1",
        "usr/share/doc/libc6/changelog.Debian.gz",
        f"{LIBRARIES}/bin/imds-analyzer",
        f"{LIBRARIES}/psutil/tests/test_linux.py",
    ],
)
def test_what_does_not_run_is_left_out(path: str) -> None:
    """A program other than the interpreter would be one to break out with."""
    assert is_omitted(path)


def test_the_containerfile_runs_the_interpreter_as_the_user_of_the_archive() -> None:
    """Two files name them, and only one is Python."""
    text = (CHECKOUT / "Containerfile").read_text(encoding="utf-8")
    assert f'ENTRYPOINT ["/{INTERPRETER}", ' in text
    assert f"USER {USER}:{USER}" in text


def test_capabilities_are_written_as_setcap_writes_them(tmp_path: Path) -> None:
    """Except on a machine without setcap, or where the test may not set them."""
    program = tmp_path / "program"
    program.write_bytes(b"")
    names = ",".join(text.partition(":")[0].lower() for text in GRANTED.values())
    if shutil.which("setcap") is None:
        pytest.skip("no setcap: apt-get install libcap2-bin")
    done = subprocess.run(["setcap", f"{names}=p", program], capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"setcap: {done.stderr!r}")

    assert os.getxattr(program, "security.capability") == encoded()


def test_numbers_of_capabilities_are_the_recorders() -> None:
    """The table that names them for the operator has the same numbers."""
    for number, text in GRANTED.items():
        assert CAPABILITIES[text.partition(":")[0]] == number


def test_what_only_reports_need_is_not_installed() -> None:
    """With their hashes; the others keep theirs."""
    lock = "click==1 \\\n    --hash=a\nduckdb==2 \\\n    --hash=b\nrich==3 \\\n    --hash=c\n"
    assert _without_report(lock) == "click==1 \\\n    --hash=a\nrich==3 \\\n    --hash=c\n"


@pytest.mark.parametrize("text", ["", "CapPrm:\t00\nCapEff:\t00\n", "Name:\tx\n"])
def test_nothing_is_raised_where_nothing_is_permitted(tmp_path: Path, text: str) -> None:
    """The usual case costs one file."""
    status = tmp_path / "status"
    status.write_text(text)
    assert not use_permitted(status)


def test_permitted_capabilities_become_effective() -> None:
    """In a process that has let go of them; its own file of status says so."""
    script = """
import ctypes, sys
from analyzer.host import capset, permitted
libc = ctypes.CDLL(None, use_errno=True)
header, sets = capset.this_process(), capset.BothSets()
libc.capget(ctypes.byref(header), sets)
for half in sets:
    half.effective = 0
assert libc.capset(ctypes.byref(header), sets) == 0
def lines():
    text = open("/proc/self/status").read()
    return dict(line.split(":\t") for line in text.splitlines() if line.startswith("Cap"))
before = lines()
done = permitted.use_permitted()
after = lines()
print(int(before["CapEff"], 16), done, after["CapEff"] == after["CapPrm"], int(after["CapPrm"], 16))
"""

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=CHECKOUT
    )
    lowered, raised, is_equal, held = done.stdout.split()
    assert lowered == "0"
    assert is_equal == "True"
    assert (raised == "True") == (held != "0")
