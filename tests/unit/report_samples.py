"""Findings as engines return them: the callers that a real fleet has, and one that is hostile.

Every builder returns a whole, consistent value; what a test is about, it passes.
"""

from __future__ import annotations

import datetime
import functools
from collections.abc import Mapping, Sequence
from typing import Any, Optional, Union

from analyzer.report.callers import Group, Key, Tally
from analyzer.report.findings import Bucket, Damage, Findings, Tokenless
from analyzer.report.hosts import Boot, Host, Loss, Span

NOW = datetime.datetime(2026, 11, 22, 0, 0, tzinfo=datetime.timezone.utc)
DAY = datetime.timedelta(days=1)
HOUR = datetime.timedelta(hours=1)
WEEK = datetime.timedelta(days=7)
HOST = "ip-10-0-3-7"
INSTANCE = "i-0123456789abcdef0"
CREDENTIALS = "/latest/meta-data/iam/security-credentials/"
BOTO_OLD = "Boto3/1.9.253 Python/3.7.4 Linux/4.14 Botocore/1.12.253"
BOTO_NEW = "Botocore/1.44.5 ua/2.1 os/linux md/arch#x86_64 lang/python#3.11.2"
# Terminal escapes, HTML, a spreadsheet's formula, Markdown, quotes, a right-to-left override.
HOSTILE = '=HYPERLINK("x")\x1b[2J<script>alert(1)</script>|`*_[a](b)\n\u202e\'";rm -rf'


