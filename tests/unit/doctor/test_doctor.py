"""The judgement of doctor's checks, on this host and on text recorded on others."""

from __future__ import annotations

import io
import json
import os
import platform
import resource
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Optional

import pytest
from click.testing import CliRunner
from rich.console import Console

from analyzer.commands.doctor import doctor
from analyzer.config.settings import AUTO
from analyzer.doctor import kernel, ring, screen, software
from analyzer.doctor.checks import CHECKS
from analyzer.doctor.findings import (
    Examination,
    Finding,
    Level,
    fine,
    lacking,
    note,
    warning,
    weigh,
)
from analyzer.recorder.sources.selection import candidates

OK, INFO, WARN, FAIL = Level.OK, Level.INFO, Level.WARN, Level.FAIL
PROBES = [
    "core/fentry",
    "core/kprobe",
    "core/tracepoint",
    "bcc/fentry",
    "bcc/kprobe",
    "packet/af_packet",
]


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("[none] integrity confidentiality\n", OK),
        ("none [integrity] confidentiality\n", OK),
        ("none integrity [confidentiality]\n", FAIL),
        ("none integrity confidentiality\n", INFO),
        ("none [something new] confidentiality\n", INFO),
        ("", INFO),
    ],
)
def test_only_confidentiality_locks_us_out(text: str, level: Level) -> None:
    """The mode in brackets is the one that holds."""
    assert kernel.judge_lockdown(text).level is level


SYMBOLS = """\
ffffffff8149f2a0 t ringbuf_map_alloc
ffffffff814a1ff0 T bpf_ringbuf_reserve
0000000000000000 T tcp_sendmsg
0000000000000000 t tcp_sendmsg_locked\t[a_module]
0000000000000000 r __ksymtab_tcp_sendpage
0000000000000000 r tcp_sendpage
"""


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"tcp_sendmsg"}, {"tcp_sendmsg"}),
        ({"tcp_sendmsg", "bpf_ringbuf_reserve"}, {"tcp_sendmsg", "bpf_ringbuf_reserve"}),
        ({"tcp_sendmsg_locked"}, {"tcp_sendmsg_locked"}),
        ({"tcp_send"}, set()),
        ({"tcp_sendpage"}, set()),  # data, not a function
    ],
)
def test_symbols_are_whole_names_of_functions(wanted: set[str], expected: set[str]) -> None:
    """Addresses may be hidden (kernel.kptr_restrict); names never are."""
    assert kernel.symbols_among(SYMBOLS.splitlines(), frozenset(wanted)) == expected


LACK = lacking("not there", "put it there")


@pytest.mark.parametrize(
    ("needed_for", "chosen", "others_block", "expected"),
    [
        (("*",), None, False, FAIL),
        (("*",), None, True, FAIL),
        (("core/*",), None, False, FAIL),
        (("core/*",), None, True, WARN),
        (("*/kprobe",), "core/fentry", False, INFO),
        (("*/kprobe",), "core/tracepoint", False, WARN),
        (("bcc/*",), "core/tracepoint", False, INFO),
        (("core/*",), "bcc/fentry", False, WARN),
        (("*",), "packet/af_packet", False, WARN),
        (("packet/*",), "core/tracepoint", False, INFO),
        (("core/fentry",), "core/kprobe", False, WARN),
        (("*",), "core/fentry", False, INFO),
        ((), "core/fentry", False, INFO),
    ],
)
def test_a_lack_weighs_by_the_probe_it_keeps_from_working(
    needed_for: tuple[str, ...], chosen: Optional[str], others_block: bool, expected: Level
) -> None:
    """It fails only where nothing works, and warns only where something better would."""
    weighed = weigh(LACK, needed_for, PROBES, chosen, others_block=others_block)
    assert weighed == LACK._replace(level=expected)


@pytest.mark.parametrize("answer", [fine("a"), note("b", "c"), warning("d", "e")])
def test_what_is_not_a_lack_keeps_its_weight(answer: object) -> None:
    """Whichever probe works, or none."""
    for chosen in (*PROBES, None):
        assert weigh(answer, ("*",), PROBES, chosen, others_block=True) == answer  # type: ignore[arg-type]


