"""What to do next: in the right order, for the instances that were seen, and nothing lowered."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Sequence
from typing import Any, Optional

import pytest

from analyzer.account.guardrails.table import BY_FILE
from analyzer.clients.reading import load_clients
from analyzer.report.build import judge
from analyzer.report.callers import Group
from analyzer.report.findings import Findings
from analyzer.report.formats.wording import NAMED_MAX
from analyzer.report.next_steps.instances import COMMANDS_MAX, instances_of
from analyzer.report.result import Judgement, Report, Step
from tests.unit.report_samples import (
    DAY,
    HOST,
    HOSTILE,
    HOUR,
    INSTANCE,
    NOW,
    WEEK,
    curl_script,
    everything,
    fallback,
    findings,
    fleet,
    group,
    host,
    hostile,
    kube2iam,
    old_botocore,
    v2_only,
)

CLIENTS = load_clients()


def report(of: Findings) -> Report:
    return judge(of, clients=CLIENTS, period=WEEK, now=NOW)


def titles(of: Findings) -> list[str]:
    return [each.title for each in report(of).steps]


def step(of: Findings, beginning: str) -> Step:
    return next(each for each in report(of).steps if each.title.startswith(beginning))


def modifications(each: Step) -> list[list[str]]:
    """Return the words of the commands that change an instance."""
    return [shlex.split(c) for c in each.commands if "modify-instance-metadata-options" in c]


def test_a_safe_host_is_switched_now() -> None:
    """With its own id, and with the hop limit left as it is."""
    of = findings((v2_only(),))
    assert titles(of) == [
        "Compare with what AWS counted",
        "Before the switch: see that the way back is open",
        f"Canary: require tokens on {HOST} {INSTANCE}",
        "If something breaks, go back",
        "Then change launch templates and Auto Scaling groups",
        "At any time: let AWS name what allows IMDSv1",
        "Then make it the account's default",
        "Then make credentials from IMDSv1 worthless",
        "Last, when nobody needs the way back: forbid IMDSv1",
    ]
    words, _, again = modifications(step(of, "Canary"))
    assert " ".join(words) == (
        f"aws ec2 modify-instance-metadata-options --instance-id {INSTANCE}"
        " --http-tokens required --http-endpoint enabled"
    )
    assert again == words
    (back,) = modifications(step(of, "If something breaks"))
    assert back[-2:] == ["--http-tokens", "optional"]


def test_where_it_is_not_safe_callers_are_fixed_first() -> None:
    """And the switch waits."""
    found = titles(everything())
    switch = next(n for n, each in enumerate(found) if "require tokens" in each)
    assert found[switch].startswith("When SAFE: ")
    assert found[0].startswith("Fix ")
    assert "/srv/app/worker.py" in found[0]
    assert sum(each.startswith("Fix") for each in found) == 1
    assert not any(each.startswith(("Canary", "Then")) for each in found)
    assert "Get the evidence that is missing" in found


def test_harmless_callers_and_those_that_stopped_need_no_fix() -> None:
    """A probe for another cloud, v2 only, and v1 long ago."""
    stopped = old_botocore(first_at=NOW - 9 * DAY, last_at=NOW - 8 * DAY)
    assert not [each for each in titles(findings((stopped, v2_only()))) if "Fix" in each]


def test_many_callers_are_not_all_named() -> None:
    """The report lists them; the steps stay readable."""
    groups = [old_botocore(program=f"/srv/{n}.py") for n in range(NAMED_MAX + 3)]
    (fix,) = [each for each in titles(findings(groups)) if each.startswith("Fix")]
    assert fix.startswith(f"Fix {NAMED_MAX + 3} callers: /srv/0.py, ")
    assert fix.endswith(" and 3 more")


@pytest.mark.parametrize(
    ("groups", "is_raised"),
    [
        ((fallback(),), True),
        ((old_botocore(place="docker"),), True),
        ((old_botocore(),), False),
        ((v2_only(place="kubernetes"),), False),
        ((fallback(place="host", container=None),), False),
        ((old_botocore(place="docker", provider="gcp"),), False),
        ((kube2iam(),), False),
    ],
)
def test_the_hop_limit_is_raised_for_containers_that_use_v1(
    groups: Sequence[Group], is_raised: bool
) -> None:
    """For nobody else, and never lowered: without the option the present limit stays."""
    of = findings(groups)
    raising = [each for each in report(of).steps if each.title.startswith("Let tokens travel")]
    assert bool(raising) == is_raised
    for each in report(of).steps:
        for words in modifications(each):
            limits = [b for a, b in zip(words, words[1:]) if a == "--http-put-response-hop-limit"]
            assert limits in ([], ["2"])
            assert not limits or is_raised
    if is_raised:
        (words,) = modifications(raising[0])
        assert words[-2:] == ["--http-put-response-hop-limit", "2"]
        assert "--http-tokens" not in words
        assert "describe-instances" in raising[0].commands[0]


def test_only_hosts_with_such_containers_get_two_hops() -> None:
    """The others keep theirs."""
    hosts = (
        host("a", instance_id="i-0000000000000000a", last_v1_at=NOW - HOUR),
        host("b", instance_id="i-0000000000000000b"),
    )
    of = findings((fallback(hosts=("a",)), v2_only(hosts=("a", "b"))), hosts)
    (a,) = modifications(step(of, "When SAFE: require"))
    b = modifications(step(of, "Canary"))[0]
    assert (a[4], b[4]) == ("i-0000000000000000a", "i-0000000000000000b")
    assert "--http-put-response-hop-limit" in a
    assert "--http-put-response-hop-limit" not in b


@pytest.mark.parametrize(("limit", "is_raised"), [(None, True), (1, True), (2, False), (64, False)])
def test_a_limit_that_was_measured_as_enough_stays(limit: Optional[int], is_raised: bool) -> None:
    """What is 1 is said to be, if it was measured; what was not is the default."""
    of = findings((fallback(hosts=("a",)),), (host("a", hop_limit=limit, last_v1_at=NOW - HOUR),))
    (words,) = modifications(step(of, "When SAFE: require"))
    assert ("--http-put-response-hop-limit" in words) is is_raised
    raising = [each for each in report(of).steps if each.title.startswith("Let tokens travel")]
    said = [each.why for each in raising]
    assert len(said) == is_raised
    assert not said or ("the limit of 1, measured" in said[0]) is (limit == 1)


def test_a_few_instances_have_a_command_each_and_many_a_loop() -> None:
    """With a file of ids."""
    few = step(fleet(COMMANDS_MAX), "If something")
    assert len(modifications(few)) == COMMANDS_MAX
    many = step(fleet(500), "If something")
    assert len(many.commands) == 2
    listing, loop = many.commands
    assert listing.count("\ni-") == 500
    assert loop.startswith("xargs -I ID aws ec2 modify-instance-metadata-options")
    assert loop.endswith("--http-tokens optional < all-instances.txt")


def test_the_loop_runs_as_it_is_printed(tmp_path: Any) -> None:
    """One call for each instance, with `aws` replaced by what prints its arguments."""
    commands = step(fleet(COMMANDS_MAX + 1), "If something").commands
    script = "\n".join(commands).replace("-I ID aws", "-I ID echo")
    ran = subprocess.run(
        ["bash", "-euc", script], cwd=tmp_path, check=True, capture_output=True, timeout=30
    )
    lines = ran.stdout.decode().splitlines()
    assert len(lines) == COMMANDS_MAX + 1
    assert lines[0] == (
        "ec2 modify-instance-metadata-options --instance-id i-00000000000000000"
        " --http-tokens optional"
    )


@pytest.mark.parametrize(
    ("instance_id", "name", "found"),
    [
        (INSTANCE, "ip-10-0-3-7", INSTANCE),
        ("i-12345678", "web", "i-12345678"),
        (None, "i-0123456789abcdef0.ec2.internal", INSTANCE),
        (None, "ip-10-0-3-7", None),
        ("i-1; rm -rf /", "web", None),
        ("i-0123456789abcdef0\n", "web", None),
        (None, "i-0123456789abcdef01", None),
        (HOSTILE, HOSTILE, None),
    ],
)
def test_an_instance_id_is_taken_only_if_it_is_one(
    instance_id: Optional[str], name: str, found: Optional[str]
) -> None:
    """From the log, or from a host's name that is one."""
    instances = instances_of((host(name, instance_id=instance_id),))
    assert instances.ids == ((found,) if found else ())
    assert instances.unknown == (() if found else (name,))


