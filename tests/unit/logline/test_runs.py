"""What is left out of paths and units as different in each run."""

# ruff: noqa: S108 (paths of callers; nothing is written there)
from __future__ import annotations

import time

import pytest

from analyzer.logline.runs import is_telling, stable_code, stable_path, stable_unit

UUID, OTHER = "0a1b2c3d-1111-2222-3333-444455556666", "99999999-aaaa-bbbb-cccc-ddddeeeeffff"
# (two runs of one job, another job of the same tool).
RUNS = (
    ("/ws/workspace/job@tmp/durable-1a2b/script.sh", "/ws/workspace/job@2@tmp/durable-ff/script.sh",
     "/ws/workspace/other@tmp/durable-1a2b/script.sh"),
    ("/tmp/jenkins123.sh", "/tmp/jenkins98765432101.sh", "/tmp/other.sh"),
    (f"/opt/codedeploy-agent/deployment-root/{UUID}/d-ABCDEF123/deployment-archive/run.sh",
     f"/opt/codedeploy-agent/deployment-root/{UUID}/d-XYZXYZXYZ/deployment-archive/run.sh",
     f"/opt/codedeploy-agent/deployment-root/{OTHER}/d-ABCDEF123/deployment-archive/run.sh"),
    ("/tmp/terraform_123.sh", "/tmp/terraform_987654.sh", "/tmp/packer-shell123"),
    ("/tmp/chef-script20240101-12-abc", "/tmp/chef-script20250101-9-xyz", "/tmp/chef.sh"),
    ("/y/usercache/a/appcache/application_17_0001/container_17_0001_01_000001/launch_container.sh",
     "/y/usercache/a/appcache/application_18_12/container_e3_18_12_01_000009/launch_container.sh",
     "/y/usercache/b/appcache/application_17_0001/container_17_0001_01_000001/launch_container.sh"),
    ("/var/lib/buildkite-agent/builds/ip-10-0-0-1-1/org/pipe/run.sh",
     "/var/lib/buildkite-agent/builds/ip-10-9-9-9-2/org/pipe/run.sh",
     "/var/lib/buildkite-agent/builds/ip-10-0-0-1-1/org/other/run.sh"),
    ("/builds/abcDEF12/0/group/project/ci.sh", "/builds/xyzXYZ99/12/group/project/ci.sh",
     "/builds/abcDEF12/0/group/other/ci.sh"),
    (f"/home/runner/_work/_temp/{UUID}.sh", f"/home/runner/_work/_temp/{OTHER}.sh",
     "/home/runner/_work/repo/repo/ci.sh"),
    ("/srv/app/releases/20240131120000/w", "/srv/app/releases/20250131120000/w",
     "/srv/web/releases/20240131120000/w"),
    ("/snap/a/12/bin/x", "/snap/a/x1/bin/x", "/snap/b/12/bin/x"),
    ("/h/.ansible/tmp/ansible-tmp-17.1-2-3/AnsiballZ_setup.py",
     "/h/.ansible/tmp/ansible-tmp-18.9-8-7/AnsiballZ_setup.py",
     "/h/.ansible/tmp/ansible-tmp-17.1-2-3/AnsiballZ_ec2.py"),
    ("/tmp/build-ab3_cd9e.sh", "/tmp/build-zz_z1zz9.sh", "/tmp/deploy-ab3_cd9e.sh"),
    ("/tmp/tmp.XkQzPw12Ab/run.sh", "/tmp/tmp.AAAAbbbb99/run.sh", "/tmp/tmp.XkQzPw12Ab/o.sh"),
    ("/tmp/tmpab_cd3fg/a.py", "/tmp/tmpzzzzzzz9/a.py", "/tmp/tmpab_cd3fg/b.py"),
    ("/opt/app-1.2.3/bin/app", "/opt/app-10.0.0-SNAPSHOT/bin/app", "/opt/web-1.2.3/bin/app"),
    ("/opt/jdk-17.0.1+12/bin/java", "/opt/jdk-21.0.2+13/bin/java", "/opt/jre-17.0.1+12/bin/java"),
    ("/opt/app-1.2.3+45.jar", "/opt/app-1.2.4+build.7.jar", "/opt/web-1.2.3+45.jar"),
    ("/opt/app/v12/run", "/opt/app/v3/run", "/opt/web/v12/run"),
    ("/opt/deployments/7/w", "/opt/deployments/web-0a1b2c3/w", "/opt/deployments/oauth2/w"),
    ("/x/sessions/session2/w", "/x/sessions/20240131/w", "/x/sessions/s3-sync/w"),
    ("/home/r/10-123-host-dispatch-script.tmp.sh", "/home/r/9-4-host-dispatch-script.tmp.sh",
     "/home/r/10-123-other-dispatch-script.tmp.sh"),
    ("/srv/jobs/report_2024-01-31.sh", "/srv/jobs/report_2025-02-01.sh",
     "/srv/jobs/bill_2024-01-31.sh"),
    ("/srv/jobs/4321/run.sh", "/srv/jobs/9/run.sh", "/srv/jobs/4321/stop.sh"),
    ("/dev/fd/63", "/proc/self/fd/3", "/dev/fd/x"),
    ("/usr/bin/php8.2", "/usr/bin/php8.3", "/usr/bin/php-fpm8.2"),
)  # fmt: skip


