"""The live view and the report call the same lines strange."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from analyzer.logline.foreign import language, maybe_foreign
from analyzer.logline.servers import Place, maybe_server
from analyzer.logline.strange import is_strange
from tests.unit.report.diagnosis.recorded import Asked, write
from tests.unit.report.diagnosis.test_forgery import INNOCENTS, SUSPECTS

# These take the history of a caller to see.
_OVER_TIME = "sudden-credentials"


def strange_lines(folder: Path, asked: list[Asked]) -> int:
    path = folder / "imds.jsonl"
    write(path, *asked)
    return sum(is_strange(json.loads(line)) for line in path.read_bytes().splitlines())


@pytest.mark.parametrize("name", [name for name in SUSPECTS if not name.startswith(_OVER_TIME)])
def test_a_suspect_is_seen_in_its_line(name: str, tmp_path: Path) -> None:
    """Among others, too."""
    assert strange_lines(tmp_path, SUSPECTS[name]) == 1


@pytest.mark.parametrize("name", [name for name in INNOCENTS if not name.startswith("kube2iam")])
def test_a_neighbour_is_not(name: str, tmp_path: Path) -> None:
    """Proxies for pods are known to the report alone, by its table of clients."""
    assert strange_lines(tmp_path, INNOCENTS[name]) == 0


def test_a_line_of_another_kind_is_not_strange() -> None:
    """Nor what is no line at all."""
    for fields in ({}, None, {"imds": {"version": "v1"}}, {"imds": 1, "user_agent": []}):
        assert not is_strange(fields)


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("curl/8.5.0", "curl"),
        ("Boto3/1.34 md/Botocore#1.34", "python"),
        ("aws-cli/2.15.0", "python"),
        ("Python/3.11 aiohttp/3.14.5", "python"),
        ("Go-http-client/1.1", "go"),
        ("Apache-HttpClient/4.5 (Java/17)", "java"),
        ("node", "node"),
        ("GuzzleHttp/6.5.5 curl/7.64.0 PHP/7.3", "php"),
        ("Prometheus/2.45.0", None),
        ("x curl/8", None),
    ],
)
def test_a_user_agent_tells_the_language(agent: str, name: str) -> None:
    """By its beginning."""
    assert language(agent) == name


@pytest.mark.parametrize(
    ("names", "place"),
    [
        (["nginx: worker process", "nginx"], Place.REVERSE),
        (["app.py", "python3.11"], None),
        (["gunicorn", "python3.11"], Place.APPLICATION),
        (["php-fpm8.2"], Place.APPLICATION),
        (["squid"], Place.FORWARD),
        (["mynginx"], None),
        ([], None),
    ],
)
def test_a_server_is_known_by_its_name(names: list[str], place: object) -> None:
    """Also where it has put a title in its place."""
    server = maybe_server(names)
    assert (server.place if server else None) is place


def test_hostile_text_costs_nothing() -> None:
    """However long."""
    assert maybe_foreign("a" * 1_000_000, None, ["x"]) is None
