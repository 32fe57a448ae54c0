"""The roster: every form that describe-instances has, what is said of others, and the join."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, Optional

import pytest

from analyzer.errors import AnalyzerError
from analyzer.report.hosts import Host
from analyzer.report.roster.instances import Instance, Roster
from analyzer.report.roster.joining import join
from analyzer.report.roster.owners import OWNER_TAGS, maybe_owner
from analyzer.report.roster.reading import read
from tests.unit.report_samples import INSTANCE, host

ONE, TWO, THREE = (f"i-{n:017x}" for n in (1, 2, 3))
DNS = "ip-10-0-0-1.eu-west-1.compute.internal"


def described(identity: str = ONE, state: str = "running", **fields: Any) -> dict[str, Any]:
    """Return one instance as EC2 describes it, with what is read and a little more."""
    tags = {"Name": "web", **fields.pop("tags", {})}
    return {
        "InstanceId": identity,
        "ImageId": "ami-0123456789abcdef0",
        "State": {"Code": 16, "Name": state},
        "PrivateDnsName": DNS,
        "LaunchTime": "2026-11-20T08:00:00+00:00",
        "Placement": {"AvailabilityZone": "eu-west-1a", "Tenancy": "default"},
        "MetadataOptions": {
            "State": "applied",
            "HttpTokens": "optional",
            "HttpPutResponseHopLimit": 2,
            "HttpEndpoint": "enabled",
        },
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        **fields,
    }


def page(*instances: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return one document; each instance in a reservation of its own."""
    return {"Reservations": [{"OwnerId": "1", "Instances": [each]} for each in instances], **fields}


def loaded(path: Path, *documents: Any) -> Roster:
    file = path / "instances.json"
    file.write_text("\n".join(json.dumps(each, indent=4) for each in documents))
    return read(file)


def listed(path: Path, text: str) -> Roster:
    file = path / "instances.txt"
    file.write_text(text)
    return read(file)


def roster(*instances: Instance) -> Roster:
    return Roster("instances.json", instances)


def named(name: str, identity: Optional[str] = None) -> Instance:
    return Instance(id=identity, name=name, names=(name,))


def keys(of: Roster, *hosts: Host) -> list[Optional[str]]:
    """Return which host's log each instance has."""
    return [each.host for each in join(of, hosts).instances]


# --- reading --------------------------------------------------------------------------------


def test_what_describe_instances_prints_is_read(tmp_path: Path) -> None:
    """With the Auto Scaling group, the launch template, the owner and the options in force."""
    tags = {
        "aws:autoscaling:groupName": "web-group",
        "aws:ec2launchtemplate:id": "lt-0123456789abcdef0",
        "aws:ec2launchtemplate:version": "7",
        "Team": "payments",
    }
    (found,) = loaded(tmp_path, page(described(tags=tags))).instances
    assert dataclasses.asdict(found) == {
        "id": ONE,
        "name": "web",
        "state": "running",
        "group": "web-group",
        "template": "lt-0123456789abcdef0",
        "template_version": "7",
        "image": "ami-0123456789abcdef0",
        "owner": "payments",
        "launched_at": found.launched_at,
        "http_tokens": "optional",
        "hop_limit": 2,
        "host": None,
        "names": ("web", DNS),
        "region": "eu-west-1",
        "account": None,
        "http_endpoint": "enabled",
        "tags": {"Name": "web", **tags},
    }
    assert str(found.launched_at) == "2026-11-20 08:00:00+00:00"
    assert found.is_running
    assert not found.is_switched


def test_documents_follow_one_another(tmp_path: Path) -> None:
    """Pages, Regions, and a later state of the same instance, which counts."""
    found = loaded(
        tmp_path,
        page(described(ONE), NextToken="more"),
        page(described(TWO)),
        page(described(THREE, Placement={"AvailabilityZone": "us-west-2-lax-1a"})),
        page(described(ONE, state="terminated")),
    )
    assert [(each.id, each.region) for each in found.instances] == [
        (ONE, "eu-west-1"),
        (TWO, "eu-west-1"),
        (THREE, "us-west-2"),
    ]
    assert [each.id for each in found.running] == [TWO, THREE]
    assert found.instances[0].is_gone


