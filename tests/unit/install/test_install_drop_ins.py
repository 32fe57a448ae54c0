"""Which drop-ins a host's unit gets, by what is on the host.

The facts are gathered and judged in this process; the last tests have install.sh carry it out.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.install.host import CONFIG, DROP_INS, Host

# Orderings as they come from fstab, by way of others; every loop must end, too.
NFS = """opt.mount After=remote-fs-pre.target
remote-fs-pre.target After=nfs-client.target opt.mount
nfs-client.target After=network-online.target
network-online.target After=network.target
network.target After=network-pre.target
"""


METRICS = '[metrics]\nprometheus = "127.0.0.1:9469"\n'
PACKET = '[capture]\nsource = "packet"\n'
CAPABILITIES = "proc/sys/kernel/cap_last_cap"
BTF = "sys/kernel/btf/vmlinux"


def planned(host: Host) -> set[str]:
    """Return the drop-ins that the host is to have."""
    places = [Path(line[2]) for line in host.plan("service") if line[0] == "install-file"]
    return {place.stem for place in places if place.suffix == ".conf"}


def change(host: Host, changes: dict[str, str | None]) -> dict[str, str | None]:
    """Write files, or remove them; returns what takes it back."""
    kept: dict[str, str | None] = {}
    for path, text in changes.items():
        file = host.root / path
        kept[path] = file.read_text(encoding="utf-8") if file.exists() else None
        if text is None:
            file.unlink()
        else:
            host.write(path, text)
    return kept


@pytest.mark.parametrize(
    ("path", "text", "drop_ins"),
    [
        (CAPABILITIES, "37\n", {"before-cloud-init", "sys-admin"}),
        ("systemd", "239\n", {"before-cloud-init", "sys-admin"}),
        ("systemd", "254\n", {"before-cloud-init", "backoff"}),
        (CONFIG, METRICS, {"before-cloud-init", "prometheus-tcp"}),
        (CONFIG, PACKET, {"before-cloud-init", "packet"}),
        (BTF, None, {"bcc"}),
    ],
)
def test_what_is_on_the_host(host: Host, path: str, text: str | None, drop_ins: set[str]) -> None:
    kept = change(host, {path: text})
    assert planned(host) == drop_ins
    # Gone when there is no reason any more.
    change(host, kept)
    assert planned(host) == {"before-cloud-init"}


@pytest.mark.parametrize(
    ("changes", "drop_ins"),
    [
        (
            {CAPABILITIES: "37\n", "systemd": "254\n", CONFIG: METRICS + PACKET},
            {"before-cloud-init", "sys-admin", "backoff", "prometheus-tcp", "packet"},
        ),
        ({BTF: None}, {"bcc"}),
        (
            {"proc/sys/kernel/perf_event_paranoid": "3\n", "chosen": "core/kprobe\n", "after": NFS},
            {"sys-admin"},
        ),
    ],
)
def test_install_sh_carries_it_out(
    running: Host, changes: dict[str, str | None], drop_ins: set[str]
) -> None:
    kept = change(running, changes)
    done = running.run()
    assert done.returncode == 0, done.stderr
    assert {path.stem for path in (running.root / DROP_INS).iterdir()} == drop_ins
    assert ("The service will not start before cloud-init: a mount" in done.stdout) == (
        "after" in changes
    )
    change(running, kept)
    assert running.run().returncode == 0
    assert {path.stem for path in (running.root / DROP_INS).iterdir()} == {"before-cloud-init"}


@pytest.mark.parametrize(
    ("paranoid", "chosen", "config", "wanted"),
    [
        (2, "core/kprobe", "", False),
        (3, "core/kprobe", "", True),
        (4, "core/tracepoint", "", True),
        (3, "core/fentry", "", False),
        (3, "core/fentry", '[capture]\nattach = "kprobe"\n', True),
        (3, "core/fentry", '[capture]\nattach = "fentry"\n', False),
        (3, "core/fentry", '[capture]\nsource = "bcc"\n', True),
    ],
)
def test_capabilities_of_a_paranoid_kernel(
    host: Host, paranoid: int, chosen: str, config: str, *, wanted: bool
) -> None:
    host.write("proc/sys/kernel/perf_event_paranoid", f"{paranoid}\n")
    host.write("chosen", f"{chosen}\n")
    host.write(CONFIG, config)
    assert ("sys-admin" in planned(host)) == wanted


@pytest.mark.parametrize(
    ("chosen", "config", "wanted"),
    [
        ("packet/af_packet", "", True),
        ("core/fentry", "", False),
        ("packet/af_packet", '[capture]\nsource = "core"\n', False),
    ],
)
def test_packets_where_the_kernel_takes_no_probe(
    host: Host, chosen: str, config: str, *, wanted: bool
) -> None:
    host.write("chosen", f"{chosen}\n")
    host.write(CONFIG, config)
    assert ("packet" in planned(host)) == wanted


@pytest.mark.parametrize("value", ['""', '"unix:/run/imds-analyzer/metrics.sock"'])
def test_metrics_that_need_no_network(host: Host, value: str) -> None:
    host.write(CONFIG, f"[metrics]\nprometheus = {value}\n")
    assert "prometheus-tcp" not in planned(host)


@pytest.mark.parametrize(
    ("after", "early"),
    [
        ("", True),
        ("opt.mount After=local-fs-pre.target dev-sdb1.device\n", True),
        # As cloud-init writes it, and as NFS comes to it by way of others.
        ("var-log.mount After=local-fs-pre.target cloud-init.service\n", False),
        (NFS, False),
    ],
)
def test_mounts_that_wait_for_cloud_init_or_the_network(
    host: Host, after: str, *, early: bool
) -> None:
    """To wait for them and to stand before cloud-init is unavailable together."""
    host.write("after", after)
    assert ("before-cloud-init" in planned(host)) == early
    said = "".join(words[0] for verb, *words in host.plan("service") if verb == "say")
    assert said.startswith("The service will not start before cloud-init: a mount") != early


@pytest.mark.parametrize(
    ("fstab", "early"),
    [
        ("# /dev/sdb1 /opt ext4 _netdev 0 0\n/dev/sda2 /var/log ext4 defaults 0 2\n", True),
        ("/dev/sdb1 /mnt ext4 defaults,_netdev 0 0\n", True),
        ("LABEL=logs /var/log auto nofail,x-systemd.requires=cloud-init.service 0 2\n", False),
        ("fs-1:/ /opt nfs4 defaults 0 0\n", False),
    ],
)
def test_mounts_of_an_image(host: Host, fstab: str, *, early: bool) -> None:
    """Where no systemd runs that could be asked."""
    (host.root / "run/systemd/system").rmdir()
    host.write("etc/fstab", fstab)
    assert ("before-cloud-init" in planned(host)) == early
