"""Lists the options and words of programs behind which a secret stands.

They are apart from the code that applies them so that one line adds a program.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Optional


class Rule(NamedTuple):
    """The options of some programs that take a secret.

    Behind ``separator``, where there is one, because what is before it is a name. With
    ``needs`` only in commands with such a word. An option that is not ``glued`` never has its
    value in the same word. Some take several ``words``.
    """

    options: tuple[str, ...]
    separator: str = ""
    needs: Optional[re.Pattern[str]] = None
    is_glued: bool = True
    words: int = 1


def _when(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?:{pattern})\Z", re.IGNORECASE)


_LOGIN = _when("login")
# Patterns of program names, and what they take; all that match count.
PROGRAMS: tuple[tuple[str, Rule], ...] = tuple(
    (rf"(?:{names})\Z", rule)
    for names, rule in (
        ("sshpass", Rule(("-p",))),
        (r"(?:mysql|mariadb)\w{0,8}(?:-\w{1,8})?", Rule(("-p",))),
        (r"(?:mysql|mariadb-?)admin", Rule(("password",))),
        (r"redis-cli|valkey-cli", Rule(("-a", "--pass"))),
        (r"(?:redis|valkey)-server", Rule(("auth-pass",), words=2)),
        (r"(?:redis|valkey)-server", Rule(("--masterauth",))),
        (
            r"mongo\w{0,8}|cqlsh|twine|influx|beeline|conan|cypher-shell|rabbitmqadmin",
            Rule(("-p",)),
        ),
        (
            r"docker|podman|nerdctl|buildah|skopeo|helm|crane|oras|az|oc|argocd|cf",
            Rule(("-p",), needs=_LOGIN),
        ),
        (r"ctr|nerdctl|crictl", Rule(("-u", "--user", "--creds"), ":", _when("pull|push|fetch"))),
        (r"curl", Rule(("-u", "-U", "--user", "--proxy-user"), ":")),
        (r"curl", Rule(("-E", "--cert", "--proxy-cert"), ":")),
        (r"curl", Rule(("-b",), "=")),
        (r"https?|xh", Rule(("-a", "--auth"), ":")),
        (r"https?|xh", Rule(("-a", "--auth"), needs=_when("bearer"))),
        (r"lftp|ncftp\w{0,3}", Rule(("-u",), ",")),
        (r"ncftp\w{0,3}|7z\w{0,2}|unrar|rar|wput", Rule(("-p",))),
        (r"rar|unrar", Rule(("-hp",))),
        (
            r"zip|unzip|funzip|sqlcmd|bcp|osql|ipmitool|mosquitto_\w{3}|knife",
            Rule(("-P",)),
        ),
        (r"ldap\w{3,9}", Rule(("-w", "-s", "-a"), needs=_when("-D"))),
        (r"smbclient|rpcclient|net|winexe|smbget|wmic|smbcacls", Rule(("-U", "--user"), "%")),
        (r"snmp\w{2,10}", Rule(("-A", "-X", "-c"))),
        (
            r"openssl",
            Rule(("-k", "-K", "-hmac", "-passin", "-passout", "-pass"), is_glued=False),
        ),
        (r"openssl", Rule(("-macopt",), ":", is_glued=False)),
        (r"ssh-keygen", Rule(("-N", "-P"))),
        (r"useradd|usermod|chage", Rule(("-p", "--password"))),
        (r"etcdctl|nats|rclone", Rule(("--user",), ":")),
        (r"rdesktop|kinit|expect-ssh|plink|pscp|putty", Rule(("-p", "-pw"))),
        (r"x?freerdp3?|signtool|signtool\.exe", Rule(("/p", "/pass"))),
        (r"ngrok", Rule(("--authtoken", "add-authtoken"))),
        (r"swaks", Rule(("-ap",))),
        (r"(?i:sendemail)", Rule(("-xp",))),
        (r"swift", Rule(("-K",), is_glued=False)),
        (r"pdf\w{2,10}", Rule(("-upw", "-opw"), is_glued=False)),
        (r"qpdf", Rule(("--encrypt",), is_glued=False, words=2)),
        (r"k3s", Rule(("-t",), is_glued=False)),
        (r"codecov", Rule(("-t",), is_glued=False)),
        (r"uv", Rule(("-t",), needs=_when("publish"))),
        (r"dotnet|nuget", Rule(("-k",), needs=_when("nuget|push"))),
        (r"gitlab-runner", Rule(("-r",), needs=_when("register"), is_glued=False)),
        (r"gh", Rule(("-b", "--body"), needs=_when("secret"))),
        (r"iscsiadm", Rule(("-v", "--value"), needs=_when(r".*password\w*"), is_glued=False)),
        # AWS's and Azure's stores of secrets, and what they are given
        (r"az", Rule(("--value",), needs=_when("secret"))),
        (r"aws", Rule(("--value",), needs=_when("put-parameter"))),
        (r"aws", Rule(("--secret-string", "--secret-binary"))),
        (r"aws", Rule(("--plaintext",), needs=_when("encrypt"))),
        # words that a secret follows
        (r"nmcli", Rule(("password", "wifi-sec.psk", "802-11-wireless-security.psk"))),
        (r"pppd", Rule(("password",))),
        (r"vault", Rule(("login",))),
        (r"kubectl|oc", Rule(("--from-literal",), "=")),
        (r"kubectl|oc", Rule(("-p", "--patch"), needs=_when(r"secrets?(?:/.*)?"))),
    )
)
# Programs whose last words are a secret: (program, what must be in the command, how many).
LAST: tuple[tuple[str, str, int], ...] = tuple(
    (rf"(?:{program})\Z", rf"(?:{needs})\Z", count)
    for program, needs, count in (
        ("htpasswd", r"-\w*b\w*", 1),
        ("rabbitmqctl", r"add_user|change_password|authenticate_user", 1),
        ("wpa_passphrase", r"[^-].*", 1),
        (r"redis-cli|valkey-cli", r"(?i:auth|requirepass|masterauth)", 1),
        ("openssl", "passwd", 1),
        ("mc", "set|add", 1),  # mc alias set NAME URL KEY SECRET
        ("bw", "unlock|login", 1),
        ("cf", "auth", 1),
        ("cargo", "login", 1),
        ("snyk", "auth", 1),
        ("pulumi", "--secret", 1),
        ("virsh", "set-user-password", 1),
        ("grafana-cli|grafana", "reset-admin-password", 1),
        (
            "poetry|composer",
            r"(?:pypi-token|http-basic|bearer|[\w-]{1,16}-oauth|[\w-]{1,16}-token)\..*",
            1,
        ),
        ("npm|yarn|pnpm", r"(?:.*:)?_(?:auth|authToken|password)", 1),
    )
)
# Commands whose words NAME=SECRET hold one whatever the name: (program, what must be in them).
ASSIGNING: tuple[tuple[re.Pattern[str], re.Pattern[str]], ...] = (
    (_when("vault|bao"), _when("put|write|patch")),
)
# What one of these is given is no secret of its own: ids of roles, files, lifetimes.
PLAIN_NAMES = re.compile(r"(?:role_id|role|ttl|max_ttl|policies|path|.*_file|.*_ttl)=")
# Options of any program: (option, the form of its value, of which the group is the secret).
ANY_OPTION: tuple[tuple[re.Pattern[str], re.Pattern[str]], ...] = (
    (
        _when(r"--?(?:[\w.-]{1,32}[-_.])?(?:basic)?(?:auth|creds?|credentials?|login|userpass)"),
        re.compile(r"[^\s:/=\"'@]{1,64}:(?!//|\d{1,5}\Z)([^\s\[].*)", re.DOTALL),
    ),
    (
        _when(
            r"--?(?:[\w.-]{1,32}[-_.])?(?:pin|otp|totp|mfa|mfa[-_]?code|mfa[-_]?token|token-code)"
        ),
        re.compile(r"(\d{4,10})\Z"),
    ),
)
ANY_ENDS = (
    "auth",
    "cred",
    "creds",
    "credential",
    "credentials",
    "login",
    "userpass",
    "pin",
    "otp",
    "mfa",
    "code",
    "token",
)
# A name and a password, by options that most programs agree on: -u NAME -p PASSWORD.
USER_OPTIONS = ("-u", "-U", "-l", "--user", "--username")
PASSWORD_OPTIONS = ("-p", "-P")
BESIDE_USER = r"\s(?:-[uUl]|--user(?:name)?)\s\S{1,64}\s-[pP]\s(?![-\d/])"
# What stands behind -p and is none: a number, a path, a file, a property.
NO_PASSWORD = re.compile(
    r"\d+(?:[,:-]\d+)*\Z|[.~\w-]{0,64}/|[\w-]{1,64}\.(?:pid|ya?ml|json|conf|py|sh|txt|log|sock)\Z|[A-Za-z]\w{0,64}="
)

# What a script must hold to be taken apart into words: a program, and how its option begins.
_OPTIONS = (" -", "'-", '"-', "\t-", "\n-")
_P, _U, _BIG_P, _T = "-p", "-u", "-P", " -t"
HINTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    *(
        (name, hints)
        for names, hints in (
            ("sshpass mysql mariadb mongo cqlsh twine influx login beeline", (_P,)),
            ("conan cypher-shell rabbitmqadmin ncftp 7z rar wput", (_P,)),
            ("rdesktop plink pscp useradd usermod", (_P,)),
            ("sqlcmd bcp osql ipmitool mosquitto knife", (_BIG_P,)),
            ("curl", (_U, "-U", "user", "cert", " -b", " -E", "u ")),
            ("lftp", (_U,)),
            ("ldap", (" -w", " -s", " -a")),
            ("smb rpcclient winexe wmic", ("-U", "-u", "//", "\\\\")),
            ("snmp", (" -A", " -X", " -c")),
            ("openssl", ("-k", "-K", "-pass", "passwd", "-hmac", "-macopt")),
            ("ssh-keygen", ("-N", "-P")),
            ("etcdctl nats rclone", ("--user",)),
            ("nerdctl crictl", (_U, "--user", "--creds")),
            ("iscsiadm", (" -v",)),
            ("codecov", (_T,)),
            ("nuget", (" -k",)),
            ("sqlplus sqlldr expdp impdp rman", ("/",)),
            ("auth cred userpass -pin otp mfa token-code", _OPTIONS),
            ("redis-cli valkey-cli freerdp authtoken nmcli vault --from-literal", ("",)),
            ("htpasswd rabbitmqctl", ("",)),
            ("wpa_passphrase masterauth auth-pass pulumi set-user-password swaks sendemail", ("",)),
            ("reset-admin-password -upw -opw qpdf pppd signtool gitlab-runner", ("",)),
            ("put-parameter --secret-", ("",)),
        )
        for name in names.split()
    ),
    # names of few letters, with what follows them
    ("zip ", (_BIG_P,)),
    *((name, (" -a", "--auth")) for name in ("http ", "https ", "xh ")),
    ("net ", ("-U", "-u", "//", "\\\\")),
    ("ctr ", (_U, "--user", "--creds")),
    *((name, (_T,)) for name in ("k3s ", "uv publish")),
    ("swift ", (" -K",)),
    *((name, ("",)) for name in ("mc alias", "mc admin", "mc config", "bw unlock", "bw login")),
    *((name, ("",)) for name in ("cf auth", "cargo login", "snyk auth", "poetry config")),
    *((name, ("",)) for name in ("composer config", "config set", "gh secret", "keyvault secret")),
    *((name, ("",)) for name in ("kms encrypt", "patch secret", "bao ")),
)
