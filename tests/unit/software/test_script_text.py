"""Lines that call IMDS are told from mere mentions, and calls with a token from those without."""

from __future__ import annotations

import pytest

from analyzer.software.script_endings import of_first_line
from analyzer.software.script_languages import (
    CONFIGURATION,
    JAVASCRIPT,
    PERL,
    PHP,
    PYTHON,
    RUBY,
    SHELL,
    Language,
)
from analyzer.software.script_text import uses
from analyzer.software.script_use import CALL, TOKEN, TOOL

HEADER = 'H="X-aws-ec2-metadata-token: $TOKEN"'
URL = "http://169.254.169.254/latest/meta-data/instance-id"

CALLS = [
    (SHELL, f"curl -s {URL}"),
    (SHELL, f"ID=$(curl -s {URL})"),
    (SHELL, f"ID=`wget -qO- {URL}`"),
    (SHELL, f"/usr/bin/curl -sf -m 1 '{URL}' | jq -r .region"),
    (SHELL, f"curl -s {URL} | grep i-"),
    (SHELL, f'if [ "$(curl -s {URL})" == i-1 ]; then'),
    (SHELL, f"echo id is $(curl -s {URL})"),
    (SHELL, "curl http://instance-data/latest/user-data"),
    (SHELL, "curl -g http://[fd00:ec2::254]/latest/meta-data/"),
    (SHELL, "exec 3<>/dev/tcp/169.254.169.254/80"),
    (SHELL, "GET http://169.254.169.254/latest/meta-data/ami-id"),
    (SHELL, "x=$(GET http://169.254.169.254/latest/meta-data/)"),
    (SHELL, "sudo nc 169.254.169.254 80"),
    (SHELL, "http 169.254.169.254/latest/meta-data/ami-id"),
    (SHELL, "sudo -u app curl 169.254.169.254/latest/meta-data/ami-id"),
    (PYTHON, f"urllib.request.urlopen('{URL}').read()"),
    (PYTHON, f'requests.get("{URL}", timeout=1)'),
    (PYTHON, 'conn = http.client.HTTPConnection("169.254.169.254")'),
    (PYTHON, f"subprocess.check_output(['curl', '{URL}'])"),
    (PERL, f"my $id = LWP::Simple::get('{URL}');"),
    (PERL, f"my $id = `curl -s {URL}`;"),
    (RUBY, f"Net::HTTP.get(URI.parse('{URL}'))"),
    (RUBY, "Net::HTTP.get('169.254.169.254', '/latest/meta-data/')"),
    (PHP, f"$id = file_get_contents('{URL}');"),
    (JAVASCRIPT, f"const id = await fetch('{URL}');"),
]
MENTIONS = [
    (SHELL, f"# curl -s {URL}"),
    (SHELL, f"x=1  # as curl -s {URL} says"),
    (SHELL, "export NO_PROXY=169.254.169.254,localhost"),
    (SHELL, "iptables -A OUTPUT -d 169.254.169.254 -j DROP"),
    (SHELL, "ip route add blackhole 169.254.169.254"),
    (SHELL, f'echo "try: curl {URL}"'),
    (SHELL, "IMDSv1 answers any GET request to 169.254.169.254."),
    (SHELL, "ping -c1 169.254.169.254"),
    (SHELL, "grep -q 169.254.169.254 /etc/hosts"),
    (SHELL, "METADATA=http://169.254.169.254/latest"),
    (SHELL, "curl http://169.254.169.253/"),
    (PYTHON, f'"""As {URL} says."""\nimport requests'),
    (PYTHON, 'BLOCKED = ["169.254.169.254"]'),
    (PYTHON, 'if host == "169.254.169.254":\n    raise ValueError(urlopen)'),
    (PYTHON, 'assert safe_request("http://169.254.169.254") is None'),
    (PYTHON, 'ipaddress.ip_address("169.254.169.254")'),
    (PERL, f"=pod\n\nget('{URL}')\n\n=cut\n"),
    (RUBY, f"=begin\nNet::HTTP.get(URI('{URL}'))\n=end\n"),
    (PHP, f"/* file_get_contents('{URL}') */"),
    (PHP, f"// file_get_contents('{URL}')"),
    (JAVASCRIPT, f"// fetch('{URL}')"),
    (SHELL, "curl -H 'Metadata-Flavor: Google' http://169.254.169.254/computeMetadata/v1/"),
    (SHELL, "curl http://169.254.169.254/openstack/latest/meta_data.json"),
    (PYTHON, "h = {'Metadata-Flavor': 'Google'}\nurlopen('http://169.254.169.254/', h)"),
]


@pytest.mark.parametrize(("language", "text"), CALLS)
def test_a_call_is_found(language: Language, text: str) -> None:
    """By itself, and behind other lines, with their number."""
    assert [(each.line, each.kind) for each in uses(text, language)] == [(1, CALL)]
    assert [(each.line, each.kind) for each in uses("x = 1\n\n" + text, language)] == [(3, CALL)]