def written(at: datetime.datetime) -> str:
    """Return a time as the log has it."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@functools.lru_cache(maxsize=64)
def days_between(first: datetime.datetime, last: datetime.datetime) -> tuple[datetime.date, ...]:
    """Return each UTC day from the first to the last."""
    count = (last.date() - first.date()).days
    return tuple(first.date() + datetime.timedelta(days=n) for n in range(count + 1))


def example(
    *,
    version: str = "v1",
    reason: str = "no_token_header",
    outcome: Optional[str] = "success",
    operation: str = "credentials",
    provider: str = "aws",
    path: str = CREDENTIALS,
    user_agent: Optional[str] = None,
    executable: Optional[str] = "/usr/bin/python3.9",
    args: Sequence[str] = ("python3", "/srv/app/worker.py"),
    ancestors: Sequence[Sequence[str]] = (("/sbin/init",),),
    unit: Optional[str] = "app.service",
    container: Optional[Mapping[str, str]] = None,
    orchestrator: Optional[Mapping[str, Any]] = None,
    host: str = HOST,
    at: datetime.datetime = NOW - HOUR,
    **imds: Any,
) -> Mapping[str, Any]:
    """Return one line of the log. ``ancestors`` are argument vectors, nearest first."""
    line: dict[str, Any] = {
        "timestamp": written(at),
        "level": "info" if version == "v2" else "warning",
        "event": "imds_request",
        "imds": {
            "version": version,
            "operation": operation,
            "reason": reason,
            "provider": provider,
            **({"outcome": outcome} if outcome else {}),
            **imds,
        },
        "http": {"request": {"method": "PUT" if operation == "token" else "GET"}},
        "url": {"path": path},
        "source": {"ip": "10.0.3.7", "port": 41234},
        "destination": {"ip": "169.254.169.254", "port": 80},
        "process": {
            "pid": 4242,
            "name": (executable or args[0]).rpartition("/")[2][:15],
            **({"executable": executable} if executable else {}),
            "args": list(args),
            "start": written(at - HOUR),
            "user": {"id": "1001", "name": "app"},
            "ancestors": [
                {
                    "pid": 1 if n == len(ancestors) - 1 else 4200 - n,
                    "name": argv[0].rpartition("/")[2][:15],
                    "executable": argv[0],
                    "args": list(argv),
                    "user": {"id": "0", "name": "root"},
                }
                for n, argv in enumerate(ancestors)
            ],
        },
        "host": {"name": host, "boot_id": "0b5e8a52-7d3c-4c0e-9f5e-1c2d3e4f5a6b"},
        "observer": {"probe": "core/fentry", "version": "0.1.0"},
    }
    if user_agent is not None:
        line["user_agent"] = {"original": user_agent}
    if unit is not None:
        line["service"] = {"name": unit}
    if container is not None:
        line["container"] = dict(container)
    if orchestrator is not None:
        line["orchestrator"] = dict(orchestrator)
    return line


def group(
    program: str = "/srv/app/worker.py",
    *,
    tallies: Sequence[Tally] = (Tally("v1", "no_token_header", "success", "credentials", 120),),
    caller: Optional[str] = None,
    launcher: Optional[str] = None,
    kind: Optional[str] = None,
    unit: Optional[str] = "app.service",
    place: str = "host",
    user_agent: Optional[str] = None,
    provider: str = "aws",
    first_at: datetime.datetime = NOW - 7 * DAY,
    last_at: datetime.datetime = NOW - HOUR,
    last_v1_at: Optional[datetime.datetime] = None,
    days: Optional[Sequence[datetime.date]] = None,
    v1_days: Optional[Sequence[datetime.date]] = None,
    hosts: Sequence[str] = (HOST,),
    host_count: Optional[int] = None,
    v1_hosts: Optional[Sequence[str]] = None,
    paths: Sequence[tuple[str, int]] = ((CREDENTIALS, 120),),
    workloads: Sequence[str] = (),
    users: Sequence[str] = ("app",),
    forwarded: int = 0,
    token_failures: Optional[Mapping[str, int]] = None,
    line: Optional[Mapping[str, Any]] = None,
    **example_fields: Any,
) -> Group:
    """Return a group; what is about v1 follows from the tallies unless it is passed."""
    has_v1 = any(each.version == "v1" for each in tallies)
    if has_v1 and last_v1_at is None:
        last_v1_at = last_at
    if days is None:
        days = days_between(first_at, last_at)
    if v1_days is None:
        v1_days = days_between(first_at, last_v1_at) if last_v1_at is not None else ()
    worst = min(tallies, key=lambda each: ("v1", "unknown", "v2").index(each.version))
    if line is None:
        line = example(
            version=worst.version,
            reason=worst.reason,
            outcome=worst.outcome,
            operation=worst.operation,
            provider=provider,
            user_agent=user_agent,
            unit=unit,
            at=last_at,
            host=hosts[0],
            **{"path": paths[0][0], **example_fields},
        )
    return Group(
        key=Key(caller or program, program, launcher, kind, unit, place, user_agent, provider),
        tallies=tuple(tallies),
        first_at=first_at,
        last_at=last_at,
        last_v1_at=last_v1_at,
        days=tuple(days),
        v1_days=tuple(v1_days),
        host_count=len(hosts) if host_count is None else host_count,
        hosts=tuple(hosts),
        v1_hosts=tuple(v1_hosts if v1_hosts is not None else hosts if has_v1 else ()),
        paths=tuple(paths),
        workload_count=len(workloads),
        workloads=tuple(workloads),
        users=tuple(users),
        user_agents=() if user_agent is None else (user_agent,),
        v1_places=(place,) if has_v1 else (),
        forwarded=forwarded,
        token_failures=dict(token_failures or {}),
        example=line,
    )


def old_botocore(**fields: Any) -> Group:
    """Return an SDK that cannot speak v2."""
    return group(**{"user_agent": BOTO_OLD, **fields})


def fallback(outcome: str = "no_response", **fields: Any) -> Group:
    """Return a current SDK in a container whose token requests fail; falls back to v1."""
    container = {"id": "3f1c" * 16, "runtime": "docker"}
    return group(
        **{
            "program": "/app/main.py",
            "tallies": (
                Tally("v1", "fallback_after_token_failure", "success", "credentials", 40),
                Tally("v2", "token_request", outcome, "token", 40),
            ),
            "unit": "docker.service",
            "place": "docker",
            "user_agent": BOTO_NEW,
            "workloads": ("3f1c" * 16,),
            "token_failures": {outcome: 40},
            "container": container,
            "args": ("python3", "/app/main.py"),
            "token_request": {"outcome": outcome},
            **fields,
        }
    )


def curl_script(**fields: Any) -> Group:
    """Return a shell script that calls curl without a token, out of cron."""
    path = "/latest/meta-data/placement/availability-zone"
    return group(
        **{
            "program": "/usr/bin/curl",
            "launcher": "/opt/deploy/deploy.sh",
            "unit": "cron.service",
            "user_agent": "curl/7.88.1",
            "tallies": (Tally("v1", "no_token_header", "success", "metadata", 14),),
            "paths": ((path, 12), ("/latest/meta-data/instance-id", 2)),
            "users": ("root",),
            "executable": "/usr/bin/curl",
            "args": ("curl", "-s", f"http://169.254.169.254{path}"),
            "ancestors": (
                ("/bin/bash", "/opt/deploy/deploy.sh"),
                ("/usr/sbin/cron", "-f"),
                ("/sbin/init",),
            ),
            **fields,
        }
    )


def kube2iam(**fields: Any) -> Group:
    """Return a proxy that asks on behalf of pods."""
    return group(
        **{
            "program": "/bin/kube2iam",
            "unit": None,
            "place": "kubernetes",
            "user_agent": "Go-http-client/1.1",
            "forwarded": 118,
            "workloads": ("8a4ef2b1-65b5-4a52-9f2c-0c1f0a4e6d3b",),
            "users": ("root",),
            "executable": "/bin/kube2iam",
            "args": ("/bin/kube2iam", "--host-ip=10.0.3.7", "--iptables=true"),
            "container": {"id": "90de" * 16, "runtime": "containerd"},
            "orchestrator": {
                "type": "kubernetes",
                "resource": {"type": "pod", "id": "8a4ef2b1-65b5-4a52-9f2c-0c1f0a4e6d3b"},
            },
            **fields,
        }
    )


def gcp_probe(**fields: Any) -> Group:
    """Return an agent that looks for Google's metadata service at the same address."""
    path = "/computeMetadata/v1/instance/id"
    return group(
        **{
            "program": "/opt/agent/bin/agent",
            "unit": "agent.service",
            "user_agent": "Go-http-client/1.1",
            "provider": "gcp",
            "tallies": (Tally("v1", "other_cloud_probe", "not_found", "other", 7),),
            "paths": ((path, 7),),
            "executable": "/opt/agent/bin/agent",
            "args": ("/opt/agent/bin/agent", "run"),
            **fields,
        }
    )