@pytest.mark.parametrize(("run", "other_run", "other_job"), RUNS)
def test_two_runs_are_alike_and_two_jobs_are_not(run: str, other_run: str, other_job: str) -> None:
    """By rule for each tool."""
    assert stable_path(run) == stable_path(other_run) != stable_path(other_job)


@pytest.mark.parametrize(
    "path",
    ["/opt/jobs/backup-1.sh", "/opt/jobs/job7.sh", "/usr/bin/md5sum", "/tmp/deploy_database.sh",
     "/opt/deployments/route53/run.sh", "/opt/sessions/ec2-tag/run.sh", "/usr/bin/r2",
     "/opt/deadbeef.sh", "/srv/releases/stable/run.sh", "/tmp/nightlyBackup.sh", "s3sync-x86_64"],
)  # fmt: skip
def test_a_name_that_somebody_gave_stays(path: str) -> None:
    """A small number tells jobs apart as well as runs; it is kept."""
    assert stable_path(path) == path


@pytest.mark.parametrize(
    ("unit", "stable"),
    [
        ("cron.service", "cron.service"),
        ("session-3.scope", "session-*.scope"),
        ("run-u12.service", "run-*.service"),
        ("run-p12-i34.service", "run-*.service"),
        ("app@3.service", "app@*.service"),
        ("app@blue.service", "app@blue.service"),
        ("nightly-20240101.service", "nightly-*.service"),
        (f"snap.x.y-{UUID}.scope", "snap.x.y-*.scope"),
        (f"docker-{'0a' * 32}.scope", ""),
    ],
)
def test_a_unit_is_stable(unit: str, stable: str) -> None:
    """A container's scope says nothing."""
    assert stable_unit(unit) == stable


def test_a_temporary_name_tells_nothing() -> None:
    """Then the caller's launcher says which job it is."""
    assert not is_telling(stable_path("/tmp/jenkins123.sh"))
    assert not is_telling(stable_path(f"/w/_work/_temp/{UUID}.sh"))
    assert is_telling(stable_path("/tmp/jenkins.sh"))


def test_hostile_text_costs_little() -> None:
    """No pattern takes more than a few milliseconds, whatever a caller writes."""
    parts = [
        "a",
        "1",
        "1.",
        "0a",
        "a1",
        "/",
        "workspace/",
        "@1",
        "-",
        "*",
        "/builds/a-1",
        "Aa1",
        "1-",
    ]
    texts = [part * (4096 // len(part)) for part in parts]
    began = time.process_time()
    for text in texts:
        for rule in (stable_path, stable_unit, stable_code):
            rule(text)
            rule("/tmp/" + text)
    assert time.process_time() - began < 0.1 * len(texts)
