"""Where calls to IMDS would go. Asks for routes and rules only: nothing is sent."""

from __future__ import annotations

import ipaddress
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Optional

from analyzer.doctor.findings import Answer, Level, fine, note, warning
from analyzer.imds import IMDS_ADDRESSES, IMDS_IPV4, IMDS_IPV6, IMDS_PORT

_ADDRESSES = tuple(ipaddress.ip_address(each) for each in IMDS_ADDRESSES)

# All of them read only. Without `-t`, iptables-save loads no kernel module.
RULE_LISTS = (
    ("nft", "list", "ruleset"),
    ("iptables-save",),
    ("ip6tables-save",),
    ("iptables-legacy-save",),
)
# Cron and sudo often leave these out of the search path.
SYSTEM_PROGRAMS = ":/usr/sbin:/sbin"
# A host of Kubernetes may have tens of thousands of rules.
PROGRAM_DEADLINE_S = 20.0

# What `ip route get` says in place of a route: what that means
_NO_ROUTE = {
    "Network is unreachable": "no route: nothing on this host can call it",
    "No route to host": "blocked by an unreachable route",
    "Permission denied": "blocked by a prohibit route",
    "Invalid argument": "blocked by a blackhole route",
}

# Comments and names of interfaces, which may be any text.
_QUOTED = re.compile(r'(?:--comment )?"(?:[^"\\]|\\.)*"|--comment \S+')
# A rule's chain in iptables-save, where a chain of nft begins, and what it begins with if the
# kernel itself sends packets there. Any other chain sees what is sent there by other rules.
_CHAIN = re.compile(r"-A (\S+)|\s*chain (\S+) \{")
_HOOKED = ("PREROUTING", "OUTPUT")
_HOOK = re.compile(r"\s*type \S+ hook (?:prerouting|output)\b")
# A destination in a rule of iptables-save, or in one of nft.
_DESTINATION = re.compile(
    r"(?P<not>! )?(?:-d|--destination) (?P<one>\S+)"
    r"|ip6? daddr (?P<unequal>!= )?(?P<some>\{[^}]*\}|\S+)"
)
# The same of a port, and of the protocol.
_PORT = re.compile(
    r"(?P<not>! )?--(?:dports?|destination-ports?|ports) (?P<one>\S+)"
    r"|(?:tcp|th) dport (?P<unequal>!= )?(?P<some>\{[^}]*\}|\S+)"
)
_OTHER_PROTOCOL = re.compile(
    r"! -p tcp\b|(?<!! )-p (?!tcp\b|all\b)\S|\b(?:udp|sctp|dccp) (?!\})"
    r"|(?:l4proto|ip protocol) (?!tcp\b|[{])\S"
)
# Destinations that cannot be looked into, and the host's own.
_OTHER_DESTINATION = re.compile(
    r"--match-set \S+ \S*dst\b|--dst-range |(?<!! )--dst-type LOCAL"
    r"|fib daddr (?:\. \w+ )?type local"
)
_REDIRECT = re.compile(
    r"(?:-[jg] (?:DNAT|REDIRECT|TPROXY)|(?<!\S)(?<!jump )(?<!goto )(?:dnat|redirect|tproxy))(?!\S)"
    r"(?:.*?(?:\bto|--to-[a-z]+|--on-port) (?P<target>\S+))?"
)


def ipv4_route() -> Answer:
    """Check where calls to the IPv4 address go."""
    return _route(IMDS_IPV4)


def ipv6_route() -> Answer:
    """Check where calls to the IPv6 address go."""
    return _route(IMDS_IPV6)


def _route(address: str) -> Answer:
    ip = _maybe_program("ip")
    if ip is None:
        return note(
            "not looked up: ip is not installed", "apt install iproute2, or dnf install iproute"
        )
    done = _run([ip, "-json", "route", "get", address])
    route = parse_route(done.stdout)
    answer = judge_route(route, done.stderr.strip() or done.stdout.strip())
    # A card has a device behind it. An interface that /sys does not show tells nothing.
    link = Path("/sys/class/net", str(route.get("dev", "-")))
    if answer.level is Level.OK and link.is_dir() and not (link / "device").exists():
        return note(f"{answer.found}, a virtual interface: see what answers behind it")
    return answer


