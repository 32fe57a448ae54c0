"""Finds secrets that need no name: kinds that are known by their first characters."""

from __future__ import annotations

import re

from analyzer.masking.alarms import AnyOf, compiled
from analyzer.masking.mask import MASK, Span
from analyzer.masking.structures import CUT_FORMS, FORMS, NAMED_ALARMS, READERS

_FLAGS = re.IGNORECASE | re.ASCII

# In a script that calls curl. The numbers in `docker run -u 1000:1000` are no password.
_CURL_USER = r"(\s(?:-[a-z]{0,8}u|--(?:proxy-)?user)[\s=]{0,4}[\"']?[^\s:$\"'/-][^\s:\"'/]{0,64}:)"
_B64 = r"[\w+/=-]"
_ECHO = r"((?:echo|printf)\s{1,4}(?:-[neE]{1,3}\s{1,4})?(?:[\"']?%s(?:\\n)?[\"']?\s{1,4})?"
_PRIVATE = r"-----BEGIN [A-Z ]{0,32}PRIVATE KEY(?: BLOCK)?-----"

# Before a password where no URL is: in a Host field, in the target of CONNECT.
_USER_NAME = r"((?<![\w/.@:%+~-])(?!(?:npm|workspace|mailto|git|file|jsr|sha\d+):)[\w.%+~-]{0,64}:)"

