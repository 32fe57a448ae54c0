"""Defines how compiled and rarer languages mark comments and make HTTP calls.

Their sources lie where they are built, and on hosts that run them as scripts.
"""

from __future__ import annotations

import re

from analyzer.software.script_languages import Language


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


# Clients of the standard libraries, and well-known ones, of Java, Kotlin, Scala, Groovy, Go, C#,
# Rust, Swift, Dart and C.
_BRACED_CALL = _words(
    r"\bhttp\.(?:Get|Head|NewRequest)|NewRequest|openStream|openConnection|HttpClient|HttpGet"
    r"|HttpRequest|HttpURLConnection|WebClient|WebRequest|RestTemplate|RestClient|WebTarget|Retrofit"
    r"|DownloadString|DownloadData|Get(?:String|Stream|ByteArray|FromJson)?Async|SendAsync|OkHttp"
    r"|Request\.Builder|Jsoup|Unirest|Feign|Source\.fromUR[LI]|\breadText\(|\.toURL\(|\.text\b(?!\w)"
    r"|IOUtils\.toString|reqwest|ureq|\bhyper\b|isahc|surf::|awc::|TcpStream|net\.Dial|\bSocket\("
    r"|curl|wget|URLSession|contentsOf|libcurl|http_get|http\.get|dio\."
)
# All with `//` and `/* */`.
BRACED = Language(
    "braced",
    ("//",),
    (("/*", "*/"),),
    _BRACED_CALL,
    bare=re.compile(r"\bhttp\.(?:Get|Head)\("),  # Go's, which take an address and no header
)
# R, Julia, Tcl, Elixir, Nim, Crystal: `#` begins a comment.
HASHED = Language(
    "hashed",
    ("#",),
    (('@doc """', '"""'), ('@moduledoc """', '"""'), ('"""', '"""')),
    _words(
        r"readLines|download(?:\.file)?\(|\burl\(|httr|getURL|fromJSON|\bGET\(|geturl|http::|\bsocket\b"
        r"|HTTPoison|\bReq\.|Tesla|Finch|:httpc|:hackney|\bMint\.|HTTPotion|HTTP\.|HttpClient|curl|wget"
    ),
)
# Erlang and Clojure, Haskell, Visual Basic.
ERLANG = Language("erlang", ("%",), (), _words(r"httpc:|hackney:|ibrowse:|gun:|os:cmd"))
CLOJURE = Language("clojure", (";",), (), _words(r"\(slurp|http/|client/get|\bsh\b"))
HASKELL = Language(
    "haskell", ("--",), (("{-", "-}"),), _words(r"simpleHttp|httpLBS|parseRequest|wreq|curl")
)
BASIC = Language("basic", ("'",), (), _words(r"WebClient|WebRequest|HttpClient|XMLHTTP|curl"))