def test_a_host_without_an_instance_id_is_looked_up() -> None:
    """By its name; a hostile one is left out, and a placeholder stands for the id."""
    hosts = (host("ip-10-0-3-7.ec2.internal", instance_id=None), host(HOSTILE, instance_id=None))
    commands = step(findings((v2_only(),), hosts), "Canary").commands
    assert commands[0].endswith("--output text")
    assert "Name=private-dns-name,Values=ip-10-0-3-7.*" in shlex.split(commands[0])
    assert "--instance-id INSTANCE_ID --http-tokens required" in commands[1]


def test_what_a_step_applies_is_written_before_and_is_there() -> None:
    """By its first command for these files; the files are tested where they are."""
    named: set[str] = set()
    for each in report(everything()).steps:
        files = re.findall(r"guardrails/([\w.-]+)", "\n".join(each.commands))
        if files:
            written = each.commands.index("imds-analyzer audit --guardrails guardrails")
            first = next(n for n, one in enumerate(each.commands) if "guardrails/" in one)
            assert written < first
            assert all(f"{file}: " in each.why for file in files)
        named.update(files)
    assert named == set(BY_FILE)


def test_what_shuts_the_way_back_comes_last() -> None:
    steps = report(everything()).steps
    for each in steps[:-1]:
        assert not re.search("enforced enabled|scp-|-enforced.json", "\n".join(each.commands))
    assert "scp-way-back.json" in steps[-1].commands[-1]


