"""Secrets in arguments and text are masked, and what is none is kept."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from analyzer import masking
from analyzer.masking import MASK, mask_args, mask_text, outline
from tests.sends import TOKEN
from tests.unit.secret_samples import ARGUMENTS, GITHUB, INNOCENT, PASSWORD, leaks

SECRET = "s3cr3t"
HEADER = "X-aws-ec2-metadata-token"
# AWS's own examples of a key id and its secret key.
KEY_ID, SECRET_KEY = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SIGNATURE = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"
URL = "http://169.254.169.254/latest/meta-data/"
TOKEN_SCRIPT = (
    'TOKEN=$(curl -s -X PUT "http://169.254.169.254/latest/api/token"'
    ' -H "X-aws-ec2-metadata-token-ttl-seconds: 21600")'
    f' && curl -H "X-aws-ec2-metadata-token: $TOKEN" {URL}'
)

# In each, SECRET or TOKEN stands where a secret does.
WITH_SECRETS: list[tuple[str, ...]] = [
    ("curl", "-H", f"X-aws-ec2-metadata-token: {SECRET}", URL),
    ("curl", "-H", f"x-AWS-ec2-Metadata-TOKEN:{SECRET} and, more {SECRET}", URL),
    ("curl", f"-HX-aws-ec2-metadata-token: {SECRET}", URL),
    ("curl", f"--header=X-aws-ec2-metadata-token: {SECRET}", URL),
    ("curl", "-H", "X-aws-ec2-metadata-token:", SECRET, URL),
    ("curl", "-H", "X-aws-ec2-metadata-token", ":", SECRET, URL),
    ("curl", "-H", "X-aws-ec2-metadata-token", "=", "", SECRET, URL),
    ("http", URL, f"X-aws-ec2-metadata-token:{SECRET}"),
    ("x", f"x-aws-ec2-metadata-token={SECRET}"),
    ("x", f"x-aws-ec2-metadata-token {SECRET}"),
    ("x", "--x-aws-ec2-metadata-token", SECRET),
    ("curl", f"{URL}?X-aws-ec2-metadata-token={SECRET}&a=b"),
    ("curl", f"{URL}?h=x-aws-ec2-metadata-token%3A%20{SECRET}"),
    ("curl", f"{URL}?X-Amz-Security-Token={SECRET}"),
    ("curl", "-H", f"Metadata-Token: {SECRET}", URL),
    ("sh", "-c", f'curl -H "X-aws-ec2-metadata-token: {SECRET} {SECRET}" {URL}'),
    ("sh", "-c", f"curl -H 'X-aws-ec2-metadata-token: {SECRET}' {URL}; echo"),
    ("sh", "-c", f"curl -H X-aws-ec2-metadata-token:{SECRET} {URL}; echo"),
    ("sh", "-c", f'T={TOKEN}; curl -H "X-aws-ec2-metadata-token: $T" {URL}'),
    ("sh", "-c", f"IMDS_TOKEN={SECRET} ./run"),
    ("python3", "-c", f"get(u, headers={{'X-aws-ec2-metadata-token': '{SECRET}'}})"),
    ("python3", "-c", f'h["X-aws-ec2-metadata-token"] = "{SECRET}"'),
    ("ruby", "-e", f'{{"X-aws-ec2-metadata-token" => "{SECRET}"}}'),
    ("node", "-e", f'set("X-aws-ec2-metadata-token", "{SECRET}")'),
    ("x", f'{{"Token" : "{SECRET}", "SecretAccessKey":"{SECRET}"}}'),
    ("env", f"AWS_SESSION_TOKEN={SECRET}", f"AWS_SECRET_ACCESS_KEY={SECRET}", "run"),
    ("aws", "configure", "set", "aws_secret_access_key", SECRET),
    ("aws", "configure", "set", "aws_session_token", SECRET),
    ("x", "--secret-access-key", SECRET, f"--session-token={SECRET}", f"--token={SECRET}"),
    ("curl", "-H", f"Authorization: Bearer {SECRET}", URL),
    ("curl", "-H", "Authorization:", "Bearer", SECRET, URL),
    ("curl", "-H", f'Authorization: OAuth a="b", c="{SECRET}"', URL),
    ("sh", "-c", f'curl -H "Authorization: Basic {SECRET}" {URL}'),
    ("curl", "--proxy-header", f"Proxy-Authorization: Basic {SECRET}", URL),
    ("curl", "--oauth2-bearer", SECRET, URL),
    ("echo", TOKEN),
    ("echo", f"{TOKEN},{TOKEN}"),
    ("x", f"/latest/{TOKEN}/y"),
    ("x", "FwoGZXIvYXdz" + "a1" * 100),
    ("x", "IQoJb3JpZ2luX2Vj" + "a1" * 100),
    # every client's way to say a header
    ("wget", "--header", f"{HEADER}:{SECRET}", URL),
    ("wget", f"--header={HEADER}:{SECRET}", URL),
    ("http", URL, f"{HEADER}:={SECRET}"),
    ("http", URL, f"{HEADER}=={SECRET}"),
    ("pwsh", "-c", f'irm -Headers @{{"{HEADER}" = "{SECRET}"}} -Uri {URL}'),
    ("ruby", "-e", f"req['{HEADER}'] = '{SECRET}'"),
    ("perl", "-e", f"$h->header('{HEADER}' => '{SECRET}')"),
    ("python3", "-c", f"h['{HEADER}'] = b'{SECRET}'"),
    ("python3", "-c", f"h = {{'{HEADER}: ' + '{SECRET}'}}"),
    ("php", "-r", f"$h = '{HEADER}: ' . '{SECRET}';"),
    ("x", f'{{"headers":{{"{HEADER}":["{SECRET}"]}}}}'),
    ("bash", "-c", f'curl -H "{HEADER}: "{SECRET} {URL}'),
    ("bash", "-c", f"curl -H $'{HEADER}: {SECRET}' {URL}"),
    ("sh", "-c", f'curl -H "{HEADER}: ${{T:-{SECRET}}}" {URL}'),
    ("sh", "-c", f"TOKEN=${{T:-{SECRET}}} ./run"),
    ("sh", "-c", f"cat <<E\n{HEADER}: {SECRET}\nE"),
    ("sh", "-c", f"printf 'GET / HTTP/1.1\\r\\n{HEADER}: {SECRET}\\r\\n\\r\\n' | nc x 80"),
    ("x", f"{HEADER}:\u00a0{SECRET}"),
    ("x", f"{HEADER}\u2003:\u2003{SECRET}"),
    ("sh", "-c", f"curl -H {HEADER}:\u200b{SECRET}"),
    ("x", f"u?h={HEADER}%253A%2520{SECRET}"),
    ("x", f"u?h={HEADER}%3A%5B%22{SECRET}"),
    ("x", f"HTTP_X_AWS_EC2_METADATA_TOKEN: {SECRET}"),
    ("x", f"metadataToken: '{SECRET}'"),
    ("curl", "-H", f"X-Vault-Token: {SECRET}"),
    ("curl", "-H", f"PRIVATE-TOKEN: {SECRET}"),
    # credentials: quotes in them, schemes apart from them
    ("sh", "-c", f'curl -H "Authorization: Digest a=\\"b\\", c=\\"{SECRET}\\"" {URL}'),
    ("sh", "-c", f'curl -H \'Authorization: Digest a="b", c="{SECRET}"\' {URL}'),
    ("sh", "-c", f"printf 'GET /\\r\\nAuthorization: Digest a=\"{SECRET}\"\\r\\n' | nc x 80"),
    ("x", f'Proxy-Authorization: Digest a="b", c="{SECRET}"'),
    ("x", f'{{\\"Authorization\\": \\"Digest a=\\\\\\"{SECRET}\\\\\\"\\"}}'),
    ("x", f'{{"headers":{{"Authorization":["Bearer {SECRET}"]}}}}'),
    ("x", f'http.Header{{"Authorization": {{"Bearer {SECRET}"}}}}'),
    ("python3", "-c", f"h = {{'Authorization': 'Bearer ' + '{SECRET}'}}"),
    ("node", "-e", f"get({{Authorization: `Bearer {SECRET}`}})"),
    ("curl", "-H", "Authorization: Bearer", SECRET, URL),
    ("curl", "-H", "Authorization", ":", "Bearer", SECRET, URL),
    ("curl", "-H", "Authorization", f": Bearer {SECRET}", URL),
    ("x", f"Authorization: Basic\r\n {SECRET}"),
    ("x", f'"Authorization: Bearer \\\n{SECRET}"'),
    ("x", f"u?Authorization%3A%20Bearer%20{SECRET}"),
    ("curl", "-H", f"Authorization: AWS4-HMAC-SHA256 Credential={KEY_ID}/x, Signature={SECRET}"),
    ("curl", "-H", "Authorization: AWS4-HMAC-SHA256", f"Credential={KEY_ID}/x,", SECRET),
    ("x", f"AWS4-HMAC-SHA256 Credential={KEY_ID}/x, Signature={SIGNATURE}"),
    ("x", f"https://b/k?X-Amz-Credential={KEY_ID}&X-Amz-Signature={SIGNATURE}"),
    ("http", "-A", "bearer", "-a", JWT, URL),
    ("x", "bearer abcdefghijkl0123456789"),
    ("x", f"AWS_CONTAINER_AUTHORIZATION_TOKEN: {SECRET}"),
    # AWS's keys and session tokens
    ("x", "--aws-secret-access-key", SECRET_KEY),
    ("ec2-describe-instances", "-O", KEY_ID, "-W", SECRET_KEY),
    ("x", "-a", KEY_ID, "-v", "-s", SECRET_KEY),
    ("x", f"--id={KEY_ID}", f"-k={SECRET_KEY}"),
    ("x", "--access-key", KEY_ID, "--secret", SECRET_KEY),
    ("x", "--aws-secret", SECRET_KEY, "--access-key", KEY_ID),
    ("x", "--client-secret", SECRET),
    ("x", f"aws_session_token = {SECRET}"),
    ("x", f"aws_session_token\u00a0=\u00a0{SECRET}"),
    ("docker", "run", "-e", f"AWS_SESSION_TOKEN={SECRET}", "image"),
    ("docker", "run", f"--env=AWS_SECRET_ACCESS_KEY={SECRET_KEY}", "image"),
    ("x", f'{{\\"SecretAccessKey\\":\\"{SECRET}\\",\\"Token\\" : \\"{SECRET}\\"}}'),
    ("x", f"&quot;SecretAccessKey&quot;:&quot;{SECRET}&quot;"),
    ("x", f"<SecretAccessKey>{SECRET}</SecretAccessKey>"),
    ("x", f"AWS_SECRET_ACCESS_KEY=abc\\/{SECRET}"),
    ("fish", "-c", f"set -x AWS_SESSION_TOKEN {SECRET}"),
    ("spark-submit", "--conf", f"spark.hadoop.fs.s3a.secret.key={SECRET_KEY}"),
    ("java", f"-Daws.secretKey={SECRET_KEY}", f"-Daws.sessionToken={SECRET}"),
    ("s3cmd", f"--secret_key={SECRET_KEY}"),
    ("mc", "alias", "set", "s", "https://h", KEY_ID, SECRET_KEY),
    ("x", f"{KEY_ID}:{SECRET_KEY}"),
    # the same, given to a program as user and password
    ("curl", "-u", f"{KEY_ID}:{SECRET_KEY}", "--aws-sigv4", "aws:amz:eu-west-1:s3", URL),
    ("timeout", "9", "/usr/bin/curl", "-su", f"user:{SECRET}", URL),
    ("curl", f"--proxy-user=user:{SECRET}", URL),
    ("sh", "-c", f"curl -s -u 'user:{SECRET}' {URL}"),
    ("sh", "-c", f"curl --user=user:1{SECRET} {URL}"),
    ("env", f"https_proxy=http://user:{SECRET}@proxy:3128", "x"),
    ("wget", f"--http-password={SECRET}", URL),
    ("kubectl", "--token", SECRET),
    ("x", f"--token={SECRET},{SECRET}"),
    ("x", "--password", SECRET),
    ("python3", "-c", f"imds_token = '{SECRET}'"),
    ("python3", "-c", f'h["token"] = "{SECRET}"'),
]

WITHOUT_SECRETS: list[tuple[str, ...]] = [
    (),
    ("",),
    ("curl", "-s", URL),
    ("curl", "-X", "PUT", "-H", "X-aws-ec2-metadata-token-ttl-seconds: 21600", URL),
    ("curl", "-H", "X-aws-ec2-metadata-token-ttl-seconds:", "21600", URL),
    ("curl", "-H", "X-aws-ec2-metadata-token;", URL),
    ("curl", "-H", "X-aws-ec2-metadata-token:", URL),
    ("curl", "-H", "X-aws-ec2-metadata-token:", "-s", URL),
    ("sh", "-c", TOKEN_SCRIPT),
    ("sh", "-c", f'curl -H "X-aws-ec2-metadata-token: ${{TOKEN}}" {URL}'),
    ("sh", "-c", f'curl -H "X-aws-ec2-metadata-token: $(cat /run/it)" {URL}'),
    ("sh", "-c", f"TOKEN=`./get` && curl {URL}"),
    ("grep", "-r", "authorization", "/etc"),
    ("x", "--max-tokens=5", "tokenizer", "secretary", "--token-file", "/run/token"),
    ("x", "X-aws-ec2-metadata-token"),
    ("docker", "run", "-e", "AWS_SECRET_ACCESS_KEY", "image"),
    ("docker", "run", "-u", "1000:1000", "image"),
    ("docker", "run", "registry/issue-token:1.2"),
    ("docker", "run", "-v", "/etc/passwd:/etc/passwd:ro", "image"),
    ("docker", "build", "--secret", "id=x,src=y"),
    ("sudo", "--preserve-env=AWS_SESSION_TOKEN", "run"),
    ("sh", "-c", f"curl {URL}; docker run -u 1000:1000 image"),
    ("sh", "-c", f"curl -u user:$PASSWORD {URL}"),
    ("curl", "--user", "$USER:$PASSWORD", URL),
    ("git", "clone", "https://$USER:$PASSWORD@host/x"),
    ("ssh", "git@github.com:a/b"),
    ("kubectl", "create", "secret", "generic", "x"),
    ("printenv", "AWS_SESSION_TOKEN"),
    ("aws", "sts", "get-session-token", "--duration", "900"),
    ("aws", "secretsmanager", "get-secret-value", "--secret-id", "x"),
    ("aws", "ecr", "get-authorization-token", "--region", "asia-east1"),
    ("python3", "-c", "token = requests.put(url).text"),
    ("python3", "-c", "token=get(url)"),
    ("x", "Bearer authentication", "signature=v4", "password", "token", "word"),
]


@pytest.mark.parametrize("args", WITH_SECRETS, ids=" ".join)
def test_secret_is_masked(args: tuple[str, ...]) -> None:
    """No form of naming a secret lets it through, and the program's name stays."""
    masked = mask_args(args)
    assert len(masked) == len(args)
    assert masked[0] == args[0]
    text = "\n".join(masked)
    assert MASK in text
    for secret in (SECRET, TOKEN, "a1a1", SECRET_KEY[:20], SIGNATURE, JWT[-16:], "abcdefghij"):
        assert secret not in text
    assert mask_args(masked) == masked


