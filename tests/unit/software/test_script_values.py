"""Literals that code asks are told from those that it lists, refuses, sends or explains."""

from __future__ import annotations

import pytest

from analyzer.software.compiled_languages import BRACED, HASHED
from analyzer.software.script_languages import CONFIGURATION, JAVASCRIPT, PYTHON, SHELL, Language
from analyzer.software.script_text import uses
from analyzer.software.script_use import CALL

URL = "http://169.254.169.254/latest/meta-data/mac"
ASKED = [
    (BRACED, f'const u = "{URL}"\nresp, err := client.Get(u)'),
    (BRACED, f'private static final String U = "{URL}";\nString id = fetch(U);'),
    (
        BRACED,
        'req := net.IPv4(169, 254, 169, 254)\nhttp.Get("http://" + req + "/latest/meta-data/")',
    ),
    (HASHED, f'readLines("{URL}")'),
    (PYTHON, "BASE = 'http://169.254.' + '169.254/latest/meta-data/'\nload(requests, BASE)"),
    (PYTHON, f"def validate():\n    urlopen('{URL}')"),
    (PYTHON, f"run('curl -s '\n    '{URL}', shell=True)"),
    (JAVASCRIPT, f"const http = axios.create({{ baseURL: '{URL}' }});"),
    (SHELL, f'. lib.sh\nID=$(http_get "{URL}")'),
    (SHELL, "curl http://$IMDS_HOST/latest/meta-data/mac"),
    (CONFIGURATION, f"app.metadata.url={URL}"),
    (CONFIGURATION, f"ENV METADATA_URL={URL}"),
]
MENTIONED = [
    (BRACED, f'const U = "{URL}"\nfunc Other() {{ http.Get("https://example.com") }}'),
    (BRACED, f'return fmt.Errorf("run curl {URL} first")\nhttp.Get("https://example.com")'),
    (BRACED, 'var imds = net.ParseIP("169.254.169.254")\nhttp.Get("https://e.com/meta-data/")'),
    (PYTHON, f"BLOCKED = ['{URL}']\nrequests.get(x)"),
    (PYTHON, f"hosts = [\n    'http://127.0.0.1/',\n    '{URL}',\n]\nrequests.get(hosts)"),
    (PYTHON, f"rule = {{'severity': 'high', 'url': '{URL}'}}\nrequests.get(other)"),
    (PYTHON, f"requests.get('https://target/?u={URL}')"),
    (PYTHON, f"steps = ['curl {URL}']"),
    (PYTHON, f"import pytest\nclient.get(x)\nU = '{URL}'\nrefuses(U)"),
    (JAVASCRIPT, f"new Response(null, {{ headers: {{ location: '{URL}' }} }}); fetch(x);"),
    (JAVASCRIPT, f"res.redirect('{URL}'); fetch(x);"),
    (CONFIGURATION, f"description: {URL}"),
    (CONFIGURATION, f"annotations:\n  runbook: curl {URL}"),
    (CONFIGURATION, "AWS_EC2_METADATA_SERVICE_ENDPOINT=http://169.254.169.254"),
    (SHELL, f'. lib.sh\nlog_line "{URL}"'),
]


@pytest.mark.parametrize(("language", "text"), ASKED)
def test_what_code_asks_is_a_call(language: Language, text: str) -> None:
    """By names, arguments, settings, and helpers from elsewhere."""
    assert [each.kind for each in uses(text, language)] != []
    assert {each.kind for each in uses(text, language)} == {CALL}


@pytest.mark.parametrize(("language", "text"), MENTIONED)
def test_what_nobody_asks_is_a_mention(language: Language, text: str) -> None:
    """Lists, tables, names, parameters, redirects, messages and tests."""
    assert uses(text, language) == []
