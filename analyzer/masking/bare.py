"""Secrets that show by themselves, without a name before them."""

from __future__ import annotations

import re

from analyzer.masking.mask import MASK

_FLAGS = re.IGNORECASE | re.ASCII

# In a script that calls curl. The numbers in `docker run -u 1000:1000` are no password.
_CURL_USER = r"(\s(?:-[a-z]{0,8}u|--(?:proxy-)?user)[\s=]{0,4}[\"']?[^\s:$\"'/-][^\s:\"'/]{0,64}:)"

# (what lower-case text must hold, what is looked for); what its first group holds is kept.
_BARE: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (alarm, re.compile(pattern, flags))
    for alarm, pattern, flags in (
        ("aqae", r"()AQAE[\w+/=-]{36,}", re.ASCII),
        ("iqojb3jpz2lu", r"()IQoJb3JpZ2lu[\w+/=-]{36,}", re.ASCII),
        ("fwogzxivyxdz", r"()FwoGZXIvYXdz[\w+/=-]{36,}", re.ASCII),
        ("akia", r"(AKIA[A-Z0-9]{16}[\s:,;\"'=|/]{1,8})[A-Za-z0-9+/]{40}", re.ASCII),
        ("asia", r"(ASIA[A-Z0-9]{16}[\s:,;\"'=|/]{1,8})[A-Za-z0-9+/]{40}", re.ASCII),
        ("@", r"(://[^\s/?#@:\"'`]{0,128}:)(?!\$)[^\s/?#@\"'`]{1,512}(?=@)", re.ASCII),
        ("signature", r"(signature=)[\w%+/=-]{24,}", _FLAGS),
        ("bearer", r"(bearer\s{1,8})(?=[\w.~+/-]{0,256}\d)[\w.~+/-]{16,}={0,2}", _FLAGS),
        ("eyj", r"(?<![\w-])()eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*", re.ASCII),
        ("curl", _CURL_USER + r"(?!\$|\d+(?:[\s\"']|\Z))[^\s\"']+", _FLAGS),
    )
)


ALARMS = tuple(alarm for alarm, _ in _BARE)


def mask_bare(text: str, folded: str) -> str:
    """Mask session tokens, keys behind their ids, signatures, and passwords of URLs and curl.

    ``folded`` is the text in lower case.
    """
    for alarm, pattern in _BARE:
        if alarm in folded:
            text = pattern.sub(_masked, text)
    return text


def _masked(match: re.Match[str]) -> str:
    # A template such as r"\g<1>..." would be looked up for each text, even where nothing matches.
    return f"{match[1]}{MASK}"
