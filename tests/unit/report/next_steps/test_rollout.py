"""The rollout: one host, 5 %, all; the way back looked at and tried first; who is left out."""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
import shlex
import subprocess
from collections.abc import Iterable, Sequence
from typing import Any, Optional

import pytest

from analyzer.clients.reading import load_clients
from analyzer.report.build import judge
from analyzer.report.findings import Findings
from analyzer.report.hosts import Host
from analyzer.report.next_steps.fleet import fleet_of
from analyzer.report.next_steps.instances import COMMANDS_MAX, region_option
from analyzer.report.next_steps.steps import steps
from analyzer.report.result import Judgement, Step, Verdict
from analyzer.report.roster.instances import Instance, Roster
from tests.unit.report_samples import (
    DAY,
    HOSTILE,
    HOUR,
    NOW,
    WEEK,
    everything,
    fallback,
    findings,
    host,
    v2_only,
)

CLIENTS = load_clients()
TEMPLATE = "lt-0123456789abcdef0"
SWITCH = "modify-instance-metadata-options"


def instance_id(number: int) -> str:
    return f"i-{number:017x}"


def number_of(identity: str) -> int:
    return int(identity.partition("-")[2], 16)


def safe_host(number: int, **fields: Any) -> Host:
    """Return a host that is SAFE, with an id of its own."""
    identity = instance_id(number)
    return host(**{"name": f"h{number}", "key": identity, "instance_id": identity, **fields})


def of_hosts(*hosts: Host) -> Findings:
    return findings((v2_only(hosts=[each.key for each in hosts][:20]),), hosts)


def instance(number: int, **fields: Any) -> Instance:
    return Instance(**{"id": instance_id(number), "name": None, "state": "running", **fields})


def made(of: Findings, *instances: Instance) -> tuple[Step, ...]:
    """Return the steps with a roster of these instances, or without one."""
    roster = Roster("instances.json", instances) if instances else None
    return judge(of, clients=CLIENTS, period=WEEK, now=NOW, roster=roster).steps


def step(found: Iterable[Step], beginning: str) -> Step:
    return next(each for each in found if each.title.startswith(beginning))


def switched(each: Step) -> list[str]:
    """Return the ids that a step's commands change, each as often as it is changed."""
    ids: list[str] = []
    lists = {}
    for command in each.commands:
        listing = re.match(r"cat > (\S+) <<'END'\n(.*)\nEND", command, re.DOTALL)
        if listing:
            lists[listing[1]] = listing[2].split("\n")
        elif SWITCH in command:
            words = shlex.split(command)
            ids += lists[words[-1]] if words[0] == "xargs" else [words[4]]
    return ids


def stages(found: Sequence[Step]) -> list[list[str]]:
    """Return whom each stage switches."""
    begin = ("Canary", "Then 5 %", "Then all")
    return [sorted(set(switched(each))) for each in found if each.title.startswith(begin)]


# --- stages ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "sizes"),
    [(1, [1]), (2, [1, 1]), (20, [1, 19]), (21, [1, 2, 18]), (40, [1, 2, 37]), (400, [1, 20, 379])],
)
def test_one_then_five_percent_then_all(size: int, sizes: list[int]) -> None:
    """Each host once; a stage of one host more would show nothing."""
    found = stages(made(of_hosts(*(safe_host(n) for n in range(size)))))
    assert [len(each) for each in found] == sizes
    assert sorted(itertools.chain(*found)) == [instance_id(n) for n in range(size)]


def test_the_canary_is_the_host_that_calls_most() -> None:
    """It has the most to show."""
    busy = safe_host(7, requests={"v1": 0, "v2": 10_000, "unknown": 0})
    assert stages(made(of_hosts(safe_host(1), busy, safe_host(9))))[0] == [instance_id(7)]


