"""Lists the names that announce a secret, as one pattern over lower-case text.

Each alternative begins with a letter of its own, which makes the search ten times as fast;
what must not stand before a name is therefore looked for behind its first letters.
"""

from __future__ import annotations

import functools
import re

# Text with none of these holds no name of a secret.
ALARMS = (
    "token", "secret", "auth", "bearer", "pass", "pw", "cookie", "key", "psk", "-sk", "cred",
    "sessid", "jsessionid", "pswd", "mnemonic", "seed", "community",
)  # fmt: skip
# The same in the languages of Europe and Asia, looked for where a text has one of these.
FOREIGN_ALARMS = (
    "passwort", "kennwort", "passord", "mot_de_passe", "motdepasse", "mdp", "contraseña",
    "contrasena", "senha", "wachtwoord", "hasło", "haslo", "heslo", "parola", "salasana",
    "lösenord", "losenord", "adgangskode", "şifre", "sifre", "jelszó", "jelszo", "пароль",
    "κωδικός", "密码", "密碼", "パスワード", "비밀번호",
)  # fmt: skip

# What may close a quoted name and its index before the sign that assigns: "token"] =
_CLOSED = r"\\{0,8}[\"'][\])\s]{0,8}"
_SPACES = r"[^\S\n]{1,8}"
_S = "[-_.]?"

# Names of header fields: a whole argument of the field's form has nothing else in it.
_HEADERS = (
    r"metadata[-_]?token",
    r"x-(?:[a-z0-9]{1,16}-){0,4}(?:token|key|secret|password|signature|session)",
    r"api-key",
    r"ocp-apim-subscription-key",
    r"private-token",
)
# Names whose secret may follow behind a space, too.
_KEYS = (
    rf"(?:session|security|access|refresh|bearer|auth|api|oauth){_S}token",
    rf"secret{_S}(?:access{_S})?key",
    rf"(?:client|app|consumer|access{_S}key){_S}secret",
    rf"(?:api|auth|app|account|storage|subscription){_S}key",
    rf"api{_S}secret",
    r"oauth2-bearer",
    r"(?:store|key|trust)pass",
    r"mnemonic",
    rf"seed{_S}phrase",
    rf"snmp{_S}community",
)
# Names of keys that may as well be a file's: then its path stays.
_FILES = (
    rf"(?:private|signing|encryption|master|service{_S}account|shared{_S}access|license){_S}key",
)
# What comes before pw without a sign between them: bindpw, rootpw.
_WHOSE = "|".join(
    rf"(?<={whose}pw)"
    for whose in ("bind", "root", "admin", "user", "db", "login", "ssh", "ftp", "smtp", "mail")
)
# Words that are names only where something is assigned to them.
_PASSWORDS = (
    r"pass[-_]?w(?:or)?d",
    r"pass[-_]?phrase",
    r"passcode",
    r"pass[-_]?key",
    r"pswd",
    r"pass(?<!bypass)(?<!compass)(?<!trespass)(?<!ask-pass)",
    r"pwd(?<!oldpwd)",
    rf"pw(?:(?<![a-z]pw)|{_WHOSE})",
    r"psk(?<![a-z]psk)",
)
_WORDS = (
    "token",
    "secret(?<!existingsecret)",
    *_PASSWORDS,
    "passwords",
    r"credentials?",
    r"secret_id",
    r"sess(?:id(?<=phpsessid)|ionid(?<=jsessionid))",
    r"auth(?<=_auth)",
)
_ASSIGNED = (
    rf"(?==|\[?\]=|{_CLOSED}[:=]|{_SPACES}=[^\S\n]{{0,8}}[^\s=]"
    r"|[^\S\n]{0,8}:=|:\n[ \t]{0,16}-[ \t]|:[^\S\n]{0,8}[\"']|:[^\S\n]{1,8}\S)"
)


def _names(passwords: tuple[str, ...], words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(
        rf"(?:(?P<header>{'|'.join(_HEADERS)})"
        r"|(?P<credential>authorization|cookie2?)"
        rf"|(?P<key>{'|'.join(_KEYS)})"
        rf"|(?P<file>{'|'.join(_FILES)})"
        rf"|(?P<variable>(?:{'|'.join(words)}){_ASSIGNED}"
        # Without a space behind the colon: the password of openssl, and YAML as some write it.
        rf"|(?:{'|'.join(passwords)})(?=:(?:[^\s/:]|\Z)))"
        # Only options: --password x.
        rf"|(?P<option>(?:{'|'.join(words)}|sk(?<=-sk))(?=\Z|[\s='\"])))"
        # The number after ...-metadata-token-ttl-seconds is no secret: a name ends where it ends.
        r"(?![\w-])"
    )


_WHOLE_FOREIGN = tuple(rf"{name}(?:_chiave)?(?<![^\W_]{name})" for name in FOREIGN_ALARMS)


@functools.cache
def name_pattern() -> re.Pattern[str]:
    """Return the pattern of all names but the foreign ones; it is compiled at the first call."""
    return _names(_PASSWORDS, _WORDS)


@functools.cache
def foreign_name_pattern() -> re.Pattern[str]:
    """Return the pattern of all names, those of other languages with them."""
    return _names((*_PASSWORDS, *_WHOLE_FOREIGN), (*_WORDS, *_WHOLE_FOREIGN))
