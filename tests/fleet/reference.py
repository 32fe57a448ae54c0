"""The same findings by the shortest way: every line in memory, one after the other, in Python."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import gzip
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Optional

from analyzer.report.findings import Bucket, Findings, Group, Host, Key, Loss, Span, Tally

Line = Mapping[str, Any]

_ONE_S = datetime.timedelta(seconds=1)
_INTERPRETERS = ("python", "bash", "dash", "sh", "java", "perl")
_WITH_VALUE = ("-cp", "-W", "-X")


def findings_of(lines: list[Line], bucket_s: int, files: int = 0, damaged: int = 0) -> Findings:
    """Return what any engine should find in lines; ``damage`` stays empty."""
    requests = [line for line in lines if line["event"] == "imds_request"]
    by_key: dict[Key, list[Line]] = collections.defaultdict(list)
    for line in requests:
        by_key[key_of(line)].append(line)
    by_host: dict[str, list[Line]] = collections.defaultdict(list)
    for line in lines:
        by_host[_host_name(line)].append(line)
    limits = {name: limit for name, own in by_host.items() if (limit := _host_hop_limit(own))}
    groups = [_group(key, own, limits) for key, own in by_key.items()]
    groups.sort(key=_rank)
    return Findings(
        files=files,
        lines=len(lines),
        damaged=damaged,
        damage=(),
        groups=tuple(groups),
        hosts=tuple(_host(name, by_host[name]) for name in sorted(by_host)),
        bucket_s=bucket_s,
        timeline=_timeline(requests, bucket_s),
    )


def _rank(group: Group) -> tuple[object, ...]:
    names = tuple(name or "" for name in dataclasses.astuple(group.key))
    return -group.count("v1"), -group.count("unknown"), -group.requests, names


def read_lines(files: Iterable[Path]) -> list[Line]:
    """Read all lines of files that are not damaged."""
    lines: list[Line] = []
    for file in files:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as stream:
            lines += [json.loads(line) for line in stream]
    return lines


# --- who -------------------------------------------------------------------------------


def key_of(line: Line) -> Key:
    """Return what a person would fix, for the callers of the made-up fleet."""
    process = line.get("process", {})
    program, is_tool, _ = _program(line)
    launcher = None
    for ancestor in process.get("ancestors", ()) if is_tool else ():
        name, _, is_shell = _program_of(ancestor)
        if not is_shell:
            launcher = name
            break
    place = "host"
    if "container" in line:
        place = line["container"].get("runtime", "container")
    if "orchestrator" in line:
        place = line["orchestrator"]["type"]
    unit = line.get("service", {}).get("name")
    if unit and re.match(r"(docker|cri-containerd)-[0-9a-f]{64}", unit):
        unit = None
    if unit:
        unit = re.sub(r"^(session|run)-.*\.", r"\1-*.", unit)
        unit = re.sub(r"@\d+\.", "@*.", unit)
    agent = line.get("user_agent", {}).get("original")
    return Key(program, launcher, unit, place, agent, line["imds"]["provider"])


def _program(line: Line) -> tuple[str, bool, bool]:
    """Return the script or executable of a line, or the address that is known instead.

    Also, whether it is a tool, and whether it is only a shell.
    """
    if "process" not in line:
        return f"(from {line['source']['ip']})", False, False
    return _program_of(line["process"])


def _program_of(process: Line) -> tuple[str, bool, bool]:
    executable = str(process.get("executable", process["name"]))
    base = executable.rpartition("/")[2].rstrip("0123456789.")
    if base not in _INTERPRETERS:
        if base in ("curl", "wget"):
            return base, True, False
        return executable, False, False
    words = iter(process.get("args", ())[1:])
    for word in words:
        if word in _WITH_VALUE:
            next(words)
        elif word == "-m":
            return f"python -m {next(words)}", False, False
        elif word == "-c":
            break
        elif not word.startswith("-"):
            return str(word), False, False
    return executable, True, base.endswith("sh")


def _group(key: Key, lines: list[Line], limits: dict[str, int]) -> Group:
    v1 = [line for line in lines if line["imds"]["version"] == "v1"]
    unknown = [line for line in lines if line["imds"]["version"] == "unknown"]
    workloads = _most(_workload(line) for line in lines)
    hosts, v1_hosts = _most(map(_host_name, lines)), _most(map(_host_name, v1))
    tallies = collections.Counter(
        (each["version"], each["reason"], each.get("outcome", ""), each["operation"])
        for each in (line["imds"] for line in lines)
    )
    return Group(
        key=key,
        tallies=tuple(
            Tally(version, reason, outcome or None, operation, count)
            for (version, reason, outcome, operation), count in sorted(
                tallies.items(), key=lambda item: (-item[1], item[0])
            )
        ),
        first_at=min(map(at, lines)),
        last_at=max(map(at, lines)),
        last_v1_at=max(map(at, v1), default=None),
        days=tuple(sorted({at(line).date() for line in lines})),
        v1_days=tuple(sorted({at(line).date() for line in v1})),
        host_count=len(hosts),
        hosts=tuple(name for name, _ in hosts[:20]),
        v1_hosts=tuple(name for name, _ in v1_hosts[:20]),
        paths=tuple(_most(line.get("url", {}).get("path") for line in lines)[:10]),
        workload_count=len(workloads),
        workloads=tuple(name for name, _ in workloads[:5]),
        users=tuple(name for name, _ in _most(map(_user, lines))[:10]),
        forwarded=sum(line["imds"].get("forwarded", False) for line in lines),
        token_failures=dict(
            sorted(
                collections.Counter(
                    line["imds"]["token_request"]["outcome"]
                    for line in v1
                    if "token_request" in line["imds"]
                ).items()
            )
        ),
        example=max(v1 or unknown or lines, key=at),
        hop_limits=tuple(sorted(collections.Counter(filter(None, map(_hop_limit, lines))).items())),
        instance_hop_limits=tuple(
            sorted({limits[name] for name, _ in v1_hosts[:20] if name in limits})
        ),
    )


def _hop_limit(line: Line) -> Optional[int]:
    is_token = line["imds"]["reason"] == "token_request"
    is_success = line["imds"].get("outcome") == "success"
    return line["imds"].get("hop_limit") if is_token and is_success else None


def _host_hop_limit(lines: list[Line]) -> Optional[int]:
    own = [
        (at(line).date(), limit)
        for line in lines
        if line["event"] == "imds_request"
        and "process" in line
        and "container" not in line
        and "orchestrator" not in line
        and (limit := _hop_limit(line))
    ]
    return max(own)[1] if own else None


def _most(values: Iterable[Optional[str]]) -> list[tuple[str, int]]:
    counts = collections.Counter(value for value in values if value)
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _workload(line: Line) -> Optional[str]:
    if "orchestrator" in line:
        return str(line["orchestrator"]["resource"]["id"])
    return line["container"]["id"] if "container" in line else None


def _host_name(line: Line) -> str:
    return str(line["host"]["name"] if "host" in line else "(capture)")


def _user(line: Line) -> str:
    user = line["process"]["user"] if "process" in line else {}
    return str(user.get("name", user.get("id", "")))


# --- where and when --------------------------------------------------------------------


def at(line: Line) -> datetime.datetime:
    """Return a line's time."""
    return _time(line["timestamp"])


