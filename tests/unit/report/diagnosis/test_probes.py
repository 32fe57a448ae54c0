"""Programs that look which cloud they run on, by lines as the recorder writes them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.unit.report.diagnosis.recorded import INSTANCE_ID, NOW, Asked, Who, document

GO = Who("/srv/app/server", unit="server.service")
RUBY = Who("/usr/bin/ruby3.1", ("ruby", "/srv/app/worker.rb"), unit="worker.service")
TAILSCALE = Who("/usr/sbin/tailscaled", unit="tailscaled.service")
GCLOUD = "User-Agent: gcloud-golang/0.1"
CASES: dict[str, tuple[list[Asked], str, str, str]] = {
    "google-go": ([Asked(GO, "/", [GCLOUD])], "gcp", "other_cloud", "MetadataNoToken"),
    "google-go-refused": (
        [Asked(GO, "/", [GCLOUD], status=401)], "gcp", "other_cloud", "Harmless"
    ),
    "google-go-with-its-header": (
        [Asked(GO, "/", [GCLOUD, "Metadata-Flavor: Google"])], "gcp", "other_cloud", "Harmless"
    ),
    "google-by-name": (
        [Asked(GO, "/", ["Host: metadata.google.internal"])], "gcp", "other_cloud", "Harmless"
    ),
    "azure-attested": (
        [Asked(GO, "/metadata/attested/document?api-version=2020-09-01", status=404)],
        "azure", "other_cloud", "Harmless",
    ),
    "old-googleauth": (
        [Asked(RUBY, "/", ["User-Agent: Faraday v0.15.4"])], "aws", "probe", "0.12.0"
    ),
    "tailscale": (
        [Asked(TAILSCALE, "/", ["User-Agent: Go-http-client/1.1"], method="HEAD")],
        "aws", "probe", "Upgrade Tailscale",
    ),
    "anybody": ([Asked(GO, "/", ["User-Agent: Go-http-client/1.1"])], "aws", "probe", "401"),
    # Neighbours: who asks for more than that, and who only borrows the name.
    "more": (
        [Asked(GO, "/", ["User-Agent: Go-http-client/1.1"]),
         Asked(GO, INSTANCE_ID, ["User-Agent: Go-http-client/1.1"], NOW)],
        "aws", "unknown", "upgrade it or its AWS SDK",
    ),
    "name-elsewhere": (
        [Asked(GO, INSTANCE_ID, [GCLOUD])], "aws", "unknown", "upgrade it or its AWS SDK"
    ),
    "curl": (
        [Asked(Who("/usr/bin/curl", ("curl", "-I", "x")), "/", ["User-Agent: curl/8"])],
        "aws", "script", "Ask for a token first",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def callers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    asked = [
        each._replace(who=each.who._replace(uid=4000 + number))
        for number, (requests, *_) in enumerate(CASES.values())
        for each in requests
    ]
    found: dict[str, Any] = {}
    for each in document(tmp_path_factory.mktemp("probes"), *asked)["callers"]:
        (number,) = re.findall(r"uid=(\d+)", each["caller"])
        found[list(CASES)[int(number) - 4000]] = each
    return found


@pytest.mark.parametrize("name", CASES)
def test_a_probe_is_told_from_a_call(name: str, callers: dict[str, Any]) -> None:
    """Only what is certain is said to be another cloud's."""
    _, provider, cause, text = CASES[name]
    assert callers[name]["provider"] == provider
    assert callers[name]["diagnosis"]["cause"] == cause
    assert text in " ".join(callers[name]["diagnosis"]["advice"])


def test_what_is_no_others_for_certain_counts(tmp_path: Path) -> None:
    """A probe of nobody known is IMDSv1, and in the way."""
    found = document(tmp_path, *CASES["tailscale"][0])
    assert found["verdict"]["judgement"] == "NOT SAFE"
    assert document(tmp_path, *CASES["google-go"][0])["verdict"]["judgement"] != "NOT SAFE"
