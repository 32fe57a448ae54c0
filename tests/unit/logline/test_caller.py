"""Who called, and who started it."""

from __future__ import annotations

import pytest

from analyzer.logline.caller import Identity, identify
from analyzer.logline.keys import KEY_BYTES, Place
from analyzer.logline.recognition import Image

DASH = "/usr/bin/dash"
CURL = Image(50, 0, "curl", "/usr/bin/curl", ("curl", "-s", "http://x"))
SYSTEMD = Image(1, 0, "systemd", "/usr/lib/systemd/systemd", ("/sbin/init",))
CRON = Image(10, 0, "cron", "/usr/sbin/cron", ("/usr/sbin/cron", "-f"))
SSHD = Image(11, 0, "sshd", "/usr/sbin/sshd", ("sshd: app [priv]",))
CRON_PLACE, SESSION = Place("cron.service"), Place("session-4.scope")


def script(path: str, uid: int = 0) -> Image:
    return Image(40, uid, path.rpartition("/")[2], "/usr/bin/bash", ("/bin/bash", path))


def program(name: str) -> Image:
    return Image(30, 0, name, f"/usr/bin/{name}", (name, "curl"))


def shell(*args: str, uid: int = 0) -> Image:
    return Image(20, uid, "sh", DASH, args)


def cron(*inner: Image) -> Identity:
    return identify(CURL, [*inner, CRON, CRON, SYSTEMD], CRON_PLACE)


@pytest.mark.parametrize(
    "between",
    [
        [],
        [program("sudo")],
        [program("sudo"), program("env"), program("nice"), program("timeout")],
        [program("flock"), program("xargs"), program("nsenter"), program("unshare")],
        [program("chroot"), program("systemd-run"), shell("sh", "-c", "curl -s http://x")],
        [shell("sh")],
        [Image(9, 0, "xargs", "/bin/busybox", ("xargs", "curl"))],
    ],
)
def test_what_only_passes_on_is_never_the_launcher(between: list[Image]) -> None:
    """The script above it is."""
    found = identify(CURL, [*between, script("/opt/deploy.sh"), SYSTEMD], Place("d.service"))
    key = "unit=d.service;uid=0;program=curl;by=/opt/deploy.sh"
    assert found == Identity("curl", "deploy.sh", "program", key)


@pytest.mark.parametrize(
    "above",
    [
        [],
        [SYSTEMD],
        [program("containerd-shim-runc-v2"), SYSTEMD],
        [program("tini"), program("conmon"), SYSTEMD],
        [Image(77, 1000, "systemd", "/usr/lib/systemd/systemd", ("systemd", "--user")), SYSTEMD],
    ],
)
def test_shims_and_init_are_never_the_launcher(above: list[Image]) -> None:
    """Then there is none."""
    assert identify(CURL, above, Place()).launcher == ""


def test_each_command_of_cron_is_a_job() -> None:
    """Its text tells it from others, whatever it runs."""
    one, other = (cron(shell("sh", "-c", text)) for text in ("curl x | jq .a", "curl x | jq .b"))
    assert (one.launcher, one.program) == ("cron", "curl")
    assert one.key == "unit=cron.service;uid=0;program=curl;cron=curl x | jq .a"
    assert one.key != other.key


def test_a_job_of_cron_is_known_where_the_shell_has_given_way_to_it() -> None:
    """By its arguments, without the day."""
    keys = {cron(Image(40, 0, "b.sh", "/usr/bin/bash", ("/bin/bash", "/b.sh", arg))).key
            for arg in ("db1", "db2")}  # fmt: skip
    assert len(keys) == 2
    days = {cron(Image(40, 0, "b.sh", "/usr/bin/bash", ("/bin/bash", "/b.sh", arg))).key
            for arg in ("2026-01-01", "2026-01-02")}  # fmt: skip
    assert len(days) == 1


def test_jobs_of_a_directory_are_told_apart() -> None:
    """All of cron.daily has one command in the table."""
    entry = shell("sh", "-c", "cd / && run-parts --report /etc/cron.daily")
    parts = program("run-parts")
    keys = [cron(script(f"/etc/cron.daily/{name}"), parts, entry).key for name in ("a", "b")]
    assert keys == [f"unit=cron.service;uid=0;program=curl;by=/etc/cron.daily/{n}" for n in "ab"]