def _time(text: str) -> datetime.datetime:
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z")


def _host(name: str, lines: list[Line]) -> Host:
    aws, others, versions = [], 0, collections.Counter({"v1": 0, "v2": 0, "unknown": 0})
    for line in lines:
        if line["event"] == "imds_request":
            if line["imds"]["provider"] == "aws":
                aws.append(line)
                versions[line["imds"]["version"]] += 1
            else:
                others += 1
    boots: dict[str, datetime.datetime] = {}
    for line in sorted(lines, key=at):
        if "host" in line:
            boots.setdefault(line["host"]["boot_id"], at(line))
    deployed = [
        _time(line["process"]["start"])
        for line in lines
        if line["event"] == "imds_request"
        and ("service" in line or "container" in line)
        and not _program(line)[1]
        and not line.get("service", {}).get("name", "").startswith(("session-", "run-"))
    ]
    return Host(
        name=name,
        instance_id=max((_instance(line) for line in lines), default="") or None,
        requests=dict(versions),
        other_clouds=others,
        first_at=min(map(at, lines)),
        last_at=max(map(at, lines)),
        last_v1_at=max((at(line) for line in aws if line["imds"]["version"] == "v1"), default=None),
        last_unknown_at=max(
            (at(line) for line in aws if line["imds"]["version"] == "unknown"), default=None
        ),
        covered=_covered(sorted(lines, key=at)),
        losses=tuple(_losses(sorted(lines, key=at))),
        boots=tuple(boots.values()),
        deployed_at=max(deployed, default=None),
        probes=tuple(sorted({line["observer"]["probe"] for line in lines})),
        hop_limit=_host_hop_limit(lines),
    )


def _instance(line: Line) -> str:
    return str(line.get("cloud", {}).get("instance", {}).get("id", ""))


def _covered(lines: list[Line]) -> tuple[Span, ...]:
    spans: list[list[datetime.datetime]] = []
    before: Optional[Line] = None
    for line in lines:
        start, end = at(line), at(line)
        if line["event"] == "heartbeat":
            start -= line["interval_s"] * _ONE_S
        elif line["event"] == "analyzer_stopped" and before is not None:
            start = at(before)
        if line["event"] in ("heartbeat", "analyzer_started", "analyzer_stopped"):
            before = line
        if start < end:
            if spans and start <= spans[-1][1] + 5 * _ONE_S:
                spans[-1][1] = max(spans[-1][1], end)
            else:
                spans.append([start, end])
    return tuple(Span(start, end) for start, end in spans)


def _losses(lines: list[Line]) -> Iterable[Loss]:
    for line in lines:
        if line["event"] == "events_lost":
            reason = line["reason"]
            yield Loss(at(line), reason, line["count"], not reason.startswith("answers_"))
        elif line["event"] == "heartbeat" and sum(line["not_written"].values()):
            yield Loss(at(line), "log_not_written", sum(line["not_written"].values()), True)


def _timeline(requests: list[Line], bucket_s: int) -> tuple[Bucket, ...]:
    buckets: dict[int, list[Line]] = collections.defaultdict(list)
    for line in requests:
        if line["imds"]["provider"] == "aws":
            buckets[int(at(line).timestamp()) // bucket_s * bucket_s].append(line["imds"])
    return tuple(_bucket(start, own) for start, own in sorted(buckets.items()))


def _bucket(start: int, requests: list[Line]) -> Bucket:
    versions = collections.Counter(each["version"] for each in requests)
    outcomes = collections.Counter(
        each.get("outcome", "no_response") for each in requests if each["version"] == "v1"
    )
    return Bucket(
        datetime.datetime.fromtimestamp(start, datetime.timezone.utc),
        {name: versions[name] for name in ("v1", "v2", "unknown")},
        outcomes["success"],
        outcomes["rejected"],
        outcomes["no_response"],
    )
