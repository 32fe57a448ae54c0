"""Finds secrets by their place in a document, a program's source or a command's input.

In these the name of a secret and the secret are apart, or no name is there at all:
``{"name": "DB_PASSWORD", "value": "x"}``, ``<password>x</password>``, ``auth=("bob", "x")``.
"""

from __future__ import annotations

import re
from typing import Union

_FLAGS = re.IGNORECASE | re.ASCII

_Q = r"(?:[\"'\\]|&quot;|&#34;|%22){0,4}"  # quotes, also escaped ones
_SIGN = rf"{_Q}\s{{0,4}}(?:[:=]|%3[ad])\s{{0,4}}{_Q}"
# Words with which names of secrets end.
_WORDS = (
    r"(?:passw(?:or)?d|passphrase|pass|pwd|secret|token|credentials?|api[-_]?key|access[-_]?key|secret[-_]?key"
    r"|private[-_]?key|auth[-_]?key|encryption[-_]?key|passwort)"
)
_NAME = rf"[\w./:-]{{0,64}}{_WORDS}"
_STRING = r"\s{0,4}[\"'][^\"'\n]{0,128}[\"']\s{0,4},"
# Attributes, and what a name is followed by before its value.
_BETWEEN = rf"{_Q}\s{{0,4}}[,;]?\s{{0,8}}{_Q}"
_TO_HOST = r"[^\s:@\"'\[/]{1,128}(?=@[\w.-]{1,255}(?!\S))"
_DIGEST = r"[\w.-]{1,128}@sha\d"
_PGPASS = r"[\w.*-]{1,128}:(?:\d{1,5}|\*):[\w.*-]{1,64}:[\w.*-]{1,64}:"
_ELEMENT = rf"(?:[\w.-]{{1,32}}:)?{_NAME}"
_CODES = r"(?<![a-z0-9])(?:pin(?:-value)?|t?otp|mfa(?:[-_]?(?:code|token))?|token-?code)"
_PAIR = rf"(?:name|key){_SIGN}{_NAME}{_BETWEEN}(?:parameter)?value{_SIGN}"
_END_OF_PAIR = rf"{_Q}(?:name|key){_SIGN}{_NAME}[\"']"
# The end of a shell's document: the word behind its beginning, alone on a line.
_WORD = r"<<-?[ \t]{0,4}[\"'\\]?(\w{1,32})[\"']?[^\n]{0,128}\n"
_TO_WORD = r"(?![ \t]{0,32}(?:\2|\$))(?:(?!\n[ \t]{0,32}\2(?!\w))[\s\S]){1,4096}"
_MAYBE_NAME = rf"\s{{0,4}},?\s{{0,8}}{_Q}\w{{0,16}}{_Q}[:=]?\s{{0,4}}{_Q}[\w./:-]{{0,64}}\Z"
# One of these behind `echo x |` or before `<<<` reads a password.
READERS = (
    r"(?:sudo\s(?:[^|;\n]{0,64}\s)?-\w{0,8}S|[^|;\n]{0,128}--?(?:\w{1,16}-)?(?:on-)?stdin"
    r"|[^|;\n]{0,32}(?:chpasswd|passwd|passphrase-fd|cryptsetup|gh auth login|smbpasswd|kinit))"
)

