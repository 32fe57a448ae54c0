"""Split by owner, every instance, host, caller and launch source stands in exactly one report."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.account.model import (
    Calls,
    Defaults,
    MetadataOptions,
    RegionFacts,
    Template,
    TemplateVersion,
)
from analyzer.report.account.inventory import Kind
from analyzer.report.findings import Findings
from analyzer.report.formats import FORMATS
from analyzer.report.parts import Terms, by_owner, file_names
from analyzer.report.result import Report
from analyzer.report.roster.owners import OWNER_TAGS, Owners, Patterns
from analyzer.report.verdict.intervals import RARE
from tests.unit import report_samples as samples
from tests.unit.report.account.samples import (
    OPTIONAL,
    REGION,
    REQUIRED,
    counted,
    facts,
    host,
    instance_id,
    report,
    snapshot,
    snapshots,
)
from tests.unit.report_samples import DAY, NOW, WEEK

PROGRAMS = ("/srv/a.py", "/srv/b.py", "/usr/bin/curl")
TEAMS = st.sampled_from((None, "payments", "search", "unowned", "Search", ""))
PATTERNS = st.lists(
    st.builds(
        Patterns,
        st.sampled_from(("payments", "platform")),
        names=st.sampled_from(((), ("web-1*",))),
        accounts=st.sampled_from(((), ("1111*",))),
        callers=st.sampled_from(((), ("/srv/a.py",), ("*",))),
    ),
    max_size=2,
)
FIELDS = st.fixed_dictionaries(
    {
        "state": st.sampled_from(("running", "stopped", "terminated")),
        "options": st.sampled_from((OPTIONAL, REQUIRED, MetadataOptions())),
        "calls": st.sampled_from(
            (None, Calls(), counted(), counted((NOW - DAY, 5), no_token_rejected=2))
        ),
    }
)


@st.composite
def reports(draw: st.DrawFn) -> tuple[Report, Terms]:
    """Return a report over instances with and without logs, and what splits it."""
    number = draw(st.integers(1, 7))
    instances = []
    for n in range(number):
        team = draw(TEAMS)
        tags = {"Name": f"web-{n}"} if team is None else {"Name": f"web-{n}", "Team": team}
        instances.append(facts(n, tags=tags, **draw(FIELDS)))
    # Some hosts are of no instance of the snapshot.
    watched = draw(st.lists(st.integers(0, number + 2), unique=True, max_size=6))
    owners = Owners(OWNER_TAGS, tuple(draw(PATTERNS)))
    log = draw(logs(watched))
    template = Template("lt-0123456789abcdef0", "web", 1, 1, (TemplateVersion(1),),
                        {"Team": draw(st.sampled_from(("payments", "x")))})  # fmt: skip
    regions = tuple(
        RegionFacts(account, REGION, Defaults(), tuple(of), (template,))
        for account, of in (("111122223333", instances[::2]), ("444455556666", instances[1::2]))
    )
    of = snapshots(snapshot(regions=regions, taken_at=NOW - draw(st.integers(0, 50)) * DAY / 24))
    return report(of, log, owners), Terms(WEEK, RARE, owners)


@st.composite
def logs(draw: st.DrawFn, watched: list[int]) -> Findings:
    groups = []
    for program in draw(st.lists(st.sampled_from(PROGRAMS), unique=True)) if watched else []:
        on = draw(st.lists(st.sampled_from(watched), unique=True, min_size=1))
        keys = tuple(instance_id(n) for n in on)
        more = draw(st.sampled_from((0, 0, 3)))
        groups.append(
            samples.old_botocore(
                program=program, hosts=keys, v1_hosts=keys, host_count=len(keys) + more
            )
        )
    hosts = tuple(host(n, last_at=NOW - draw(st.sampled_from((0, 9))) * DAY) for n in watched)
    return replace(samples.findings(tuple(groups), hosts), hosts=hosts)


def total(parts: list[dict[str, Any]], *path: str) -> int:
    """Return the sum of a number over documents, 0 where it is null."""
    found = 0
    for part in parts:
        value: Any = part
        for key in path:
            value = value[key]
        found += value or 0
    return found


@settings(max_examples=60)
@given(reports())
def test_everything_is_in_exactly_one_part_and_the_sums_agree(made: tuple[Report, Terms]) -> None:
    report, terms = made
    parts = by_owner(report, terms)
    names = file_names(parts, "json")
    assert len(set(names)) == len(parts)
    assert names[-1] == "unowned.json"
    documents = [json.loads(FORMATS["json"](each)) for each in parts]
    whole = json.loads(FORMATS["json"](report))
    for what, key in (("hosts", "key"), ("callers", "caller")):
        split = Counter(each[key] for part in documents for each in part[what])
        assert split == Counter(each[key] for each in whole[what])
    split = Counter(each["id"] for part in documents for each in part["roster"]["instances"])
    assert split == Counter(each["id"] for each in whole["roster"]["instances"])
    for number in ("running", "unwatched"):
        assert total(documents, "roster", number) == whole["roster"][number]
    for place, of in enumerate(whole["inventory"]["sets"]):
        sets = [part["inventory"]["sets"][place] for part in documents]
        for number in ("count", "calls", "rejected"):
            assert total(sets, number) == of[number]
        members = [each["id"] for one in sets for each in one["instances"]]
        assert sorted(members) == sorted(each["id"] for each in of["instances"])
    assert sum(len(part["inventory"]["launches"]) for part in documents) == len(
        whole["inventory"]["launches"]
    )
    for version in ("v1", "v2", "unknown"):
        counts = [caller["requests"] for part in documents for caller in part["callers"]]
        assert total(counts, version) == total([e["requests"] for e in whole["callers"]], version)
    for part, document in zip(parts, documents):
        rows = list(csv.DictReader(io.StringIO(FORMATS["csv"](part))))
        listed = [row["caller"] for row in rows if row["program"]]
        assert sorted(listed) == sorted(each["caller"] for each in document["callers"])


@settings(max_examples=60)
@given(reports())
def test_every_instance_is_in_one_set_and_the_sums_are_the_accounts(
    made: tuple[Report, Terms],
) -> None:
    """Also of hosts that no snapshot has, which AWS counted nothing of."""
    report, _ = made
    inventory, roster = report.inventory, report.roster
    assert inventory is not None
    assert roster is not None
    members = [each.instance.id for of in inventory.sets for each in of.members]
    assert sorted(map(str, members)) == sorted(str(each.id) for each in roster.instances)
    assert [of.kind for of in inventory.sets] == list(Kind)
    counts = [each.calls for of in inventory.sets for each in of.members]
    assert sum(each or 0 for each in counts) == sum(of.calls for of in inventory.sets)
    assert set(inventory.later) <= {each.key for each in report.findings.hosts}