@pytest.mark.parametrize(("language", "text"), MENTIONS)
def test_a_mention_is_none(language: Language, text: str) -> None:
    """Nothing is called."""
    assert uses(text, language) == []


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (f'curl -H "X-aws-ec2-metadata-token: $T" {URL}', [(1, TOKEN)]),
        (
            "curl -XPUT 169.254.169.254/latest/api/token -H X-aws-ec2-metadata-token-ttl-seconds:6",
            [(1, TOKEN)],
        ),
        (f'{HEADER}\ncurl -s -H "$H" {URL}\ncurl -s {URL}', [(2, TOKEN), (3, CALL)]),
        (f'A=(-s -H "X-aws-ec2-metadata-token: $T")\ncurl "${{A[@]}}" {URL}', [(2, TOKEN)]),
        (f"curl -s \\\n  -H 'x-aws-ec2-metadata-token: 1' \\\n  {URL}", [(3, TOKEN)]),
        (f"curl -s \\\n  -H 'accept: text/plain' \\\n  {URL}", [(3, CALL)]),
        ("M=http://169.254.169.254/latest\nB=$M/meta-data\ncurl -s $B/ami-id", [(3, CALL)]),
        ("M=http://169.254.169.254/latest\ncurl -s http://example.org/", []),
        ("ID=$(ec2metadata --instance-id)", [(1, TOOL)]),
        ("/opt/aws/bin/ec2-metadata -i", [(1, TOOL)]),
        ("apt-get install -y ec2metadata-tools", []),
        ("# ec2metadata --instance-id", []),
    ],
)
def test_a_shell_needs_the_header_in_each_command(text: str, wanted: list[tuple[int, str]]) -> None:
    """Through variables and lines that go on."""
    assert [(each.line, each.kind) for each in uses(text, SHELL)] == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("BASE = 'http://169.254.169.254/latest'\nurlopen(BASE + '/meta-data/')", [(2, CALL)]),
        (
            "def get(path):\n    return requests.get(path)\n\nget('http://169.254.169.254/latest/')",
            [(4, CALL)],
        ),
        (
            "h = {'X-aws-ec2-metadata-token': t}\nrequests.get('http://169.254.169.254/', h)",
            [(2, TOKEN)],
        ),
        ("print('http://169.254.169.254/')\nurlopen('http://example.org')", []),
    ],
)
def test_a_program_has_them_apart(text: str, wanted: list[tuple[int, str]]) -> None:
    """The address in a variable, the header anywhere in the file."""
    assert [(each.line, each.kind) for each in uses(text, PYTHON)] == wanted


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("#!/bin/sh", "shell"),
        ("#!/usr/bin/env -S FOO=1 python3.9 -u", "python"),
        ("#! /usr/bin/env bash", "shell"),
        ("#!/opt/perl/bin/perl5.30 -w", "perl"),
        ("#!/usr/bin/awk -f", None),
        ("import os", None),
    ],
)
def test_the_first_line_names_the_language(line: str, name: str | None) -> None:
    """As the kernel and env read it."""
    language = of_first_line(line)
    assert (language.name if language else None) == name


def test_hostile_text_takes_linear_time() -> None:
    """Long lines, many assignments, quotes without an end."""
    for text in (
        "xargs " * 9_000 + "\n" + "-d '\" " * 9_000 + "curl 169.254.169.254",
        ("cat << << << perl -a;" * 190 + "169.254.169.254\n") * 60,
        ("f() {\n" * 9_000 + "x = {\n" * 9_000) + "169.254.169.254",
        "\n" * 90_000 + "url: 169.254.169.254",
        "no_proxy=" * 9_000 + "169.254.169.254",
        "a=" * 100_000 + "169.254.169.254",
        "'" * 200_000 + "\n169.254.169.254 curl",
        "\\\n" * 50_000 + "169.254.169.254",
        "x=169.254.169.254\n" * 10_000,
    ):
        uses(text, SHELL)
        uses(text, PYTHON)


LATEST = "http://169.254.169.254/latest"
READ_BY_PEOPLE = f"cat <<EOF\nTry: curl {URL}\nEOF\n"
BOTO = "import boto.utils\nboto.utils.get_instance_metadata()"
JS_SDK = "const AWS = require('aws-sdk')\nnew AWS.MetadataService()"


