"""The same findings by the shortest way: every line in memory, one after the other, in Python."""

from __future__ import annotations

import collections
import datetime
import gzip
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Callable, Optional

from analyzer.report.callers import Group, Key, Sighting, Tally, Use
from analyzer.report.findings import Bucket, Findings
from analyzer.report.hosts import CAPTURE_PROBE, Boot, Host, Loss, Span

Line = Mapping[str, Any]

_ONE_S = datetime.timedelta(seconds=1)


def findings_of(lines: list[Line], bucket_s: int, files: int = 0, damaged: int = 0) -> Findings:
    """Return what any engine should find in lines; ``damage`` stays empty."""
    whole = len(lines)
    # What a proxy sent on is the call of another line.
    lines = [line for line in lines if not line.get("imds", {}).get("sent_on")]
    requests = [line for line in lines if line["event"] == "imds_request"]
    by_key: dict[tuple[str, str], list[Line]] = collections.defaultdict(list)
    for line in requests:
        by_key[caller_of(line)[0], line["imds"]["provider"]].append(line)
    by_host: dict[str, list[Line]] = collections.defaultdict(list)
    key_of = keys_of(lines)
    for line in lines:
        by_host[key_of(line)].append(line)
    limits = {name: limit for name, own in by_host.items() if (limit := _host_hop_limit(own))}
    groups = [
        _group(_key(caller, provider, own), own, limits, key_of)
        for (caller, provider), own in by_key.items()
    ]
    groups.sort(key=_rank)
    sightings = _sightings(by_host)
    return Findings(
        files=files,
        lines=whole,
        damaged=damaged,
        damage=(),
        groups=tuple(groups),
        hosts=tuple(
            sorted(
                (_host(key, own) for key, own in by_host.items()),
                key=lambda host: (host.name, host.key),
            )
        ),
        bucket_s=bucket_s,
        timeline=_timeline(requests, bucket_s),
        sightings=sightings,
        successors=_successors(by_host, sightings),
    )


def _rank(group: Group) -> tuple[object, ...]:
    names = (group.key.caller, group.key.provider)
    return -group.count("v1"), -group.count("unknown"), -group.requests, names


def read_lines(files: Iterable[Path]) -> list[Line]:
    """Read all lines of files that are not damaged."""
    lines: list[Line] = []
    for file in files:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as stream:
            lines += [json.loads(line) for line in stream]
    return lines


# --- who -------------------------------------------------------------------------------


def caller_of(line: Line) -> tuple[str, str, str, str]:
    """Return key, program, launcher and kind of the callers of the made-up fleet."""
    named = line["imds"].get("caller")
    if isinstance(named, dict) and all(type(each) is str for each in named.values()):
        return named["key"], named["program"], named.get("launcher", ""), named["kind"]
    if "process" in line:
        name = str(line["process"].get("executable", line["process"]["name"]))
    else:
        name = f"(from {line['source']['ip']})"
    return name, name, "", ""


def _place(line: Line) -> str:
    if "orchestrator" in line:
        return str(line["orchestrator"]["type"])
    return str(line["container"].get("runtime", "container")) if "container" in line else "host"


def _unit(line: Line) -> str:
    return str(line.get("service", {}).get("name", ""))


def _agent(line: Line) -> str:
    return str(line.get("user_agent", {}).get("original", ""))


def _key(caller: str, provider: str, lines: list[Line]) -> Key:
    """Return what is shown of a group: of several values the one with the most v1 calls."""

    def telling(value_of: Callable[[Line], str]) -> str:
        counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
        for line in lines:
            counts[value_of(line)][line["imds"]["version"]] += 1
        counts.pop("", None)
        ranked = sorted(
            (-found["v1"], -found["unknown"], -sum(found.values()), value)
            for value, found in counts.items()
        )
        return ranked[0][-1] if ranked else ""

    unit = telling(_unit)
    if re.match(r"(docker|cri-containerd)-[0-9a-f]{64}", unit):
        unit = ""
    unit = re.sub(r"^(session|run)-.*\.", r"\1-*.", unit)
    return Key(
        caller=caller,
        program=telling(lambda line: caller_of(line)[1]),
        launcher=telling(lambda line: caller_of(line)[2]) or None,
        kind=telling(lambda line: caller_of(line)[3]) or None,
        unit=re.sub(r"@\d+\.", "@*.", unit) or None,
        place=telling(_place),
        user_agent=telling(_agent) or None,
        provider=provider,
        deployed=telling(_deployed) or None,
        container=telling(lambda line: str(line.get("container", {}).get("name", ""))) or None,
        image=telling(_image) or None,
        labels=telling(lambda line: ", ".join(_resource(line).get("label", ()))) or None,
        through=telling(lambda line: str(line["imds"].get("through", ""))) or None,
    )


