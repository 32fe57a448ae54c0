"""Lists what to do next, with the commands: fix, look again, require tokens, keep it so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Optional

from analyzer.report.findings import Findings, Host
from analyzer.report.formats.wording import label, listed, number
from analyzer.report.next_steps.instances import (
    Instances,
    ask,
    hosts_with_two_hops,
    instances_of,
    modify,
    show,
)
from analyzer.report.next_steps.policies import ROLE_DELIVERY, SERVICE_CONTROL
from analyzer.report.result import Cause, Comparison, Entry, Judgement, Reason, Step, Verdict
from analyzer.report.verdict.rules import EFFECTS

REQUIRED = "--http-tokens required --http-endpoint enabled"
TWO_HOPS = "--http-put-response-hop-limit 2"

_SAFE, _NOT_ENOUGH = Judgement.SAFE, Judgement.NOT_ENOUGH_EVIDENCE
_FINE = (Cause.V2_ONLY, Cause.OTHER_CLOUD)


def steps(
    findings: Findings,
    entries: Sequence[Entry],
    verdict: Verdict,
    host_verdicts: Sequence[Verdict],
    comparison: Optional[Comparison],
) -> tuple[Step, ...]:
    """Return what to do next. Without any host there is only evidence to get."""
    judgements = {each.host: each.judgement for each in host_verdicts if each.host is not None}
    far = hosts_with_two_hops(entries, findings.hosts)
    found = [*_fixes(entries, verdict), *_hops(findings, far), *_evidence(verdict.reasons)]
    if not findings.hosts:
        return tuple(found)
    if comparison is None:
        found.append(_compare(findings, verdict))
    found += _require(findings, verdict, judgements, far)
    found.append(_back(instances_of(findings.hosts)))
    found += _keep(findings, verdict)
    return tuple(found)


def _fixes(entries: Sequence[Entry], verdict: Verdict) -> Iterator[Step]:
    """Return the step that is for the callers that used v1, or may have, within the window.

    What to do with each is its diagnosis, which the report has; it is not said twice.
    """
    start = verdict.window.start if verdict.window else None
    left = [
        label(each.group)
        for each in entries
        if each.diagnosis.cause not in _FINE
        and (start is None or (each.group.last_v1_at or each.group.last_at) >= start)
    ]
    if left:
        yield Step(
            f"Fix {number(len(left), 'caller')}: {listed(left)}",
            "Each caller in the way is listed with what is known of it, advice, and commands.",
            (),
        )


def _hops(findings: Findings, names: frozenset[str]) -> Iterator[Step]:
    if not names:
        return
    hosts = [each for each in findings.hosts if each.name in names]
    yield Step(
        f"Let tokens travel two hops on {number(len(hosts), 'host')}",
        f"Containers there use v1. With {_limit(hosts)}, a token's answer does not reach a"
        " container that has a network of its own. This can be done at once and breaks nothing;"
        " leave out instances whose limit is 2 or more already. It lets every container there ask"
        " for the instance's credentials: where pods or tasks have roles of their own, give this"
        " caller one, too, and keep the limit of 1.",
        (*show(instances_of(hosts)), *modify(instances_of(hosts), TWO_HOPS, "two-hops.txt")),
    )


def _limit(hosts: Sequence[Host]) -> str:
    measured = [each for each in hosts if each.hop_limit == 1]
    if not measured:
        return "the default limit of 1"
    where = "" if len(measured) == len(hosts) else f" on {number(len(measured), 'host')} of them"
    return f"the limit of 1, measured{where}"


def _evidence(reasons: Sequence[Reason]) -> Iterator[Step]:
    lacking = [each.text for each in reasons if EFFECTS[each.code] is _NOT_ENOUGH]
    if lacking:
        yield Step(
            "Get the evidence that is missing",
            "; ".join(lacking) + ".",
            ("systemctl status imds-analyzer", "imds-analyzer doctor"),
        )


def _compare(findings: Findings, verdict: Verdict) -> Step:
    return Step(
        "Compare with what AWS counted",
        "MetadataNoToken is AWS's own count of calls without a token, for each instance: with it"
        " the report shows whether the analyzer saw them all.",
        (
            *ask(instances_of(findings.hosts), verdict.window),
            "imds-analyzer report --against metrics.json",
        ),
    )


def _require(
    findings: Findings,
    verdict: Verdict,
    judgements: Mapping[str, Judgement],
    names: frozenset[str],
) -> Iterator[Step]:
    """Return the switch itself: now where a host is safe, later for the others."""
    safe = [each for each in findings.hosts if judgements.get(each.name) is _SAFE]
    others = [each for each in findings.hosts if judgements.get(each.name) is not _SAFE]
    if safe:
        where = f"{number(len(safe), 'host')} that are SAFE" if others else "all hosts"
        why = "From then on IMDS refuses calls without a token."
        yield _switch(f"Require tokens on {where}", why, safe, names)
    if others:
        why = (
            f"Not yet, the verdict is {verdict.judgement.value}: run the report again, and do this"
            " once the verdict on them is SAFE."
        )
        title = f"When SAFE: require tokens on {number(len(others), 'host')}"
        yield _switch(title, why, others, names)


def _switch(title: str, why: str, hosts: Sequence[Host], two_hops: frozenset[str]) -> Step:
    """Return the step that requires tokens; who needs two hops is told so at once.

    For the others the limit is not given, so that the present one stays as it is.
    """
    far = instances_of([each for each in hosts if each.name in two_hops])
    near = instances_of([each for each in hosts if each.name not in two_hops])
    commands = (
        *show(instances_of(hosts)),
        *modify(near, REQUIRED, "instances.txt"),
        *modify(far, f"{REQUIRED} {TWO_HOPS}", "two-hops.txt"),
    )
    limit = " The hop limit stays as it is."
    if far.ids or far.unknown:
        limit = " The hop limit becomes 2 where containers used v1: leave that option out where"
        limit += " it is 2 or more already."
    return Step(title, why + limit, commands)


def _back(instances: Instances) -> Step:
    return Step(
        "If something breaks, go back",
        "This takes effect at once, without a restart. MetadataNoTokenRejected in CloudWatch, and"
        " v1 calls with the outcome `rejected` in the log, show who was refused.",
        tuple(modify(instances, "--http-tokens optional", "all-instances.txt")),
    )


def _keep(findings: Findings, verdict: Verdict) -> Iterator[Step]:
    """Return what makes new instances begin without v1."""
    when = "Then " if verdict.judgement is _SAFE else "When SAFE: "
    hops = f" {TWO_HOPS}" if any(each.key.place != "host" for each in findings.groups) else ""
    yield Step(
        f"{when}make it the account's default",
        "In each Region. Templates and launches that say otherwise still win over a default;"
        " --http-tokens-enforced makes launches fail that do not require tokens, so set it last.",
        (
            f"aws ec2 modify-instance-metadata-defaults --http-tokens required{hops}",
            "aws ec2 get-instance-metadata-defaults",
            "aws ec2 modify-instance-metadata-defaults --http-tokens-enforced enabled",
        ),
    )
    yield Step(
        f"{when}change launch templates and Auto Scaling groups",
        "What is launched anew gets its settings from there, not from the instance it replaces."
        " A launch configuration cannot be changed: move to a launch template.",
        (
            (
                "aws ec2 create-launch-template-version --launch-template-id TEMPLATE_ID"
                " --source-version '$Latest'"
                ' --launch-template-data \'{"MetadataOptions":{"HttpTokens":"required"}}\''
            ),
            "aws autoscaling start-instance-refresh --auto-scaling-group-name GROUP",
        ),
    )
    yield Step(
        f"{when}forbid IMDSv1 with a service control policy",
        "For an organization or an account. In GovCloud and China, arn:aws is arn:aws-us-gov and"
        " arn:aws-cn.",
        (SERVICE_CONTROL,),
    )
    yield Step(
        f"{when}make credentials from IMDSv1 worthless",
        "For an instance's role, or as a service control policy for all. CloudTrail tells who still"
        " has such credentials: userIdentity.sessionContext.ec2RoleDelivery is 1.0.",
        (ROLE_DELIVERY,),
    )