# (what lower-case text must hold, what is looked for, flags); what the first group holds is kept.
FORMS: tuple[tuple[Union[str, tuple[str, ...]], str, int], ...] = (
    # a name and a value as a pair: ECS, Kubernetes, CloudFormation, XML, HTML
    ("value", rf"({_PAIR})[^\s\"'\\,;&}}\])<>]+", _FLAGS),
    ("value", rf"({_PAIR}(?<=\"))[^\"\\\n]+", _FLAGS),
    (
        "value",
        rf"(\bvalue{_SIGN}(?<=[\"']))[^\"'\n]{{1,512}}(?=[\"']\s{{0,4}},\s{{0,8}}{_END_OF_PAIR})",
        _FLAGS,
    ),
    (
        "<",
        rf"(<{_ELEMENT}(?:\s[^<>]{{0,256}})?>\s{{0,8}}(?:<!\[CDATA\[)?)(?=[^\s<\[])[^<\]]+",
        _FLAGS,
    ),
    ("&lt;", rf"(&lt;{_ELEMENT}&gt;)[^&<]+", _FLAGS),
    # calls, in the order in which they take things
    (
        "auth",
        rf"(auth\s{{0,4}}(?:=\s{{0,4}}[\w.]{{0,64}})?\({_STRING}\s{{0,4}}[\"'])[^\"'\n]+",
        _FLAGS,
    ),
    ("connect", rf"(connect\({_STRING}{_STRING}\s{{0,4}}[\"'])[^\"'\n]+", _FLAGS),
    ("pdo(", rf"(pdo\({_STRING}{_STRING}\s{{0,4}}[\"'])[^\"'\n]+", _FLAGS),
    *(
        (
            verb,
            rf"({verb}\w{{0,16}}\(\s{{0,4}}[\"']{_NAME}[\"']\s{{0,4}},\s{{0,4}}[\"'])[^\"'\n]+",
            _FLAGS,
        )
        for verb in ("define", "set", "put", "header", "append", "add")
    ),
    ("securestring", r"(convertto-securestring\s{1,4}(?:-string\s{1,4})?[\"'])[^\"'\n]+", _FLAGS),
    ("password", r"(\bpassword\s{0,4}\(\s{0,4}[\"'])[^\"'\n]+", _FLAGS),
    # variables of csh, fish and Windows
    (
        "set",
        rf"(\bset(?:x|env)?\s{{1,4}}(?:-\w{{1,4}}\s{{1,4}}){{0,2}}\w{{1,64}}_{_WORDS}\s{{1,4}}[\"']?)[^\s\"';$]+",
        _FLAGS,
    ),
    # a name and a password behind one word
    (
        ("login=", "auth=", "creds=", "cred=", "credentials="),
        r"((?:auth|creds?|credentials?|login)=[^\s:/=\"'@,;&]{1,64}:)(?!//|\d{1,5}(?![\w]))[^\s\"'&;,\[][^\s\"'&;,]*",
        _FLAGS,
    ),
    # one-time codes and PINs
    *(
        (
            end,
            rf"({_CODES}{_Q}\s{{0,2}}[=:]\s{{0,2}}{_Q})\d{{4,10}}(?!\w)",
            _FLAGS,
        )
        for end in ("pin", "otp", "mfa", "code")
    ),
    ("jdbc:oracle", r"(jdbc:oracle:\w{1,8}:[\w$#]{1,128}/)[^\s@/\"']+(?=@)", _FLAGS),
    ("secret,", r"(\bsecret,(?:[\w-]{1,32}=[^\s,=]{0,64},){0,4}data=)[^\s,]+", _FLAGS),
    (".pgpass", rf"((?<![\w.:*-]){_PGPASS})[^\s\"']+", _FLAGS),
    (
        "assword",
        r"(assword[^\n]{0,40}\bsend\s{1,4}(?:--\s{1,4})?(?:\\?[\"'{]))(?!\$)[^\"'}\\\n]+",
        _FLAGS,
    ),
    # a document that a shell writes to a reader of passwords
    (
        "<<",
        rf"({READERS}[^\n<]{{0,128}}{_WORD}){_TO_WORD}",
        re.ASCII,
    ),
    # a domain, a name, a password and a host, as a whole word; images have digests there
    (
        "@",
        rf"((?<!\S)[\w.-]{{1,64}}/[\w.$-]{{1,64}}:)(?!\d{{1,5}}/|{_DIGEST}){_TO_HOST}",
        re.ASCII,
    ),
    # as a directory: /srv/bob:x@host/x
    ("@", r"((?<=/)[\w.-]{1,64}:)(?!\d{1,5}/)[^\s:@\"'\[/]{4,128}(?=@(?!sha\d)[A-Za-z])", re.ASCII),
    # without a scheme: //bob:x@host
    ("@", r"((?<![:\w/])//[\w.%+~-]{1,64}:)(?!\$)[^\s\"'`\[/@]{1,128}(?=@[\w\[.])", re.ASCII),
)  # fmt: skip

# What these begin has a name in it, which alarms already.
NAMED_ALARMS = ("<", "&lt;", "value", "set", "put", "add", "append", "header", "define", "code")
# The end of a text that is cut, where what makes a secret of it would come behind it.
CUT_FORMS = tuple(
    (pattern, _FLAGS)
    for pattern in (
        rf"(\bvalue{_SIGN}(?<=[\"']))[^\"'\n]{{1,512}}(?=[\"']{_MAYBE_NAME})",
        rf"((?<![\w.:*-]){_PGPASS})[^\s\"']+(?=[\"']?\s{{0,8}}(?:>{{1,2}}\s{{0,8}}\S{{0,64}})?\Z)",
    )
)