# (what lower-case text must hold, what is looked for, flags); what its first group holds is kept.
# A secret may be cut, so few characters behind a kind's own beginning are enough.
_BARE: tuple[tuple[str, str, int], ...] = tuple(
    (alarm, pattern, flags)
    for alarms, pattern, flags in (
        # session tokens of IMDS and STS
        ("aqae", rf"()(?<![A-Za-z0-9])AQAE{_B64}{{2,}}", re.ASCII),
        ("aqae", rf"()AQAE{_B64}{{36,}}", re.ASCII),
        ("iqojb3jpz2lu", rf"()IQoJb3JpZ2lu{_B64}*", re.ASCII),
        ("agojb3jpz2lu", rf"()AgoJb3JpZ2lu{_B64}*", re.ASCII),
        ("ogzxivyxdz", rf"()F[wQ]oGZXIvYXdz{_B64}*", re.ASCII),
        ("aqodyxdz", rf"()AQoDYXdz{_B64}*", re.ASCII),
        # a secret key beside its id, also a cut one
        (
            ("akia", "asia"),
            rf"(A[KS]IA[A-Z0-9]{{16}}[\s:,;\"'=|/]{{1,8}})(?=[A-Za-z/+]{{0,40}}[0-9+/]){_B64}{{8,40}}",
            re.ASCII,
        ),
        # those of others
        (
            ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
            r"()(?<![A-Za-z0-9])gh[pousr]_[A-Za-z0-9]{4,}",
            re.ASCII,
        ),
        ("github_pat", r"()github_pat_\w*", re.ASCII),
        (
            (
                "glpat-",
                "glptt-",
                "glrt-",
                "gldt-",
                "glcbt-",
                "glft-",
                "glsoat-",
                "glagent-",
                "glimt-",
            ),
            r"()(?<![A-Za-z0-9])gl(?:pat|ptt|rt|dt|cbt|ft|soat|agent|imt|oas)-[\w.-]{4,}",
            re.ASCII,
        ),
        ("xox", r"()(?<![A-Za-z0-9])xox[abeoprs](?:\.xox[bp])?-[\w-]{4,}", re.ASCII),
        ("xapp-", r"()xapp-\d[\w-]+", re.ASCII),
        ("hooks.slack.com", r"(hooks\.slack\.com/(?:services|workflows|triggers)/)[\w/-]+", _FLAGS),
        ("webhooks/", r"(/api/webhooks/\d{1,20}/)[\w-]+", _FLAGS),
        (
            ("sk_live_", "rk_live_", "sk_test_", "rk_test_"),
            r"()(?<![A-Za-z0-9])[sr]k_(?:live|test)_\w{4,}",
            re.ASCII,
        ),
        ("whsec", r"()whsec_[\w+/=]+", re.ASCII),
        (
            "sk-",
            r"()(?<![A-Za-z0-9-])sk-(?:(?:proj|ant|svcacct|or|lf)-[\w-]{4,}|[A-Za-z0-9]{20,})",
            re.ASCII,
        ),
        ("aiza", r"()(?<![A-Za-z0-9])AIza[\w-]{4,}", re.ASCII),
        ("ya29", r"()(?<![A-Za-z0-9])ya29\.[\w.-]+", re.ASCII),
        ("gocspx", r"()GOCSPX-[\w-]+", re.ASCII),
        (("hvs.", "hvb.", "hvr."), r"()(?<![A-Za-z0-9])hv[sbr]\.[\w-]{4,}", re.ASCII),
        ("npm_", r"()(?<![A-Za-z0-9])npm_(?=[a-z_]{0,36}[A-Z0-9])[A-Za-z0-9]{6,}", re.ASCII),
        ("pypi-", r"()pypi-AgE[\w-]+", re.ASCII),
        ("dop_v1", r"()do[opr]_v1_[a-f0-9]+", re.ASCII),
        ("sg.", r"()(?<![A-Za-z0-9])SG\.[\w-]{8,}(?:\.[\w-]*)?", re.ASCII),
        ("hf_", r"()(?<![A-Za-z0-9])hf_[A-Za-z0-9]{20,}", re.ASCII),
        (
            ("shpat_", "shpca_", "shppa_", "shpss_"),
            r"()(?<![A-Za-z0-9])shp(?:at|ca|pa|ss)_[a-fA-F0-9]{6,}",
            re.ASCII,
        ),
        ("dckr_pat", r"()dckr_pat_[\w-]+", re.ASCII),
        ("akcp", r"()(?<![A-Za-z0-9])AKCp[A-Za-z0-9]{10,}", re.ASCII),
        ("hrku-", r"()(?<![A-Za-z0-9])HRKU-[\w-]{4,}", re.ASCII),
        ("nrak", r"()(?<![A-Za-z0-9])NRAK-[A-Z0-9]{6,}", re.ASCII),
        (":aa", r"()(?<!\d)\d{8,12}:AA[\w-]{2,}", re.ASCII),
        ("age-secret-key", r"()AGE-SECRET-KEY-1[A-Z0-9]*", re.ASCII),
        (
            ("$6$", "$5$", "$1$", "$y$", "$2", "$gy$", "$argon2", "$apr1$"),
            r"()\$(?:[156y]|apr1|2[abxy]|gy|argon2i?d?)\$[\w./$=,+-]{4,}",
            re.ASCII,
        ),
        ("accountkey", r"(accountkey=)[\w+/=]+", _FLAGS),
        ("sig=", r"([?&;]sig=)[\w%+/=-]+", _FLAGS),
        ("signature", r"(signature=)[\w%+/=-]{24,}", _FLAGS),
        ("bearer", r"(bearer\s{1,8})(?=[\w.~+/-]{0,256}\d)[\w.~+/-]{8,}={0,2}", _FLAGS),
        ("basic", r"(basic\s{1,8})(?=[a-z+/]{0,256}[0-9=])[\w+/-]{6,}={0,2}", _FLAGS),
        ("eyj", r"(?<![\w-])()eyJ[\w-]{8,}\.[\w-]{2,}(?:\.[\w-]*)?", re.ASCII),
        ("private key", rf"({_PRIVATE})(?:(?!-----END)[^\[]){{1,65536}}", re.ASCII),
        # where a shell or a language has a password
        ("<<<", r"(<<<[ \t]{0,8}\$?\")(?![$\"`])[^\"\n]+", re.ASCII),
        ("<<<", r"(<<<[ \t]{0,8}\$?')(?!')[^'\n]+", re.ASCII),
        ("<<<", r"(<<<[ \t]{0,8})(?![$\"'`])[^\s;|&<]+", re.ASCII),
        ("|", rf"{_ECHO}\")(?!\$)[^\"\n]{{1,512}}(?=\"\s{{0,8}}\|\s{{0,8}}{READERS})", re.ASCII),
        ("|", rf"{_ECHO}')[^'\n]{{1,512}}(?='\s{{0,8}}\|\s{{0,8}}{READERS})", re.ASCII),
        (
            "|",
            rf"{_ECHO})(?![$\"'`-])[^\s|;&\"'$]{{1,512}}(?=\s{{0,8}}\|\s{{0,8}}{READERS})",
            re.ASCII,
        ),
        (
            "identified",
            r"(identified\s{1,4}(?:with\s{1,4}\S{1,64}\s{1,4})?by\s{1,4}[\"'])[^\"'\n]+",
            _FLAGS,
        ),
        (
            "password",
            r"(\b(?:login|user|username)\s{1,4}\S{1,64}\s{1,4}password\s{1,4}[\"']?)[^\s\"']+",
            _FLAGS,
        ),
        ("password", r"(\bpassword\s{1,4}')[^'\n]+", _FLAGS),
        ("curl", _CURL_USER + r"(?!\$|\d+(?:[\s\"']|\Z))[^\s\"']+", _FLAGS),
        ("connect", r"(\bconnect\s{1,4}[^\s:/@]{1,64}:)(?!\$)\S{1,512}(?=@)", _FLAGS),
        (
            "@",
            _USER_NAME + r"(?!\$|/|\d{1,5}/)[^\s:\"'`\[]{1,128}(?=@(?!sha\d)[\w\[.])",
            re.ASCII,
        ),
        *FORMS,
    )
    for alarm in ((alarms,) if isinstance(alarms, str) else alarms)
)
# What is printed may be on its way to one of the readers.
_CUT_ECHO = (
    rf"{_ECHO}[\"']?)(?![$`-])[^\s|;&\"'$]{{1,512}}(?=[\"']?\s{{0,8}}(?:\|[^|;\n]{{0,128}})?\Z)"
)
_CUT = ((_CUT_ECHO, 0), *CUT_FORMS)
_URL = re.compile(r"://(?!\[)[^\s\"'`<>]*")
_USER = re.compile(r"[^/?#@:]*")
# In place of a user's name and a password.
_LONE_TOKEN = re.compile(r"(?=[^/?#@:]*[0-9])[\w.~%+-]{16,}", re.ASCII)
_PORT = re.compile(r":\d{0,5}(?=[/?#,;)\]}]|\Z)")

