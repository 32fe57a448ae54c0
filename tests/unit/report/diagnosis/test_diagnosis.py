"""Why a caller uses v1: each rule with what it is for, and with what only looks like it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Optional

import pytest

from analyzer.clients.reading import load_clients
from analyzer.report.callers import FURTHER, Group, Tally
from analyzer.report.diagnosis.rules import RULES, GroupFacts, diagnose
from analyzer.report.result import Cause, Diagnosis
from tests.unit.report_samples import (
    BOTO_NEW,
    BOTO_OLD,
    HOSTILE,
    curl_script,
    everything,
    fallback,
    gcp_probe,
    group,
    hostile,
    kube2iam,
    old_botocore,
    unreadable,
    v2_only,
)

CLIENTS = load_clients()
V1 = Tally("v1", "no_token_header", "success", "credentials", 3)
V2 = Tally("v2", "token_header", "success", "credentials", 40)
TOKEN = Tally("v2", "token_request", "success", "token", 4)
UNKNOWN = Tally("unknown", "truncated", None, "other", 2)


def said(each: Group) -> Diagnosis:
    return diagnose(each, CLIENTS)


def text(diagnosis: Diagnosis) -> str:
    return " ".join((diagnosis.summary, *diagnosis.advice, *diagnosis.commands))


def python(*tallies: Tally, **fields: Any) -> Group:
    return group(**{"tallies": tallies or (V1,), **fields})


# --- other clouds, unreadable, nothing to do --------------------------------------------


def test_another_clouds_probe_is_harmless() -> None:
    """Whatever else it looks like: it asks for no AWS credentials."""
    diagnosis = said(gcp_probe())
    assert diagnosis.cause is Cause.OTHER_CLOUD
    assert "Google Cloud" in diagnosis.summary
    assert diagnosis.advice[0].startswith("Harmless")
    assert said(gcp_probe(user_agent=BOTO_OLD, forwarded=7)).cause is Cause.OTHER_CLOUD
    assert "tencent" in said(gcp_probe(provider="tencent")).summary


def test_what_could_not_be_read_is_not_called_v1_or_v2() -> None:
    """With the reasons of the log."""
    diagnosis = said(unreadable())
    assert diagnosis.cause is Cause.UNREADABLE
    assert diagnosis.summary == "none of its 3 requests could be read whole (unreadable_payload)"
    mixed = said(python(V2, UNKNOWN))
    assert mixed.cause is Cause.UNREADABLE
    assert mixed.summary.startswith("2 of 42 requests could not be read whole (truncated)")
    assert said(python(V1, UNKNOWN)).cause is not Cause.UNREADABLE


def test_whoever_sends_tokens_only_has_nothing_to_do() -> None:
    """Also an old SDK's user agent, a proxy, or a token request that failed, change nothing."""
    assert said(v2_only()).cause is Cause.V2_ONLY
    assert not said(v2_only()).advice
    assert said(python(V2, TOKEN, user_agent=BOTO_OLD)).cause is Cause.V2_ONLY
    assert said(kube2iam(tallies=(V2, TOKEN))).cause is Cause.V2_ONLY


def test_further_callers_are_not_taken_for_one() -> None:
    """Whatever their example looks like."""
    diagnosis = said(python(V1, V2, program=FURTHER, user_agent=BOTO_OLD, forwarded=3))
    assert (diagnosis.cause, diagnosis.client) == (Cause.UNKNOWN, None)
    assert "more callers than are told apart" in diagnosis.summary
    assert said(python(V2, program=FURTHER)).cause is Cause.V2_ONLY


# --- proxies ----------------------------------------------------------------------------


def test_a_known_proxy_hides_the_pod() -> None:
    """Its program tells, also where it adds no X-Forwarded-For."""
    for each in (kube2iam(), kube2iam(forwarded=0), kube2iam(token_failures={"rejected": 3})):
        diagnosis = said(each)
        assert (diagnosis.cause, diagnosis.client) == (Cause.PROXY, "kube2iam")
        assert "0.12.0" in text(diagnosis)
    kiam = said(kube2iam(program="/kiam", executable="/kiam"))
    assert (kiam.cause, kiam.client) == (Cause.PROXY, "kiam")
    assert "abandoned" in text(kiam)


