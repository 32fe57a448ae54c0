"""Settings: what a file may say, what flags change, and what the refusal of a mistake says."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.commands.run import run
from analyzer.config.file import load
from analyzer.config.settings import NEEDS_RESTART, Config, TcpAddress, UnixAddress
from analyzer.config.settings import settings as known_settings
from analyzer.config.toml import SIZE_MAX
from analyzer.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SHIPPED = Path(__file__).parents[3] / "systemd" / "config.toml"
SETTING_LINE = re.compile(r"^#(?=\w+ = )", re.MULTILINE)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def refused(path: Path, text: str, **flags: object) -> list[str]:
    """Return the lines of the error that a file with this text leads to."""
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as error:
        load(str(path), {name.replace("__", "."): value for name, value in flags.items()})
    return str(error.value).splitlines()


def loaded(path: Path, text: str) -> Config:
    path.write_text(text, "utf-8")
    return load(str(path), {})


class TestShippedFile:
    def test_as_it_is_it_changes_nothing(self) -> None:
        """Every key is optional."""
        assert load(str(SHIPPED), {}) == Config()

    def test_it_names_each_setting_with_its_default(self) -> None:
        """Uncommented it is what the code says: no key more, none less, in the same order."""
        text = SETTING_LINE.sub("", SHIPPED.read_text("utf-8"))
        document = tomllib.loads(text)
        names = [f"{section}.{key}" for section, keys in document.items() for key in keys]
        assert names == [f"{section}.{key}" for section, key, _ in known_settings()]
        assert document == Config().as_dict()

    def test_uncommented_it_is_accepted(self, path: Path) -> None:
        """By the rules, too."""
        assert loaded(path, SETTING_LINE.sub("", SHIPPED.read_text("utf-8"))) == Config()

    def test_each_setting_is_explained(self) -> None:
        """A comment stands above each, and says where a restart is needed."""
        lines = SHIPPED.read_text("utf-8").splitlines()
        section = ""
        for at, line in enumerate(lines):
            section = line[1:-1] if line.startswith("[") else section
            if SETTING_LINE.match(line):
                blank = max(i for i in range(at) if not lines[i])
                explained = " ".join(lines[blank + 1 : at])
                assert len(explained) > 20, line
                name = f"{section}.{line[1:].split(' ')[0]}"
                assert ("(restart)" in explained) == (name in NEEDS_RESTART), line


class TestValues:
    @pytest.mark.parametrize("text", ["", "\n# nothing\n", "[log]\n", "\ufeff[log]\n"])
    def test_nothing_said_is_the_default(self, path: Path, text: str) -> None:
        """An editor's byte order mark is nothing either."""
        assert loaded(path, text) == Config()

    def test_what_the_file_says_counts(self, path: Path) -> None:
        """Whole numbers are numbers; tables may be written in line."""
        config = loaded(
            path,
            'capture = {source = "core", ring_mib = 8}\n'
            '[log]\nheartbeat_s = 5\nsink = "journald"\n'
            '[metrics]\nprometheus = "127.0.0.1:9469"\ntextfile = "/a/b.prom"\nemf = true\n',
        )
        assert (config.capture.source, config.capture.ring_mib) == ("core", 8)
        assert config.capture.wanted.ring_bytes == 8 << 20
        assert config.log.heartbeat_s == 5.0
        assert isinstance(config.log.heartbeat_s, float)
        assert config.log.sink == "journald"
        assert config.metrics.prometheus == TcpAddress("127.0.0.1", 9469)
        assert config.metrics.textfile == "/a/b.prom"
        assert config.metrics.emf is True

    def test_flags_win(self, path: Path) -> None:
        """Over the file; the file over the defaults."""
        path.write_text("[log]\nheartbeat_s = 5\nrotate_mib = 7\n")
        config = load(str(path), {"log.heartbeat_s": 9.0, "capture.attach": "kprobe"})
        assert config.log.heartbeat_s == 9.0
        assert config.log.rotate_mib == 7
        assert config.capture.attach == "kprobe"

    @pytest.mark.parametrize(
        ("text", "address"),
        [
            ("127.0.0.1:9469", TcpAddress("127.0.0.1", 9469)),
            ("0.0.0.0:1", TcpAddress("0.0.0.0", 1)),  # noqa: S104 (nothing listens)
            ("[::1]:65535", TcpAddress("::1", 65535)),
            ("unix:/run/x.sock", UnixAddress("/run/x.sock")),
            ("", None),
        ],
    )
    def test_an_address_is_parsed_and_written_back(
        self, path: Path, text: str, address: object
    ) -> None:
        """In both directions the same."""
        config = loaded(path, f'[metrics]\nprometheus = "{text}"\n')
        assert config.metrics.prometheus == address
        assert config.flat()["metrics.prometheus"] == text

    @pytest.mark.parametrize(
        "text",
        [
            *("localhost:80", "127.0.0.1", ":9469", "127.0.0.1:", "127.0.0.1:0", "1.2.3.4:65536"),
            *(
                "::1:80",
                "[127.0.0.1]:80",
                "[::1]",
                "[]:80",
                "1.2.3:80",
                "127.0.0.1:-1",
                "1.1.1.1:\u0668",
            ),
            *("unix:", "unix:x.sock", "unix:/", "unix:/run/", "unix:/" + "x" * 107, "/run/x.sock"),
        ],
    )
    def test_no_other_address_is_taken(self, path: Path, text: str) -> None:
        """The refusal shows the forms there are."""
        (said,) = refused(path, f'[metrics]\nprometheus = "{text}"\n')
        assert "[::1]:9469" in said
        assert "unix:/run/" in said


