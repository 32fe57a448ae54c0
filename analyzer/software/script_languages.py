"""Defines how languages mark comments and make HTTP calls, as far as IMDS lines need it."""

from __future__ import annotations

import re
from typing import NamedTuple, Optional


class Api(NamedTuple):
    """A library's functions: ``call`` finds one, if ``used`` is somewhere in the file."""

    call: re.Pattern[str]
    used: re.Pattern[str]


class Language(NamedTuple):
    """A language of scripts.

    ``comment`` are the signs that begin a comment, ``block`` the pairs that begin and end one at
    the start of a line. ``call`` finds words that make an HTTP call. ``is_shell`` says that one
    line is one command, so that a header must stand in the line that needs it. ``api`` are calls of
    a library that asks IMDS without a token, and has the address in itself. ``bare`` finds the
    beginning of a call that sends no header unless one of its own arguments says so.
    """

    name: str
    comment: tuple[str, ...]
    block: tuple[tuple[str, str], ...]
    call: re.Pattern[str]
    is_shell: bool = False
    api: Optional[Api] = None
    bare: Optional[re.Pattern[str]] = None


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


SHELL = Language(
    "shell",
    ("#",),
    (),
    _words(
        r"(?<![\w./-]|\$)(?:[\w./-]*/)?(?:curl|wget|lwp-request|aria2c)(?![\w-])|/dev/tcp/"
        # These are words of other kinds, too: a command begins with them.
        r"|(?:^|[|;&(`]|\b(?:sudo|exec|then|do|if|while|timeout\s+\d+))\s*(?:[\w./-]*/)?"
        r"(?:https?(?=\s)|GET|HEAD|fetch|xh|w3m|lynx|nc|ncat|socat|telnet|busybox\s+wget)(?![\w-])"
        r"|\bInvoke-(?:RestMethod|WebRequest)\b"
        r"|\bi(?:rm|wr)\b|Download(?:String|File|Data)\b|WebRequest\]::Create|Start-BitsTransfer|GetStringAsync"
    ),
    is_shell=True,
)
PYTHON = Language(
    "python",
    ("#",),
    (('"""', '"""'), ("'''", "'''")),
    _words(
        r"urlopen|urlretrieve|Request\(|requests?\.|session\.|httplib|http\.client|HTTPConnection|urllib3?"
        r"|pycurl|aiohttp|httpx|httplib2|socket|curl|wget|fetch_url|open_url|setopt"
    ),
    # https://github.com/boto/boto/blob/develop/boto/utils.py
    api=Api(
        re.compile(r"(?<!def )\bget_instance_(?:metadata|identity|userdata)\s*\("),
        re.compile(r"\bboto\.utils\b|\bfrom\s+boto\s+import\b.*\butils\b"),
    ),
    bare=re.compile(r"\b(?:requests|httpx)\.get\("),
)
PERL = Language(
    "perl",
    ("#",),
    (("=", "=cut"),),
    _words(r"LWP|HTTP::|->get|\bget\s*\(|getstore|IO::Socket|curl|wget|->request|Mojo::"),
)
RUBY = Language(
    "ruby",
    ("#",),
    (("=begin", "=end"),),
    _words(
        r"Net::HTTP|open-uri|(?-i:URI\.)|\bopen\(|RestClient|Faraday|HTTParty|Excon|Typhoeus|HTTP\.|TCPSocket"
        r"|curl|wget"
    ),
    bare=re.compile(r"\bNet::HTTP\.get(?:_response)?\("),
)
PHP = Language(
    "php",
    ("#", "//"),
    (("/*", "*/"),),
    _words(
        r"file_get_contents|curl_|fopen|fsockopen|Guzzle|->get\(|->request|HttpClient|shell_exec"
    ),
    # A context, which could bring the header, is the third argument.
    bare=re.compile(r"\bfile_get_contents\((?=[^,()]*\))"),
)
JAVASCRIPT = Language(
    "javascript",
    ("//",),
    (("/*", "*/"),),
    _words(
        r"https?\.|require\(.https?.\)|fetch|axios|request|\bgot\b|superagent|undici|needle|XMLHttpRequest|curl"
    ),
    # Its `request` adds no token:
    # https://github.com/aws/aws-sdk-js/blob/master/lib/metadata_service.js
    api=Api(
        re.compile(r"\bnew\s+(?:\w+\.)?MetadataService\s*\("),
        re.compile(r"[\"']aws-sdk(?:/[\w./-]*)?[\"']"),
    ),
    bare=re.compile(r"(?<![.\w])(?:fetch|axios\.get|https?\.get)\("),
)
LUA = Language("lua", ("--",), (("--[[", "]]"),), _words(r"http|socket|curl|wget|request"))
BATCH = SHELL._replace(name="batch", comment=("rem ", "REM ", "Rem ", "@rem ", "@REM ", "::"))
# A template or a unit that holds commands: read as shell.
CONFIGURATION = SHELL._replace(name="configuration", comment=("#", ";", "//"))