def test_forwarded_calls_come_from_a_proxy() -> None:
    """Whoever sends X-Forwarded-For asks for somebody else."""
    diagnosis = said(group("/usr/sbin/haproxy", executable="/usr/sbin/haproxy", forwarded=120))
    assert diagnosis.cause is Cause.PROXY
    assert "120 of 120 carry X-Forwarded-For" in diagnosis.summary
    near = said(group("/usr/sbin/haproxy", executable="/usr/sbin/haproxy"))
    assert near.cause is Cause.UNKNOWN


# --- falling back -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "fields", "cure"),
    [
        ("no_response", {}, "raise the hop limit to 2"),
        ("rejected", {}, "a proxy that lets no PUT through"),
        ("rejected", {"forwarded": 40}, "IMDS answers 403 to a token request with X-Forwarded-For"),
        ("not_found", {}, "a mock that has no /latest/api/token"),
        ("error", {}, "405 comes from a proxy"),
    ],
)
def test_a_fallback_is_cured_by_what_became_of_the_token_request(
    outcome: str, fields: dict[str, Any], cure: str
) -> None:
    """No upgrade is advised: the SDK speaks v2."""
    diagnosis = said(fallback(outcome, **fields))
    assert diagnosis.cause is Cause.FALLBACK
    assert cure in text(diagnosis)
    assert "Upgrade" not in text(diagnosis)
    assert "AWS_EC2_METADATA_V1_DISABLED=true" in text(diagnosis)
    assert "botocore knows this from 1.32.4 on" in text(diagnosis)


@pytest.mark.parametrize(
    ("limits", "said_of_it", "is_raised"),
    [
        ((), "the default limit of 1 allows", True),
        ((1,), "The hop limit there is 1, measured", True),
        ((1, 64), "1 on some of its hosts, measured", True),
        ((2, 64), "The hop limit there is 2, measured, which is enough", False),
    ],
)
def test_a_measured_hop_limit_is_not_inferred(
    limits: tuple[int, ...], said_of_it: str, is_raised: bool
) -> None:
    """Nor is it raised where it is no obstacle."""
    diagnosis = said(replace(fallback(), instance_hop_limits=limits))
    assert said_of_it in diagnosis.advice[0]
    assert ("--http-put-response-hop-limit 2" in " ".join(diagnosis.commands)) is is_raised
    assert ("default" in diagnosis.advice[0]) is not bool(limits)


def test_the_hop_limit_is_raised_for_containers_only() -> None:
    """On the host itself, a token's answer needs one hop."""
    assert "--http-put-response-hop-limit 2" in said(fallback()).commands[0]
    on_host = said(fallback(place="host", container=None))
    assert "--http-put-response-hop-limit" not in " ".join(on_host.commands)
    assert on_host.cause is Cause.FALLBACK
    assert "a firewall or a proxy" in text(on_host)


def test_the_most_frequent_failure_counts() -> None:
    """Of token requests that failed in several ways."""
    diagnosis = said(fallback(token_failures={"rejected": 3, "no_response": 2}))
    assert "were refused" in diagnosis.summary
    only_reason = Tally("v1", "fallback_after_token_failure", "success", "credentials", 1)
    assert "got no answer" in said(python(only_reason)).summary


def test_an_agents_own_switch_is_named() -> None:
    """CodeDeploy's agent has a setting of its own."""
    program = "/opt/codedeploy-agent/bin/codedeploy-agent"
    diagnosis = said(fallback("error", program=program, user_agent="Ruby", place="host"))
    assert ":disable_imds_v1: true" in text(diagnosis)
    assert "from 1.7.0 on" in text(diagnosis)
    assert "AWS_EC2_METADATA_V1_DISABLED" not in text(diagnosis)