class TestMistakes:
    @pytest.mark.parametrize(
        ("key", "value", "allowed"),
        [
            ("capture.source", '"cores"', 'one of "auto", "core", "bcc"'),
            ("capture.source", "true", 'one of "auto"'),
            ("capture.attach", '["fentry"]', 'one of "auto", "fentry"'),
            ("capture.ring_mib", "3", "a power of two from 1 to 64"),
            ("capture.ring_mib", "0", "a power of two"),
            ("capture.ring_mib", "128", "a power of two"),
            ("capture.ring_mib", "4.0", "a power of two"),
            ("capture.ring_mib", "true", "a power of two"),
            ("capture.response_wait_s", "-1", "a number from 0 to 60"),
            ("capture.response_wait_s", "60.1", "a number from 0 to 60"),
            ("capture.response_wait_s", '"5"', "a number from 0 to 60"),
            ("log.sink", '"syslog"', 'one of "file", "stdout", "journald"'),
            ("log.file", '"imds.jsonl"', 'the path of a file, in quotes and from "/" on'),
            ("log.file", '""', "the path of a file"),
            ("log.file", '"/var/log/"', "the path of a file"),
            ("log.file", '"/var/log/.."', "the path of a file"),
            ("log.file", '"/a\\u0000b"', "the path of a file"),
            ("log.file", '"/' + "x" * 5000 + '"', "the path of a file"),
            ("log.file", "1", "the path of a file"),
            ("log.rotate_mib", "0", "a whole number from 1 to 1024"),
            ("log.rotate_mib", "0x" + "9" * 9000, "a whole number from 1 to 1024"),
            ("log.total_mib", "1e3", "a whole number from 3 to"),
            ("log.heartbeat_s", "true", "a number from 1 to 86400"),
            ("log.heartbeat_s", "nan", "a number from 1 to 86400"),
            ("log.heartbeat_s", "inf", "a number from 1 to 86400"),
            ("log.heartbeat_s", "-inf", "a number from 1 to 86400"),
            ("log.heartbeat_s", "1e400", "a number from 1 to 86400"),
            ("log.heartbeat_s", "0x" + "9" * 9000, "a number from 1 to 86400"),
            ("log.heartbeat_s", "2026-11-21", "a number from 1 to 86400"),
            (
                "metrics.textfile",
                '"/a/b.txt"',
                'the path of a file, in quotes and from "/" on, that ends in ".prom", or ""',
            ),
            ("metrics.textfile", '"/a/.prom"', "the path of a file"),
            ("metrics.emf", '"true"', "true or false, without quotes"),
            ("metrics.emf", "1", "true or false"),
            ("metrics.emf_file", "false", 'the path of a file, in quotes and from "/" on, or ""'),
        ],
    )
    def test_a_bad_value_is_refused_with_its_place_and_what_is_allowed(
        self, path: Path, key: str, value: str, allowed: str
    ) -> None:
        """In one line."""
        section, name = key.split(".")
        (said,) = refused(path, f"# first line\n\n[{section}]\n{name} = {value}\n")
        assert said.startswith(f"{path}, line 4: [{section}] {name} = ")
        assert f": must be {allowed}" in said
        assert len(said) < 500

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("[log]\nhartbeat_s = 1", "line 2: there is no key hartbeat_s in [log]. Do you mean"),
            ("[log]\nfoo = 1", "Allowed are sink, file, rotation, rotate_mib"),
            ("[logs]\n", "line 1: there is no section [logs]. Do you mean [log]?"),
            ("[xyz]\n", "Allowed are [capture], [log], [metrics]"),
            (
                "heartbeat_s = 1",
                "line 1: there is no section [heartbeat_s]. heartbeat_s is a key of [log]",
            ),
            (
                "[capture]\n\nfile = '/x'",
                "line 3: there is no key file in [capture]. file is a key",
            ),
            ("log = 1", "line 1: log must be a section: [log]"),
            ("[[log]]\n", "log must be a section"),
            ("log.sync = 1", "line 1: there is no key sync in [log]"),
            ("[log]\n[log]\n", "is not TOML"),
            ("[log\n", "is not TOML: Expected ']'"),
            ("[log]\nrotate_mib = " + "9" * 9000, "a number in it has thousands of digits"),
            ("x = " + "[" * 50_000, "nested too deeply"),
            ('"a\\u001bb" = 1', r"there is no section [a\x1bb]"),
        ],
    )
    def test_what_there_is_not_is_refused_with_what_there_is(
        self, path: Path, text: str, says: str
    ) -> None:
        """Names that are close are suggested."""
        assert says in refused(path, text)[0]

    def test_all_mistakes_are_told_at_once(self, path: Path) -> None:
        """Not one with each try."""
        text = "[log]\nrotate_mib = 0\nsinc = 1\n[metrics]\nemf = 2\n"
        assert len(refused(path, text)) == 3

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("[log]\nrotate_mib = 100\n", "[log] total_mib must be at least 300"),
            ("[log]\ntotal_mib = 59\n", "line 2: [log] total_mib must be at least 60"),
            (
                '[capture]\nsource = "bcc"\nattach = "tracepoint"\n',
                "line 3: [capture] attach",
            ),
            (
                '[log]\nfile = "/x/y"\n[metrics]\nemf = true\nemf_file = "/x/./y"\n',
                "line 5: [metrics] emf_file is the log itself",
            ),
        ],
    )
    def test_settings_that_do_not_go_together_are_refused(
        self, path: Path, text: str, says: str
    ) -> None:
        """A cap that could not be kept, and a probe there is not."""
        assert says in refused(path, text)[0]

    def test_flags_conflict_too(self, path: Path) -> None:
        """With what the file says."""
        said = refused(path, '[capture]\nsource = "bcc"\n', capture__attach="tracepoint")
        assert "bcc" in said[0]


