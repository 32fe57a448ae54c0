"""Masking under any input."""

from __future__ import annotations

import string

from hypothesis import given
from hypothesis import strategies as st

from analyzer.masking import MASK, mask_args, mask_text
from tests.sends import TOKEN

# Texts made of what masking looks for are far likelier to confuse it than random ones.
FRAGMENTS = st.sampled_from(
    ["X-aws-ec2-metadata-token", "x-aws-ec2-metadata-token-ttl-seconds", "metadata-token", "token",
     "Authorization", "AWS_SESSION_TOKEN", "secret_access_key", "Bearer", "-H", "--header=", MASK,
     TOKEN, TOKEN[:40], "$TOKEN", "${TOKEN}", "$(", ")", "`", "http://", ":", "=", " ", "\n", '"',
     "'", "\\", ",", ";", "&", "{", "}", "[", "]", ">", "%3a", "%20", "-", "a", "\u0130", "\0",
     "Basic", "AWS4-HMAC-SHA256", "Signature=", "AKIAIOSFODNN7EXAMPLE", "password", "curl", "-u",
     "user:", "@", "://", "+", ".", "b", "%25", "&quot;", "\u00a0", "eyJ", "`Bearer ", "\n ", "-e",
     "-p", "-u", "name", "value", "<password>", "</", "auth", "pin", "123456", "<<EOF\n",
     "EOF", "|", "\uff50", "passwort", "\u2014", "aB1!", "$x", "xK9$mP2!vQ7#", "mysql", "smbclient",
     "vault", "put", "--creds", "connect(", "set(", ".pgpass", "password", "Password:", "''"]
)  # fmt: skip
TEXTS = st.one_of(st.text(), st.lists(FRAGMENTS, max_size=12).map("".join))
NAMES = st.sampled_from(
    ["X-aws-ec2-metadata-token", "x-aws-ec2-metadata-TOKEN", "Authorization", "AUTHORIZATION"]
)
SECRETS = st.text(string.ascii_letters + string.digits + "+/_-", min_size=12, max_size=80).map(
    lambda text: "Zq" + text
)


@given(st.lists(TEXTS))
def test_masking_is_total_and_idempotent(args: list[str]) -> None:
    """Any vector keeps its length, and masking again changes nothing."""
    masked = mask_args(args)
    assert len(masked) == len(args)
    assert mask_args(masked) == masked
    for arg in args:
        once = mask_text(arg)
        assert mask_text(once) == once


@given(TEXTS, TEXTS)
def test_a_token_is_never_left_in_a_text(before: str, after: str) -> None:
    """A session token of IMDSv2 is known by itself, whatever surrounds it."""
    assert TOKEN[:-2] not in mask_text(before + TOKEN + after)


@given(
    st.lists(TEXTS, max_size=3), NAMES, st.sampled_from([":", ": ", " : "]), SECRETS,
    st.sampled_from(["", "-H", "-H ", "--header=", "  "]), st.lists(TEXTS, max_size=3),
)  # fmt: skip
def test_a_header_of_its_own_is_masked_whole(
    before: list[str], name: str, separator: str, secret: str, option: str, after: list[str]
) -> None:
    """An argument that is a header loses its whole value, whatever is in it."""
    value = secret + " " + secret
    masked = mask_args([*before, option + name + separator + value, *after])
    assert secret not in masked[len(before)]


KEYS = st.sampled_from(
    ["AWS_SECRET_ACCESS_KEY", "aws_session_token", "AwsSecretAccessKey", "secret-key",
     "fs.s3a.secret.key", "aws.sessionToken", "IMDS_TOKEN", "X_AWS_EC2_METADATA_TOKEN"]
)  # fmt: skip


@given(
    KEYS, st.booleans(), SECRETS, st.lists(TEXTS, max_size=3),
    st.sampled_from(["{}={}", "--{}={}", "-D{}={}", "{}='{}'", 'export {}="{}"', '{{"{}":"{}"}}',
                     "{{'{}': '{}'}}", "{} = '{}'", '{{\\"{}\\":\\"{}\\"}}', "?a=b&{}={}&c=d"]),
)  # fmt: skip
def test_a_key_or_variable_loses_its_value_in_every_notation(
    key: str, is_upper: bool, secret: str, before: list[str], form: str
) -> None:
    """Environments, options, properties, JSON, also inside a string, and queries."""
    # An argument before it may announce a secret; then this is masked for another reason.
    arg = form.format(key.upper() if is_upper else key, secret)
    masked = mask_args([*before, arg])[-1]
    assert secret not in masked
    assert MASK in masked


@given(SECRETS, st.sampled_from(["Bearer", "basic", 'Digest a="b",', "AWS4-HMAC-SHA256 C=x,"]),
       st.sampled_from(["'", '"']), st.text(" \t\u00a0", max_size=3), TEXTS)  # fmt: skip
def test_a_credential_is_masked_to_the_quote_that_encloses_it(
    secret: str, scheme: str, quote: str, space: str, rest: str
) -> None:
    """Quotes of its own, escaped as the shell and JSON want it, do not end it."""
    value = f"{scheme} {secret} {secret}".replace(quote, "\\" + quote)
    masked = mask_args(["sh", "-c", f"x -H {quote}Authorization:{space}{value}{quote} {rest}"])[2]
    assert masked.startswith(f"x -H {quote}Authorization:{space}{MASK}{quote} ")


@given(NAMES, SECRETS, st.lists(TEXTS, max_size=3))
def test_a_value_in_the_next_argument_is_masked(name: str, secret: str, after: list[str]) -> None:
    """A header that the shell took apart loses its value too."""
    assert mask_args(["curl", "-H", name + ":", secret, *after])[3] == MASK


@given(NAMES, SECRETS, st.sampled_from("\"'"), TEXTS)
def test_a_quoted_header_in_a_script_is_masked(
    name: str, secret: str, quote: str, rest: str
) -> None:
    """Inside a script, the value goes up to the closing quote."""
    script = f"curl -s -H {quote}{name}: {secret} {secret}{quote} {rest}"
    masked = mask_args(["sh", "-c", script])[2]
    assert masked.startswith(f"curl -s -H {quote}{name}: {MASK}{quote} ")


@given(st.text(st.characters(exclude_characters="=:'\"@")))
def test_text_without_names_stays(text: str) -> None:
    """What holds none of the words that matter is returned as it is."""
    folded = text.lower()
    if not any(word in folded for word in ("token", "secret", "auth", "aqae", "bearer", "passw")):
        assert mask_text(text) == text