def parse_route(output: str) -> dict[str, Any]:
    """Return the route that ``ip -json route get`` wrote; empty when it wrote none."""
    try:
        routes = json.loads(output)
    except ValueError:
        return {}
    is_route = isinstance(routes, list) and routes and isinstance(routes[0], dict)
    return routes[0] if is_route else {}


def judge_route(route: dict[str, Any], said: str) -> Answer:
    """Judge a route to IMDS, or what ``ip`` said in place of one."""
    if not route:
        meanings = [meaning for words, meaning in _NO_ROUTE.items() if words in said]
        return note(meanings[0] if meanings else f"could not be looked up: {said}")
    device = route.get("dev", "no device")
    if route.get("type") == "local":
        return warning(
            f"an address of this host itself ({device}): a program here answers, not EC2",
            "Unless that is meant (a proxy, an emulator), remove the address",
        )
    gateway = route.get("gateway") or route.get("via", {}).get("host")
    return fine(f"through {device}" + (f" by way of {gateway}" if gateway else ""))


def redirects() -> Answer:
    """Check for rules that send calls to IMDS elsewhere, as kube2iam and kiam do."""
    listed, refused, targets = [], [], []
    for name, *arguments in RULE_LISTS:
        program = _maybe_program(name)
        if program is None:
            continue
        done = _run([program, *arguments])
        if done.returncode != 0:
            refused.append(f"{name}: {done.stderr.strip() or f'exit code {done.returncode}'}")
            continue
        listed.append(name)
        targets += redirect_targets(done.stdout)
    if targets:
        return warning(
            f"calls are redirected to {', '.join(dict.fromkeys(targets))}: such a call is "
            "reported twice, of its sender and of the proxy that passes it on",
            "Nothing to fix; the proxy's have X-Forwarded-For where the proxy sets it",
        )
    if refused:
        return note(f"not all rules could be read ({'; '.join(refused)})", "Run as root")
    if not listed:
        return note("not looked for: neither nft nor iptables-save is installed")
    return fine(f"none among the rules of {', '.join(listed)}")


def redirect_targets(rules: str) -> list[str]:
    """Return where the rules of nft or iptables-save send calls to IMDS, in their order.

    A rule without a destination counts in the chains that all packets pass: others are for
    those that were sent there, such as Docker's for a port that a container publishes.
    """
    targets = []
    is_hooked = False
    for line in rules.splitlines():
        rule = _QUOTED.sub('""', line)
        chain = _CHAIN.match(rule)
        if chain is not None:
            is_hooked = chain[1] in _HOOKED
        is_hooked = is_hooked or _HOOK.match(rule) is not None
        redirect = _REDIRECT.search(rule)
        if redirect is not None and _is_for_imds(rule, is_hooked=is_hooked):
            targets.append(redirect["target"] or "this host")
    return targets


def _is_for_imds(rule: str, *, is_hooked: bool) -> bool:
    if _OTHER_PROTOCOL.search(rule) or not all(map(_has_http, _PORT.finditer(rule))):
        return False
    destinations = list(_DESTINATION.finditer(rule))
    is_named = any(not _is_negated(match) for match in destinations)
    return (
        (is_named or is_hooked)
        and all(map(_has_imds, destinations))
        and not _OTHER_DESTINATION.search(rule)
    )


def _has_http(match: re.Match[str]) -> bool:
    is_in = False
    for word in _words(match):
        first, _, last = word.replace("-", ":").partition(":")
        if first.isdecimal() and (last or first).isdecimal():
            is_in = is_in or int(first) <= IMDS_PORT <= int(last or first)
        elif word != "http":
            return False  # a named set
        else:
            is_in = True
    return is_in != _is_negated(match)


def _has_imds(match: re.Match[str]) -> bool:
    is_in = False
    for word in _words(match):
        try:
            network = ipaddress.ip_network(word, strict=False)
        except ValueError:
            return False  # a named set, a range
        is_in = is_in or any(address in network for address in _ADDRESSES)
    return is_in != _is_negated(match)


def _words(match: re.Match[str]) -> list[str]:
    return [each for each in re.split(r"[\s,{}]+", match["one"] or match["some"]) if each]


def _is_negated(match: re.Match[str]) -> bool:
    return bool(match["not"] or match["unequal"])


def _maybe_program(name: str) -> Optional[str]:
    return shutil.which(name, path=os.environ.get("PATH", "") + SYSTEM_PROGRAMS)


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=PROGRAM_DEADLINE_S,
        env={**os.environ, "LC_ALL": "C"},  # the messages are looked into
    )
