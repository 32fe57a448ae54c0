"""Secrets in arguments and text are masked, and what is none is kept."""

from __future__ import annotations

import time

import pytest

from analyzer.masking import MASK, mask_args, mask_text
from tests.sends import TOKEN

SECRET = "s3cr3t"
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
    ("x", "AQAE" + "a" * 20),
    ("x", "X-aws-ec2-metadata-token"),
]


@pytest.mark.parametrize("args", WITH_SECRETS, ids=" ".join)
def test_secret_is_masked(args: tuple[str, ...]) -> None:
    """No form of naming a secret lets it through, and the program's name stays."""
    masked = mask_args(args)
    assert len(masked) == len(args)
    assert masked[0] == args[0]
    text = "\n".join(masked)
    assert MASK in text
    for secret in (SECRET, TOKEN, "a1a1"):
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


def test_next_argument_is_masked_only_where_it_is_announced() -> None:
    """The next argument is masked only behind a name without a value of its own."""
    args = ("X-aws-ec2-metadata-token: a", "kept", "X-aws-ec2-metadata-token:", "b", "kept")
    expected = ("X-aws-ec2-metadata-token: " + MASK, "kept", "X-aws-ec2-metadata-token:", MASK,
                "kept")  # fmt: skip
    assert mask_args(args) == expected


BYTES = 1 << 18


@pytest.mark.parametrize(
    "piece",
    ["X-aws-ec2-metadata-token:", " X-aws-ec2-metadata-token: a", '"X-aws-ec2-metadata-token:',
     "token=", 'token="', "token ", "token" + " " * 999, "authorization: ", "AQAE", "AQAE.",
     "secret", "x-aws-ec2-metadata-token$(", "token=`", "token=${", "-H ", "%3A%20token%3D",
     "\u00ff"],
    ids=repr,
)  # fmt: skip
@pytest.mark.parametrize("is_one", [True, False], ids=["one argument", "many arguments"])
def test_time_is_linear(piece: str, is_one: bool) -> None:
    """A quarter of a mebibyte of anything is masked in a fraction of a second."""
    count = BYTES // len(piece)
    args = ["token" + piece * count] if is_one else [piece] * count
    began = time.process_time()
    masked = mask_args(args)
    assert time.process_time() - began < 3  # 0.1 s at most; quadratic takes minutes
    assert mask_args(masked) == masked
