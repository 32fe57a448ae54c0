"""Packages, by the facts of hosts."""

from __future__ import annotations

from typing import Any

import pytest

from analyzer.service_plan.lines import Line
from analyzer.service_plan.packages import PackageFacts, packages, packages_for_bcc, wants_bcc

USUAL = PackageFacts(
    system="debian-12",
    kernel="6.1.0",
    has_btf=True,
    has_headers=False,
    bcc_asked="",
    bcc_before=False,
    logrotate=False,
)


def host(**facts: Any) -> PackageFacts:
    return USUAL._replace(**facts)


def nothing(_name: str) -> bool:
    """Tell that a package is not installed."""
    return False


def noted(lines: list[Line]) -> list[str]:
    """Return what is installed for certain."""
    return [name for verb, *names in lines if verb == "note-packages" for name in names]


@pytest.mark.parametrize(
    ("facts", "names"),
    [
        (host(), "libbpf1 python3 python3-venv"),
        (host(system="debian-11"), "libbpf0 python3 python3-venv"),
        (host(system="ubuntu-22.04"), "libbpf0 python3 python3-venv"),
        (host(system="amzn-2023"), "libbpf"),
        (host(system="rocky-8.10", logrotate=True), "libbpf logrotate"),
        (host(bcc_asked="yes", has_headers=True), "libbpf1 python3 python3-venv python3-bpfcc"),
        (host(system="ol-9", bcc_before=True), "libbpf python3-bcc"),
        (
            host(has_btf=False, logrotate=True),
            "libbpf1 python3 python3-venv logrotate python3-bpfcc linux-headers-6.1.0",
        ),
    ],
)
def test_what_is_installed(facts: PackageFacts, names: str) -> None:
    assert " ".join(noted(packages(facts, nothing))) == names


def test_what_is_there_is_not_installed() -> None:
    assert packages(host(), lambda _name: True) == []
    assert noted(packages(host(), lambda name: name != "python3-venv")) == ["python3-venv"]


def test_headers_may_fail_only_where_something_else_works() -> None:
    lines = packages(host(bcc_asked="yes"), nothing)
    (headers,) = [line for line in lines if line[0] == "install-headers"]
    assert headers[1] == headers[-1] == "linux-headers-6.1.0"
    needed = packages(host(bcc_asked="yes", has_btf=False), nothing)
    assert "install-headers" not in [verb for verb, *_ in needed]


def test_headers_alone_update_the_lists() -> None:
    lines = packages(host(bcc_asked="yes"), lambda _name: True)
    assert [verb for verb, *_ in lines] == ["say", "try", "install-headers"]
    rpm = packages(host(system="rhel-9", bcc_asked="yes"), lambda _name: True)
    assert [verb for verb, *_ in rpm] == ["say", "install-headers"]
    assert rpm[-1][-1] == "kernel-devel-uname-r = 6.1.0"


@pytest.mark.parametrize(
    ("btf", "asked", "before", "wanted"),
    [
        (True, "", False, False),
        (True, "", True, True),
        (True, "yes", False, True),
        (True, "no", True, False),
        (False, "no", False, True),
    ],
)
def test_bcc(*, btf: bool, asked: str, before: bool, wanted: bool) -> None:
    """Without the kernel's type information nothing else works, whatever is asked for."""
    assert wants_bcc(host(has_btf=btf, bcc_asked=asked, bcc_before=before)) == wanted


def test_bcc_by_configuration_installs_nothing_else() -> None:
    assert noted(packages_for_bcc(host(has_headers=True), nothing)) == ["python3-bpfcc"]
