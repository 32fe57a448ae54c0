"""Files beside one tell whether its address is asked, and whether tokens are sent."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from analyzer.software.root import Root
from analyzer.software.script_signs import may_hide_imds, may_name_imds
from analyzer.software.scripts import of_file
from tests.unit.software.trees import tree

CONSTANT = """package app;
class Urls { static final String BASE = "http://169.254.169.254/latest/meta-data/"; }
"""
ASKS = 'class A { String id() { return new HttpClient().get(Urls.BASE + "instance-id"); } }\n'
TOKEN = 'class B { void t(R r) { r.header("X-aws-ec2-metadata-token", "t"); } }\n'
PATH = "/srv/app/Urls.java"


def _lines(root: Path, files: dict[str, str], path: str) -> list[int]:
    tree(root, files)
    with Root(str(root)) as opened:
        return [each.line for each in of_file(opened, path)]


@pytest.mark.parametrize(
    ("beside", "wanted"),
    [
        ({}, []),
        ({"/srv/app/A.java": ASKS}, [2]),
        ({"/srv/app/calls/A.java": ASKS}, [2]),
        ({"/srv/app/A.java": "class A { int u = Urls.BASE; }"}, []),
        (
            {"/srv/app/A.java": ASKS, "/srv/app/B.java": TOKEN.replace("void", "/* BASE */ void")},
            [],
        ),
        ({"/srv/app/A.py": ASKS}, []),
    ],
)
def test_a_constant_counts_if_a_file_beside_asks_it(
    tmp_path: Path, beside: dict[str, str], wanted: list[int]
) -> None:
    """In the folder or below it, in the same language, without a token."""
    assert _lines(tmp_path / "root", {PATH: CONSTANT, **beside}, PATH) == wanted


def test_tokens_in_a_file_beside_speak_for_a_likely_call(tmp_path: Path) -> None:
    """A call that is plain stays one."""
    likely = 'class C { C(Http http) { u("http://169.254.169.254/latest/meta-data/"); } }\n'
    path = "/srv/app/C.java"
    assert _lines(tmp_path / "one", {path: likely}, path) == [1]
    assert _lines(tmp_path / "two", {path: likely, "/srv/app/B.java": TOKEN}, path) == []


@pytest.mark.parametrize("before", ["", "x", "xy"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_a_script_in_base64_is_read(tmp_path: Path, before: str, encoding: str) -> None:
    """At each alignment; the finding is at the line of the file."""
    script = f"#{before}\ncurl -s http://169.254.169.254/latest/meta-data/instance-id\n"
    text = "a: 1\nUserData: " + base64.b64encode(script.encode(encoding)).decode() + "\n"
    assert may_hide_imds(text.encode())
    assert not may_name_imds(text.encode())
    assert _lines(tmp_path / "root", {"/srv/stack.yaml": text}, "/srv/stack.yaml") == [2]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (b"x 169.254.169.254", True),
        (b"[169, 254, 169, 254]", True),
        (b'"169.254." + "169.254"', True),
        (b"0xA9FEA9FE", True),
        (b"$HOST/latest/meta-data/mac", True),
        (b"ec2metadata", True),
        (b"254 169 ec2 latest/", False),
        (b"192.168.254.254", False),
    ],
)
def test_a_glance_tells_files_of_interest(text: bytes, wanted: bool) -> None:
    """Each spelling has a sign."""
    assert may_name_imds(text) is wanted
