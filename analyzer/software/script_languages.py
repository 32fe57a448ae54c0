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
        r"|\bi(?:rm|wr)\b|DownloadString"
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
# A template or a unit that holds commands: read as shell.
CONFIGURATION = SHELL._replace(name="configuration", comment=("#", ";", "//"))

_BY_ENDING = {
    **dict.fromkeys(("sh", "bash", "ksh", "zsh", "ash", "dash", "fish", "bats"), SHELL),
    **dict.fromkeys(("ps1", "psm1"), SHELL),
    **dict.fromkeys(("py", "pyw", "wsgi"), PYTHON),
    **dict.fromkeys(("pl", "pm", "cgi", "t"), PERL),
    **dict.fromkeys(("rb", "rake", "ru", "gemspec"), RUBY),
    **dict.fromkeys(("php", "phtml", "inc"), PHP),
    **dict.fromkeys(("js", "cjs", "mjs", "ts"), JAVASCRIPT),
    "lua": LUA,
    **dict.fromkeys(
        ("service", "timer", "conf", "cfg", "ini", "toml", "cron", "tf", "yaml", "yml", "hcl",
         "json", "nomad", "pp"),
        CONFIGURATION,
    ),
}  # fmt: skip
# A template is of the language that it becomes: `start.py.j2`.
_TEMPLATES = ("tpl", "tmpl", "j2", "erb", "template", "in")
_BY_NAME = {
    **dict.fromkeys(("makefile", "gnumakefile", "jenkinsfile"), SHELL),
    **dict.fromkeys(("rakefile", "gemfile", "capfile", "guardfile", "vagrantfile"), RUBY),
    **dict.fromkeys(("sconstruct", "wscript"), PYTHON),
}  # fmt: skip
_BY_INTERPRETER = (
    (re.compile(r"(?:ba|da|a|k|mk|z|fi)?sh|pwsh|busybox"), SHELL),
    (re.compile(r"python[\d.]*|pypy[\d.]*"), PYTHON),
    (re.compile(r"perl[\d.]*"), PERL),
    (re.compile(r"ruby[\d.]*"), RUBY),
    (re.compile(r"php[\d.]*"), PHP),
    (re.compile(r"node(?:js)?|deno|bun"), JAVASCRIPT),
    (re.compile(r"lua(?:jit)?[\d.]*"), LUA),
)
# "#!/usr/bin/env -S FOO=1 python3 -u": the last word that is a program's name.
_SHEBANG = re.compile(r"#!\s*(\S+)(?:\s+(.*))?")


def of_ending(path: str) -> Optional[Language]:
    """Return the language that a file's name says."""
    name = path.rpartition("/")[2].lower()
    stem, _, ending = name.lstrip(".").rpartition(".")
    if stem and ending in _TEMPLATES:
        return of_ending(stem) or CONFIGURATION
    return _BY_ENDING.get(ending) if stem else _BY_NAME.get(name)


def of_first_line(line: str) -> Optional[Language]:
    """Return the language that a ``#!`` line says."""
    match = _SHEBANG.match(line)
    if match is None:
        return None
    words = [match[1], *(match[2] or "").split()]
    if words[0].endswith("/env"):
        words = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
    return of_interpreter(words[0]) if words else None


def of_interpreter(path: str) -> Optional[Language]:
    """Return the language that an interpreter runs."""
    name = path.rpartition("/")[2]
    return next((told for pattern, told in _BY_INTERPRETER if pattern.fullmatch(name)), None)
