"""Functions are found in the kernel's type information, and told from what else has a name."""

from __future__ import annotations

import struct

import pytest

from analyzer.host.kernel_symbols import functions_in
from analyzer.recorder.sources.losses import misses_in

INT, STRUCT, FUNC = 1, 4, 12
NAMES = ("long", "file", "tcp_sendpage", "tcp_sendmsg", "msg")


def _btf(*types: tuple[str, int, int]) -> bytes:
    """Return BTF with types of a name, a kind and a linkage."""
    strings = b"\0" + b"".join(name.encode() + b"\0" for name in NAMES)
    made = b"".join(
        struct.pack("=III", strings.index(b"\0" + name.encode() + b"\0") + 1, kind << 24 | bits, 1)
        for name, kind, bits in types
    )
    head = struct.pack("=HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(made), len(made), len(strings))
    return head + made + strings


WANTED = {"tcp_sendpage", "tcp_sendmsg", "mptcp_sendmsg", "msg", "sendpage"}


@pytest.mark.parametrize("linkage", [0, 1])
def test_a_function_is_found_by_its_whole_name(linkage: int) -> None:
    """Static or global."""
    btf = _btf(("long", INT, 0), ("tcp_sendpage", FUNC, linkage), ("msg", STRUCT, 2))
    assert functions_in(btf, WANTED) == {"tcp_sendpage"}


def test_what_is_no_type_information_has_no_functions() -> None:
    """As the empty file of a kernel that hides it."""
    assert functions_in(b"", WANTED) == set()
    assert functions_in(b"\0" * 100, WANTED) == set()


def test_misses_are_read_from_what_the_kernel_tells_of_a_program() -> None:
    """Since 5.12 there is a line of them."""
    before = b"pos:\t0\nflags:\t02000002\nprog_type:\t26\nprog_jited:\t1\nmemlock:\t8192\n"
    assert misses_in(before) == 0
    assert misses_in(before + b"run_cnt:\t0\nrecursion_misses:\t17\nverified_insns:\t3\n") == 17