def v2_only(**fields: Any) -> Group:
    """Return a caller that does everything right."""
    return group(
        **{
            "program": "/usr/bin/amazon-ssm-agent",
            "unit": "amazon-ssm-agent.service",
            "user_agent": "aws-sdk-go/1.55.5 (go1.22.12; linux; amd64) amazon-ssm-agent/3.3.987.0",
            "tallies": (
                Tally("v2", "token_header", "success", "credentials", 336),
                Tally("v2", "token_request", "success", "token", 28),
            ),
            "paths": ((CREDENTIALS, 336), ("/latest/api/token", 28)),
            "users": ("root",),
            "executable": "/usr/bin/amazon-ssm-agent",
            "args": ("/usr/bin/amazon-ssm-agent",),
            **fields,
        }
    )


def unreadable(**fields: Any) -> Group:
    """Return a caller of which no request could be read."""
    return group(
        **{
            "program": "/usr/local/bin/fetch",
            "unit": "fetch.service",
            "tallies": (Tally("unknown", "unreadable_payload", None, "other", 3),),
            "executable": "/usr/local/bin/fetch",
            "args": ("/usr/local/bin/fetch",),
            **fields,
        }
    )


def hostile(**fields: Any) -> Group:
    """Return a caller whose every text attacks who reads it."""
    return group(
        **{
            "program": f"/srv/{HOSTILE}",
            "launcher": HOSTILE,
            "unit": HOSTILE,
            "user_agent": HOSTILE,
            "paths": ((f"/latest/{HOSTILE}", 120),),
            "workloads": (HOSTILE,),
            "users": (HOSTILE,),
            "executable": f"/srv/{HOSTILE}",
            "args": (HOSTILE, HOSTILE),
            "ancestors": ((HOSTILE, HOSTILE), ("/sbin/init",)),
            "container": {"id": HOSTILE, "runtime": HOSTILE},
            **fields,
        }
    )


def watched_boot(at: datetime.datetime) -> Boot:
    """Return a boot that was watched from its start."""
    return Boot(f"boot of {written(at)}", at, at, booted_at=at, attached_s=5.0)


