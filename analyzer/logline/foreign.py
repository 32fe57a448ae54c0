"""Tells user agents that a program cannot send on its own: a browser's, a scanner's, another's.

Whoever makes a server ask the metadata service often leaves a user agent in the request, because
proxies send it on. What no list has here proves nothing.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Optional

from analyzer.logline.servers import Place, Server

BROWSER = "a browser's"
SCANNER = "a scanner's"
OTHERS = "another program's"

# Tools that look for holes, as they call themselves when nobody tells them otherwise.
_SCANNERS = (
    r"sqlmap/|nikto|nuclei|projectdiscovery|nmap scripting engine|masscan|zgrab|wpscan|dirbuster"
    r"|gobuster|feroxbuster|fuzz faster u fool|\bffuf\b|wfuzz|dirsearch|acunetix|netsparker"
    r"|invicti|nessus|openvas|greenbone|qualys|arachni|w3af|burp ?(?:suite|collaborator)|\bowasp"
    r"|\bzaproxy|\bzap/|httpx - open-source|interactsh|commix|ssrfmap|jaeles|whatweb|skipfish"
    r"|censysinspect|expanse, a palo|l9explore|leakix|appscan|webinspect|tsunami|detectify"
    r"|xsstrike|jorgee|zmeu|morfeus|havij|gospider"
)
# Every browser, and each crawler that calls itself one. PowerShell does, too.
_BROWSERS = r"\A(?:mozilla|opera)/"
_POWERSHELL = r"powershell/"
# A word of a program's name that is as long says who it is.
_WORD = re.compile("[a-z]{4,}")
# Beginning of a user agent -> the language of the program that sends it by itself.
PRODUCTS: tuple[tuple[str, str], ...] = (
    (r"(?:lib)?curl/", "curl"),
    (r"wget/", "wget"),
    (r"python-(?:requests|urllib3?|httpx)/|python/[\d.]+ aiohttp/|pycurl/|httpie/", "python"),
    (r"boto|aws-cli/", "python"),
    (r"go-http-client/|aws-sdk-go|fasthttp", "go"),
    (r"java/|java-http-client/|okhttp/|apache-httpclient/|aws-sdk-java|reactornetty/", "java"),
    (r"axios/|node-fetch|undici|node\b|got \(|aws-sdk-(?:nodejs|js)", "node"),
    (r"ruby|faraday|rest-client/|http\.rb/|aws-sdk-ruby|excon/|typhoeus", "ruby"),
    (r"guzzlehttp/|php/|aws-sdk-php|symfony httpclient", "php"),
    (r"libwww-perl/|http-tiny/|lwp", "perl"),
    (r"aws-sdk-dotnet|restsharp/", "dotnet"),
    (r"reqwest/|aws-sdk-rust|hyper/", "rust"),
    (r"postmanruntime/|insomnia/", "person"),
)
# Those of AWS's SDKs: the ones that a forward proxy's clients have.
_SDK = r"boto|aws-(?:sdk|cli)"
# Longer ones than the recorder keeps are nobody's.
_LENGTH_MAX = 1024


def language(agent: str) -> Optional[str]:
    """Return the language of the library that sends a user agent, None if it is not known."""
    text = agent[:_LENGTH_MAX]
    return next((name for pattern, name in PRODUCTS if _search(rf"\A(?:{pattern})", text)), None)


def is_sdk(agent: str) -> bool:
    """Tell whether a user agent is that of an AWS SDK."""
    return _search(rf"\A(?:{_SDK})", agent[:_LENGTH_MAX])


def maybe_foreign(agent: str, server: Optional[Server], names: Sequence[str]) -> Optional[str]:
    """Return whose a user agent is that the program cannot have sent for itself, else None.

    ``names`` are the program's and its executable's, without a path; ``server`` is what it is,
    None for one of no known kind.
    """
    text = agent[:_LENGTH_MAX]
    if _search(_SCANNERS, text):
        # The scanner itself, or its vendor's agent, is run here.
        words = (word for name in names for word in _WORD.findall(name.lower()))
        is_itself = any(word in text.lower() for word in words)
        return None if is_itself else SCANNER
    if _search(_BROWSERS, text):
        runs_powershell = any(name.startswith(("pwsh", "powershell")) for name in names)
        is_shell = runs_powershell and _search(_POWERSHELL, text)
        return None if is_shell else BROWSER
    if server is None or server.place in (Place.FORWARD, Place.BROWSER):
        return None
    sender = language(text)
    if sender is None or sender in server.own:
        return None
    # A reverse proxy with an SDK behind it is used as a forward proxy.
    return None if server.place is Place.REVERSE and is_sdk(text) else OTHERS


def _search(pattern: str, text: str) -> bool:
    return _compiled(pattern).search(text) is not None


@functools.cache  # of the patterns here alone
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)
