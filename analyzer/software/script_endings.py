"""Tells the language of a file by its name, its first line or the program that runs it."""

from __future__ import annotations

import re
from typing import Optional

from analyzer.software.compiled_languages import BASIC, BRACED, CLOJURE, ERLANG, HASHED, HASKELL
from analyzer.software.script_languages import (
    BATCH,
    CONFIGURATION,
    JAVASCRIPT,
    LUA,
    PERL,
    PHP,
    PYTHON,
    RUBY,
    SHELL,
    Language,
)

_BY_ENDING = {
    **dict.fromkeys(("sh", "bash", "ksh", "zsh", "ash", "dash", "fish", "bats"), SHELL),
    **dict.fromkeys(("ps1", "psm1"), SHELL),
    **dict.fromkeys(("bat", "cmd"), BATCH),
    **dict.fromkeys(("py", "pyw", "wsgi"), PYTHON),
    **dict.fromkeys(("pl", "pm", "cgi", "t"), PERL),
    **dict.fromkeys(("rb", "rake", "ru", "gemspec", "cr"), RUBY),
    **dict.fromkeys(("php", "phtml", "inc"), PHP),
    **dict.fromkeys(("js", "cjs", "mjs", "ts", "mts", "jsx", "tsx", "coffee"), JAVASCRIPT),
    "lua": LUA,
    **dict.fromkeys(
        ("java", "kt", "kts", "scala", "sc", "groovy", "gradle", "go", "cs", "fs", "rs", "swift",
         "dart", "c", "cc", "cpp", "cxx", "h", "hh", "hpp", "m"),
        BRACED,
    ),
    **dict.fromkeys(("r", "jl", "tcl", "ex", "exs", "nim"), HASHED),
    "erl": ERLANG,
    **dict.fromkeys(("clj", "cljs"), CLOJURE),
    "hs": HASKELL,
    **dict.fromkeys(("vb", "vbs"), BASIC),
    **dict.fromkeys(
        ("service", "timer", "conf", "cfg", "ini", "toml", "cron", "tf", "yaml", "yml", "hcl",
         "json", "config", "nomad", "pp", "sls", "properties", "env", "tfvars", "jenkinsfile",
         "dockerfile", "mk"),
        CONFIGURATION,
    ),
}  # fmt: skip
# A template is of the language that it becomes: `start.py.j2`.
_TEMPLATES = ("tpl", "tmpl", "j2", "jinja", "erb", "epp", "template", "in", "dist", "sample")
# Nobody runs these, and so not what they are made of: `s3backer.1.in`, `README.md.tpl`.
_FOR_PEOPLE = re.compile(r"\d\w*|md|rst|adoc|txt|html?|tex|texi|po")
_BY_NAME = {
    **dict.fromkeys(("makefile", "gnumakefile"), SHELL),
    "jenkinsfile": CONFIGURATION,
    **dict.fromkeys(("rakefile", "gemfile", "capfile", "guardfile", "vagrantfile"), RUBY),
    **dict.fromkeys(("sconstruct", "wscript"), PYTHON),
    "env": CONFIGURATION,
}
_BY_INTERPRETER = (
    (re.compile(r"(?:ba|da|a|k|mk|z|fi)?sh|pwsh|busybox"), SHELL),
    (re.compile(r"python[\d.]*|pypy[\d.]*"), PYTHON),
    (re.compile(r"perl[\d.]*"), PERL),
    (re.compile(r"ruby[\d.]*"), RUBY),
    (re.compile(r"php[\d.]*"), PHP),
    (re.compile(r"node(?:js)?|deno|bun"), JAVASCRIPT),
    (re.compile(r"lua(?:jit)?[\d.]*"), LUA),
    (re.compile(r"Rscript|tclsh[\d.]*|elixir|julia"), HASHED),
    (re.compile(r"groovy|scala|kotlin|java"), BRACED),
)
# "#!/usr/bin/env -S FOO=1 python3 -u": the last word that is a program's name.
_SHEBANG = re.compile(r"#!\s*(\S+)(?:\s+(.*))?")


def of_ending(path: str) -> Optional[Language]:
    """Return the language that a file's name says."""
    name = path.rpartition("/")[2].lower()
    stem, _, ending = name.lstrip(".").rpartition(".")
    if stem and ending in _TEMPLATES:
        if _FOR_PEOPLE.fullmatch(stem.rpartition(".")[2]) is not None:
            return None
        return of_ending(stem) or CONFIGURATION
    return _BY_ENDING.get(ending) if stem else _BY_NAME.get(name.lstrip("."))


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