@pytest.mark.parametrize(
    ("own", "above"),
    [
        (CURL, [shell("-sh"), SYSTEMD]),
        (CURL, [shell("bash", "-l"), SSHD, SYSTEMD]),
        (CURL, [program("sudo"), shell("sh"), SYSTEMD]),
        (shell("-sh"), [SSHD, SYSTEMD]),
    ],
)
def test_a_person_at_a_shell_is_a_person(own: Image, above: list[Image]) -> None:
    """In a session; the session's number is nobody's name."""
    found = identify(own, above, SESSION)
    assert found.kind == "person"
    assert found.key.startswith("unit=session-*.scope;uid=0;person=")


def test_a_shell_that_reads_its_script_is_no_person() -> None:
    """As of ``curl ... | sh`` in a unit."""
    assert identify(CURL, [shell("sh"), SYSTEMD], Place("a.service")).kind == "program"
    told = [shell("sh", "-c", "curl x"), SSHD, SYSTEMD]
    assert identify(CURL, told, SESSION)[1:3] == ("sshd", "program")


def test_init_itself_is_the_boot() -> None:
    """Nobody started it."""
    found = identify(SYSTEMD, [], Place("init.scope"))
    assert found == Identity(
        "systemd", "", "boot", "unit=init.scope;uid=0;boot=/usr/lib/systemd/systemd"
    )


def test_a_server_is_not_the_launcher_of_its_workers() -> None:
    """Who started the server is."""
    worker = Image(5, 33, "gunicorn", "/usr/bin/python3", ("/usr/bin/python3", "/v/gunicorn"))
    found = identify(worker, [worker, script("/opt/start.sh"), SYSTEMD], Place())
    assert found[:3] == ("gunicorn", "start.sh", "script")


def test_a_temporary_script_is_known_by_what_started_it() -> None:
    """Whatever its number is."""
    agent = Image(8, 7, "java", "/usr/bin/java", ("java", "-jar", "/srv/agent.jar"))
    keys = {
        identify(CURL, [script(f"/tmp/jenkins{n}.sh", 7), agent], Place()).key  # noqa: S108
        for n in (12, 34567)
    }
    assert keys == {"uid=0;program=curl;by=7:/srv/agent.jar"}


@pytest.mark.parametrize(
    "forged", ["/opt/deploy.sh", "a;uid=0;program=curl", "x\x1f;by=/opt/deploy.sh"]
)
def test_nobody_can_have_the_key_of_another_users_job(forged: str) -> None:
    """Its own or its launcher's user stands before every name that may be made up."""
    place = Place("session-4.scope")
    real = identify(CURL, [script("/opt/deploy.sh")], place).key
    own = identify(CURL._replace(uid=1001), [script("/opt/deploy.sh", 1001)], place).key
    by_sudo = identify(CURL, [program("sudo"), script(forged, 1001)], place).key
    named = identify(CURL._replace(uid=1001, executable=forged), [], place).key
    chosen = identify(CURL._replace(uid=1001), [], Place(forged, is_unit_chosen=True)).key
    assert real not in (own, by_sudo, named, chosen)
    assert len({real, own, by_sudo, named, chosen}) == 5
    assert "uid=1001" in chosen.split(";")
    assert "uid=0" not in chosen.split(";")


def test_a_dynamic_user_is_its_units() -> None:
    """Systemd gives it another number with each start, unless somebody made the unit up."""
    keys = [
        identify(CURL._replace(uid=uid), [], Place("a.service", is_unit_chosen=chosen)).key
        for uid, chosen in ((61200, False), (65000, False), (65000, True))
    ]
    assert keys[0] == keys[1] == "unit=a.service;uid=dynamic;program=curl"
    assert keys[2] == "unit=a.service;uid=65000;program=curl"


def test_a_key_and_names_are_bounded() -> None:
    """What was cut ends in a digest of all of it, so that two long names differ."""
    place = Place("u" * 300 + ".service", "docker:" + "c" * 300)
    long = ["/opt/" + 'é\x1b"\\;%' * 300 + end for end in ("ax", "bx")]
    found = [identify(CURL, [script(path)], place) for path in long]
    assert all(len(each.key.encode()) <= KEY_BYTES for each in found)
    assert found[0].key != found[1].key
    assert all(len(each.launcher.encode()) <= 120 for each in found)
