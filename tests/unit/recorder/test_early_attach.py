"""Which probe is wanted is known before the command line is read, or left to it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path
from typing import Optional

import click
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from analyzer.commands.run import run
from analyzer.config.choices import ALLOWED, Wanted
from analyzer.config.settings import NEEDS_RESTART, RULES, Capture
from analyzer.errors import AnalyzerError, ConfigError
from analyzer.recorder.early_attach import FLAGS, AttachedSource, HeadStart, maybe_wanted

# All of a setting's neighbours, in kind and in number.
VALUES = (
    *(value for values in ALLOWED.values() for value in values),
    0,
    3,
    128,
    4.0,
    True,
    "",
    "4",
)


@pytest.mark.parametrize(
    ("words", "text", "wanted"),
    [
        ([], None, Wanted()),
        (["--source", "core"], None, Wanted(source="core")),
        (["--source=core", "--attach=kprobe"], None, Wanted("core", "kprobe")),
        (["--ring-mib", "16"], None, Wanted(ring_mib=16)),
        (["--log-file", "-", "--heartbeat", "5"], None, Wanted()),
        (["--config", "FILE"], "", Wanted()),
        (["--config=FILE"], "[capture]\nattach = 'kprobe'\n", Wanted(attach="kprobe")),
        (
            ["--config", "FILE"],
            "capture.ring_mib = 8\n[log]\nsink = 'stdout'\n",
            Wanted(ring_mib=8),
        ),
        (["--config", "FILE", "--attach", "auto"], "[capture]\nattach = 'kprobe'\n", Wanted()),
        (["--config", "FILE"], "capture = 3\n", Wanted()),  # refused before anybody takes it
    ],
)
def test_plain_words_tell_what_is_wanted(
    words: list[str], text: Optional[str], wanted: Wanted, tmp_path: Path
) -> None:
    """Flags win over the file."""
    assert maybe_wanted(_with_file(words, text, tmp_path)) == wanted


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--help"], None),
        (["--check"], None),
        (["--source"], None),
        (["--source", ""], None),
        (["--source="], None),
        (["--source", "Core"], None),
        (["--source", "4"], None),
        (["--source", "--attach"], None),
        (["--sour", "core"], None),
        (["--source", "core", "--source", "bcc"], None),
        (["--ring-mib", "04"], None),
        (["--ring-mib", "3"], None),
        (["--ring-mib", "-4"], None),
        (["--ring-mib", "9" * 5000], None),
        (["--", "--source", "core"], None),
        (["core"], None),
        (["-h"], None),
        (["--config", "FILE"], None),  # is not there
        (["--config", "FILE"], "[capture\n"),
        (["--config", "FILE"], "[capture]\nsource = 'Core'\n"),
        (["--config", "FILE"], "[capture]\nring_mib = true\n"),
        (["--config", "FILE"], "[capture]\nring_mib = 4.0\n"),
        (["--config", "FILE"], "[capture]\nring_mib = '4'\n"),
        (["--config", "FILE", "--attach", "auto"], "[capture]\nattach = 'none'\n"),
    ],
)
def test_all_else_is_left_to_the_command_line(
    words: list[str], text: Optional[str], tmp_path: Path
) -> None:
    """Nothing is attached for a command that does not run, or is refused."""
    assert maybe_wanted(_with_file(words, text, tmp_path)) is None


def test_every_flag_with_a_value_is_known_and_no_other() -> None:
    """A flag that only click knows would cost the head start."""
    options = [each for each in run.params if isinstance(each, click.Option)]
    assert {each.opts[0] for each in options if not each.is_flag} == set(FLAGS)


def test_what_decides_how_to_attach_is_looked_at_before() -> None:
    """Settings of the capture that need a restart, but for the file of packets, do decide."""
    names = {name for name in NEEDS_RESTART if not name.startswith("capture.write_pcap")}
    assert {f"capture.{name}" for name in Wanted._fields} == names
    assert set(ALLOWED) == set(Wanted._fields)
    assert Capture().wanted == Wanted()
    for name, allowed in ALLOWED.items():
        accepted = {repr(value) for value in VALUES if _is_accepted(f"capture.{name}", value)}
        assert accepted == set(map(repr, allowed))


class _Asked(HeadStart):
    """Is asked for a probe, and has none."""

    wanted: Optional[Wanted] = None

    def take(self, wanted: Wanted) -> AttachedSource:
        self.wanted = wanted
        raise ConfigError("it is enough to be asked")


_SETTING = st.sampled_from(
    [f"{name} = {value!r}" for name in (*ALLOWED, "response_wait_s") for value in VALUES]
)
_WORDS = st.sampled_from(
    [
        *FLAGS,
        *(f"{flag}={value}" for flag in FLAGS for value in ("core", "kprobe", "8", "", "-", "=")),
        *(
            "FILE",
            "--config=FILE",
            "auto",
            "core",
            "bcc",
            "packet",
            "kprobe",
            "fentry",
            "tracepoint",
        ),
        *("1", "8", "08", "+8", " 8", "٨", "8.0", "size", "-", "--", "--check", "--so", ""),
    ]
)


@given(words=st.lists(_WORDS, max_size=6), lines=st.lists(_SETTING, max_size=3))
@example(words=["--config", "FILE", "--ring-mib", "8"], lines=["attach = 'kprobe'"])
@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_certain_is_what_the_command_line_means(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], lines: list[str]
) -> None:
    """Where both know an answer, it is the same."""
    monkeypatch.chdir(tmp_path)  # for the logs
    text = "\n".join(["[capture]", *lines])
    words = _with_file(words, text, tmp_path)
    wanted, asked = maybe_wanted(words), _Asked()
    with contextlib.suppress(click.ClickException, AnalyzerError):
        run.main(words, standalone_mode=False, obj=asked)
    if wanted is not None and asked.wanted is not None:
        assert asked.wanted == wanted


def test_what_attaching_raises_comes_to_who_asks_for_the_probe() -> None:
    """Not before, for there may be something else to say first."""
    words = ["--source", "bcc", "--attach", "tracepoint"]
    head_start = HeadStart()
    head_start.begin(words)
    with pytest.raises(ConfigError, match="bcc attaches with fentry or kprobe"):
        head_start.take(Wanted("bcc", "tracepoint"))
    head_start.drop()


def test_nothing_that_attaching_can_do_without_is_imported_before() -> None:
    """These are most of the start."""
    script = (
        "import sys, analyzer.__main__, analyzer.recorder.early_attach,"
        " analyzer.recorder.sources.selection, analyzer.recorder.sources.probe.core,"
        " analyzer.config.toml; print(*sys.modules)"
    )
    # Not what an environment for development adds.
    path = f"import sys; sys.path[:0] = {sys.path!r}"
    command = [sys.executable, "-I", "-S", "-c", f"{path}; {script}"]
    loaded = set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    assert "analyzer.recorder.sources.probe.core" in loaded
    heavy = {"click", "structlog", "psutil", "dataclasses", "inspect", "subprocess", "logging"}
    ours = {
        "analyzer.config.settings",
        "analyzer.recorder.source_events",
        "analyzer.recorder.records",
        "analyzer.recorder.pipeline",
        "analyzer.cli",
    }
    assert loaded.isdisjoint(heavy | ours)


def _with_file(words: list[str], text: Optional[str], directory: Path) -> list[str]:
    """Put the path of a file with this text in place of FILE."""
    path = directory / "config.toml"
    if text is not None:
        path.write_text(text)
    return [word.replace("FILE", str(path)) for word in words]


def _is_accepted(setting: str, value: object) -> bool:
    try:
        RULES[setting].parse(value)
    except ValueError:
        return False
    return True