def host(
    name: str = HOST,
    *,
    key: Optional[str] = None,
    names: Sequence[str] = (),
    instance_id: Optional[str] = INSTANCE,
    requests: Optional[Mapping[str, int]] = None,
    other_clouds: int = 0,
    first_at: datetime.datetime = NOW - 8 * DAY,
    last_at: datetime.datetime = NOW,
    last_v1_at: Optional[datetime.datetime] = None,
    last_unknown_at: Optional[datetime.datetime] = None,
    covered: Optional[Sequence[Span]] = None,
    losses: Sequence[Loss] = (),
    boots: Optional[Sequence[Union[Boot, datetime.datetime]]] = None,
    deployed_at: Optional[datetime.datetime] = NOW - 3 * DAY,
    probes: Sequence[str] = ("core/fentry",),
    hop_limit: Optional[int] = None,
) -> Host:
    """Return a host that was watched all of the time and called with tokens only."""
    return Host(
        key=key or name,
        name=name,
        instance_id=instance_id,
        requests=dict(requests or {"v1": 0, "v2": 364, "unknown": 0}),
        other_clouds=other_clouds,
        first_at=first_at,
        last_at=last_at,
        last_v1_at=last_v1_at,
        last_unknown_at=last_unknown_at,
        covered=tuple(covered if covered is not None else (Span(first_at, last_at),)),
        losses=tuple(losses),
        boots=tuple(
            each if isinstance(each, Boot) else watched_boot(each)
            for each in (boots if boots is not None else (first_at, NOW - 4 * DAY))
        ),
        deployed_at=deployed_at,
        probes=tuple(probes),
        hop_limit=hop_limit,
        names=tuple(names),
    )


def findings(
    groups: Sequence[Group] = (),
    hosts: Optional[Sequence[Host]] = None,
    *,
    files: int = 1,
    lines: int = 11_000,
    damaged: int = 0,
    damage: Sequence[Damage] = (),
    bucket_s: int = 3600,
    timeline: Sequence[Bucket] = (),
    tokenless: Optional[Mapping[str, Sequence[Tokenless]]] = None,
) -> Findings:
    """Return findings; without ``hosts`` there is one that fits the groups."""
    if hosts is None:
        requests = {"v1": 0, "v2": 0, "unknown": 0}
        aws = [each for each in groups if each.key.provider == "aws"]
        for each in aws:
            for tally in each.tallies:
                requests[tally.version] += tally.requests
        v1 = [each.last_v1_at for each in aws if each.last_v1_at is not None]
        unknown = [each.last_at for each in aws if each.count("unknown")]
        hosts = (
            host(
                requests=requests,
                other_clouds=sum(each.requests for each in groups if each not in aws),
                last_v1_at=max(v1, default=None),
                last_unknown_at=max(unknown, default=None),
            ),
        )
    return Findings(
        files=files,
        lines=lines,
        damaged=damaged,
        damage=tuple(damage),
        groups=tuple(groups),
        hosts=tuple(hosts),
        bucket_s=bucket_s,
        timeline=tuple(timeline),
        tokenless={key: tuple(each) for key, each in (tokenless or {}).items()},
    )


def hourly(
    hours: int = 48, v1: int = 5, v2: int = 20, end: datetime.datetime = NOW
) -> tuple[Bucket, ...]:
    """Return a timeline of whole hours that all hold the same."""
    return tuple(
        Bucket(end - n * HOUR, {"v1": v1, "v2": v2, "unknown": 0}, v1, 0, 0)
        for n in range(hours, 0, -1)
    )


def everything() -> Findings:
    """Return findings with every kind of caller on one host."""
    groups = (
        old_botocore(),
        kube2iam(),
        hostile(),
        fallback(),
        curl_script(),
        gcp_probe(),
        unreadable(),
        v2_only(),
    )
    return findings(groups, timeline=hourly())


def fleet(size: int = 30) -> Findings:
    """Return findings over many hosts, of which every third still has the old SDK."""
    names = [f"ip-10-0-{n // 256}-{n % 256}" for n in range(size)]
    old = names[::3]
    groups = (
        old_botocore(hosts=old[:20], host_count=len(old)),
        v2_only(hosts=names[:20], host_count=size),
    )
    hosts = tuple(
        host(
            name,
            instance_id=f"i-{n:017x}",
            requests={"v1": 12 if name in old else 0, "v2": 36, "unknown": 0},
            last_v1_at=NOW - HOUR if name in old else None,
        )
        for n, name in enumerate(names)
    )
    return findings(groups, hosts, files=size, lines=11_000 * size, timeline=hourly())