@pytest.mark.parametrize(
    "documents",
    [
        (page(described(ONE), NextToken="more"),),
        (
            page(described(ONE), NextToken="more"),
            page(described(TWO, Placement={"AvailabilityZone": "eu-central-1a"})),
        ),
    ],
)
def test_a_page_without_its_next_one_is_said(tmp_path: Path, documents: Any) -> None:
    """The instances that are not there might be those without a log."""
    with pytest.raises(AnalyzerError, match="line 1: AWS has more instances than this page"):
        loaded(tmp_path, *documents)


@pytest.mark.parametrize(
    "value",
    [
        [described(ONE), described(TWO)],
        [[described(ONE)], [described(TWO)]],
        [ONE, TWO],
        {"Instances": [described(ONE), described(TWO)]},
    ],
)
def test_a_query_that_keeps_the_ids_is_read(tmp_path: Path, value: Any) -> None:
    """As --query makes them."""
    assert [each.id for each in loaded(tmp_path, value).instances] == [ONE, TWO]


def test_options_that_are_not_in_force_do_not_count(tmp_path: Path) -> None:
    """EC2 takes a moment to apply them; what requires tokens already is switched."""
    options = {"State": "pending", "HttpTokens": "required", "HttpPutResponseHopLimit": 1}
    pending = described(ONE, MetadataOptions=options)
    applied = described(TWO, MetadataOptions={**options, "State": "applied"})
    found = loaded(tmp_path, page(pending, applied)).instances
    assert [(each.is_switched, each.hop_limit) for each in found] == [(False, None), (True, 1)]


@pytest.mark.parametrize(
    ("state", "runs", "is_gone"),
    [
        ("running", True, False),
        ("pending", True, False),
        ("stopped", False, False),
        ("stopping", False, False),
        ("shutting-down", False, True),
        ("terminated", False, True),
        ("hibernating", True, False),  # nobody knows it: it might run
    ],
)
def test_only_an_instance_that_runs_should_be_watched(
    tmp_path: Path, state: str, runs: bool, is_gone: bool
) -> None:
    """One without a state might run."""
    without = described(TWO)
    del without["State"]
    found, other = loaded(tmp_path, page(described(state=state), without)).instances
    assert (found.is_running, found.is_gone) == (runs, is_gone)
    assert other.is_running


def test_a_list_has_names_and_ids(tmp_path: Path) -> None:
    """One a line, with comments; ids alone may share a line, and an id have its name behind it."""
    found = listed(
        tmp_path, f"# the web servers\n\nweb-1  # the first\n{ONE}\t{TWO}\r\n{THREE} {DNS}\nweb-1\n"
    )
    assert [(each.id, each.name) for each in found.instances] == [
        (None, "web-1"),
        (ONE, None),
        (TWO, None),
        (THREE, DNS),
    ]
    assert found.running == found.instances


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("# nobody\n", "names no instance"),
        ("web-1\nweb 2\n", "line 2: 'web 2' is neither"),
        ("i-012345\n", "line 1: 'i-012345' is neither"),
        ("<html>\n", "line 1: '<html>' is neither"),
        ("web-\x1b[2J\n", r"neither an instance id"),
        ("web-\xe4\n", "neither an instance id"),
        ('{"Reservations": [', "begins no whole JSON"),
        ("[" * 100_000, "begins no whole JSON"),
        ('{"Reservations": []}', "names no instance"),
        ('{"Reservations": [{}]}', "reservation has no Instances"),
        ('{"Reservations": [{"Instances": [{}]}]}', "has no InstanceId"),
        ('[["i-0123456789abcdef0", "web"]]', "--query took out"),
        ('{"MetricDataResults": []}', "give it with --against"),
        ('{"timestamp": "2026-11-22T00:00:00Z", "event": "heartbeat"}', "is a log"),
        ('{"a": 1}', "not what describe-instances prints"),
        ("Reservations:\n- Instances:\n", "--output yaml"),
        ("RESERVATIONS\t1\tr-1\n", "--output text"),
        ("-----------------------\n|  DescribeInstances  |\n", "--output table"),
        (
            "An error occurred (UnauthorizedOperation) when calling the DescribeInstances",
            "the AWS CLI's error: An error occurred .UnauthorizedOperation.",
        ),
    ],
)
def test_another_file_is_said_to_be_one(tmp_path: Path, text: str, message: str) -> None:
    """In one line that a terminal cannot act on, with the command to run."""
    with pytest.raises(AnalyzerError, match=message) as caught:
        listed(tmp_path, text)
    assert "\x1b" not in str(caught.value)
    assert "aws ec2 describe-instances --output json" in str(caught.value)


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    """A directory, no file at all, and bytes that are no text."""
    (tmp_path / "binary").write_bytes(b"web-1\n\xff\xfe\n")
    for name, message in (("", "Is a directory"), ("no", "No such file"), ("binary", "line 2: is")):
        with pytest.raises(AnalyzerError, match=message):
            read(tmp_path / name)


