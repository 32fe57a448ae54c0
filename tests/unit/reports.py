"""Reports as they are shown: sample findings with a diagnosis each, verdicts, and steps."""

from __future__ import annotations

import dataclasses
import datetime
import functools
from typing import Any, Optional

from analyzer.report.callers import Group, Tally
from analyzer.report.cloudwatch.differences import Comparison, Difference
from analyzer.report.findings import Damage, Findings
from analyzer.report.hosts import Span
from analyzer.report.result import Cause, Diagnosis, Entry, Judgement, Reason, Report, Step, Verdict
from tests.unit import report_samples as samples

WEEK = Span(samples.NOW - samples.WEEK, samples.NOW)
TOKEN_URL = "http://169.254.169.254/latest/api/token"
MODIFY = f"aws ec2 modify-instance-metadata-options --instance-id {samples.INSTANCE}"
POLICY = """{
  "Version": "2012-10-17",
  "Statement": [{"Effect": "Deny", "Action": "ec2:RunInstances", "Resource": "*"}]
}"""
UNREAD = "3 requests could not be read."
TOKEN_COMMANDS = (
    f'TOKEN=$(curl -sX PUT "{TOKEN_URL}" \\\n  -H "X-aws-ec2-metadata-token-ttl-seconds: 60")',
    'curl -s -H "X-aws-ec2-metadata-token: $TOKEN" "http://169.254.169.254/latest/meta-data/"',
)
DIAGNOSES = {
    Cause.OLD_SDK: Diagnosis(
        Cause.OLD_SDK,
        "botocore 1.12.253 cannot speak IMDSv2.",
        ("Upgrade botocore from 1.12.253 to 1.13.25 or later.",),
        ("pip install --upgrade 'botocore>=1.13.25'",),
        "botocore",
        "1.12.253",
        "1.13.25",
        (
            "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html",
        ),
    ),
    Cause.FALLBACK: Diagnosis(
        Cause.FALLBACK,
        "It speaks IMDSv2, but 40 of its token requests got no answer, and it fell back.",
        (
            "Raise the hop limit to 2: in a container the answer is one hop further away.",
            "Then switch the fallback off with AWS_EC2_METADATA_V1_DISABLED=true.",
        ),
        (f"{MODIFY} --http-put-response-hop-limit 2",),
        "botocore",
        "1.44.5",
    ),
    Cause.SCRIPT: Diagnosis(
        Cause.SCRIPT,
        "deploy.sh calls curl without a token.",
        ("Ask for a token first, and send it along.",),
        TOKEN_COMMANDS,
    ),
    Cause.PROXY: Diagnosis(
        Cause.PROXY,
        "kube2iam asks on behalf of pods, which it hides.",
        ("Upgrade kube2iam to 0.12.0 or later, or move to IAM roles for service accounts.",),
    ),
    Cause.OTHER_CLOUD: Diagnosis(
        Cause.OTHER_CLOUD, "It looks for Google's metadata service. Harmless: ignore it."
    ),
    Cause.UNREADABLE: Diagnosis(
        Cause.UNREADABLE,
        "None of its requests could be read.",
        ("See with strace what /usr/local/bin/fetch sends.",),
    ),
    Cause.V2_ONLY: Diagnosis(Cause.V2_ONLY, "It uses IMDSv2 only. Nothing to do."),
}


def hostile_diagnosis(text: str) -> Diagnosis:
    """Return a diagnosis with ``text`` wherever a text of the log may be."""
    return Diagnosis(
        Cause.UNKNOWN,
        f"{text} calls without a token.",
        (f"Look at {text}.",),
        (f"strace -f {text}",),
        text,
        text,
        text,
        (f"https://example.com/{text}", f"javascript:{text}"),
        (text, f"{text} was asked for"),
    )


def entry(group: Group, cause: Cause) -> Entry:
    """Return a group with the usual diagnosis of its kind."""
    return Entry(group, DIAGNOSES[cause])


def verdict(
    judgement: Judgement,
    *texts: str,
    host: Optional[str] = None,
    covered: datetime.timedelta = samples.WEEK,
) -> Verdict:
    """Return a verdict over the sample's week."""
    reasons = tuple(
        Reason("unknown_versions" if text == UNREAD else f"reason_{n}", text)
        for n, text in enumerate(texts, 1)
    )
    return Verdict(host, judgement, reasons, WEEK, covered.total_seconds())


STEPS = (
    Step(
        "Mend the callers",
        "As long as they call without a token, enforcing breaks them.",
        (),
    ),
    Step(
        "Require tokens on each instance",
        "Hop limit 2, because containers were seen to ask.",
        (f"{MODIFY} --http-tokens required --http-put-response-hop-limit 2",),
    ),
    Step(
        "Refuse instances without it",
        "A service control policy for the organization.",
        (POLICY,),
    ),
)


def comparison() -> Comparison:
    """Return a comparison with one period that is not accounted for."""
    hour = Span(samples.NOW - 3 * samples.HOUR, samples.NOW - 2 * samples.HOUR)
    return Comparison(
        periods=168,
        counted=1012,
        recorded=1003,
        differences=(Difference("MetadataNoToken", hour, 12, 3, 2, is_covered=False),),
        notes=("CloudWatch keeps figures by the minute for 15 days only.",),
    )