class TestFiles:
    def test_a_file_that_cannot_be_read_is_refused(self, tmp_path: Path) -> None:
        """With what it is, and without waiting for a pipe's other end."""
        os.mkfifo(tmp_path / "pipe")
        (tmp_path / "large").write_bytes(b"#" * (SIZE_MAX + 1))
        (tmp_path / "latin").write_bytes(b'# a\n[log]\nfile = "/k\xe4se"\n')
        for name, says in (
            ("", "is a directory: name a file in it"),
            ("missing", "No such file or directory. Name a file that this user may read"),
            ("pipe", "is not a file"),
            ("large", "is larger than 1 MiB"),
            ("latin", "line 3: is not UTF-8. Save the file as UTF-8."),
            ("nul\0", "this is not a valid path"),
        ):
            with pytest.raises(ConfigError, match=re.escape(says)):
                load(str(tmp_path / name) if "\0" not in name else name, {})

    @settings(deadline=None)
    @given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8")))
    def test_no_file_is_a_crash(self, tmp_path_factory: Any, content: bytes) -> None:
        """Whatever is in it, it is a configuration or a ConfigError."""
        path = tmp_path_factory.mktemp("any") / "config.toml"
        path.write_bytes(content)
        with contextlib.suppress(ConfigError):
            assert isinstance(load(str(path), {}), Config)


class TestFlags:
    @pytest.mark.parametrize(
        ("flag", "value", "allowed"),
        [
            *(("--heartbeat", each, "from 1 to 86400") for each in ("nan", "inf", "0.9", "-1.5")),
            *(("--response-wait", each, "from 0 to 60") for each in ("nan", "60.5", "-inf")),
            *(("--ring-mib", each, "a power of two from 1 to 64") for each in ("0", "3", "128")),
        ],
    )
    def test_they_are_judged_as_the_same_settings_of_a_file(
        self, flag: str, value: str, allowed: str
    ) -> None:
        """And the refusal names the flag."""
        told = CliRunner().invoke(run, [flag, value, "--check"])
        assert told.exit_code == 2
        said = " ".join(told.output.split())
        assert f"'{flag}': {value} must be" in said
        assert allowed in said


class TestCheck:
    def test_a_right_file_is_0_and_starts_nothing(self) -> None:
        """No privilege is needed for it."""
        told = CliRunner().invoke(run, ["--config", str(SHIPPED), "--check"])
        assert told.exit_code == 0
        assert told.output == f"{SHIPPED}: nothing is wrong\n"

    @pytest.mark.parametrize(
        ("text", "needs"),
        [
            ("", ["any"]),
            ('capture.source = "packet"', ["packet"]),
            ('[capture]\nsource = "bcc"', ["bcc", "perf"]),
            ('capture.attach = "kprobe"', ["perf"]),
            ('[capture]\n\tattach="tracepoint"', ["perf"]),
            ('[capture]\nattach = "fentry"', []),
            ('metrics = { prometheus = "127.0.0.1:9469" }', ["any", "port"]),
            ('[metrics]\nprometheus = "unix:/run/imds-analyzer/metrics.sock"', ["any"]),
            ('# rotation = "size"\n[log]\nrotation = "external"', ["any", "logrotate"]),
        ],
    )
    def test_what_install_sh_has_to_prepare(self, path: Path, text: str, needs: list[str]) -> None:
        """However TOML lets it be written."""
        path.write_text(text)
        assert load(str(path), {}).needs() == needs

    def test_a_wrong_file_is_an_error(self, path: Path) -> None:
        """The same as at a start."""
        path.write_text("[log]\nx = 1\n")
        told = CliRunner().invoke(run, ["--config", str(path), "--check"])
        assert isinstance(told.exception, ConfigError)
