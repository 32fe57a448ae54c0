"""Two runs of one job have one key, and two jobs two, whatever they are called."""

# ruff: noqa: S108 (paths of callers; nothing is written there)
from __future__ import annotations

import string
from typing import Callable

from hypothesis import assume, given
from hypothesis import strategies as st

from analyzer.logline.caller import identify
from analyzer.logline.keys import KEY_BYTES, Place
from analyzer.logline.recognition import Image

ALNUM = string.ascii_letters + string.digits
HEX, LOWER = string.digits + "abcdef", string.ascii_lowercase

# Names that people give: words, with a small number or none.
WORDS = st.sampled_from(
    [
        *["backup", "deploy", "nightly", "report", "billing", "sync", "web", "api", "worker"],
        *["agent", "index", "mail", "audit", "cleanup", "metrics", "orders", "search", "users"],
        *["import", "export", "health", "certs", "images"],
    ]
)
NAMES = st.builds(
    "".join,
    st.tuples(WORDS, st.sampled_from(["-", "_"]), WORDS, st.sampled_from(["", "1", "2", "-7"])),
)


def text(alphabet: str, low: int, high: int) -> st.SearchStrategy[str]:
    return st.text(alphabet, min_size=low, max_size=high)


def number(low: int, high: int) -> st.SearchStrategy[str]:
    return st.integers(low, high).map(str)


def has_digit(made: str) -> bool:
    return any(each.isdigit() for each in made)


DATES = st.datetimes().map(lambda at: at.strftime("%Y%m%d%H%M%S").zfill(14))
DAYS = st.dates().map(lambda day: day.isoformat())
UUIDS = st.uuids().map(str)
VERSIONS = st.builds("{}.{}.{}".format, number(0, 99), number(0, 99), number(0, 999))
TEMPORARY = text(ALNUM, 10, 10)

ROOT = "/opt/codedeploy-agent/deployment-root/0a1b2c3d-1111-2222-3333-444455556666"
# How tools name what they run: (path of job and run, what a run is called).
TOOLS: tuple[tuple[str, st.SearchStrategy[str]], ...] = (
    ("/var/lib/jenkins/workspace/{job}@tmp/durable-{run}/script.sh", text(HEX, 8, 8)),
    (ROOT + "/d-{run}/deployment-archive/{job}.sh",
     text(string.ascii_uppercase + string.digits, 9, 9)),
    ("/mnt/usercache/{job}/appcache/application_{run}_0001/container_{run}_0001_01_000001/x.sh",
     number(10**12, 10**13)),
    ("/var/lib/buildkite-agent/builds/ip-10-0-0-{run}-1/org/{job}/run.sh", number(1, 254)),
    ("/builds/{run}/0/group/{job}/ci.sh", text(ALNUM, 8, 8)),
    ("/home/u/.ansible/tmp/ansible-tmp-{run}.12-345-67/AnsiballZ_{job}.py",
     number(10**9, 2 * 10**9)),
    ("/srv/{job}/releases/{run}/bin/work", DATES),
    ("/snap/{job}/{run}/bin/work", number(1, 99_999)),
    ("/opt/{job}-{run}/bin/work", VERSIONS),
    ("/opt/jobs/{job}-{run}.sh", DAYS),
    ("/opt/jobs/{job}-{run}.sh", number(10_000, 10**18)),
    ("/opt/jobs/{run}/{job}.sh", UUIDS),
    ("/opt/jobs/{run}/{job}.sh", text(HEX, 40, 40)),
    ("/opt/jobs/{run}/{job}.sh", number(0, 10**6)),
    ("/tmp/tmp.{run}/{job}.sh", TEMPORARY),
    ("/tmp/tmp{run}/{job}.sh", text(LOWER + string.digits + "_", 8, 8)),
    ("/tmp/{job}.{run}.sh", number(100, 4_194_304)),
    ("/nix/store/{run}-{job}/bin/work", text(LOWER + string.digits, 32, 32)),
)  # fmt: skip
MADE = st.sampled_from(TOOLS).flatmap(
    lambda tool: st.tuples(st.just(tool[0]), NAMES, NAMES, tool[1], tool[1])
)


def as_script(path: str) -> str:
    image = Image(5, 1001, path.rpartition("/")[2], "/usr/bin/bash", ("/bin/bash", path))
    return identify(image, [], Place("jobs.service")).key


def as_launcher(path: str) -> str:
    script = Image(5, 1001, path.rpartition("/")[2], "/usr/bin/bash", ("/bin/bash", path))
    curl = Image(6, 1001, "curl", "/usr/bin/curl", ("curl", "http://x"))
    return identify(curl, [script], Place("jobs.service")).key


def as_program(path: str) -> str:
    return identify(Image(5, 1001, "x", path, (path,)), [], Place("jobs.service")).key


KEYS = st.sampled_from([as_script, as_launcher, as_program])


@given(MADE, KEYS)
def test_two_runs_have_one_key_and_two_jobs_two(
    made: tuple[str, str, str, str, str], key: Callable[[str], str]
) -> None:
    """Whatever the tool calls a run."""
    path, job, other_job, run, other_run = made
    one = key(path.format(job=job, run=run))
    assert one == key(path.format(job=job, run=other_run))
    assume(job != other_job)
    assert one != key(path.format(job=other_job, run=run))


@given(text(string.printable, 1, 80), text(string.printable, 1, 80))
def test_two_commands_of_cron_have_two_keys(command: str, other: str) -> None:
    """Each line of a table is a job."""

    def key(code: str) -> str:
        shell = Image(5, 1001, "sh", "/usr/bin/dash", ("/bin/sh", "-c", code))
        curl = Image(6, 1001, "curl", "/usr/bin/curl", ("curl", "http://x"))
        cron = Image(4, 0, "cron", "/usr/sbin/cron", ("cron",))
        return identify(curl, [shell, cron], Place("cron.service")).key

    sourcing = (".", "source", "-", "+")  # the former run a script; a shell's options are no code
    assume(command != other and not command.lstrip().startswith(sourcing))
    assume(not other.lstrip().startswith(sourcing))
    assert key(command) != key(other)


TEXTS = st.text(max_size=300) | st.sampled_from(["sudo", "sh", "-c", "/tmp/x.sh", "a;uid=0;b=c"])
IMAGES = st.builds(
    Image,
    st.integers(1, 2**22),
    st.integers(0, 2**32 - 1),
    TEXTS,
    TEXTS,
    st.lists(TEXTS, max_size=4).map(tuple),
)
PLACES = st.builds(Place, TEXTS, TEXTS, st.booleans())


@given(IMAGES, st.lists(IMAGES, max_size=4), PLACES)
def test_any_caller_has_a_bounded_key(own: Image, above: list[Image], place: Place) -> None:
    """One line of text, and the same again."""
    found = identify(own, above, place)
    assert 0 < len(found.key.encode()) <= KEY_BYTES
    assert found.key.isprintable()
    assert found.program.isprintable()
    assert found.program
    assert found == identify(own, above, place)


@given(IMAGES, st.lists(IMAGES, max_size=3), PLACES, st.integers(0, 60_000), st.integers(0, 60_000))
def test_no_text_gives_one_user_the_key_of_another(
    own: Image, above: list[Image], place: Place, uid: int, other: int
) -> None:
    """Not even the same program in the same place."""
    assume(uid != other)
    mine = identify(own._replace(uid=uid), above, place).key
    assert mine != identify(own._replace(uid=other), above, place).key