def report(findings: Optional[Findings] = None, **fields: Any) -> Report:
    """Return a report of every kind of caller on one host, or as ``fields`` say."""
    values: dict[str, Any] = {
        "generated_at": samples.NOW,
        "analyzer_version": "0.1.0",
        "findings": samples.everything() if findings is None else findings,
        "entries": everything(),
        "verdict": verdict(
            Judgement.NOT_SAFE,
            "5 callers still use IMDSv1, the last at 2026-11-21 23:00:00.",
            UNREAD,
            covered=samples.WEEK - 2 * samples.HOUR,
        ),
        "host_verdicts": (
            verdict(
                Judgement.NOT_SAFE,
                "5 callers still use IMDSv1.",
                UNREAD,
                host=samples.HOST,
                covered=samples.WEEK - 2 * samples.HOUR,
            ),
        ),
        "steps": STEPS,
    }
    return Report(**{**values, **fields})


def everything() -> tuple[Entry, ...]:
    """Return an entry for each group of the samples."""
    return (
        entry(samples.old_botocore(), Cause.OLD_SDK),
        entry(samples.kube2iam(), Cause.PROXY),
        Entry(samples.hostile(), hostile_diagnosis(samples.HOSTILE)),
        entry(samples.fallback(), Cause.FALLBACK),
        entry(samples.curl_script(), Cause.SCRIPT),
        entry(samples.unreadable(), Cause.UNREADABLE),
        entry(samples.gcp_probe(), Cause.OTHER_CLOUD),
        entry(samples.v2_only(), Cause.V2_ONLY),
    )


def full() -> Report:
    """Return a report in which no part is empty."""
    found = dataclasses.replace(
        samples.everything(),
        damaged=3,
        damage=(
            Damage("/var/log/imds-analyzer/imds.jsonl.2.gz", 17, "not JSON"),
            Damage("/var/log/imds-analyzer/imds.jsonl.3.gz", None, "ends too early"),
        ),
    )
    return report(found, comparison=comparison())


def safe() -> Report:
    """Return a report with nothing left to do but to enforce."""
    found = samples.findings((samples.v2_only(),), timeline=samples.hourly(v1=0))
    reason = "No IMDSv1 call in 7 days, all of which were watched."
    return report(
        found,
        entries=(entry(samples.v2_only(), Cause.V2_ONLY),),
        verdict=verdict(Judgement.SAFE, reason),
        host_verdicts=(verdict(Judgement.SAFE, reason, host=samples.HOST),),
    )


def empty() -> Report:
    """Return a report of no line at all."""
    return report(
        samples.findings(hosts=(), files=0, lines=0),
        entries=(),
        verdict=Verdict(
            None,
            Judgement.NOT_ENOUGH_EVIDENCE,
            (Reason("empty", "There is no line to judge by."),),
            None,
            0,
        ),
        host_verdicts=(),
        steps=(),
    )


@functools.lru_cache(maxsize=2)  # to make one takes as long as to show it
def large(groups: int, hosts: int) -> Report:
    """Return a report of many callers and hosts, each with long names."""
    entries = tuple(
        entry(
            samples.old_botocore(
                program=f"/srv/applications/some-team/service-{n:05}/bin/worker.py",
                unit=f"some-team-service-{n:05}.service",
                hosts=[f"ip-10-0-{n // 256}-{n % 256}.eu-west-1.compute.internal"] * 20,
                host_count=max(20, hosts),
            ),
            Cause.OLD_SDK,
        )
        for n in range(groups)
    )
    names = [f"ip-10-{n // 65536}-{n // 256 % 256}-{n % 256}" for n in range(hosts)]
    found = samples.findings(
        tuple(each.group for each in entries),
        tuple(samples.host(name, requests={"v1": 9, "v2": 1, "unknown": 0}) for name in names),
        timeline=samples.hourly(24 * 90),
    )
    commands = tuple(
        f"aws ec2 modify-instance-metadata-options --instance-id i-{n:017x} --http-tokens required"
        for n in range(hosts)
    )
    return report(
        found,
        entries=entries,
        host_verdicts=tuple(
            verdict(Judgement.NOT_SAFE, "1 caller still uses IMDSv1.", host=name) for name in names
        ),
        steps=(Step("Require tokens on each instance", "One call for each.", commands),),
    )


def hostile(text: str) -> Report:
    """Return a report with ``text`` wherever a text of the log, or about it, may be."""
    group = samples.hostile(
        program=text,
        caller=text,
        launcher=text,
        kind=text,
        unit=text,
        place=text,
        user_agent=text,
        hosts=(text,),
        paths=((text, 1),),
        workloads=(text,),
        users=(text,),
        token_failures={text: 1},
        tallies=(Tally("v1", text, text, text, 2), Tally("unknown", text, None, text, 1)),
        line=samples.example(args=(text, text), ancestors=((text,), (text, text))),
    )
    probe = samples.gcp_probe(program=text, provider=text, user_agent=text)
    forged = dataclasses.replace(hostile_diagnosis(text), cause=Cause.FORGERY)
    entries = (Entry(group, hostile_diagnosis(text)), Entry(probe, forged))
    verdicts = tuple(verdict(Judgement.NOT_SAFE, text, text, host=host) for host in (None, text))
    figures = comparison()
    return report(
        dataclasses.replace(
            samples.findings(
                (group, probe),
                (samples.host(text, instance_id=text, probes=(text,)),),
                timeline=samples.hourly(),
            ),
            damaged=1,
            damage=(Damage(text, 1, text),),
        ),
        analyzer_version=text,
        entries=entries,
        verdict=verdicts[0],
        host_verdicts=verdicts[1:],
        steps=(Step(text, text, (text, text)),),
        comparison=dataclasses.replace(
            figures,
            differences=(dataclasses.replace(figures.differences[0], metric=text),),
            notes=(text,),
        ),
    )
