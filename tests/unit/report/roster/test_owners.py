"""Owners: by the tag that is asked for, by the patterns of a file, and the faults of a file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Optional

import pytest

from analyzer.errors import ConfigError
from analyzer.report.roster import owners_file
from analyzer.report.roster.instances import Instance
from analyzer.report.roster.owners import OWNER_TAGS, Owners, Patterns

DOCS = Path(__file__).parents[4] / "docs/decide.md"
TAGS = {"Name": "pay-1", "Team": "search", "Service": "payments-api", "cost center": "12"}


def instance(**fields: object) -> Instance:
    values: dict[str, object] = {
        "id": "i-0123456789abcdef0",
        "name": "pay-1",
        "names": ("pay-1", "ip-10-0-0-1.ec2.internal"),
        "group": "asg-pay-blue",
        "template": "lt-0123456789abcdef0",
        "image": "ami-0123456789abcdef0",
        "account": "111122223333",
        "tags": TAGS,
    }
    return Instance(**{**values, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("keys", "owner"),
    [
        (OWNER_TAGS, "search"),
        (("Service",), "payments-api"),
        (("Nobody", "CostCenter"), "12"),
        (("Nobody",), None),
    ],
)
def test_the_tags_that_are_asked_for_count_in_their_order(
    keys: tuple[str, ...], owner: str
) -> None:
    assert Owners(keys).maybe_owner(instance()) == owner


@pytest.mark.parametrize(
    ("patterns", "is_owner"),
    [
        (Patterns("o", names=("pay-*",)), True),
        (Patterns("o", names=("ip-10-0-*",)), True),
        (Patterns("o", names=("i-0123*",)), True),
        (Patterns("o", names=("PAY-*",)), False),
        (Patterns("o", names=("ay-1",)), False),
        (Patterns("o", tags=(("Service", "payments-*"),)), True),
        (Patterns("o", tags=(("Service", "search-*"),)), False),
        (Patterns("o", tags=(("Missing", "*"),)), False),
        (Patterns("o", groups=("asg-pay-*",)), True),
        (Patterns("o", groups=("lt-0123456789abcdef0",)), True),
        (Patterns("o", accounts=("111122223333",)), True),
        (Patterns("o", accounts=("444455556666",)), False),
        (Patterns("o", callers=("*",)), False),
        (Patterns("o", names=("x",), accounts=("1111*",)), True),
    ],
)
def test_one_pattern_that_matches_is_enough(patterns: Patterns, *, is_owner: bool) -> None:
    assert Owners((), (patterns,)).maybe_owner(instance()) == ("o" if is_owner else None)


def test_the_first_entry_counts_and_patterns_come_before_tags() -> None:
    both = (Patterns("a", names=("pay-*",)), Patterns("b", accounts=("*",)))
    assert Owners(patterns=both).owned(instance()).owner == "a"
    assert Owners(patterns=both[1:]).owned(instance()).owner == "b"
    assert Owners().owned(instance(tags={})).owner is None


def test_a_caller_is_its_patterns() -> None:
    owners = Owners((), (Patterns("a", names=("*",)), Patterns("b", callers=("*pay-agent",))))
    assert owners.maybe_owner_of_caller("uid=0;program=pay-agent", "pay-agent") == "b"
    assert owners.maybe_owner_of_caller("uid=0;program=curl", "curl") is None


@pytest.mark.parametrize(
    ("labels", "owner"),
    [
        ("team:shop, app:orders", "shop"),
        ("app:orders", "orders"),
        ("app:orders, team:search", "search"),
        ("team:pay-1, app:orders", "payments"),
        ("example.com/team:x", None),
        ("team:", None),
        ("", None),
    ],
)
def test_a_callers_pods_tell_its_owner(labels: str, owner: Optional[str]) -> None:
    """Patterns of labels first, then the first label that is asked for and that it has."""
    patterns = (Patterns("payments", labels=(("team", "pay-*"),)),)
    owners = Owners(patterns=patterns, labels=("team", "app"))
    assert owners.maybe_owner_of_caller("key", "program", labels) == owner


def test_a_label_of_pods_says_nothing_of_instances() -> None:
    patterns = (Patterns("a", labels=(("team", "*"),)),)
    assert Owners((), patterns, ("Team",)).maybe_owner(instance()) is None


def test_the_example_of_the_docs_is_read(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(\[\[owner\]\].*?)```", DOCS.read_text(), re.DOTALL)
    path = tmp_path / "owners.toml"
    path.write_text(example)
    (entry,) = owners_file.read(str(path))
    assert (entry.owner, entry.tags) == ("payments", (("Service", "payments-*"),))
    assert entry.labels == (("team", "payments*"),)
    assert entry.has(instance())
    assert Owners((), (entry,)).maybe_owner_of_caller("uid=0;program=pay-agent", "x") == "payments"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "names no owner"),
        ("[[owners]]\n", "unknown key 'owners' in a file of owners"),
        ("[[owner]]\nnames = ['a']", "entry 1: owner must be a name in quotes"),
        ("[[owner]]\nowner = ' '\nnames = ['a']", "owner must be a name in quotes"),
        ("[[owner]]\nowner = 'a'", "entry 1 ('a'): matches nothing: give it one of names,"),
        ("[[owner]]\nowner = 'a'\nhosts = ['a']", "unknown key 'hosts'. The keys are owner, names"),
        ("[[owner]]\nowner = 'a'\nnames = 'a'", "names must be a list of patterns in quotes"),
        ("[[owner]]\nowner = 'a'\nnames = []", "names must be a list of patterns in quotes"),
        ("[[owner]]\nowner = 'a'\nnames = [1]", "names must be a list of patterns in quotes"),
        ("[[owner]]\nowner = 'a'\ntags = ['Service']", "'Service', which is not KEY=PATTERN"),
        ("[[owner]]\nowner = 'a'\ntags = ['=x']", "'=x', which is not KEY=PATTERN"),
        (
            "[[owner]]\nowner = 'a'\nlabels = ['team']",
            "labels has 'team', which is not KEY=PATTERN",
        ),
        ("[[owner]]\nowner = 'a'\naccounts = ['prod']", "'prod' is no account: write its 12"),
        ("owner = ", "is not TOML"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "owners.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=re.escape(said)):
        owners_file.read(str(path))


def test_a_file_that_is_not_there_is_said() -> None:
    with pytest.raises(ConfigError, match="leave out --owners"):
        owners_file.read("/not/there")
