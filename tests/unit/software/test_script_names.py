"""The address and the header are followed through definitions, defaults, tables and functions."""

from __future__ import annotations

import pytest

from analyzer.software.script_languages import JAVASCRIPT, PHP, PYTHON, RUBY, SHELL, Language
from analyzer.software.script_text import uses
from analyzer.software.script_use import CALL, TOKEN

MD = "http://169.254.169.254/latest/meta-data"


def _found(text: str, language: Language) -> list[tuple[int, str]]:
    return [(use.line, use.kind) for use in uses(text, language)]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        (PHP, f"define('MD', '{MD}/');\necho file_get_contents(MD . 'mac');"),
        (SHELL, f"printf -v url {MD}/%s mac\ncurl -s $url"),
        (SHELL, f"alias md='wget -qO-'\nmd {MD}/mac"),
        (SHELL, f"base() {{ echo {MD}; }}\ncurl -s $(base)/mac"),
        (SHELL, "x=$(wget -qO- instance-data/latest/meta-data/mac)\necho $x"),
        (PYTHON, f"def read(t=1, base='{MD}'):\n    return urlopen(base + '/mac')"),
        (PYTHON, f"MD = '{MD}'\ndef read(base=MD):\n    return urlopen(base + '/mac')"),
        (PYTHON, f"def read(url):\n    return urlopen(url)\nMD = '{MD}'\nread('%s/mac' % MD)"),
        (PYTHON, f"def base():\n    return '{MD}'\nprint(urlopen(base() + '/mac'))"),
        (PYTHON, f"MD = '{MD}/'\nmac = http_client.load(MD + 'mac')"),
        (JAVASCRIPT, f"const base = () => '{MD}';\nfetch(base() + '/mac');"),
    ],
)
def test_a_name_leads_to_the_call(language: Language, text: str) -> None:
    """One line calls, and has no token."""
    assert [kind for _, kind in _found(text, language)] == [CALL]


@pytest.mark.parametrize(
    "text",
    [
        f"h() {{ printf 'X-aws-ec2-metadata-token: %s' $T; }}\ncurl -H \"$(h)\" {MD}/mac",
        f"OPTS=(\n  -s\n  -H 'X-aws-ec2-metadata-token: x'\n)\ncurl \"${{OPTS[@]}}\" {MD}/mac",
        "get() {\n  curl -H 'X-aws-ec2-metadata-token: x' $1\n}\n" + f"get {MD}/mac",
    ],
)
def test_a_name_brings_the_header(text: str) -> None:
    """The call has a token, by a function or an array."""
    assert TOKEN in [kind for _, kind in _found(text, SHELL)]
    assert CALL not in [kind for _, kind in _found(text, SHELL)]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        (PYTHON, f"sys.exit('try curl {MD}/')\nrequests.get('https://example.com')"),
        (RUBY, f"DENIED = ['{MD}']\nabort 'x' if DENIED.include?(uri.host)\nNet::HTTP.get(uri)"),
        (PYTHON, f"ok = is_safe_url('{MD}')\nrequests.get('https://example.com')"),
        (PYTHON, f"responses.add(responses.GET, '{MD}')\nrequests.get('https://example.com')"),
        (SHELL, f"curl -s https://example.com --noproxy {MD}"),
    ],
)
def test_what_only_speaks_of_the_address(language: Language, text: str) -> None:
    """Messages, guards and stand-ins of tests are no calls."""
    assert _found(text, language) == []


def test_a_function_ends_where_the_next_one_begins() -> None:
    """What another function requests is not this one's."""
    text = f"def show(url):\n    return url\ndef get(u):\n    return urlopen(u)\nshow('{MD}')"
    assert _found(text + "\nget('https://example.com')", PYTHON) != []  # a file that calls: told
    assert _found(text.replace("urlopen", "len"), PYTHON) == []
