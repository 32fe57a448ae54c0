"""Routes of and redirects from the IMDS addresses, as recorded on other hosts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analyzer.doctor import network
from analyzer.doctor.findings import Level, fine

INFO, WARN = Level.INFO, Level.WARN

ROUTES = [
    pytest.param(
        '[{"dst":"169.254.169.254","gateway":"10.0.3.1","dev":"ens5","prefsrc":"10.0.3.7",'
        '"flags":[],"uid":0,"cache":[]}]',
        "",
        fine("through ens5 by way of 10.0.3.1"),
        id="through the default route",
    ),
    pytest.param(
        '[{"dst":"169.254.169.254","dev":"eth0","prefsrc":"10.0.3.7","flags":[],"uid":0,"cache":[]}]',
        "",
        fine("through eth0"),
        id="on the link, as Amazon Linux has it",
    ),
    pytest.param(
        '[{"dst":"169.254.169.254","via":{"family":"inet6","host":"fe80::1"},"dev":"eth0"}]',
        "",
        fine("through eth0 by way of fe80::1"),
        id="an IPv4 route by way of an IPv6 gateway",
    ),
    pytest.param("", "RTNETLINK answers: Network is unreachable\n", INFO, id="without any route"),
    pytest.param("", "RTNETLINK answers: Invalid argument\n", INFO, id="a blackhole"),
    pytest.param("", "RTNETLINK answers: No route to host\n", INFO, id="unreachable"),
    pytest.param("", "RTNETLINK answers: Permission denied\n", INFO, id="prohibit"),
    pytest.param("", "ip: unrecognized option '-json'\n", INFO, id="BusyBox"),
    pytest.param("[]", "", INFO, id="an empty answer"),
    pytest.param("{}", "", INFO, id="an answer of another form"),
    pytest.param(
        '[{"type":"local","dst":"fd00:ec2::254","from":"::","dev":"lo","table":"local",'
        '"protocol":"kernel","prefsrc":"fd00:ec2::254","metric":0,"flags":[],"pref":"medium"}]',
        "",
        WARN,
        id="an address of the host itself",
    ),
]


@pytest.mark.parametrize(("output", "errors", "expected"), ROUTES)
def test_a_route_is_judged_by_what_ip_says(output: str, errors: str, expected: object) -> None:
    """Only an address that is the host's own makes the result poorer."""
    answer = network.judge_route(network.parse_route(output), errors.strip())
    assert expected in (answer, answer.level)


def test_each_way_to_have_no_route_is_told_apart() -> None:
    """A blocked address is not an absent route."""
    said = {network.judge_route({}, words).found for words in network._NO_ROUTE}
    assert len(said) == len(network._NO_ROUTE)
    assert not any("could not be looked up" in each for each in said)


