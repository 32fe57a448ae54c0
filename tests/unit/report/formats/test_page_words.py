"""Names that tell callers apart, and where a name may be broken."""

from __future__ import annotations

from typing import Any

import pytest

from analyzer.report.formats.page_words import WORD_MAX, Label, ids, labels, pieces
from analyzer.report.formats.reason_words import REASONS, reason
from analyzer.report.verdict.rules import EFFECTS
from tests.unit import report_samples as samples

AGENT = "/usr/bin/agent"


def broken(text: str) -> list[str]:
    """Return the pieces of a name."""
    return [piece for word in pieces(text) for piece, _ in word]


def test_each_rule_has_a_short_name() -> None:
    """A code of a later rule is at least put into words."""
    assert set(EFFECTS) <= set(REASONS)
    assert len(set(REASONS.values())) == len(REASONS)
    assert reason("no_such_rule") == "no such rule"


class TestLabels:
    """What callers are called."""

    def test_a_caller_alone_needs_no_detail(self) -> None:
        called = labels([samples.group(AGENT), samples.curl_script()])
        assert called[(AGENT, "aws")] == Label("agent")
        assert called[("/usr/bin/curl", "aws")].whole == "curl ← deploy.sh"

    def test_ten_agents_are_told_apart_by_their_units(self) -> None:
        agents = [samples.group(AGENT, caller=f"{n}", unit=f"team-{n}.service") for n in range(10)]
        called = labels(agents)
        assert called[("3", "aws")] == Label("agent", "team-3.service")
        assert len({each.whole for each in called.values()}) == 10

    @pytest.mark.parametrize(
        ("field", "detail"),
        [
            ({"launcher": "/opt/b/run.sh"}, "/opt/b/run.sh"),
            ({"unit": "b.service"}, "b.service"),
            ({"program": "/opt/b/agent"}, "/opt/b/agent"),
            ({"place": "docker"}, "docker"),
            ({"users": ("b",)}, "as b"),
            ({"kind": "script"}, "script"),
            ({"user_agent": "b/1.0"}, "b/1.0"),
            ({"paths": (("/latest/b", 1),)}, "/latest/b"),
            ({"caller": "b"}, "b"),
        ],
    )
    def test_one_differing_fact_is_all_that_is_said(
        self, field: dict[str, Any], detail: str
    ) -> None:
        fields: dict[str, Any] = {"program": AGENT, "caller": "c", "launcher": "/opt/a/run.sh"}
        one = samples.group(**{**fields, "caller": "a"})
        other = samples.group(**{**fields, **field})
        called = labels([one, other])
        assert called[(field.get("caller", "c"), "aws")].detail == detail

    def test_without_any_unit_the_others_are_still_told_apart(self) -> None:
        with_unit = samples.group(AGENT, caller="a", unit="a.service")
        without = samples.group(AGENT, caller="b", unit=None)
        details = [each.detail for each in labels([with_unit, without]).values()]
        assert details == ["a.service", "no unit"]


class TestPieces:
    """Where a name may be broken."""

    @pytest.mark.parametrize(
        "name", ["ip-10-0-3-7", "i-0123456789abcdef0", "amazon-ssm-agent.service", "a/b/c"]
    )
    def test_a_short_word_is_never_broken(self, name: str) -> None:
        assert broken(name) == [name]

    def test_a_long_name_is_broken_between_its_parts(self) -> None:
        name = "ip-10-0-3-7.eu-central-1.compute.internal"
        assert broken(name) == ["ip-10-0-3-7.", "eu-central-1.", "compute.", "internal"]

    def test_a_long_part_is_broken_behind_its_hyphens(self) -> None:
        name = "web-frontend-production-eu-central-1a"
        assert broken(name) == ["web-", "frontend-", "production-", "eu-", "central-", "1a"]

    def test_an_instance_id_in_a_command_stays_whole(self) -> None:
        command = "aws --instance-id i-0123456789abcdef0 --http-tokens required"
        assert [each for each, is_id in ids(command) if is_id] == ["i-0123456789abcdef0"]
        assert "".join(each for each, _ in ids(command)) == command
        assert ids("aws ec2-i-nothing") == (("aws ec2-i-nothing", False),)

    def test_nothing_of_a_name_is_lost(self) -> None:
        for text in (samples.HOSTILE, "a b  c", "", "/" * 100, "é" * 100, "curl ← deploy.sh"):
            assert " ".join("".join(p for p, _ in word) for word in pieces(text)) == text

    def test_what_no_line_holds_is_broken_anywhere(self) -> None:
        assert pieces("x" * (WORD_MAX + 1)) == ((("x" * (WORD_MAX + 1), "long"),),)
        assert pieces("x" * WORD_MAX) == ((("x" * WORD_MAX, ""),),)