def test_the_question_to_cloudwatch_fits_one_instance_or_many() -> None:
    """With the window that is judged."""
    ask = step(findings((v2_only(),)), "Compare").commands[0]
    assert "--start-time 2026-11-15T00:00:00Z --end-time 2026-11-22T00:00:00Z" in ask
    assert f"MetadataNoToken 300 {INSTANCE}" in ask
    listing, loop, _ = step(fleet(30), "Compare").commands
    assert listing.count("\ni-") == 30
    assert "split -l 250 all-instances.txt" in loop
    assert "--metric-data-queries file://queries.json" in loop


def test_without_lines_there_is_only_evidence_to_get() -> None:
    """No instance is known, and nothing is switched."""
    of = findings((), (), lines=0)
    assert titles(of) == ["Get the evidence that is missing"]
    assert report(of).verdict.judgement is Judgement.NOT_ENOUGH_EVIDENCE


def test_every_command_is_a_command_for_bash() -> None:
    """Also with hostile callers."""
    of = findings((hostile(), hostile(launcher=None), curl_script(), fallback(), group()))
    for each in report(of).steps:
        for command in each.commands:
            assert "\x1b" not in command
            subprocess.run(["bash", "-n", "-c", command], check=True, timeout=30)


def test_a_report_is_the_same_for_the_same_findings() -> None:
    """It holds the findings, an entry for each group, and a verdict for each host."""
    of = everything()
    one, other = report(of), report(of)
    assert one == other
    assert one.findings is of
    assert [each.group for each in one.entries] == list(of.groups)
    assert [each.host for each in one.host_verdicts] == [each.name for each in of.hosts]
    assert one.generated_at == NOW
    assert one.comparison is None