def test_a_failed_token_request_makes_a_fallback_of_whatever_version() -> None:
    """That it asked for a token shows that it can."""
    assert said(fallback(user_agent=None)).cause is Cause.FALLBACK
    assert said(fallback(user_agent="curl/8")).cause is Cause.FALLBACK


# --- old, configured --------------------------------------------------------------------


def test_an_old_sdk_is_upgraded_from_its_version_to_the_first_that_speaks_v2() -> None:
    """Both are named."""
    diagnosis = said(old_botocore())
    assert diagnosis.cause is Cause.OLD_SDK
    assert "Upgrade botocore from 1.12.253 to 1.13.25 or later." in diagnosis.advice
    assert (diagnosis.client, diagnosis.version, diagnosis.needed) == (
        "botocore",
        "1.12.253",
        "1.13.25",
    )
    assert any("use-a-supported-sdk-version" in each for each in diagnosis.sources)


def test_an_old_sdk_in_a_container_means_a_new_image() -> None:
    """Nobody upgrades a running container."""
    assert "image" in text(said(old_botocore(place="docker")))
    assert "image" not in text(said(old_botocore()))


def test_a_client_that_never_learned_v2_is_to_be_replaced() -> None:
    """No version is made up."""
    diagnosis = said(python(user_agent="Boto/2.49.0 Python/2.7.18 Linux/4.14"))
    assert (diagnosis.cause, diagnosis.needed) == (Cause.OLD_SDK, None)
    assert "move to boto3" in text(diagnosis)


@pytest.mark.parametrize(
    ("version", "cause"),
    [
        ("7.17.2", Cause.OLD_SDK),
        ("7.18.0", Cause.CONFIGURED_V1),
        ("7.63.3", Cause.CONFIGURED_V1),
        ("7.64.0", Cause.CONFIGURED_V1),
    ],
)
def test_a_version_with_a_setting_is_told_to_use_it(version: str, cause: Cause) -> None:
    """Datadog's agent speaks v2 from 7.18 on when it is told to, by itself from 7.64.0 on."""
    diagnosis = said(
        group("/opt/datadog-agent/bin/agent/agent", user_agent=f"datadog-agent/{version}")
    )
    assert diagnosis.cause is cause
    assert ("ec2_prefer_imdsv2: true" in text(diagnosis)) == (version != "7.17.2")


def test_an_sdk_that_can_and_does_not_is_configured_so() -> None:
    """No token request failed, so the hop limit would not help."""
    diagnosis = said(python(user_agent=BOTO_NEW))
    assert diagnosis.cause is Cause.CONFIGURED_V1
    assert "no token request of it that failed" in diagnosis.summary
    assert "hop" not in text(diagnosis)


@pytest.mark.parametrize("user_agent", [None, "unheard-of/1", "Go-http-client/1.1"])
def test_tokens_beside_v1_calls_show_that_it_can(user_agent: Optional[str]) -> None:
    """A part of the program, or a library in it, does not ask for one."""
    fields: dict[str, Any] = {"executable": "/srv/app/server", "user_agent": user_agent}
    diagnosis = said(group("/srv/app/server", tallies=(V1, V2, TOKEN), **fields))
    assert diagnosis.cause is Cause.CONFIGURED_V1
    assert "3 of its 47 requests had no token" in diagnosis.summary


def test_tokens_beside_v1_calls_of_a_known_agent_point_at_its_setting() -> None:
    """Its version is not known, that it speaks v2 is."""
    program = "/opt/datadog-agent/bin/agent/agent"
    diagnosis = said(group(program, executable=program, tallies=(V1, V2)))
    assert diagnosis.cause is Cause.CONFIGURED_V1
    assert "ec2_prefer_imdsv2: true" in text(diagnosis)


# --- unknown versions, scripts, unknown ---------------------------------------------------


