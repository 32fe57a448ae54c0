"""The calls of the lab in a real account are named by the recorder, each with its version."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from analyzer.lab.imds import ImdsProcess
from analyzer.lab.namespace import LabNamespace
from analyzer.lab.observed_calls import LogTail, ObservedCall
from analyzer.lab.observer import ObserverProcess
from analyzer.lab.service import MetadataOptions

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]

SCRIPT = Path(__file__).parents[2] / "deploy" / "aws-lab" / "terraform" / "user-data.sh.tftpl"


def _calls_script() -> str:
    found = re.search(
        r"^cat >/usr/local/bin/imds-calls <<'END'\n(.*?)^END$",
        SCRIPT.read_text("utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    assert found is not None
    return found[1]


@pytest.mark.parametrize("require_tokens", [False, True])
def test_the_instances_calls_are_named(tmp_path: Path, *, require_tokens: bool) -> None:
    """Also where v1 is refused, because the program goes on."""
    program = tmp_path / "imds-calls"
    program.write_text(_calls_script(), encoding="utf-8")
    program.chmod(0o700)
    log = tmp_path / "imds.jsonl"
    options = MetadataOptions(require_tokens=require_tokens)
    with LabNamespace() as namespace, ImdsProcess(namespace, options):
        tail = LogTail(log)
        with ObserverProcess(log, tmp_path, prefix=namespace.command([])) as observer:
            namespace.run([str(program)], check=False)
            observer.drain()
        seen = tail.read()
    assert Counter(map(_summary, seen)) == Counter(
        {
            ("curl", "v1", "GET"): 1,
            ("python3", "v1", "GET"): 1,
            ("curl", "v2", "PUT"): 1,
            ("curl", "v2", "GET"): 1,
        }
    )
    assert all("imds-calls" in {actor.name for actor in call.actors} for call in seen)


def _summary(call: ObservedCall) -> tuple[str, str, str]:
    return call.actors[0].name, call.call.version, call.call.method
