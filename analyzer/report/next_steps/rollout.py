"""Lists the switch as a rollout: the way back, one instance, 5 percent, all; what to watch at each.

The way back is looked at first. Where EC2 refuses it, nobody can undo what breaks.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence

from analyzer.report.cloudwatch.question import PERIOD_S, REJECTED
from analyzer.report.formats.wording import number
from analyzer.report.hosts import Host
from analyzer.report.next_steps.fleet import SECOND_STAGE_PERCENT, Fleet
from analyzer.report.next_steps.instances import (
    INSTANCE,
    Instances,
    look_up,
    modify,
    places_of,
    show,
)
from analyzer.report.result import Step

REQUIRED = "--http-tokens required --http-endpoint enabled"
OPTIONAL = "--http-tokens optional"
TWO_HOPS = "--http-put-response-hop-limit 2"

# A day has the daily jobs; the verdict has waited for the rarer ones.
_WATCH = (
    f"Watch it for a day. Go on if {REJECTED} stays 0 and no v1 call in the log has the outcome"
    " `rejected`."
)
_SINCE = '--start-time "$(date -u -d \'1 day ago\' +%FT%TZ)" --end-time "$(date -u +%FT%TZ)"'


def rollout(fleet: Fleet) -> Iterator[Step]:
    """Yield the steps of the switch; the hosts that are not SAFE come after the others."""
    if not fleet.hosts:
        return
    stages = fleet.stages()
    yield _way_back(fleet, is_now=bool(stages))
    for place, hosts in enumerate(stages):
        if place == 0:
            yield _canary(fleet, hosts[0])
        elif place < len(stages) - 1:
            title = f"Then {SECOND_STAGE_PERCENT} %: require tokens on {number(len(hosts), 'host')}"
            yield _stage(fleet, title, hosts, "five-percent.txt")
        else:
            is_all = not fleet.others
            which = "the other" if is_all else "the other SAFE"
            title = f"Then all: require tokens on {which} {number(len(hosts), 'host')}"
            yield _stage(fleet, title, hosts, "others.txt")
    if fleet.others:
        yield _later(fleet)
    yield _back(fleet)


def _way_back(fleet: Fleet, *, is_now: bool) -> Step:
    """Return the step that shows whether EC2 lets an instance go back to IMDSv1."""
    when = "Before the switch" if is_now else "When SAFE, before the switch"
    return Step(
        f"{when}: see that the way back is open",
        "Where this shows `enabled`, EC2 refuses --http-tokens optional (UnsupportedOperation):"
        " the way back is shut, and what breaks stays broken. Disable it until the rollout is over:"
        " aws ec2 modify-instance-metadata-defaults --http-tokens-enforced disabled. Where it is"
        " managed by a declarative policy, only the organization can. It is per account and"
        " Region.",
        tuple(
            f"{place.comment}aws ec2 get-instance-metadata-defaults{place.option}"
            " --query 'AccountLevel.[HttpTokensEnforced,ManagedBy]' --output text"
            for place in places_of(fleet.known.values())
        ),
    )


def _canary(fleet: Fleet, host: Host) -> Step:
    """Return the step for one host: forth, back, and forth again."""
    found = fleet.instances((host,))
    one = found if found.ids else Instances((INSTANCE,), ())
    options = f"{REQUIRED} {TWO_HOPS}" if host.key in fleet.two_hops else REQUIRED
    return Step(
        f"Canary: require tokens on {' '.join(dict.fromkeys((host.name, *found.ids)))}",
        "Of those that are SAFE it calls most. The commands switch it, go back at once, show that"
        " `optional` is in force again, and switch it for good: the way back is tried before it is"
        " needed. If it fails, stop here. Reboot the instance once."
        f" {_WATCH}{_limit(fleet, [host])}",
        (
            *look_up(found.unknown),
            *modify(one, options, "canary.txt"),
            *modify(one, OPTIONAL, "canary.txt"),
            *show(one, "canary.txt"),
            *modify(one, options, "canary.txt"),
            *_refused(one),
            "imds-analyzer tail --version v1",
        ),
    )


def _stage(fleet: Fleet, title: str, hosts: Sequence[Host], file: str) -> Step:
    return Step(
        title,
        f"From then on IMDS there refuses calls without a token. {_WATCH}{_limit(fleet, hosts)}",
        (
            *_switch(fleet, hosts, file),
            *_refused(fleet.instances(hosts)),
            "imds-analyzer report --since 1d LOGS",
        ),
    )


def _later(fleet: Fleet) -> Step:
    hosts = fleet.others
    days = [each.safe_on for host in hosts if (each := fleet.verdicts.get(host.key)) is not None]
    known = [each for each in days if each is not None]
    date = ""
    if known and len(known) == len(hosts):
        date = f" If nothing calls IMDSv1, all of them are SAFE on {max(known):%Y-%m-%d}."
    elif known:
        date = f" If nothing calls IMDSv1, the first of them is SAFE on {min(known):%Y-%m-%d}."
    return Step(
        f"When SAFE: require tokens on {number(len(hosts), 'host')}",
        f"Not yet.{date} Run the report again, and switch them in the same stages once their"
        f" verdict is SAFE.{_limit(fleet, hosts)}",
        tuple(_switch(fleet, hosts, "not-yet.txt")),
    )


def _back(fleet: Fleet) -> Step:
    return Step(
        "If something breaks, go back",
        f"This takes effect at once, without a restart. {REJECTED} in CloudWatch, and v1 calls with"
        " the outcome `rejected` in the log, show who was refused. Instances that required tokens"
        " before are not among these. It fails where HttpTokensEnforced is on.",
        tuple(modify(fleet.instances(fleet.hosts), OPTIONAL, "all-instances.txt")),
    )


def _switch(fleet: Fleet, hosts: Sequence[Host], file: str) -> Iterator[str]:
    """Yield the commands that require tokens; those who need two hops get them at once.

    For the others the limit is not given, so that the present one stays as it is.
    """
    far = fleet.instances([each for each in hosts if each.key in fleet.two_hops])
    near = fleet.instances([each for each in hosts if each.key not in fleet.two_hops])
    yield from show(fleet.instances(hosts), file)
    is_mixed = bool(far.ids or far.unknown)
    yield from modify(
        near, REQUIRED, f"one-hop-{file}" if is_mixed else file, is_written=not is_mixed
    )
    yield from modify(far, f"{REQUIRED} {TWO_HOPS}", f"two-hops-{file}")


def _limit(fleet: Fleet, hosts: Sequence[Host]) -> str:
    if not any(each.key in fleet.two_hops for each in hosts):
        return " The hop limit stays as it is."
    return (
        " The hop limit becomes 2 where containers used v1: leave that option out where it is 2 or"
        " more already."
    )


def _refused(instances: Instances) -> Iterator[str]:
    """Yield the commands that ask CloudWatch how many calls were refused in the last day.

    For many instances it is one question, which the metric's name answers for a whole Region.
    """
    for place, ids in instances.by_place().items():
        region = place.option
        if len(ids) == 1:
            yield (
                f"{place.comment}aws cloudwatch get-metric-statistics --namespace AWS/EC2"
                f" --metric-name {REJECTED}"
                f" --dimensions Name=InstanceId,Value={ids[0]} --statistics Sum --period {PERIOD_S}"
                f" {_SINCE}{region}"
            )
        else:
            search = f"SEARCH('{{AWS/EC2,InstanceId}} MetricName=\"{REJECTED}\"', 'Sum', 3600)"
            query = [{"Id": "rejected", "Expression": f"SORT({search}, SUM, DESC, 20)"}]
            yield (
                f"{place.comment}aws cloudwatch get-metric-data --metric-data-queries"
                f" {shlex.quote(json.dumps(query))} {_SINCE}{region}"
            )
