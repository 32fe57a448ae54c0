"""Reports on fleets: standings of callers, a roster, groups, decisions, and what was not read."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence
from typing import Any, Optional

from analyzer.report.cloudwatch.differences import Account, Difference
from analyzer.report.findings import Damage
from analyzer.report.hosts import Boot, Host, Odd, Shortfall, Span
from analyzer.report.result import (
    Acceptance,
    CallerStanding,
    Cause,
    GroupVerdict,
    Judgement,
    Reason,
    Report,
    Standing,
    Step,
    Verdict,
)
from analyzer.report.roster.instances import Instance, Roster
from tests.unit import report_samples as samples
from tests.unit import reports

OWNERS = ("payments", "search", "platform")
GROUPS = ("web-asg", "worker-asg")
REASONS = {
    Judgement.NOT_SAFE: (Reason("v1_calls", "1 caller still uses v1, last on 2026-11-21"),),
    Judgement.NOT_ENOUGH_EVIDENCE: (Reason("gaps", "not watched for 9 h of the window"),),
    Judgement.SAFE: (Reason("boot_seen", "a reboot was watched"),),
}


def instance_id(number: int) -> str:
    """Return the id of an instance of the fleet."""
    return f"i-{number:017x}"


def standing(kind: Standing = Standing.CALLS, **fields: Any) -> CallerStanding:
    """Return what a caller means for a host; what goes with its kind is set."""
    values: dict[str, Any] = {
        "caller": "/srv/app/worker.py",
        "host": samples.HOST,
        "standing": kind,
        "calls": 12,
        "last_v1_at": samples.NOW - samples.HOUR,
    }
    if kind in (Standing.CALLS, Standing.REJECTED, Standing.DUE):
        values["safe_on"] = samples.NOW + 8 * samples.DAY
        values["interval"] = samples.WEEK
    if kind is Standing.SPEAKS_V2:
        values["since"] = samples.NOW - 2 * samples.DAY
    if kind is Standing.ACCEPTED:
        values["accepted"] = acceptance()
    return CallerStanding(**{**values, **fields})


def acceptance(**fields: Any) -> Acceptance:
    """Return a decision that a caller does not matter."""
    values: dict[str, Any] = {
        "caller": "/srv/app/worker.py",
        "by": "ops@example.com",
        "why": "it is switched off on Friday",
        "until": datetime.date(2026, 12, 24),
    }
    return Acceptance(**{**values, **fields})


def instance(number: int, **fields: Any) -> Instance:
    """Return an instance of the roster that runs and has a log."""
    values: dict[str, Any] = {
        "id": instance_id(number),
        "name": f"ip-10-0-{number // 256}-{number % 256}",
        "state": "running",
        "group": GROUPS[number % 2],
        "owner": OWNERS[number % 3],
        "http_tokens": "optional",
        "hop_limit": 1,
        "host": instance_id(number),
    }
    return Instance(**{**values, **fields})


def verdict(number: int, judgement: Judgement, callers: Sequence[CallerStanding] = ()) -> Verdict:
    """Return the verdict on an instance of the fleet."""
    is_safe = judgement is Judgement.SAFE
    return dataclasses.replace(
        reports.verdict(judgement),
        host=instance_id(number),
        name=f"ip-10-0-{number // 256}-{number % 256}",
        reasons=REASONS[judgement],
        callers=tuple(callers),
        safe_on=None if is_safe else samples.NOW + 8 * samples.DAY,
        group=GROUPS[number % 2],
    )


def host(number: int, **fields: Any) -> Host:
    """Return a host of the fleet, with its instance id for a key."""
    name = f"ip-10-0-{number // 256}-{number % 256}"
    made = samples.host(name, instance_id=instance_id(number))
    return dataclasses.replace(made, **{"key": instance_id(number), "names": (name,), **fields})


def one_caller(*standings: CallerStanding, **fields: Any) -> Report:
    """Return a report on one instance and one caller with these standings."""
    judgement = Judgement.NOT_SAFE
    values: dict[str, Any] = {
        "findings": samples.findings((samples.old_botocore(),), (host(0),)),
        "entries": (reports.entry(samples.old_botocore(), Cause.OLD_SDK),),
        "verdict": dataclasses.replace(verdict(0, judgement, standings), host=None, name=None),
        "host_verdicts": (verdict(0, judgement, standings),),
    }
    return reports.report(**{**values, **fields})


def odd_host() -> Host:
    """Return a host whose lines have everything that is wrong with lines."""
    hour = Span(samples.NOW - 2 * samples.HOUR, samples.NOW - samples.HOUR)
    return host(
        0,
        names=("ip-10-0-0-0", "old-name"),
        overlap=hour,
        shortfalls=(Shortfall(hour, "v1", 12, 9),),
        odd=(Odd("not_understood", 3, hour.start, hour.end, "imds.provider: aws2"),),
        boots=(Boot("a", hour.start, hour.end, hour.start, 4.5, hour.end),),
    )


def fleet(size: int = 400, callers: int = 5) -> Report:
    """Return a report on many instances: every fifth has callers in the way, one was mended."""
    programs = [f"/srv/team-{n:03}/service-{n:03}.py" for n in range(callers)]
    causes = (Cause.OLD_SDK, Cause.FALLBACK, Cause.SCRIPT)
    entries = tuple(
        reports.entry(samples.old_botocore(program=each), causes[n % len(causes)])
        for n, each in enumerate(programs)
    )
    kinds = (Standing.CALLS, Standing.DUE, Standing.REJECTED, Standing.AWAITS_BOOT)
    host_verdicts = []
    for n in range(size):
        found: list[CallerStanding] = []
        if n % 5 == 0:
            found = [
                standing(kinds[place % len(kinds)], caller=each, host=instance_id(n), calls=n + 1)
                for place, each in enumerate(programs)
                if place <= n % 7
            ]
        elif n % 5 == 1:
            found = [standing(Standing.SPEAKS_V2, caller="/srv/mended.py", host=instance_id(n))]
        elif n % 5 == 2:
            found = [standing(Standing.ACCEPTED, host=instance_id(n))]
        judgement = (
            Judgement.NOT_SAFE
            if n % 5 == 0
            else Judgement.NOT_ENOUGH_EVIDENCE
            if n % 5 == 4
            else Judgement.SAFE
        )
        host_verdicts.append(verdict(n, judgement, found))
    gone = tuple(instance(size + n, host=None, owner=None if n else "search") for n in range(3))
    stopped = instance(size + 3, host=None, state="terminated")
    findings = samples.findings(
        tuple(each.group for each in entries),
        tuple(host(n) for n in range(size)),
        files=size,
        lines=11_000 * size,
        timeline=samples.hourly(),
    )
    return reports.report(
        dataclasses.replace(
            findings, unread=(Damage("/var/log/fleet/notes.txt", None, "not a log"),)
        ),
        entries=entries,
        verdict=dataclasses.replace(
            reports.verdict(Judgement.NOT_SAFE),
            reasons=(
                Reason("v1_calls", "5 callers still use v1, on 80 of 400 hosts: " + "x " * 90),
                Reason("unwatched_instances", "397 of 400 running instances have a log"),
                Reason("gaps", "80 of 400 hosts: not watched for 9 h of the window"),
                Reason("accepted", "1 caller was accepted by ops@example.com"),
                Reason("no_boot_seen", "no reboot within the window"),
            ),
            safe_on=samples.NOW + 8 * samples.DAY,
        ),
        host_verdicts=tuple(host_verdicts),
        roster=Roster("instances.json", (*(instance(n) for n in range(size)), *gone, stopped)),
        groups=tuple(
            GroupVerdict(
                name, "Auto Scaling group", Judgement.NOT_SAFE, (), size // 2, n, 7, 604_800
            )
            for n, name in enumerate(GROUPS)
        ),
        accepted=(acceptance(),),
        comparison=dataclasses.replace(
            reports.comparison(),
            differences=(
                dataclasses.replace(reports.comparison().differences[0], host=instance_id(0)),
            ),
            is_partial=True,
            silent={instance_id(2): (reports.WEEK,)},
            accounts={
                instance_id(0): Account(12, 5, is_partial=False),
                instance_id(2): Account(0, 0, is_partial=True),
            },
        ),
    )


def _long(text: str, times: int) -> str:
    return " ".join([text] * times)


def hostile(text: str, many: int = 61) -> Report:
    """Return a report of which every list is long, and every text is ``text`` many times over."""
    long = _long(text, 40)
    report = fleet(many, callers=many)
    reasons = tuple(
        Reason(code, f"{n} {long}")
        for n, code in enumerate(["v1_calls"] * (many // 2) + ["no_boot_seen"] * (many // 2))
    )
    difference = Difference(long, reports.WEEK, 12, 3, 2, is_covered=False, host=long)
    decided = acceptance(caller=long, by=long, why=long, hosts=(long, long))
    verdicts = tuple(
        dataclasses.replace(
            each,
            name=long,
            reasons=reasons[:4],
            callers=(
                *(dataclasses.replace(one, caller=f"{one.caller}{long}") for one in each.callers),
                standing(Standing.ACCEPTED, caller=f"{n}{long}", accepted=decided, former=long),
            ),
        )
        for n, each in enumerate(report.host_verdicts)
    )
    instances = tuple(
        instance(n, id=f"{long}{n}", name=long, group=f"{long}{n}", owner=f"{long}{n}",
                 host=None if n % 2 else instance_id(n))
        for n in range(many)
    )  # fmt: skip
    bad = tuple(Damage(long, n, long) for n in range(1, 21))
    return dataclasses.replace(
        report,
        findings=dataclasses.replace(report.findings, damaged=many, damage=bad, unread=bad * 9),
        entries=tuple(
            dataclasses.replace(each, diagnosis=reports.hostile_diagnosis(long))
            for each in report.entries
        ),
        verdict=dataclasses.replace(report.verdict, reasons=reasons),
        host_verdicts=verdicts,
        steps=tuple(Step(long, long, (text, long)) for _ in range(many)),
        comparison=dataclasses.replace(
            reports.comparison(), differences=(difference,) * many, notes=(long,) * many
        ),
        roster=Roster(long, instances),
        groups=tuple(
            GroupVerdict(f"{long}{n}", long, Judgement.NOT_SAFE, (), many, many, many, 1.0)
            for n in range(many)
        ),
        accepted=(decided,) * many,
    )


def named(number: int, name: str, judgement: Judgement = Judgement.NOT_SAFE) -> Verdict:
    """Return the verdict on an instance that has this name."""
    return dataclasses.replace(verdict(number, judgement), name=name)


def two_of_one_name(roster: Optional[Roster] = None) -> Report:
    """Return a report on two instances that are called alike."""
    return reports.report(
        samples.findings((), (host(0, name="localhost"), host(1, name="localhost"))),
        entries=(),
        host_verdicts=(named(0, "localhost"), named(1, "localhost", Judgement.SAFE)),
        roster=roster,
    )