@pytest.mark.parametrize("name", CHECKS)
def test_each_check_answers_on_this_host(name: str) -> None:
    """Also without privileges: it says what was found, and for what is wrong the fix."""
    answer = CHECKS[name].ask()
    assert answer.found
    assert answer.fix or answer.level in (OK, INFO)
    if answer.level is FAIL:
        assert CHECKS[name].needed_for, "a lack that no probe minds"


def test_each_pattern_of_a_check_means_a_probe() -> None:
    """A misspelt pattern would never weigh anything."""
    probes = [f"{source}/{attach}" for source, attach in candidates(AUTO, AUTO)]
    for name, check in CHECKS.items():
        for pattern in check.needed_for:
            assert any(fnmatchcase(probe, pattern) for probe in probes), f"{name}: {pattern}"


def test_the_kernel_and_its_machine_are_named() -> None:
    """As uname has them."""
    found = kernel.kernel().found
    assert platform.release() in found
    assert platform.machine() in found


def test_the_libbpf_that_is_named_is_the_one_that_is_loaded() -> None:
    """By its soname, which the process's own maps show."""
    answer = software.libbpf()
    assert answer.level is OK
    assert f"/{answer.found.split(',')[0]}" in Path("/proc/self/maps").read_text()


def test_trying_a_ring_leaves_the_limit_of_locked_memory_as_it_was() -> None:
    """The limit belongs to the process, and outlives the check."""
    before = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    for limit in (0, resource.RLIM_INFINITY):
        ring.ring_error(limit)
        assert resource.getrlimit(resource.RLIMIT_MEMLOCK) == before


HOSTILE = "\x1b[31m[bold]caf\u00e9[/bold] \udcff\x07 " + "x" * 200


def _written(report: Examination) -> str:
    output = io.StringIO()
    console = Console(file=output, width=80, highlight=False, markup=False, emoji=False)
    screen.write_table(report, console)
    return output.getvalue()


def test_text_of_the_system_is_shown_and_not_interpreted() -> None:
    """No markup, no control codes, nothing beyond ASCII, no line longer than the screen."""
    written = _written(Examination((Finding("libbpf", WARN, HOSTILE, HOSTILE),), "core/fentry"))
    assert "[bold]" in written
    assert "\\x1b[31m" in written
    assert written.isascii()
    assert all(each.isprintable() or each == "\n" for each in written)
    assert max(len(line) for line in written.splitlines()) <= 80
    assert written.count("x" * 40) >= 6, "long words are folded, not cut"


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ("core/fentry", "works here, with core/fentry"),
        ("core/tracepoint", "io_uring"),
        ("packet/af_packet", "this network namespace"),
        (None, "cannot work here"),
    ],
)
def test_the_table_ends_with_the_conclusion(chosen: Optional[str], said: str) -> None:
    """And with what the chosen way of attaching does not see."""
    assert said in _written(Examination((), chosen))


def test_the_document_holds_what_the_table_shows() -> None:
    """Whatever the text, it is valid JSON in ASCII."""
    text = screen.as_json(Examination((Finding("libbpf", WARN, HOSTILE, "fix it"),), None))
    document = json.loads(text)
    assert text.isascii()
    assert document["works"] is False
    assert document["probe"] is None
    assert document["kernel"]["release"] == platform.release()
    assert document["findings"] == [
        {"name": "libbpf", "level": "warn", "found": HOSTILE, "fix": "fix it"}
    ]


def test_bcc_is_tried_only_when_asked_for() -> None:
    """Unless nothing else works, in which case `run` would try it, too."""
    for options in ([], ["--bcc"]):
        result = CliRunner().invoke(doctor, ["--json", *options])
        document = json.loads(result.stdout)
        assert result.exit_code == (0 if document["works"] else 1)
        found = {each["name"]: each["found"] for each in document["findings"]}
        skipped = {name for name in PROBES if found[name].startswith("not tried")}
        if options:
            assert skipped == set()
        elif (document["probe"] or "").startswith("core/"):
            assert skipped == {"bcc/fentry", "bcc/kprobe"}


def test_the_command_line_alone_loads_nothing_of_doctor() -> None:
    """`run` does not carry rich."""
    program = "import sys, analyzer.cli; print({'rich', 'analyzer.doctor'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout == "set()\n"
