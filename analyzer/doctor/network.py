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

IMDS_IPV4, IMDS_IPV6 = "169.254.169.254", "fd00:ec2::254"
_ADDRESSES = tuple(ipaddress.ip_address(each) for each in (IMDS_IPV4, IMDS_IPV6))

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

# A destination in a rule of iptables-save, or in one of nft.
_DESTINATION = re.compile(
    r"(?P<not>! )?(?:-d|--destination) (?P<one>\S+)"
    r"|ip6? daddr (?P<unequal>!= )?(?P<some>\{[^}]*\}|\S+)"
)
_REDIRECT = re.compile(
    r"\b(?:dnat|redirect|tproxy)\b(?:.*?(?:\bto|--to-[a-z]+|--on-port) (?P<target>\S+))?",
    re.IGNORECASE,
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
            "Nothing to mend; the proxy's have X-Forwarded-For where the proxy sets it",
        )
    if refused:
        return note(f"not all rules could be read ({'; '.join(refused)})", "Run as root")
    if not listed:
        return note("not looked for: neither nft nor iptables-save is installed")
    return fine(f"none among the rules of {', '.join(listed)}")


def redirect_targets(rules: str) -> list[str]:
    """Return where the rules of nft or iptables-save send calls to IMDS, in their order."""
    targets = []
    for rule in rules.splitlines():
        redirect = _REDIRECT.search(rule)
        if redirect is not None and _is_for_imds(rule):
            targets.append(redirect["target"] or "this host")
    return targets


def _is_for_imds(rule: str) -> bool:
    for match in _DESTINATION.finditer(rule):
        for word in re.split(r"[\s,{}]+", match["one"] or match["some"]):
            try:
                network = ipaddress.ip_network(word, strict=False)
            except ValueError:
                continue  # a named set, a range
            if any(address in network for address in _ADDRESSES):
                return not (match["not"] or match["unequal"])
    return False


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
