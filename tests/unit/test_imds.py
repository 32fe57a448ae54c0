"""The forms of a request's target: a path, and the whole URL that a proxy is asked for."""

from __future__ import annotations

import pytest

from analyzer.imds import is_absolute, origin_form

PATH = "/latest/meta-data/?a=http://b/c#d"


@pytest.mark.parametrize(
    ("target", "path", "is_whole_url"),
    [
        (PATH, PATH, False),
        (f"http://169.254.169.254{PATH}", PATH, True),
        (f"HTTP://[fd00:ec2::254]:80{PATH}", PATH, True),
        ("http://169.254.169.254", "", True),
        ("http://169.254.169.254?a", "?a", True),
        ("//169.254.169.254/latest", "//169.254.169.254/latest", False),
        ("169.254.169.254:80", "169.254.169.254:80", False),  # CONNECT's form
        ("*", "*", False),
        ("", "", False),
        (f"/http://x{PATH}", f"/http://x{PATH}", False),
        (f"{'a' * 17}://x/", f"{'a' * 17}://x/", False),  # no scheme is that long
    ],
)
def test_a_target_is_told_in_every_form(target: str, path: str, is_whole_url: bool) -> None:
    """Only what has a scheme and a host loses them."""
    assert (origin_form(target), is_absolute(target)) == (path, is_whole_url)