def test_the_second_stage_takes_from_each_group() -> None:
    """Not five percent of one group alone."""
    hosts = [safe_host(n) for n in range(60)]
    groups = [instance(n, group=f"group-{n // 20}") for n in range(60)]
    chosen = stages(made(of_hosts(*hosts), *groups))[1]
    assert {number_of(each) // 20 for each in chosen} == {0, 1, 2}
    without = stages(made(of_hosts(*hosts)))[1]
    assert {number_of(each) // 20 for each in without} == {0}


def test_the_way_back_is_tried_on_the_canary_first() -> None:
    """Forth, back, shown, forth again; and nobody else goes before."""
    canary = step(made(of_hosts(safe_host(1), safe_host(2))), "Canary")
    changes = [shlex.split(each)[4:] for each in canary.commands if SWITCH in each]
    required = [instance_id(2), "--http-tokens", "required", "--http-endpoint", "enabled"]
    optional = [instance_id(2), "--http-tokens", "optional"]
    assert changes == [required, optional, required]
    assert canary.commands[2].startswith("aws ec2 describe-instances")
    assert "MetadataOptions.HttpTokens" in canary.commands[2]


def test_each_stage_says_what_to_watch() -> None:
    """In CloudWatch for its instances, and in the log."""
    found = made(of_hosts(*(safe_host(n) for n in range(40))))
    for beginning in ("Canary", "Then 5 %", "Then all"):
        each = step(found, beginning)
        assert "MetadataNoTokenRejected stays 0" in each.why
        assert "the outcome `rejected`" in each.why
        assert any("MetadataNoTokenRejected" in command for command in each.commands)
        assert each.commands[-1].startswith("imds-analyzer ")
    one, many = step(found, "Canary").commands[-2], step(found, "Then all").commands[-2]
    assert f"Name=InstanceId,Value={instance_id(39)} " in one
    words = shlex.split(many)
    (query,) = json.loads(words[words.index("--metric-data-queries") + 1])
    assert "MetricName=\"MetadataNoTokenRejected\"', 'Sum'" in query["Expression"]


def test_the_way_back_is_looked_at_before_the_switch() -> None:
    """And what shuts it comes at the very end, after all else."""
    for of in (of_hosts(safe_host(1)), everything()):
        found = made(of)
        look = next(n for n, each in enumerate(found) if "the way back is open" in each.title)
        first = next(n for n, each in enumerate(found) if " required" in str(each.commands))
        assert look < first
        assert "HttpTokensEnforced" in found[look].commands[0]
        assert "UnsupportedOperation" in found[look].why
        shutting = [
            n
            for n, each in enumerate(found)
            if any("KeepImdsV2" in c or "enforced enabled" in c for c in each.commands)
        ]
        assert shutting == [len(found) - 1]


# --- who is left out ------------------------------------------------------------------------


def test_who_requires_tokens_already_is_left_out() -> None:
    """Of the switch, and of the way back: nobody is made worse than before."""
    hosts = of_hosts(safe_host(1), safe_host(2), safe_host(3))
    found = made(
        hosts,
        instance(1, http_tokens="optional"),
        instance(2, http_tokens="required"),
        instance(3),
    )
    assert stages(found) == [[instance_id(3)], [instance_id(1)]]
    assert switched(step(found, "If something")) == [instance_id(1), instance_id(3)]


def test_where_all_require_tokens_only_launches_are_left() -> None:
    """Nothing is switched, and nothing goes back."""
    found = made(of_hosts(safe_host(1)), instance(1, http_tokens="required"))
    assert not any(SWITCH in command for each in found for command in each.commands)
    order = ["Compare", "Then", "At", "Then", "Then", "Last,"]
    assert [each.title.partition(" ")[0] for each in found] == order


@pytest.mark.parametrize(
    ("state", "is_there"),
    [("running", True), ("stopped", True), ("terminated", False), ("shutting-down", False)],
)
def test_a_terminated_instance_is_not_switched(state: str, is_there: bool) -> None:
    """Its log is evidence for others, but EC2 knows it no more."""
    found = made(of_hosts(safe_host(1), safe_host(2)), instance(1, state=state), instance(2))
    assert (instance_id(1) in itertools.chain(*stages(found))) is is_there


def test_a_host_that_the_roster_does_not_have_is_gone() -> None:
    """Unless it has no id by which the roster could have it."""
    gone, unnamed = safe_host(2), host("h3", instance_id=None)
    found = made(of_hosts(safe_host(1), gone), instance(1))
    assert stages(found) == [[instance_id(1)]]
    found = made(of_hosts(safe_host(1), unnamed), instance(1))
    assert "Name=private-dns-name,Values=h3.*" in str([each.commands for each in found])


def test_the_roster_knows_the_id_of_a_host_that_has_only_a_name() -> None:
    """So that the command names it, if the log has the boot of the instance's start."""
    log = of_hosts(host("web-1", instance_id=None))
    found = made(log, instance(4, name="web-1", launched_at=NOW - 8 * DAY))
    assert set(switched(step(found, "Canary"))) == {instance_id(4)}
    other = made(log, instance(4, name="web-1", launched_at=NOW - 9 * DAY))
    assert not any(each.title.startswith("Canary") for each in other)


def test_two_hosts_with_one_name_are_two_in_the_commands() -> None:
    """By their ids, also for the hop limit."""
    one, two = (safe_host(n, name="app", last_v1_at=NOW - HOUR) for n in (1, 2))
    of = findings((fallback(hosts=(one.key,)),), (one, two))
    raising = step(made(of), "Let tokens travel two hops on 1 host")
    assert switched(raising) == [instance_id(1)]
    enough = made(of, instance(1, hop_limit=2), instance(2))
    assert not any(each.title.startswith("Let tokens") for each in enough)


# --- Regions and dates ----------------------------------------------------------------------


def test_each_command_is_for_the_region_of_its_instance() -> None:
    """Many instances have a file for each Region; a Region that is none is left out."""
    count = COMMANDS_MAX + 2
    hosts = of_hosts(*(safe_host(n) for n in range(count)))
    regions = ["eu-west-1", "us-gov-east-1"]
    found = made(hosts, *(instance(n, region=regions[n % 2]) for n in range(count)))
    back = step(found, "If something").commands
    assert [each.partition(" <<")[0] for each in back if each.startswith("cat")] == [
        "cat > eu-west-1-all-instances.txt",
        "cat > us-gov-east-1-all-instances.txt",
    ]
    assert [each.partition("optional ")[2] for each in back if each.startswith("xargs")] == [
        "--region eu-west-1 < eu-west-1-all-instances.txt",
        "--region us-gov-east-1 < us-gov-east-1-all-instances.txt",
    ]
    assert len(step(found, "Before the switch").commands) == 2
    hostile = made(hosts, *(instance(n, region="x; rm -rf /") for n in range(count)))
    assert "rm -rf" not in str([each.commands for each in hostile])


@pytest.mark.parametrize("region", ["us-gov-west-1", "us-isob-east-1", "eusc-de-east-1"])
def test_regions_of_all_partitions_are_named(region: str) -> None:
    """Without the option, a command would run in another Region."""
    assert region_option(region) == f" --region {region}"
    assert region_option(region.upper()) == ""


def with_dates(*dates: Optional[int]) -> Step:
    """Return the step for hosts that become SAFE in so many days."""
    hosts = tuple(safe_host(n) for n in range(len(dates)))
    window = None
    verdicts = tuple(
        Verdict(
            each.key,
            Judgement.NOT_SAFE,
            (),
            window,
            0.0,
            safe_on=None if days is None else NOW + days * DAY,
        )
        for each, days in zip(hosts, dates)
    )
    whole = dataclasses.replace(verdicts[0], host=None)
    return step(steps(of_hosts(*hosts), (), whole, verdicts, None), "When SAFE: require tokens")


def test_the_date_is_said_on_which_all_are_safe() -> None:
    """Or the first, if some need more than time."""
    assert "all of them are SAFE on 2026-11-29." in with_dates(3, 7).why
    assert "the first of them is SAFE on 2026-11-25." in with_dates(3, None).why
    assert "SAFE on" not in with_dates(None, None).why
    assert with_dates(3, None).title.endswith("2 hosts")


# --- launches -------------------------------------------------------------------------------


def launched(number: int, version: str = "3", **fields: Any) -> Instance:
    return instance(number, template=TEMPLATE, template_version=version, **fields)


def template_data(command: str) -> Any:
    words = shlex.split(command.partition("$(")[2].partition(") &&")[0])
    assert words[words.index("--launch-template-id") + 1] == TEMPLATE
    return json.loads(words[words.index("--launch-template-data") + 1])


def test_a_template_gets_a_version_that_becomes_the_default() -> None:
    """From the version that most instances have; the limit that they have is kept."""
    found = made(
        of_hosts(safe_host(1)),
        launched(1, group="web group", hop_limit=2, region="eu-west-1"),
        launched(2),
        launched(3, version="12"),
        launched(4, version="12", state="terminated"),
    )
    command, groups, refresh = step(found, "When SAFE: change launch").commands
    assert "--source-version 3 " in command
    assert template_data(command) == {
        "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 2}
    }
    assert f"modify-launch-template --launch-template-id {TEMPLATE} --default-version" in command
    assert "'web group'" in groups
    assert refresh.endswith("--auto-scaling-group-name 'web group' --region eu-west-1")


def test_a_template_gets_the_new_version_s_number(tmp_path: Any) -> None:
    """And a version that was not made becomes no default: run with a stand-in for the AWS CLI."""
    (command, _) = step(made(of_hosts(safe_host(1)), launched(1)), "Then change").commands
    for status, calls in ((0, 2), (1, 1)):
        aws = f'aws() {{ echo "$*" >> calls; echo 13; return {status}; }}\n'
        subprocess.run(
            ["bash", "-c", aws + command],
            cwd=tmp_path,
            check=False,
            timeout=30,
            capture_output=True,
        )
        made_calls = (tmp_path / "calls").read_text().splitlines()
        assert len(made_calls) == calls
        assert calls == 1 or made_calls[1].endswith("--default-version 13")
        (tmp_path / "calls").unlink()


def test_without_a_roster_placeholders_stand_for_the_names() -> None:
    """So they do where the roster's are none."""
    for found in (
        made(of_hosts(safe_host(1))),
        made(of_hosts(safe_host(1)), instance(1, template=HOSTILE, template_version=HOSTILE)),
    ):
        command, refresh = step(found, "Then change launch").commands
        assert "--launch-template-id TEMPLATE_ID --source-version '$Default'" in command
        assert refresh.endswith("--auto-scaling-group-name GROUP")


def test_hostile_tags_are_words_to_bash() -> None:
    """In each command, and on one line."""
    group = "a'; touch /tmp/x; '$(id)"
    found = made(of_hosts(safe_host(1)), launched(1, group=group, owner=HOSTILE), launched(2))
    describe, refresh = step(found, "When SAFE: change launch").commands[1:]
    assert group in shlex.split(describe)
    assert shlex.split(refresh)[-1] == group
    found = made(of_hosts(safe_host(1)), launched(1, group="a\x1b[2J\nb"))
    assert "GROUP" in step(found, "Then change launch").commands[1]


# --- instances without a log ----------------------------------------------------------------


def test_instances_without_a_log_are_to_be_watched() -> None:
    """By group, with the owner; not those that do not run."""
    found = made(
        of_hosts(safe_host(1)),
        instance(1),
        instance(2, group="web", owner="payments"),
        instance(3, group="web", owner="payments"),
        instance(4, image="ami-1"),
        instance(5, state="stopped"),
    )
    watch = step(found, "Watch")
    assert watch.title == "Watch 3 instances that have no log"
    assert "2 of web (owner: payments), 1 of ami-1." in watch.why
    assert f"{instance_id(2)} {instance_id(3)} {instance_id(4)} " in watch.commands[0]
    assert not [e for e in made(of_hosts(safe_host(1)), instance(1)) if e.title.startswith("Watch")]


def test_without_any_host_instances_are_still_to_be_watched() -> None:
    """And nothing else but evidence is asked for."""
    found = made(findings((), (), lines=0), instance(1))
    assert [each.title.partition(" ")[0] for each in found] == ["Get", "Watch"]


def test_a_fleet_is_sorted_by_what_is_known() -> None:
    """Each host is switched, or can be, or is gone."""
    roster = Roster("x", (dataclasses.replace(instance(1, http_tokens="required"), host="a"),))
    fleet = fleet_of(findings((), (host("a"), host("b", instance_id=None))), (), (), roster)
    assert [each.key for each in fleet.switched] == ["a"]
    assert [each.key for each in fleet.hosts] == ["b"]
    assert fleet.others == fleet.hosts
    assert fleet.stages() == ()