def test_the_place_of_a_fault_is_its_document(tmp_path: Path) -> None:
    """By the line at which it begins."""
    first = json.dumps(page(described()), indent=4)
    line = first.count("\n") + 2
    with pytest.raises(AnalyzerError, match=f"line {line}: is JSON, but not"):
        listed(tmp_path, f'{first}\n{{"a": 1}}')


@pytest.mark.parametrize(
    ("tags", "owner"),
    [
        ({"Owner": "ana"}, "ana"),
        ({"team": "payments"}, "payments"),
        ({"Service-Owner": "bob", "Team": "payments"}, "bob"),
        ({"cost_center": "42", "acme:team": "x", "TEAM": "y"}, "y"),
        ({"Name": "web"}, None),
        ({"owner-of-nothing-known": "x"}, None),
    ],
)
def test_the_owner_is_a_tag(tags: dict[str, str], owner: Optional[str]) -> None:
    """In whichever spelling; the more precise one counts."""
    assert maybe_owner(tags) == owner


def test_owner_tags_are_written_plainly() -> None:
    """As they are compared: without case and separators, each once."""
    assert all(each.isalnum() and each == each.lower() for each in OWNER_TAGS)
    assert len(set(OWNER_TAGS)) == len(OWNER_TAGS)


# --- joining --------------------------------------------------------------------------------


def test_an_id_joins_whatever_the_name() -> None:
    """Two hosts with one name are two; one that was renamed is one."""
    hosts = (host("app", instance_id=ONE, key=ONE), host("app", instance_id=TWO, key=TWO))
    of = roster(Instance(ONE, "other"), Instance(TWO, "app"), Instance(THREE, "app"))
    assert keys(of, *hosts) == [ONE, TWO, None]
    assert [each.id for each in join(of, hosts).unwatched] == [THREE]


def test_a_name_joins_where_it_is_unique() -> None:
    """In the log and in the roster; with an id in the log, a name tells nothing of another id."""
    web = host("web-1", instance_id=None)
    assert keys(roster(named("web-1", ONE)), web) == ["web-1"]
    assert keys(roster(named("WEB-1", ONE), named("web-2", TWO)), web) == ["web-1", None]
    assert keys(roster(named("web-1", ONE), named("web-1", TWO)), web) == [None, None]
    assert keys(roster(named("web-1", ONE)), host("web-1", instance_id=TWO)) == [None]


def test_a_name_alone_joins_a_host_with_or_without_id() -> None:
    """Unless two hosts have it."""
    one = host("app", instance_id=ONE, key=ONE)
    assert keys(roster(named("app")), one) == [ONE]
    assert keys(roster(named("app")), host("app", instance_id=None)) == ["app"]
    assert keys(roster(named("app")), one, host("app", instance_id=TWO, key=TWO)) == [None]


def test_names_of_one_host_are_one_instance() -> None:
    """A former name, or an id and a name."""
    renamed = host("new", instance_id=ONE, key=ONE, names=("new", "old"))
    assert keys(roster(named("old"), named("new")), renamed) == [ONE]
    assert keys(roster(named("new"), Instance(ONE, None)), renamed) == [ONE]
    assert keys(roster(named("other"), Instance(ONE, None)), renamed) == [ONE, None]


@pytest.mark.parametrize(
    ("name", "instance", "is_one"),
    [
        (DNS, DNS, True),
        ("ip-10-0-0-1", DNS, True),
        (DNS, "ip-10-0-0-1", True),
        (DNS.upper() + ".", DNS, True),
        ("ip-10-0-0-1.ec2.internal", DNS, False),
        ("ip-10-0-0-11", DNS, False),
        (f"{ONE}.ec2.internal", "web", True),
    ],
)
def test_a_domain_may_be_left_out_but_not_be_another(
    name: str, instance: str, is_one: bool
) -> None:
    """Private names repeat over Regions; a host may be named after its instance."""
    of = roster(named(instance, ONE))
    assert (keys(of, host(name, instance_id=None)) == [name]) is is_one


def test_without_hosts_nothing_is_watched() -> None:
    """And an instance is never lost by the join."""
    of = roster(Instance(INSTANCE, None), named("web-1"))
    assert join(of, ()).unwatched == of.instances