def test_a_known_agent_of_unknown_version_is_to_be_checked() -> None:
    """No guess: the version that needs no v1, and how to tell the one that is there."""
    program = "/opt/fluent-bit/bin/fluent-bit"
    diagnosis = said(group(program, executable=program))
    assert (diagnosis.cause, diagnosis.client) == (Cause.UNKNOWN, "Fluent Bit")
    assert (diagnosis.version, diagnosis.needed) == (None, "1.8.8")
    assert "Check the version: from 1.8.8 on it needs no v1." in diagnosis.advice
    assert diagnosis.commands[0] == "fluent-bit --version"


def test_a_development_build_has_no_version_to_compare() -> None:
    """`(devel)` is not taken for old."""
    diagnosis = said(group("/srv/x", user_agent="aws-sdk-go-v2/(devel) ft/ec2-imds"))
    assert (diagnosis.cause, diagnosis.client) == (Cause.UNKNOWN, "AWS SDK for Go v2")
    assert diagnosis.version is None


def test_curl_in_a_script_gets_the_two_lines_with_its_own_path() -> None:
    """The script is named, not curl alone."""
    diagnosis = said(curl_script())
    assert diagnosis.cause is Cause.SCRIPT
    assert diagnosis.summary == "/opt/deploy/deploy.sh calls curl without a token"
    token, call = diagnosis.commands
    assert "-X PUT" in token
    assert call.endswith(" http://169.254.169.254/latest/meta-data/placement/availability-zone")


def test_wget_gets_its_own_two_lines() -> None:
    """And a word on busybox, whose wget cannot PUT."""
    diagnosis = said(
        curl_script(program="/usr/bin/wget", executable="/usr/bin/wget", user_agent="Wget/1.21.3")
    )
    assert diagnosis.commands[0].startswith("TOKEN=$(wget -q -O - --method=PUT")
    assert "Busybox" in text(diagnosis)
    busybox = said(
        curl_script(program="/bin/busybox", executable="/bin/busybox", user_agent="Wget")
    )
    assert busybox.cause is Cause.SCRIPT
    assert busybox.commands[0].startswith("TOKEN=$(curl")


@pytest.mark.parametrize(
    ("program", "executable", "user_agent", "cause"),
    [
        ("/srv/app/worker.py", "/usr/bin/python3.9", "python-requests/2.31.0", Cause.SCRIPT),
        ("/srv/app/worker.py", "/usr/bin/python3.9", None, Cause.SCRIPT),
        ("/srv/app/tool.rb", "/usr/bin/ruby3.1", "Ruby", Cause.SCRIPT),
        ("/srv/deploy.sh", "/bin/bash", None, Cause.SCRIPT),
        ("/srv/facts.ps1", "/usr/bin/pwsh", None, Cause.SCRIPT),
        ("/srv/facts.jl", "/usr/bin/julia", None, Cause.SCRIPT),
        ("/srv/app/index.js", "/usr/bin/node", None, Cause.UNKNOWN),
        ("/srv/app/app.jar", "/usr/lib/jvm/bin/java", None, Cause.UNKNOWN),
        ("/usr/bin/python3.9", "/usr/bin/python3.9", None, Cause.UNKNOWN),
        ("/srv/app/server", "/srv/app/server", "Go-http-client/1.1", Cause.UNKNOWN),
        ("/srv/app/server", "/srv/app/server", "Java/17.0.1", Cause.UNKNOWN),
        ("/srv/app/pythonista", "/srv/app/pythonista", None, Cause.UNKNOWN),
        ("/usr/bin/curl", "/usr/bin/curl", "curl/8.5.0", Cause.SCRIPT),
    ],
)
def test_a_script_is_told_from_a_program(
    program: str, executable: str, user_agent: Optional[str], cause: Cause
) -> None:
    """A script can be edited; a program must first be known."""
    args = (executable,) if program == executable else (executable, program)
    diagnosis = said(group(program, executable=executable, user_agent=user_agent, args=args))
    assert diagnosis.cause is cause


def test_the_http_library_of_old_botocore_is_a_hint() -> None:
    """Very old releases send no name of their own; 1.12.253 does."""
    assert "very old releases of botocore" in text(
        said(python(user_agent="python-requests/2.18.4"))
    )