@pytest.mark.parametrize("args", WITHOUT_SECRETS, ids=lambda args: " ".join(args) or "nothing")
def test_what_is_no_secret_stays(args: tuple[str, ...]) -> None:
    """Options, URLs, lifetimes and shell references are kept as they are."""
    assert mask_args(args) == args


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (
            f'curl -H "X-aws-ec2-metadata-token: {SECRET}" {URL}; echo done',
            f'curl -H "X-aws-ec2-metadata-token: {MASK}" {URL}; echo done',
        ),
        (f"/x?X-aws-ec2-metadata-token={SECRET}&a=b", f"/x?X-aws-ec2-metadata-token={MASK}&a=b"),
        (f"/latest/?t={TOKEN}&a=b", f"/latest/?t={MASK}&a=b"),
        (f'{{"Token":"{SECRET}","Code":"Success"}}', f'{{"Token":"{MASK}","Code":"Success"}}'),
        (f'{{\\"Token\\":\\"{SECRET}\\",\\"a\\":1}}', f'{{\\"Token\\":\\"{MASK}\\",\\"a\\":1}}'),
        (f"{KEY_ID}:{SECRET_KEY} x", f"{KEY_ID}:{MASK} x"),
        (f"curl -u bob:{SECRET} {URL}", f"curl -u bob:{MASK} {URL}"),
        (f"http://bob:{SECRET}@proxy:3128/x", f"http://bob:{MASK}@proxy:3128/x"),
        (f"curl/7.88 Authorization: Basic {SECRET}", f"curl/7.88 Authorization: {MASK}"),
        (
            f"x-aws-ec2-metadata-token: {SECRET}\nHost: a",
            f"x-aws-ec2-metadata-token: {MASK}\nHost: a",
        ),
        ("/latest/api/token", "/latest/api/token"),
        ("/tok\u0130en=\u017f", "/tok\u0130en=\u017f"),
    ],
)
def test_only_the_secret_is_masked(text: str, masked: str) -> None:
    """What stands around a secret is kept."""
    assert mask_text(text) == masked