@pytest.mark.parametrize(
    ("language", "text", "wanted"),
    [
        # here-documents and code in arguments
        (SHELL, READ_BY_PEOPLE, []),
        (SHELL, f"cat <<EOF\nid: $(curl {URL})\nEOF\n", [(2, CALL)]),
        (SHELL, f"cat <<'EOF'\nid: $(curl {URL})\nEOF\n", []),
        (SHELL, f"cat > /etc/motd <<EOF\ncurl {URL}\nEOF\n", []),
        (SHELL, f"cat > /opt/x.sh <<EOF\ncurl {URL}\nEOF\n", [(2, CALL)]),
        (SHELL, f"cat <<EOF | sh\ncurl {URL}\nEOF\n", [(2, CALL)]),
        (SHELL, f"{READ_BY_PEOPLE}curl {URL}", [(4, CALL)]),
        (SHELL, f"python3 - <<EOF\nurlopen('{URL}')\nEOF\n", [(2, CALL)]),
        (SHELL, f"python3 -c \"\nurlopen('{URL}')\n\"\ntrue", [(2, CALL)]),
        (SHELL, f"perl -MLWP::Simple -e 'print get(\"{URL}\")'", [(1, CALL)]),
        # clients by variables, functions and pipes
        (SHELL, f'C="curl -s"\n$C {URL}', [(2, CALL)]),
        (SHELL, f"C=$(command -v curl)\n$C {URL}", [(2, CALL)]),
        (SHELL, f'get() {{\n  curl -s "$1"\n}}\nget {URL}', [(4, CALL)]),
        (SHELL, f'put() {{\n  echo "$1"\n}}\nput {URL}\ncurl localhost', []),
        (SHELL, f'H="x-aws-ec2-metadata-token: 1"\nC="curl -H \'$H\'"\n$C {URL}', [(3, TOKEN)]),
        (SHELL, f"for x in a; do\necho {LATEST}/$x\ndone | xargs curl", [(2, CALL)]),
        (SHELL, f"echo {LATEST}\nls | xargs rm", []),
        (SHELL, f"M := {LATEST}\nx:\n\t@curl $(M)/ami-id", [(3, CALL)]),
        # values of options
        (SHELL, "curl --noproxy 169.254.169.254 http://localhost", []),
        (SHELL, f"curl -d 'url={URL}' http://localhost", []),
        (SHELL, f'curl -d "$(curl {URL})" http://localhost', [(1, CALL)]),
        (SHELL, f"NO_PROXY=169.254.169.254 curl {URL}", [(1, CALL)]),
        (SHELL, f"# X-aws-ec2-metadata-token\necho {HEADER} > f\ncurl -K f {URL}", [(3, TOKEN)]),
        # libraries that have the address in themselves
        (PYTHON, BOTO, [(2, CALL)]),
        (PYTHON, "def get_instance_metadata():\n    pass  # boto.utils", []),
        (PYTHON, "import facts\nfacts.get_instance_metadata()", []),
        (JAVASCRIPT, JS_SDK, [(2, CALL)]),
        (JAVASCRIPT, JS_SDK.replace("aws-sdk", "@aws-sdk/ec2-metadata-service"), []),
        # tables, properties and texts made of the address
        (JAVASCRIPT, "const o = {\n  host: '169.254.169.254',\n};\nhttp.request(o)",
         [(2, CALL), (4, CALL)]),
        (PYTHON, f"T = [\n    '{URL}',\n]\nfor k, u in T:\n    requests.get(u)", [(5, CALL)]),
        (PYTHON, f"B = '{LATEST}'\nu = '/'.join((B, 'x'))\nurlopen(u)", [(3, CALL)]),
        # one call of a file that has the header elsewhere
        (PYTHON, f"h = {{'X-aws-ec2-metadata-token': t}}\nrequests.get('{URL}', timeout=1)",
         [(2, CALL)]),
        (PYTHON, f"h = {{'X-aws-ec2-metadata-token': t}}\nrequests.get('{URL}', headers=h)",
         [(2, TOKEN)]),
        (PYTHON, f"h = {{'X-aws-ec2-metadata-token': t}}\nrequests.get('{URL}',\n  headers=h)",
         [(2, TOKEN)]),
        (PYTHON, "h = {'Metadata': 'true'}\nHTTPConnection('169.254.169.254')", []),
        (PHP, "curl_setopt($h, CURLOPT_NOPROXY, '169.254.169.254');", []),
        # settings
        (CONFIGURATION, f"location / {{\n  proxy_pass {LATEST}/;\n}}", [(2, CALL)]),
        (CONFIGURATION, f"proxy_set_header X-aws-ec2-metadata-token $t;\nproxy_pass {LATEST}/;",
         [(2, TOKEN)]),
        (CONFIGURATION, "acl imds dst 169.254.169.254\nhttp_access deny imds", []),
        (CONFIGURATION, "upstream imds {\n  server 169.254.169.254:80;\n}", [(2, CALL)]),
        (CONFIGURATION, "server 169.254.169.254 iburst", []),
        (CONFIGURATION, f"- uri:\n    url: {LATEST}", [(2, CALL)]),
        (CONFIGURATION, f"docs:\n    url: {LATEST}", []),
        (CONFIGURATION, f'http_poller {{\n  urls => {{ a => "{LATEST}" }}', [(2, CALL)]),
        (RUBY, f"include HTTParty\nbase_uri '{LATEST}'\nself.class.get('/x')", [(2, CALL)]),
        (PYTHON, f"text.replace('{LATEST}', '')\nurlopen('http://localhost')", []),
        (CONFIGURATION, f'[[inputs.http]]\n  urls = ["{LATEST}"]', [(2, CALL)]),
    ],
)  # fmt: skip
def test_the_address_is_followed_to_the_call(
    language: Language, text: str, wanted: list[tuple[int, str]]
) -> None:
    """Both sides of each way: what calls, and what looks like it."""
    assert [(each.line, each.kind) for each in uses(text, language)] == wanted
