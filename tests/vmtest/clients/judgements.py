"""What the table of clients says of each, held against what the client did and what report says.

A client is looked up by its library or package with the version that is installed. Then ``report``
judges the requests that the log has of it.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Optional

from analyzer.clients.entry import Client as Entry
from analyzer.clients.reading import load_clients
from analyzer.report.diagnosis.rules import diagnose
from analyzer.report.engine.duckdb import gather
from analyzer.report.engine.gathering import Options
from analyzer.report.inputs import open_inputs
from analyzer.report.result import Cause, Diagnosis
from tests.vmtest.clients.evidence import Line, kind

CAN_JUDGE = importlib.util.find_spec("duckdb") is not None  # an extra, which guests may lack
_CLIENTS = load_clients()


class Judgement(NamedTuple):
    """One client of the table. ``listed`` is a library, ecosystem first, or ``deb:`` a package.

    ``named`` is the entry that report finds by the log alone, ``has_version`` whether the log
    states its version; None stands for nobody.
    """

    listed: str
    named: Optional[str]
    has_version: bool
    cause: Cause


JUDGEMENTS: Mapping[str, Judgement] = {
    "botocore": Judgement("pypi:botocore", "botocore", True, Cause.V2_ONLY),
    "botocore 1.12": Judgement("pypi:botocore", "botocore", True, Cause.OLD_SDK),
    "botocore 1.13.25": Judgement("pypi:botocore", "botocore", True, Cause.V2_ONLY),
    "boto 2": Judgement("pypi:boto", "Python's HTTP libraries", False, Cause.SCRIPT),
    "AWS CLI": Judgement("deb:awscli", "AWS CLI 2", True, Cause.V2_ONLY),
    "AWS CLI 1.16.250": Judgement("pypi:awscli", "AWS CLI", True, Cause.OLD_SDK),
    "AWS CLI 1": Judgement("pypi:awscli", "AWS CLI", True, Cause.V2_ONLY),
    "JavaScript SDK 2.573": Judgement("npm:aws-sdk", "AWS SDK for JavaScript", True, Cause.OLD_SDK),
    "JavaScript SDK 2": Judgement("npm:aws-sdk", "Node.js", False, Cause.V2_ONLY),
    "s3cmd 2.2": Judgement("pypi:s3cmd", "s3cmd", False, Cause.UNKNOWN),
    "s3cmd 2.3": Judgement("pypi:s3cmd", "s3cmd", False, Cause.V2_ONLY),
    "s3cmd 2.4": Judgement("pypi:s3cmd", "s3cmd", False, Cause.V2_ONLY),
    "ec2-metadata 1.8": Judgement(
        "pypi:ec2-metadata", "Python's HTTP libraries", False, Cause.SCRIPT
    ),
    "ec2-metadata": Judgement("pypi:ec2-metadata", "Python's HTTP libraries", False, Cause.V2_ONLY),
    "s3fs": Judgement("deb:s3fs", "s3fs", True, Cause.OLD_SDK),
    "ec2metadata": Judgement(
        "deb:cloud-guest-utils", "ec2metadata (cloud-guest-utils)", False, Cause.V2_ONLY
    ),
    # Later versions send a user agent of their own.
    "ec2-net-utils": Judgement("deb:amazon-ec2-net-utils", "curl", False, Cause.V2_ONLY),
    "Ohai": Judgement("deb:ohai", "Ruby's HTTP client", False, Cause.V2_ONLY),
    "Facter": Judgement("deb:facter", "Ruby's HTTP client", False, Cause.V2_ONLY),
    "Ruby SDK": Judgement("deb:ruby-aws-sdk-core", "AWS SDK for Ruby", True, Cause.V2_ONLY),
    "Go SDK": Judgement("go:github.com/aws/aws-sdk-go", "AWS SDK for Go", True, Cause.V2_ONLY),
    "Go SDK v2": Judgement(
        "go:github.com/aws/aws-sdk-go-v2", "AWS SDK for Go v2", True, Cause.V2_ONLY
    ),
    "minio-go": Judgement("go:github.com/minio/minio-go/v7", "Go's net/http", False, Cause.V2_ONLY),
}


def problems(name: str, version: str, lines: Sequence[Line], scratch: Path) -> Iterator[str]:
    """Yield what the table or the report gets wrong about one client's requests."""
    judgement = JUDGEMENTS.get(name)
    if judgement is None or not lines or not CAN_JUDGE:
        return
    yield from _wrong_in_table(judgement, version, lines)
    yield from _wrong_in_report(judgement, version, said_of(lines, scratch))


def summary(name: str, lines: Sequence[Line], scratch: Path) -> str:
    """Return what the report's table has of a client: who it is, and the cause."""
    if name not in JUDGEMENTS or not lines or not CAN_JUDGE:
        return ""
    return "\n".join(
        f"{each.client or 'nobody'} {each.version or ''}: {each.cause.value}".replace(" :", ":")
        for each in said_of(lines, scratch)
    )


def said_of(lines: Sequence[Line], scratch: Path) -> Sequence[Diagnosis]:
    """Return what report says of requests: one diagnosis for each caller."""
    log = scratch / "one-client.jsonl"
    log.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    with open_inputs([str(log)], ()) as inputs:
        return [diagnose(group, _CLIENTS) for group in gather(inputs, Options()).groups]


def _wrong_in_table(judgement: Judgement, version: str, lines: Sequence[Line]) -> Iterator[str]:
    entry = _maybe_entry(judgement.listed, version)
    if entry is None:
        yield f"no entry of the table names {judgement.listed}"
        return
    asks_v1 = any(kind(line).version == "v1" for line in lines)
    if entry.maybe_is_below(version) is not asks_v1:
        did = "asked without a token" if asks_v1 else "asked with tokens alone"
        yield f"{version} {did}, and the table has {entry.name} need {entry.needs}"


def _maybe_entry(listed: str, version: str) -> Optional[Entry]:
    ecosystem, _, name = listed.partition(":")
    if ecosystem == "deb":
        return _CLIENTS.maybe_package(name, version)
    return _CLIENTS.maybe_library(ecosystem, name, version)


def _wrong_in_report(
    judgement: Judgement, version: str, said: Sequence[Diagnosis]
) -> Iterator[str]:
    if len(said) != 1:
        yield f"the report has {len(said)} callers for it"
        return
    (one,) = said
    if one.client != judgement.named:
        yield f"the report recognises {one.client}, not {judgement.named}"
    if one.cause is not judgement.cause:
        yield f"the report gives the cause {one.cause.value}, not {judgement.cause.value}"
    if judgement.has_version and not version.startswith(one.version or "?"):
        yield f"the report has the version {one.version}, and it is {version}"