def test_what_still_changes_after_the_last_pass_goes_as_a_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Masking may uncover another secret. Where it does so again and again, nothing is kept."""
    monkeypatch.setattr(masking, "_PASSES", 1)
    assert mask_text(f"a password={SECRET} in one text") == MASK
    assert mask_args(("mysql", f"--password={SECRET}", "db")) == (MASK, MASK, MASK)


@pytest.mark.parametrize(
    "args",
    [
        ("curl", "-u", "--silent", URL),  # an option in the place of name and password
        ("docker", "run", "-u", "1000:1000", "image"),  # numbers of user and group
        ("curl", "-u", "1000:1000", URL),
    ],
)
def test_what_stands_in_a_passwords_place_and_is_none_stays(args: tuple[str, ...]) -> None:
    assert mask_args(args) == args


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        # The shell puts an empty string behind it; what is glued on is of the secret.
        (f"password='{SECRET}''' x", f"password='{MASK}''' x"),
        (f"token='{SECRET}'\"\"x y", f"token='{MASK}'\"\"{MASK} y"),
        # A scheme, and behind it what the shell or the language is to put there.
        ("Authorization: 'Bearer ' + $(x) rest", f"Authorization: '{MASK}' + $(x) rest"),
        ("private_key=./a.pem x", "private_key=./a.pem x"),
        (f"private_key={SECRET} x", f"private_key={MASK} x"),
        # Escapes of what is no sign of a text, and of more rounds than are undone.
        (f"\\x07 password=\\x41{SECRET}", f"\\x07 password={MASK}"),
        (f"a%2525252541 password%3D{SECRET}", f"a%2525252541 password%3D{MASK}"),
        # Letters that two make in lower case, and digits of a secret's own name and value.
        (f"\u0130 password={SECRET} x", f"\u0130 password={MASK} x"),
        (f"/cb/{b'password=s3cr3t1'.hex()}/x", f"/cb/{MASK}/x"),
        ("x=aBc-deFgh-aBc-deFgh-aBc-deFgh-aBc-deFgh", "x=aBc-deFgh-aBc-deFgh-aBc-deFgh-aBc-deFgh"),
    ],
)
def test_a_secret_ends_where_its_language_ends_it(text: str, masked: str) -> None:
    assert mask_text(text) == masked


def test_next_argument_is_masked_only_where_it_is_announced() -> None:
    """The next argument is masked only behind a name without a value of its own."""
    args = ("X-aws-ec2-metadata-token: a", "kept", "X-aws-ec2-metadata-token:", "b", "kept")
    expected = ("X-aws-ec2-metadata-token: " + MASK, "kept", "X-aws-ec2-metadata-token:", MASK,
                "kept")  # fmt: skip
    assert mask_args(args) == expected


@pytest.mark.parametrize("way", ARGUMENTS)
def test_no_piece_of_a_secret_is_left_in_arguments(way: str) -> None:
    """Of each way no piece is shown, the program stays, and one call is enough."""
    args = ARGUMENTS[way]
    masked = mask_args(args)
    assert MASK in "\n".join(masked)
    assert leaks("\n".join(masked)) == []
    assert len(masked) == len(args)
    assert len(args) == 1 or masked[0] == args[0]
    assert mask_args(masked) == masked


@pytest.mark.parametrize("way", INNOCENT)
def test_innocent_arguments_stay(way: str) -> None:
    """The nearest neighbours of secrets stay: paths, ids, digests, numbers, names."""
    assert mask_args(INNOCENT[way]) == INNOCENT[way]


@pytest.mark.no_cover  # counting lines takes most of the time, and other tests come by them
@pytest.mark.parametrize("way", [each for each, args in ARGUMENTS.items() if len(args) > 1])
def test_what_is_cut_is_masked_as_far_as_it_goes(way: str) -> None:
    """Wherever the kernel's copy of a vector ends, no piece of a secret is left."""
    whole = "\0".join(ARGUMENTS[way])
    for end in range(1, len(whole) + 1):
        masked = mask_args(whole[:end].split("\0"), is_cut=True)
        assert leaks("\n".join(masked)) == [], (end, masked)


