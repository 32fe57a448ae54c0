"""The modules of a Perl process are files in the folders of its @INC."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.software import perl
from tests.unit.software.programs import ask, look, make_tree

EC2 = "package VM::EC2;\nuse strict;\nour $VERSION = '1.28';\n"
NET = "package Net::Amazon::EC2;\n$Net::Amazon::EC2::VERSION = '0.36';\n"
PAWS = "package Paws 0.44;\n"
SYSTEM = {
    "usr/share/perl5/VM/EC2.pm": EC2,
    "usr/share/perl5/Net/Amazon/EC2.pm": NET,
    "usr/local/share/perl/5.36.0/Paws.pm": PAWS,
}
FOUND = [
    "Paws 0.44 in /usr/local/share/perl/5.36.0/Paws.pm",
    "Net::Amazon::EC2 0.36 in /usr/share/perl5/Net/Amazon/EC2.pm",
    "VM::EC2 1.28 in /usr/share/perl5/VM/EC2.pm",
]


def test_the_systems_modules_are_found(tmp_path: Path) -> None:
    """All of them, if the script names none: it may be another module that uses one."""
    make_tree(tmp_path, {**SYSTEM, "srv/main.pl": "use Own::Module;\nprint 1;\n"})
    for script in ("", "/srv/main.pl"):
        assert ask(perl, tmp_path, "/usr/bin/perl", "perl", script, script=script) == FOUND
    assert ask(perl, tmp_path, "/usr/bin/python3", "python3") == []
    embedded = ("/usr/lib/libperl.so.5.36",)
    assert ask(perl, tmp_path, "/usr/sbin/apache2", "x", open_files=embedded) == FOUND


def test_a_script_that_names_one_has_that_one(tmp_path: Path) -> None:
    """A comment names none."""
    make_tree(tmp_path, {**SYSTEM, "srv/main.pl": "# Paws is better\nuse VM::EC2 'x';\n"})
    assert ask(perl, tmp_path, "/usr/bin/perl", "perl", script="/srv/main.pl") == FOUND[2:]


@pytest.mark.parametrize(
    ("folder", "args", "text", "home"),
    [
        ("srv/own", ("-I/srv/own",), "", ""),
        ("srv/own", ("-I", "own"), "", ""),
        ("opt/job/lib", (), "", ""),
        ("opt/lib", (), "", ""),
        ("opt/x", (), "use lib '/opt/x';\n", ""),
        ("opt/job/y", (), 'use FindBin;\nuse lib "$FindBin::Bin/y";\n', ""),
        ("opt/local/lib/perl5", (), "", ""),
        ("home/ops/perl5/lib/perl5", (), "", "/home/ops"),
        ("srv/brew/lib/site_perl/5.30.1", (), "", ""),
    ],
)
def test_own_folders_come_first(
    tmp_path: Path, folder: str, args: tuple[str, ...], text: str, home: str
) -> None:
    """Options, `use lib`, the script's own place, the user's modules, another interpreter's."""
    make_tree(tmp_path, {**SYSTEM, f"{folder}/VM/EC2.pm": EC2.replace("1.28", "1.01"),
                         "opt/job/main.pl": text})  # fmt: skip
    executable = "/srv/brew/bin/perl" if "brew" in folder else "/usr/bin/perl"
    found = ask(
        perl, tmp_path, executable, "perl", *args, script="/opt/job/main.pl", cwd="/srv", home=home
    )
    assert found[0] == f"VM::EC2 1.01 in /{folder}/VM/EC2.pm"
    assert FOUND[2] not in found


@pytest.mark.parametrize(
    ("text", "version"),
    [
        (EC2, "1.28"),
        ("our $VERSION = 1.5;", "1.5"),
        ("use vars '$VERSION'; $VERSION = 'v0.9.1';", "0.9.1"),
        ("package Paws 0.44 {", "0.44"),
        ("# $VERSION = '9';\nprint $VERSION;", ""),
    ],
)
def test_a_file_tells_its_version(tmp_path: Path, text: str, version: str) -> None:
    """As Perl's own tools look for it: in the text."""
    make_tree(tmp_path, {"x/VM/EC2.pm": text})
    assert look(perl, tmp_path, "/x/VM/EC2.pm") == [f"VM::EC2 {version} in /x/VM/EC2.pm"]
    assert not perl.is_wanted("/x/EC2.pm")