def _resource(line: Line) -> Mapping[str, Any]:
    found: Mapping[str, Any] = line.get("orchestrator", {}).get("resource", {})
    return found


def _deployed(line: Line) -> str:
    resource = _resource(line)
    of = resource.get("parent", resource)
    if "name" not in of:
        return ""
    namespace = line["orchestrator"].get("namespace")
    return f"{of['type']} {namespace + '/' if namespace else ''}{of['name']}"


def _image(line: Line) -> str:
    image = line.get("container", {}).get("image", {})
    return f"{image['name']}:{image['tag']}" if "tag" in image else str(image.get("name", ""))


def _group(
    key: Key, lines: list[Line], limits: dict[str, int], key_of: Callable[[Line], str]
) -> Group:
    v1 = [line for line in lines if line["imds"]["version"] == "v1"]
    unknown = [line for line in lines if line["imds"]["version"] == "unknown"]
    workloads = _most(_workload(line) for line in lines)
    hosts, v1_hosts = _most(map(key_of, lines)), _most(map(key_of, v1))
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
        user_agents=tuple(name for name, _ in _most(map(_agent, lines))[:10]),
        v1_places=tuple(name for name, _ in _most(map(_place, v1))[:20]),
        forwarded=sum(line["imds"].get("forwarded", False) for line in lines),
        through=sum("through" in line["imds"] for line in lines),
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
        uses=_uses(lines, key_of),
        v1_by_asked=_v1_by_asked(lines, key_of),
    )


def _uses(lines: list[Line], key_of: Callable[[Line], str]) -> tuple[Use, ...]:
    alike: dict[tuple[str, ...], list[Line]] = collections.defaultdict(list)
    for line in lines:
        imds = line["imds"]
        kind = (imds["version"], imds["operation"], imds.get("outcome", ""), _agent(line))
        whole = (*kind, " ".join(_relayed(line)))
        alike[whole].append(line)

    def rank(item: tuple[tuple[str, ...], list[Line]]) -> tuple[object, ...]:
        version, operation, _, agent, relayed = item[0]
        is_strange = relayed or agent.lower().startswith("mozilla/")
        strange = 0 if is_strange else 1 if operation == "credentials" else 2
        return 3 if version != "v1" else strange, len(item[1]), item[0]

    return tuple(
        Use(
            version, operation, outcome or None, agent or None, tuple(relayed.split()),
            max(str(line.get("url", {}).get("path", "")) for line in found),
            min(map(key_of, found)), len(set(map(key_of, found))), len(found),
            min(map(at, found)), max(map(at, found)),
        )
        for (version, operation, outcome, agent, relayed), found in sorted(
            alike.items(), key=rank
        )[:100]
    )  # fmt: skip


def _relayed(line: Line) -> list[str]:
    request, marks = line.get("http", {}).get("request", {}), []
    client = request.get("forwarded_for")
    if client and not client.startswith("10."):
        marks.append(f"for={client}")
    if "domain" in line.get("url", {}):
        marks.append(f"host={line['url']['domain']}")
    return [*marks, *request.get("client_headers", ())]