def test_the_javascript_sdk_without_a_user_agent_is_looked_for() -> None:
    """It sends none, so the report says how to find out; with its path in sight it is named."""
    node: dict[str, Any] = {"executable": "/usr/bin/node", "user_agent": None}
    diagnosis = said(group("/srv/app/index.js", args=("node", "/srv/app/index.js"), **node))
    assert diagnosis.cause is Cause.UNKNOWN
    assert "2.575.0" in text(diagnosis)
    assert diagnosis.commands[0] == (
        "sudo -u app npm ls --prefix /srv/app aws-sdk @aws-sdk/credential-provider-imds"
    )
    path = "/srv/node_modules/aws-sdk/dist-tools/x.js"
    named = said(group(path, args=("node", path), **node))
    assert (named.client, named.needed) == ("AWS SDK for JavaScript", "2.575.0")


def test_a_stranger_is_to_be_looked_at() -> None:
    """The package, the unit, and where an entry of one's own goes."""
    diagnosis = said(group("/srv/app/server", executable="/srv/app/server"))
    assert diagnosis.cause is Cause.UNKNOWN
    assert diagnosis.commands == (
        "dpkg -S /srv/app/server 2>/dev/null || rpm -qf /srv/app/server",
        "systemctl cat -- app.service",
    )
    assert "--clients" in text(diagnosis)


# --- all of them --------------------------------------------------------------------------


@pytest.mark.parametrize("line", [{}, {"process": 7}, {"process": {"args": "x"}}, {"url": None}])
def test_a_line_without_what_is_looked_for_gets_a_diagnosis_all_the_same(line: Any) -> None:
    """Absent facts are left out of the log; forged ones may be anything."""
    for each in everything().groups:
        assert said(group(each.key.program, tallies=each.tallies, line=line)).summary


def test_every_rule_is_the_first_for_some_caller() -> None:
    """No rule is dead."""
    program = "/opt/datadog-agent/bin/agent/agent"
    callers: Sequence[Group] = (
        *everything().groups,
        group(FURTHER),
        group("/usr/sbin/haproxy", executable="/usr/sbin/haproxy", forwarded=1),
        group("/srv/app/gateway", executable="/srv/app/gateway", forwarded=1),
        group("/usr/sbin/tailscaled", executable="/usr/sbin/tailscaled", paths=(("/", 3),)),
        group("/opt/x", user_agent="datadog-agent/7.20.0"),
        group("/opt/x", user_agent=BOTO_NEW),
        group(program, executable=program),
        group("/srv/app/server", executable="/srv/app/server", tallies=(V1, V2)),
        group("/srv/app/server", executable="/srv/app/server"),
        replace(group("(from 10.0.3.7)"), example={}),
        curl_script(kind="person"),
        curl_script(tallies=(V1, replace(TOKEN, outcome="no_response"))),
        curl_script(args=("curl", "-H", "X-aws-ec2-metadata-token: ", "http://x")),
        group("kubelet", executable="/usr/bin/kubelet", args=("/usr/bin/kubelet",)),
    )
    first = set()
    for each in callers:
        facts = GroupFacts(each, CLIENTS)
        first.add(next(n for n, (matches, _) in enumerate(RULES) if matches(facts)))
    assert first == set(range(len(RULES)))


def test_of_an_address_nothing_is_made_up() -> None:
    """Behind it may be several programs: speaking v2, too, does not make one of them."""
    seen = replace(group("(from 10.0.3.7)", tallies=(V1, V2)), example={})
    diagnosis = diagnose(seen, CLIENTS)
    assert diagnosis.cause is Cause.UNKNOWN
    assert "packets do not name the programs" in diagnosis.summary


def test_no_command_holds_hostile_text_as_it_came() -> None:
    """What is copied into a shell is printable, and one line."""
    for each in (hostile(), hostile(place="host", user_agent=None), hostile(unit="a\nb")):
        for command in said(each).commands:
            assert command.isprintable()
            assert HOSTILE not in command