RULES: list[Any] = [
    pytest.param(
        "*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -d 169.254.169.254/32 -i docker0 -p tcp "
        "-m tcp --dport 80 -j DNAT --to-destination 10.0.3.7:8181\nCOMMIT\n",
        ["10.0.3.7:8181"],
        id="kube2iam, iptables-save",
    ),
    pytest.param(
        "-A PREROUTING -d 169.254.169.254/32 -p tcp -j REDIRECT --to-ports 8181\n",
        ["8181"],
        id="REDIRECT",
    ),
    pytest.param(
        "-A PREROUTING -d 169.254.0.0/16 -p tcp -j DNAT --to-destination 10.0.3.7:80\n",
        ["10.0.3.7:80"],
        id="a network that has the address in it",
    ),
    pytest.param(
        "table ip nat {\n\tchain PREROUTING {\n\t\ttype nat hook prerouting priority dstnat;\n"
        '\t\tiifname "docker0" ip daddr 169.254.169.254 tcp dport 80 counter packets 0 bytes 0 '
        "dnat to 10.9.9.1:8181\n"
        "\t\tip daddr 169.254.169.254 tcp dport 80 redirect to :8282\n\t}\n}\n",
        ["10.9.9.1:8181", ":8282"],
        id="nft",
    ),
    pytest.param(
        "ip6 daddr { fd00:ec2::254, fd00:ec2::23 } tcp dport 80 redirect\n",
        ["this host"],
        id="a set of addresses, to the same port",
    ),
    pytest.param(
        "-A PREROUTING ! -d 169.254.169.254/32 -p tcp -j REDIRECT --to-ports 15001\n"
        "ip daddr != 169.254.169.254 tcp dport 80 redirect to :15001\n",
        [],
        id="everything but IMDS",
    ),
    pytest.param(
        "-A PREROUTING -d 169.254.170.2/32 -p tcp -j DNAT --to-destination 127.0.0.1:51679\n"
        "-A OUTPUT -d 169.254.170.2/32 -p tcp -j REDIRECT --to-ports 51679\n",
        [],
        id="the ECS agent's own address",
    ),
    pytest.param(
        "-A FORWARD -d 169.254.169.254/32 -j DROP\nip daddr 169.254.169.254 drop\n",
        [],
        id="dropped, not redirected",
    ),
    pytest.param(
        "-A POSTROUTING -s 169.254.169.254/32 -j DNAT --to-destination 10.0.0.1\n"
        "ip daddr @proxied tcp dport 80 redirect to :8282\n",
        [],
        id="a source, a named set",
    ),
    pytest.param(
        "-A PREROUTING -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 3128\n"
        "-A OUTPUT -p tcp -m multiport --dports 80,443 -m owner ! --uid-owner 13 -j REDIRECT "
        "--to-ports 3129\n"
        "-A OUTPUT -p tcp -m tcp --dport 1:1024 -j DNAT --to-destination 10.0.3.7:1\n"
        "-A OUTPUT ! -d 127.0.0.1/32 -p tcp -j REDIRECT --to-ports 15001\n"
        "-A PREROUTING -j TPROXY --on-port 3130 --on-ip 0.0.0.0 --tproxy-mark 0x1/0x1\n",
        ["3128", "3129", "10.0.3.7:1", "15001", "3130"],
        id="a transparent proxy, for wherever it goes",
    ),
    pytest.param(
        "table inet proxy {\n\tchain out {\n"
        "\t\ttype nat hook output priority -100; policy accept;\n"
        "\t\tmeta skuid != 13 tcp dport { 80, 443 } redirect to :3129\n"
        "\t\ttcp dport 1-1024 redirect to :3131\n"
        "\t\ttcp dport != 80 redirect to :3132\n"
        "\t\ttcp dport @web redirect to :3133\n"
        "\t\tudp dport 53 redirect to :5353\n"
        "\t\tmeta l4proto udp redirect to :5354\n"
        "\t\tfib daddr type local tcp dport 80 dnat to 172.17.0.2:80\n"
        "\t\tip daddr != 10.0.0.0/8 tcp dport 80 redirect to :3134\n"
        "\t\tmeta l4proto { tcp, udp } th dport 80 redirect to :3136\n\t}\n"
        "\tchain other {\n\t\ttcp dport 80 redirect to :3135\n\t}\n}\n",
        [":3129", ":3131", ":3134", ":3136"],
        id="the same of nft",
    ),
    pytest.param(
        "-A OUTPUT -p tcp -m tcp --dport 443 -j REDIRECT --to-ports 3129\n"
        "-A OUTPUT -p tcp -m tcp ! --dport 80 -j REDIRECT --to-ports 3129\n"
        "-A OUTPUT -p udp -m udp --dport 53 -j REDIRECT --to-ports 5353\n"
        "-A OUTPUT ! -p tcp -j REDIRECT --to-ports 5353\n"
        "-A PREROUTING -d 169.254.0.0/16 -p udp -j REDIRECT --to-ports 5353\n"
        "-A PREROUTING -m set --match-set proxied dst -p tcp -j REDIRECT --to-ports 3129\n"
        "-A PREROUTING -m addrtype --dst-type LOCAL -p tcp -j DNAT --to-destination 10.0.0.5\n"
        "-A DOCKER ! -i docker0 -p tcp -m tcp --dport 80 -j DNAT --to-destination 172.17.0.2:80\n"
        "-A KUBE-SEP-ABC -p tcp -m comment --comment default/web -m tcp -j DNAT "
        "--to-destination 10.1.0.5:8443\n",
        [],
        id="other ports and protocols, and what only some packets come to",
    ),
    pytest.param(
        "-A PREROUTING -d 169.254.169.254/32 -m comment "
        '--comment "no -j DNAT of \\"IMDS\\"" -j DROP\n'
        "-A PREROUTING -d 169.254.169.254/32 -m comment --comment dnat -j ACCEPT\n"
        "-A PREROUTING -d 169.254.169.254/32 -j dnat-chain\n"
        'ip daddr 169.254.169.254 counter drop comment "instead of redirect to :8282"\n'
        "ip daddr 169.254.169.254 jump redirect\n"
        '-A OUTPUT -p tcp -m comment --comment "not -d 169.254.169.254" -j ACCEPT\n',
        [],
        id="words of comments, names of chains",
    ),
    pytest.param("", [], id="no rule"),
]


@pytest.mark.parametrize(("rules", "expected"), RULES)
def test_redirects_of_imds_calls_are_found_among_rules(rules: str, expected: list[str]) -> None:
    """Of either family and either program, by destination and only for a new one."""
    assert network.redirect_targets(rules) == expected


def _install(directory: Path, program: str, script: str) -> None:
    path = directory / program
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def only_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory that is the whole search path, for programs the host lacks."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(network, "SYSTEM_PROGRAMS", "")
    return tmp_path


def test_a_redirect_is_a_warning_that_names_the_proxy(only_programs: Path) -> None:
    """Rules come from whichever of the programs is installed."""
    rule = "-A PREROUTING -d 169.254.169.254/32 -p tcp -j DNAT --to-destination 10.0.3.7:8181"
    _install(only_programs, "iptables-save", f"echo '{rule}'")
    answer = network.redirects()
    assert answer.level is WARN
    assert "10.0.3.7:8181" in answer.found


def test_rules_without_a_redirect_are_fine(only_programs: Path) -> None:
    """The programs that were asked are named."""
    _install(only_programs, "nft", "echo 'table ip nat { }'")
    assert network.redirects() == fine("none among the rules of nft")


def test_refused_rules_are_not_taken_for_none(only_programs: Path) -> None:
    """What the program said is passed on."""
    _install(only_programs, "nft", "echo 'Operation not permitted (you must be root)' >&2; exit 1")
    answer = network.redirects()
    assert answer.level is INFO
    assert "you must be root" in answer.found


def test_without_any_program_nothing_is_claimed(only_programs: Path) -> None:
    """Neither the rules nor the routes of a host without them are judged."""
    assert not list(only_programs.iterdir())
    assert network.redirects().level is INFO
    assert network.ipv4_route().level is INFO