def _v1_by_asked(lines: list[Line], key_of: Callable[[Line], str]) -> tuple[tuple[str, int], ...]:
    asked: dict[str, set[str]] = collections.defaultdict(set)
    for line in lines:
        if line["imds"]["reason"] == "token_request":
            asked[key_of(line)].add(line["imds"].get("outcome", ""))
    counts: collections.Counter[str] = collections.Counter()
    for line in lines:
        if asked and line["imds"]["version"] == "v1":
            outcomes = asked.get(key_of(line), set())
            is_failed = bool(outcomes - {"success", ""})
            counts["failed" if is_failed else "got" if "success" in outcomes else "none"] += 1
    return tuple(sorted(counts.items()))


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
        found = line["orchestrator"]["resource"].get("id")
        return str(found or line["container"]["id"])
    return line["container"]["id"] if "container" in line else None


def _host_name(line: Line) -> str:
    return str(line["host"]["name"] if "host" in line else "(capture)")


def _boot(line: Line) -> str:
    return str(line["host"]["boot_id"] if "host" in line else "")


def keys_of(lines: list[Line]) -> Callable[[Line], str]:
    """Return what tells the hosts of these lines apart; no name here looks like an instance id."""
    instances, names = {}, {}
    for line in sorted(lines, key=at):
        names[_boot(line)] = _host_name(line)
        if _instance(line):
            instances[_boot(line)] = _instance(line)

    def key_of(line: Line) -> str:
        boot = _boot(line)
        if not boot:
            return _instance(line) or _host_name(line)
        return _instance(line) or instances.get(boot) or names[boot]

    return key_of


def _user(line: Line) -> str:
    user = line["process"]["user"] if "process" in line else {}
    return str(user.get("name", user.get("id", "")))


# --- where and when --------------------------------------------------------------------


def at(line: Line) -> datetime.datetime:
    """Return a line's time."""
    return _time(line["timestamp"])


def _time(text: str) -> datetime.datetime:
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z")


def _host(key: str, lines: list[Line]) -> Host:
    aws, others, versions = [], 0, collections.Counter({"v1": 0, "v2": 0, "unknown": 0})
    for line in lines:
        if line["event"] == "imds_request":
            if line["imds"]["provider"] == "aws":
                aws.append(line)
                versions[line["imds"]["version"]] += 1
            else:
                others += 1
    names = {_host_name(line): None for line in sorted(lines, key=at, reverse=True)}
    deployed = [
        _time(line["process"]["start"])
        for line in lines
        if line["event"] == "imds_request"
        and ("service" in line or "container" in line)
        and not caller_of(line)[2]
        and caller_of(line)[3] not in ("person", "boot")
        and not _unit(line).startswith(("session-", "run-"))
    ]
    return Host(
        key=key,
        name=next(iter(names)),
        names=tuple(reversed(names)),
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
        boots=_boots(lines),
        deployed_at=max(deployed, default=None),
        probes=tuple(sorted({line["observer"]["probe"] for line in lines})),
        hop_limit=_host_hop_limit(lines),
    )


def _boots(lines: list[Line]) -> tuple[Boot, ...]:
    by_boot: dict[str, list[Line]] = collections.defaultdict(list)
    for line in sorted(lines, key=at):
        if _boot(line):
            by_boot[_boot(line)].append(line)
    boots = []
    for boot, own in by_boot.items():
        started = next((line for line in own if line["event"] == "analyzer_started"), {})
        booted = started.get("boot", {}).get("time")
        is_stopped = own[-1]["event"] == "analyzer_stopped"
        boots.append(
            Boot(
                id=boot,
                first_at=at(own[0]),
                last_at=at(own[-1]),
                booted_at=None if booted is None else _time(booted),
                attached_s=started.get("attached", {}).get("since_boot_s"),
                stopped_at=at(own[-1]) if is_stopped else None,
            )
        )
    return tuple(sorted(boots, key=lambda boot: boot.at))


# --- who called IMDSv1 where -----------------------------------------------------------


def _sightings(by_host: Mapping[str, list[Line]]) -> tuple[Sighting, ...]:
    found = []
    for key, lines in by_host.items():
        boots = {boot.id: boot for boot in _boots(lines)}
        by_caller: dict[str, list[Line]] = collections.defaultdict(list)
        for line in sorted(lines, key=at):
            if line["event"] == "imds_request" and line["imds"]["provider"] == "aws":
                by_caller[caller_of(line)[0]].append(line)
        for caller, own in by_caller.items():
            v1 = [line for line in own if line["imds"]["version"] == "v1"]
            if v1:
                found.append(_sighting(caller, key, own, v1, boots))
    return tuple(sorted(found, key=lambda each: (-each.all_v1, each.caller, each.host)))


