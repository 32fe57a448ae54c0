"""Reports on fleets of any size, with all that the page shows of one."""

from __future__ import annotations

import dataclasses
import datetime

from analyzer.report.callers import Group, Sighting, Tally
from analyzer.report.findings import Bucket, Damage
from analyzer.report.hosts import Host, Span
from analyzer.report.result import (
    Acceptance,
    CallerStanding,
    Cause,
    Entry,
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

AGENTS = 10
GROUPS = ("web-frontend-production-eu-central-1a", "batch", "billing-api", "k8s-nodes-spot")
OWNERS = ("payments", "platform", "data-science")
UNWATCHED = 3
REMARKS = (
    Reason("no_boot_seen", "no reboot within the window: what calls only at boot was not seen"),
    Reason("recent_deployment", "a process of a service was started in the last day"),
)
GAP = Reason("gaps", "not watched for 1 d in 1 gap, from 2026-11-17 00:00 to 2026-11-18 00:00 UTC")
ACCEPTED = Acceptance(
    "/opt/vendor/agent", "Jane Doe", "replaced in January", datetime.date(2027, 1, 31), ("batch",)
)


def key(number: int) -> str:
    """Return the instance id of a host."""
    return f"i-{number:017x}"


def name(number: int, *, is_long: bool = True) -> str:
    """Return the name of a host; the third and the fourth have the same."""
    number -= number == 3
    end = ".eu-central-1.compute.internal" if is_long else ""
    return f"ip-10-0-{number // 256}-{number % 256}{end}"


def fleet(size: int, *, with_roster: bool = True, all_not_safe: bool = False) -> Report:
    """Return a report of ``size`` hosts, a seventh of which are NOT SAFE, and ten agents."""
    unsafe = [n for n in range(size) if all_not_safe or n % 7 == 0]
    unsure = [n for n in range(size) if n % 7 == 3 and n not in unsafe]
    entries = _entries(size, [key(n) for n in unsafe])
    agents = [each.group for each in entries[:AGENTS]]
    hosts = tuple(_host(n, n in unsafe, n in unsure) for n in range(size))
    verdicts = tuple(_verdict(n, n in unsafe, n in unsure, agents) for n in range(size))
    found = dataclasses.replace(
        samples.findings([each.group for each in entries], hosts, files=size, lines=9_000 * size),
        timeline=tuple(
            Bucket(
                samples.NOW - n * samples.HOUR, {"v1": n % 5, "v2": 90 + n, "unknown": 0}, 0, 0, 0
            )
            for n in range(24 * 30, 0, -1)
        ),
        sightings=tuple(
            Sighting(
                agents[0].key.caller, key(n), (Span(samples.NOW - samples.DAY, samples.NOW),), (), 9
            )
            for n in unsafe
        ),
        unread=(Damage("logs/web-9/imds.jsonl.7.gz", None, "not gzip"),),
    )
    whole = Verdict(
        None,
        Judgement.NOT_SAFE,
        (
            Reason("v1_calls", f"{AGENTS} callers still use v1, on {len(unsafe)} hosts"),
            GAP,
            *REMARKS,
        ),
        Span(samples.NOW - samples.WEEK, samples.NOW),
        6 * samples.DAY.total_seconds(),
        safe_on=samples.NOW + 35 * samples.DAY,
    )
    return reports.report(
        found,
        entries=entries,
        verdict=whole,
        host_verdicts=verdicts,
        steps=_steps(size),
        accepted=(ACCEPTED,),
        **(_roster(size) if with_roster else {}),
    )


def _entries(size: int, unsafe: list[str]) -> tuple[Entry, ...]:
    agents = [
        samples.group(
            f"/opt/team-{n}/bin/agent" if n % 2 else "/usr/bin/agent",
            caller=f"agent:{n}",
            unit=f"billing-{n // 2}.service",
            hosts=unsafe[:20],
            host_count=len(unsafe),
            tallies=(Tally("v1", "no_token_header", "success", "metadata", 1200 // (n + 1)),),
        )
        for n in range(AGENTS)
    ]
    others = (
        (samples.old_botocore(hosts=unsafe[:20], host_count=len(unsafe)), Cause.OLD_SDK),
        (samples.v2_only(hosts=[key(0)], host_count=size), Cause.V2_ONLY),
        (samples.gcp_probe(hosts=[key(0)]), Cause.OTHER_CLOUD),
    )
    return tuple(
        reports.entry(group, cause)
        for group, cause in (*((each, Cause.SCRIPT) for each in agents), *others)
    )


def _host(number: int, is_unsafe: bool, is_unsure: bool) -> Host:
    start = samples.NOW - (8, 12, 30)[number % 3] * samples.DAY
    gap = (
        Span(start, samples.NOW - 5 * samples.DAY),
        Span(samples.NOW - 4 * samples.DAY, samples.NOW),
    )
    host = samples.host(
        name(number),
        instance_id=key(number),
        first_at=start,
        covered=gap if is_unsure else None,
        requests={
            "v1": (number * 37) % 4001 + 1 if is_unsafe else 0,
            "v2": 90 * number,
            "unknown": 0,
        },
        last_v1_at=samples.NOW - (number % 100 + 1) * samples.HOUR if is_unsafe else None,
    )
    return dataclasses.replace(host, key=key(number))


def _verdict(number: int, is_unsafe: bool, is_unsure: bool, agents: list[Group]) -> Verdict:
    at = samples.NOW - (number % 100 + 1) * samples.HOUR
    callers = [
        CallerStanding(each.key.caller, key(number), Standing.CALLS, 9, at, safe_on=samples.NOW)
        for each in agents[number % 5 :: 5]
        if is_unsafe
    ]
    reasons = [Reason("v1_calls", f"2 callers still use v1, the last on {at:%Y-%m-%d %H:%M} UTC")]
    if number % 5 == 1:
        since = samples.NOW - 9 * samples.DAY
        callers.append(
            CallerStanding("/bin/nightly", key(number), Standing.SPEAKS_V2, 9, at, since=since)
        )
    judgement = (
        Judgement.NOT_SAFE if is_unsafe
        else Judgement.NOT_ENOUGH_EVIDENCE if is_unsure
        else Judgement.SAFE
    )  # fmt: skip
    return Verdict(
        key(number),
        judgement,
        (*(reasons if is_unsafe else (GAP,) if is_unsure else ()), *REMARKS),
        Span(samples.NOW - samples.WEEK, samples.NOW),
        samples.WEEK.total_seconds(),
        name(number),
        tuple(callers),
        safe_on=None if judgement is Judgement.SAFE else samples.NOW + 35 * samples.DAY,
        group=GROUPS[number % len(GROUPS)],
    )


def _roster(size: int) -> dict[str, object]:
    known = [
        Instance(
            key(n),
            name(n),
            "running",
            GROUPS[n % len(GROUPS)],
            owner=OWNERS[n % len(OWNERS)],
            host=key(n),
        )
        for n in range(size)
    ]
    unwatched = [
        Instance(f"i-0f{n:015x}", None, "running", GROUPS[3], owner=OWNERS[1])
        for n in range(UNWATCHED)
    ]
    groups = [
        GroupVerdict(
            group,
            "Auto Scaling group",
            Judgement.NOT_SAFE,
            tuple(key(n) for n in range(place, size, len(GROUPS))),
            len(range(place, size, len(GROUPS))),
            UNWATCHED if place == 3 else 0,
            place,
            samples.WEEK.total_seconds(),
        )
        for place, group in enumerate(GROUPS)
    ]
    return {"roster": Roster("instances.json", (*known, *unwatched)), "groups": tuple(groups)}


def _steps(size: int) -> tuple[Step, ...]:
    commands = tuple(
        f"aws ec2 modify-instance-metadata-options --instance-id {key(n)} --http-tokens required"
        for n in range(size)
    )
    listed = "\n".join(["cat > instances.txt <<'END'", *(key(n) for n in range(size)), "END"])
    return (
        Step("Mend the callers", "As long as they call IMDSv1, enforcing breaks them.", ()),
        Step("Require tokens on one canary", "Watch it for a day.", commands[:1]),
        Step("Require tokens on 5 %", "Watch them for a day.", commands[: max(1, size // 20)]),
        Step("Require tokens on all", "Watch them for a week.", (listed, *commands)),
        Step("Last, forbid the way back", "For the organization.", (reports.POLICY,)),
    )


def hostile(text: str) -> Report:
    """Return a report with ``text`` wherever the roster, decisions or a verdict has a name."""
    report = fleet(3)
    roster = report.roster
    assert roster is not None
    standing = CallerStanding(text, key(0), Standing.DUE, 1, samples.NOW, former=text)
    accepted = dataclasses.replace(ACCEPTED, caller=text, by=text, why=text, hosts=(text,))
    cleared = dataclasses.replace(standing, standing=Standing.ACCEPTED, accepted=accepted)
    return dataclasses.replace(
        report,
        findings=dataclasses.replace(
            report.findings,
            unread=(Damage(text, None, text),),
            hosts=tuple(
                dataclasses.replace(each, name=text, instance_id=text)
                for each in report.findings.hosts
            ),
        ),
        host_verdicts=tuple(
            dataclasses.replace(
                each,
                name=text,
                group=text,
                reasons=(Reason("new_code", text),),
                callers=(standing, dataclasses.replace(cleared, caller=f"{text} too")),
            )
            for each in report.host_verdicts
        ),
        roster=Roster(
            text,
            tuple(
                dataclasses.replace(each, name=text, group=text, owner=text)
                for each in roster.instances
            ),
        ),
        groups=tuple(dataclasses.replace(each, name=text, kind=text) for each in report.groups),
        accepted=(accepted,),
    )
