"""Builds the commands that find in an access log who made a server ask, and when."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import Optional

from analyzer.logline.servers import Server
from analyzer.report.callers import Group
from analyzer.report.diagnosis.commands import quoted

# The recorder's time is that of the request at IMDS. The server wrote its line before or after it,
# and writes whole seconds.
_MARGIN = datetime.timedelta(seconds=60)
# Longer windows are looked through by the hour, then by the day, as each is a pattern of one grep:
# seconds of a step, the most steps, and what is cut off a time's end.
_STEPS = ((60, 90, 0), (3600, 72, 1), (86_400, 400, 2))
# How people who forge requests write the address; the last is the path behind it.
_IMDS_NAMES = (
    r"169\.254\.169\.254|169%2e254|fd00:ec2|fd00%3aec2|2852039166|0xa9fea9fe|0251\.0376|a9fe:a9fe"
    r"|instance-data|latest(/|%2f)+(meta-data|user-data|dynamic)"
)
# Servers whose lines do not begin as nginx's and Apache's do -> how a time stands there.
_STAMPS: Mapping[str, str] = {"Tinyproxy": "%b %d %H:%M", "Privoxy": "%Y-%m-%d %H:%M"}
_USUAL = "%d/%b/%Y:%H:%M"
_SQUID = "Squid"
_CONTAINER_ID = re.compile(r"[0-9a-f]{12,64}|[0-9A-Za-z][0-9A-Za-z_.-]{0,127}", re.ASCII)
_LOGS_OF_CONTAINERS: Mapping[str, str] = {"docker": "docker", "podman": "podman"}


def searches(
    server: Optional[Server], group: Group, first: datetime.datetime, last: datetime.datetime
) -> tuple[str, ...]:
    """Return what shows a server's lines of a time, and those that name the metadata service."""
    first, last = first - _MARGIN, last + _MARGIN
    container = _in_container(group, first, last)
    if container:
        return (container,)
    found: list[str] = []
    if server is not None and server.log:
        found.append(f"zcat -f {server.log} 2>/dev/null | {_filter(server, first, last)}")
        found.append(f"zcat -f {server.log} 2>/dev/null | grep -aiE '{_IMDS_NAMES}'")
    unit = group.key.unit or (server.journal if server is not None else "")
    if unit and "*" not in unit:
        found.append(
            f"journalctl -u {quoted(unit)} --utc --since '{_utc(first)}' --until '{_utc(last)}'"
        )
    return tuple(found)


def _filter(server: Server, first: datetime.datetime, last: datetime.datetime) -> str:
    start, end = int(first.timestamp()), int(last.timestamp()) + 1
    if server.name == _SQUID:  # seconds since the Unix epoch
        return f"awk '$1 >= {start} && $1 <= {end}'"
    step_s, _, cut = next((each for each in _STEPS if end - start <= each[0] * each[1]), _STEPS[-1])
    stamp = _STAMPS.get(server.name, _USUAL)
    shown = stamp.rsplit("%", cut)[0] if cut else stamp
    # `date` writes the server's own time zone, in which it logs.
    times = f"for s in $(seq {start} {step_s} {end}); do LC_ALL=C date -d @$s '+{shown}'; done"
    return f"grep -aFf <({times})"


def _in_container(group: Group, first: datetime.datetime, last: datetime.datetime) -> str:
    container = group.example.get("container")
    if not isinstance(container, Mapping):
        return ""
    identity = str(container.get("id", ""))
    if _CONTAINER_ID.fullmatch(identity) is None:
        return ""
    since = first.strftime("%Y-%m-%dT%H:%M:%SZ")
    tool = _LOGS_OF_CONTAINERS.get(str(container.get("runtime")))
    if tool is None:
        return f"crictl logs --timestamps --since {since} {quoted(identity)}"
    until = last.strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"{tool} logs --timestamps --since {since} --until {until} {quoted(identity)}"


def _utc(time: datetime.datetime) -> str:
    return time.astimezone(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