ALARMS = tuple(
    dict.fromkeys((*(alarm for alarm, _, _ in _BARE if alarm not in NAMED_ALARMS), "://"))
)
_ANY = AnyOf(alarm for alarm, _, _ in _BARE)


def find_by_shape(text: str, folded: str, *, is_cut: bool) -> list[Span]:
    """Return where secrets of known kinds stand; ``folded`` is the text in lower case."""
    spans: list[Span] = []
    if _ANY.may_be_in(folded):
        for alarm, pattern, flags in _BARE:
            if alarm in folded:
                spans += _found(pattern, flags, text)
    if is_cut:
        spans += [span for pattern, flags in _CUT for span in _found(pattern, flags, text)]
    if "://" in text and ("@" in text or is_cut):
        for url in _URL.finditer(text):
            spans += _passwords(text, url.start(), url.end(), is_cut=is_cut)
    return spans


def _found(pattern: str, flags: int, text: str) -> list[Span]:
    return [
        (match.end(1), match.end())
        for match in compiled(pattern, flags).finditer(text)
        if not text.startswith(MASK, match.end(1))
    ]


def _passwords(text: str, start: int, end: int, *, is_cut: bool) -> list[Span]:
    """Return where the password of a URL stands, which may hold ``@`` and ``/`` itself.

    It ends with the last ``@`` of the word, or, where the text is cut, with the text.
    """
    last = text.rfind("@", start, end)
    if is_cut and end == len(text):
        last = end
    while 0 <= start < last:
        user = _USER.match(text, start + 3, end)
        colon = end if user is None else user.end()
        is_password = colon < last and text[colon] == ":"
        if is_password and _PORT.match(text, colon, end) is None:
            if text.startswith(("$", MASK), colon + 1):
                return []
            return [(colon + 1, last)]
        if text.startswith("@", colon) and _LONE_TOKEN.fullmatch(text, start + 3, colon):
            return [(start + 3, colon)]
        start = text.find("://", start + 3, end)
    return []
