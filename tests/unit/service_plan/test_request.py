"""What install.sh may ask, and what a person who asks for help is told."""

from __future__ import annotations

import pytest

from analyzer.service_plan.request import OPTIONS, PlanRequest, parsed

STAGES = ("packages", "service")


def test_each_field_is_an_option() -> None:
    assert list(PlanRequest._fields) == ["stage", *OPTIONS]


def test_the_options_are_read() -> None:
    asked = parsed(["service", "--python-version=3.9", "--bcc=no", "--offline="], STAGES)
    assert asked == PlanRequest("service", python_version="3.9", bcc="no")
    assert asked.probe is None


@pytest.mark.parametrize("words", [[], ["all"], ["service", "--pyth=3.9"]])
def test_what_is_no_request_ends_with_the_usage(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parsed(words, STAGES)
    assert ended.value.code == 2
    assert "usage: imds-analyzer service-plan" in capsys.readouterr().err


def test_help_explains_each_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parsed(["--help"], STAGES)
    assert not ended.value.code
    said = " ".join(capsys.readouterr().out.split())
    assert "It changes nothing." in said
    for name, (value, text) in OPTIONS.items():
        assert f"--{name.replace('_', '-')} {value} {text}" in said