@pytest.mark.parametrize("way", INNOCENT)
def test_of_innocent_arguments_that_are_cut_only_the_last_may_go(way: str) -> None:
    """All before the last one is whole."""
    args = INNOCENT[way]
    assert mask_args(args, is_cut=True)[:-1] == args[:-1]


@pytest.mark.parametrize("path", [f"/srv/{GITHUB}/run", f"/srv/password={PASSWORD}"])
def test_a_secret_in_a_path_is_masked(path: str) -> None:
    """The path before it stays."""
    masked = mask_text(path)
    assert masked.startswith("/srv/")
    assert leaks(masked) == []


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ((), ()),
        (("ls",), ("ls",)),
        (
            ("/usr/bin/python3", "-u", "/srv/x.py", "--token=a", "--name", "b", "-pc", "d"),
            ("/usr/bin/python3", "-u", "/srv/x.py", "--token", "--name", "-p"),
        ),
        (("python3", "-W", "ignore", "/srv/x.py"), ("python3", "-W", "/srv/x.py")),
        (("python3", "-m", "http.server", "8080"), ("python3", "-m", "http.server")),
        (("bash", "-c", "curl x"), ("bash", "-c")),
        (("mysql", "-uroot", "-psecret", "db"), ("mysql", "-u", "-p")),
        (
            ("java", "-Dpassword=x", "-cp", "/a.jar", "com.example.Main", "--x=y"),
            ("java", "-Dpassword", "-cp", "com.example.Main", "--x"),
        ),
        (("java", "-Xmx2g", "-jar", "/srv/app.jar", "x"), ("java", "-X", "-jar", "/srv/app.jar")),
        (("x", "--", "--not-an-option"), ("x",)),
    ],
    ids=str,
)
def test_an_outline_has_the_program_its_script_and_names_of_options(
    args: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    """No value of an option is left, and no other argument."""
    assert outline(args) == expected


# Twice this is masked, and then eight times as much.
BYTES = 1 << 10
GROWTH = 8
# Time grows eightfold where it is linear and 64-fold where it is not; others use the machine, too.
GROWTH_MAX = 30


# Other programs may disturb a measurement: the least of some is taken.
TRIES = 3


def _seconds(args: Sequence[str]) -> float:
    """Return the processor time that masking takes."""
    began = time.process_time()
    mask_args(args)
    return time.process_time() - began


PIECES = [
    "X-aws-ec2-metadata-token:", " X-aws-ec2-metadata-token: a", '"X-aws-ec2-metadata-token:',
    "token=", 'token="', "token ", "token" + " " * 99, "authorization: ", "AQAE", "AQAE.",
    "secret", "x-aws-ec2-metadata-token$(", "token=`", "token=${", "-H ", "%3A%20token%3D",
    "\u00ff", 'token=\\"', "token='$a'", "token=a(", "x-a-", "\\", "%25", " + ", "\n ", "@://a:",
    "eyJaaaaaaaa.", "bearer ", "signature=", "curl -u a", "AKIA", "authorization: `basic ", "://a:",
    "a:", "echo a|", "mysql -p", "<<<", "a'", '"', "aB1", "aB1 ", "/aB1", "dXNlcjpwYXNz", "41",
    "\\x41", "&#65;", "-----BEGIN PRIVATE KEY-----", "login a password ", "connect a:", "curl ",
    "identified by '", "pass:", "$6$", "sg.", "a/b/", "http -a b:c ", "htpasswd -b ",
    "docker exec ", 'token="' + '\\"' * 9, "token%" + "25" * 9, "token" + "=" * 50 + "(",
    "name=password,value=", 'value="a",', "<password>", "<a", 'auth("a",', 'connect("a",',
    "auth=a:", "secret,a=b,", "sudo -S <<a\n", "a:1:b:c:", "a/b:c@", "//a:", "password={", "[{",
    "token='a''", 'token=a"b"', "--creds a:b ", "-u a -p b ", "mc set a ", "vault put a=b ",
    "ldapabc -D ", "net //a b ", "-sSuu", "a1B!", "$a1", "passwort=", "\u5bc6\u7801=",
    "password = ", "bearer ", "password: |\n ",
]  # fmt: skip


@pytest.mark.no_cover  # counting lines takes the time that is measured here
@pytest.mark.parametrize("piece", PIECES, ids=repr)
@pytest.mark.parametrize("is_one", [True, False], ids=["one argument", "many arguments"])
def test_time_is_linear(piece: str, is_one: bool) -> None:
    """Eight times as much of anything takes about eight times as long."""
    few, many = (size // len(piece) + 1 for size in (2 * BYTES, 2 * GROWTH * BYTES))
    short, long = [piece] * few, [piece] * many
    if is_one:
        short, long = ["token" + piece * few], ["token" + piece * many]
    # Most pass at once, so clearly that a measurement that was disturbed cannot have made them.
    short_s, long_s = _seconds(short), _seconds(long)
    if long_s < GROWTH_MAX / 2 * max(short_s, 0.0005):
        return
    allowed_s = GROWTH_MAX * max(min(short_s, *(_seconds(short) for _ in range(TRIES))), 0.0005)
    assert any(_seconds(long) < allowed_s for _ in range(TRIES))
