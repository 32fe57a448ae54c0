"""Says which instances of the roster have no log, and whom to ask for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from analyzer.report.formats.wording import listed, number
from analyzer.report.next_steps.instances import Instances, look_up, show
from analyzer.report.result import Step
from analyzer.report.roster.instances import Instance, Roster

_SHOWN = (
    "'Reservations[].Instances[].[InstanceId,PrivateDnsName,ImageId,Tags[?Key==`Name`]|[0].Value]'"
)


def maybe_watch(roster: Roster) -> Iterator[Step]:
    """Yield the step for the running instances without a log, if there are any."""
    missing = roster.unwatched
    if not missing:
        return
    instances = Instances(
        tuple(each.id for each in missing if each.id is not None),
        tuple(each.name or "" for each in missing if each.id is None),
        {each.id: each.region for each in missing if each.id and each.region},
    )
    yield Step(
        f"Watch {number(len(missing), 'instance')} that "
        f"{'has' if len(missing) == 1 else 'have'} no log",
        f"They run and nobody saw what they call: {listed(list(_places(missing)))}. Install the"
        " service there, or in the image or user data that they start from, and collect the logs.",
        (*show(instances, "unwatched.txt", _SHOWN), *look_up(instances.unknown)),
    )


def _places(missing: tuple[Instance, ...]) -> Iterator[str]:
    """Yield how many there are of each group, with the owners, the largest first."""
    count: Counter[str] = Counter()
    owners: dict[str, dict[str, None]] = {}
    for each in missing:
        place = each.group or each.template or each.image or each.name or each.id or ""
        count[place] += 1
        if each.owner is not None:
            owners.setdefault(place, {})[each.owner] = None
    for place, running in sorted(count.items(), key=lambda each: (-each[1], each[0])):
        of = f" (owner: {', '.join(owners[place])})" if place in owners else ""
        yield f"{running} of {place}{of}"
