"""A file of entries is read whole, or refused with each fault, its place and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.clients import reading
from analyzer.clients.reading import load_clients, read_entries
from analyzer.config.toml import SIZE_MAX
from analyzer.errors import ConfigError

CLIENTS = load_clients()


def test_the_sites_file_is_read_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind the files that are named, before what is shipped."""
    site, named = tmp_path / "site.toml", tmp_path / "named.toml"
    entry = (
        '[[client]]\nname = "{}"\nkind = "program"\nprogram = ["*/x"]\nsource = ["https://e/"]\n'
    )
    site.write_text(entry.format("of the site"))
    named.write_text(entry.format("named"))
    monkeypatch.setattr(reading, "SITE", site)
    names = [each.name for each in load_clients([named]).entries]
    assert names[:2] == ["named", "of the site"]
    assert len(names) == len(CLIENTS.entries) + 2


GOOD = 'name = "x"\nkind = "program"\nprogram = ["*/x"]\nsource = ["https://e/"]\n'


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[[client]]\n" + GOOD + 'nedes = "1"', "entry 1 ('x'): there is no key 'nedes'"),
        ("[[client]]\n" + GOOD + "user_agent = '('", "is not a regular expression"),
        ("[[client]]\n" + GOOD + 'needs = "new"', "needs = 'new' is not a version"),
        ("[[client]]\n" + GOOD + "needs = 1.2", "needs must be a text in quotes"),
        ("[[client]]\n" + GOOD + 'checked = "1.2.2026"', "checked = '1.2.2026' is not a day, such"),
        ("[[client]]\n" + GOOD + "checked = 2026-11-30", "checked must be a text in quotes"),
        ("[[client]]\n" + GOOD + 'setting = "y"', "setting and setting_since go together"),
        ("[[client]]\n" + GOOD.replace('program"', 'agent"'), "kind must be one of program"),
        ("[[client]]\n" + GOOD.replace('program = ["*/x"]', ""), "must say how to recognise it"),
        ("[[client]]\n" + GOOD.replace('["*/x"]', '"*/x"'), "program must be a list"),
        ("[[client]]\n" + GOOD.replace('["*/x"]', "[]"), "program must be a list"),
        ("[[client]]\n" + GOOD.replace('name = "x"', ""), "entry 1 ('without a name'): name is"),
        ("[[client]]\n" + GOOD + "[[client]]\nname = 'y'", "entry 2 ('y'): kind is missing"),
        ("[client]\n" + GOOD, "must begin with [[client]]"),
        ("[[cleint]]\n" + GOOD, "unknown key 'cleint'"),
        ("client = 1", "must begin with [[client]]"),
        ("= 1", "is not TOML"),
        ("\xff", "is not UTF-8"),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_with_file_and_entry(
    tmp_path: Path, text: str, complaint: str
) -> None:
    """Nothing of it is taken."""
    file = tmp_path / "own.toml"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError) as caught:
        load_clients([file])
    assert str(file) in str(caught.value)
    assert complaint in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """With what to do."""
    with pytest.raises(ConfigError, match=r"cannot read the clients .*No such file"):
        load_clients([tmp_path / "none.toml"])


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    """It is not read whole."""
    file = tmp_path / "own.toml"
    file.write_bytes(b"#" * (SIZE_MAX + 1))
    with pytest.raises(ConfigError, match="larger than 1 MiB"):
        load_clients([file])


def test_every_fault_is_told_with_its_line(tmp_path: Path) -> None:
    """The entries that are right are read all the same."""
    file = tmp_path / "own.toml"
    file.write_text(
        "# of our own\n[[client]]\n" + GOOD + '\n[[client]]\nname = "y"\nkind = "agent"\n'
        'library = ["botocore"]\nprogram = ["*"]\nsource = ["https://e/"]\nneeds = "new"\n'
        '\n[[client]]\nname = "x"\nuser_agent = ".*"\n'
    )
    entries, faults = read_entries(file)
    assert [each.name for each in entries] == ["x"]
    assert [(each.line, each.entry, each.message.split(":")[0]) for each in faults] == [
        (10, "entry 2 ('y')", "kind must be one of program, sdk, proxy, tool, library"),
        (11, "entry 2 ('y')", "library = 'botocore' must be ECOSYSTEM"),
        (12, "entry 2 ('y')", "program = '*' fits everything"),
        (14, "entry 2 ('y')", "needs = 'new' is not a version, such as 1.13.25"),
        (18, "entry 3 ('x')", "user_agent fits every user agent"),
        (16, "entry 3 ('x')", "kind is missing"),
        (16, "entry 3 ('x')", "source is missing"),
        (17, "entry 3 ('x')", "entry 1 has this name, too"),
    ]
    with pytest.raises(ConfigError) as caught:
        load_clients([file])
    assert str(caught.value) == "\n".join(map(str, faults))
    assert str(faults[0]).startswith(f"{file}, line 10, entry 2 ('y'): kind must be")


def test_no_line_is_told_where_a_text_looks_like_an_entry(tmp_path: Path) -> None:
    """A wrong line is worse than none."""
    file = tmp_path / "own.toml"
    file.write_text("[[client]]\n" + GOOD + "advice = '''\n[[client]]\n'''\nneeds = 'new'\n")
    (fault,) = read_entries(file)[1]
    assert fault.line is None
    assert str(fault).startswith(f"{file}, entry 1 ('x'): needs")