def _sighting(
    caller: str, key: str, lines: list[Line], v1: list[Line], boots: Mapping[str, Boot]
) -> Sighting:
    v2 = _with_success(lines)
    unclear = [
        line
        for line in lines
        if line["imds"]["version"] == "unknown"
        or (
            line["imds"]["version"] == "v2"
            and line["imds"].get("outcome") == "rejected"
            and line["imds"]["operation"] != "token"
        )
    ]
    by_day: dict[tuple[datetime.date, str, bool], list[Line]] = collections.defaultdict(list)
    for line in v1:
        by_day[at(line).date(), _boot(line), _is_of_boot(line)].append(line)
    at_boot, offsets, last_offsets = 0, [], []
    for (_, boot_id, is_of_boot), own in by_day.items():
        boot = boots.get(boot_id)
        soon = [line for line in own if boot and (at(line) - boot.at).total_seconds() <= 600]
        if is_of_boot or len(soon) == len(own):
            at_boot += len(own)
        elif soon:
            at_boot += 1
        if boot and (is_of_boot or soon):
            if boot.booted_at:
                offsets.append((at(own[0]) - boot.booted_at).total_seconds())
            last = (at(own[-1]) - boot.at).total_seconds()
            last_offsets.append(last if is_of_boot else min(last, 600.0))
    return Sighting(
        caller=caller,
        host=key,
        v1=_spans_of_days(v1),
        v2=_spans_of_days(v2),
        all_v1=len(v1),
        v1_rejected=sum(line["imds"].get("outcome") == "rejected" for line in v1),
        v1_at_boot=at_boot,
        boot_offset_s=min(offsets, default=None),
        boot_last_s=max(last_offsets, default=None),
        unclear=_spans_of_days(unclear),
    )


def _successors(
    by_host: Mapping[str, list[Line]], sightings: Iterable[Sighting]
) -> tuple[Sighting, ...]:
    known = {(each.caller, each.host) for each in sightings}
    callers = {caller for caller, _ in known}
    found = []
    for key, lines in by_host.items():
        by_caller: dict[str, list[Line]] = collections.defaultdict(list)
        for line in sorted(lines, key=at):
            if line["event"] == "imds_request" and line["imds"]["provider"] == "aws":
                by_caller[caller_of(line)[0]].append(line)
        for caller, own in by_caller.items():
            v2 = _with_success(own)
            if v2 and caller in callers and (caller, key) not in known:
                found.append(Sighting(caller, key, (), _spans_of_days(v2), 0))
    return tuple(sorted(found, key=lambda each: (each.caller, each.host)))


def _with_success(lines: Iterable[Line]) -> list[Line]:
    return [
        line
        for line in lines
        if line["imds"]["version"] == "v2"
        and line["imds"].get("outcome") == "success"
        and line["imds"]["operation"] != "token"
    ]


def _is_of_boot(line: Line) -> bool:
    return caller_of(line)[3] == "boot" or _unit(line) == "cloud-final.service"


def _spans_of_days(lines: list[Line]) -> tuple[Span, ...]:
    days: dict[datetime.date, list[datetime.datetime]] = collections.defaultdict(list)
    for line in lines:
        days[at(line).date()].append(at(line))
    return tuple(Span(times[0], times[-1]) for times in days.values())


def _instance(line: Line) -> str:
    return str(line.get("cloud", {}).get("instance", {}).get("id", ""))


def _covered(lines: list[Line]) -> tuple[Span, ...]:
    spans: list[list[datetime.datetime]] = []
    before: Optional[Line] = None
    for line in lines:
        start, end = at(line), at(line)
        is_capture = line["observer"]["probe"] == CAPTURE_PROBE
        if is_capture != (line["event"] == "capture_read"):
            continue
        if line["event"] in ("heartbeat", "capture_read"):
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
            yield Loss(
                at(line), reason, line["count"], not reason.startswith(("answers_", "senders_"))
            )
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
