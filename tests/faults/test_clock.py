"""The wall clock is set, as chrony or an operator does; here only the analyzer's."""

from __future__ import annotations

import calendar
import contextlib
import re
import shutil
import struct
import subprocess
import time
from pathlib import Path

import pytest

from analyzer.imds import IMDS_IPV4
from analyzer.lab.namespace import LabNamespace
from tests.faults.conftest import Observed
from tests.faults.load import Load
from tests.faults.service import Line, Service, events_of, lines_of, numbers_of
from tests.live.watch import new_marker

BACK_S, FORWARD_S = -3600, 86_400
# The shifts are longer; what is slower than this is not the clock.
NEAR_S = 900
# The kernel's clock is left alone: one that the analyzer's own C library adds to.
SHIFTED_CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

static const volatile long long *shift_s;

__attribute__((constructor)) static void find(void)
{
	int fd = open(getenv("CLOCK_SHIFT"), O_RDONLY | O_CLOEXEC);
	void *page = fd < 0 ? MAP_FAILED : mmap(NULL, 8, PROT_READ, MAP_SHARED, fd, 0);

	if (page == MAP_FAILED)
		abort();
	shift_s = page;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
	static int (*real)(clockid_t, struct timespec *);
	int result;

	if (!real)
		real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	result = real(clock, now);
	if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		now->tv_sec += *shift_s;
	return result;
}

time_t time(time_t *store)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (store)
		*store = now.tv_sec;
	return now.tv_sec;
}
"""


class Clock:
    """The clock of a process that is started with this environment."""

    def __init__(self, directory: Path) -> None:
        source, library = directory / "clock.c", directory / "clock.so"
        source.write_text(SHIFTED_CLOCK)
        compiler = shutil.which("cc") or shutil.which("clang") or "cc is not installed"
        subprocess.run(
            [compiler, "-O2", "-shared", "-fPIC", str(source), "-o", str(library)], check=True
        )
        self._shift = directory / "shift"
        self._shift.write_bytes(bytes(8))
        self.environment = {"LD_PRELOAD": str(library), "CLOCK_SHIFT": str(self._shift)}

    def set(self, shift_s: int) -> None:
        """Set it to be so far from the machine's."""
        with self._shift.open("r+b", buffering=0) as file:
            file.write(struct.pack("=q", shift_s))


@pytest.fixture
def clock(tmp_path: Path, service: Service) -> Clock:
    """Return the clock of the service."""
    clock = Clock(tmp_path)
    service.environment = clock.environment
    return clock


def seconds(timestamp: str) -> float:
    """Return a time of the log in seconds since the epoch."""
    whole, _, micros = timestamp.rstrip("Z").partition(".")
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + int(micros) / 1e6


def test_a_clock_set_back_and_forth(
    service: Service, clock: Clock, namespace: LabNamespace, observed: Observed
) -> None:
    """Lines keep their order through all files, each with the time that the clock shows."""
    service.configure(log="rotate_mib = 1\nheartbeat_s = 1")
    with service.running(), Load(namespace, filler=f"?{'x' * 1500}") as load:
        for shift_s in (0, BACK_S, FORWARD_S):
            clock.set(shift_s)
            marked = len(load.sent_s)
            service.until_put_aside(len(service.files()))
            # Beyond the next tick, too, in which it takes notice of the clock.
            service.until_recorded(load.marker, max(len(load.sent_s), marked + 400) + 100)
        sent = load.stop()
        service.stop()
    files = service.files()
    lines = service.lines()
    assert numbers_of(lines, load.marker) == list(range(sent))
    shifts = _shifts(load, lines)
    changes = [one for one, next_one in zip(shifts, [*shifts[1:], None]) if one != next_one]
    assert changes == [0, BACK_S, FORWARD_S]
    beats = events_of(lines, "heartbeat")
    assert all(0 < beat["interval_s"] < NEAR_S for beat in beats)
    assert max(shift for shift in _steps(beats)) > FORWARD_S - NEAR_S
    assert min(shift for shift in _steps(beats)) < BACK_S + NEAR_S
    # A name says when, but is never earlier than one before.
    names = [re.sub(r"\.gz$", "", each.name) for each in files[:-1]]
    assert names == sorted(set(names))
    firsts = [numbers_of(lines_of(each), load.marker)[0] for each in files[:-1]]
    assert firsts == sorted(firsts)
    observed(
        "clock set back 1 h, forward 1 d",
        f"{sent} sent and recorded, in order, {[shifts.count(each) for each in changes]} with the"
        f" time of each clock; {len(beats)} heartbeats; {len(files)} files, names ascending",
    )


def _shifts(load: Load, lines: list[Line]) -> list[int]:
    """Return by how much the clock was shifted, as each request's time shows."""
    found = []
    for line in events_of(lines, "imds_request"):
        path = line.get("url", {}).get("path", "")
        if load.marker not in path:
            continue
        shift_s = seconds(line["timestamp"]) - load.wall_s[int(path.rpartition("/")[2])]
        (near,) = (each for each in (0, BACK_S, FORWARD_S) if abs(shift_s - each) < NEAR_S)
        started_s = seconds(line["process"]["start"])
        assert started_s < seconds(line["timestamp"])
        found.append(near)
    return found


def _steps(lines: list[Line]) -> list[float]:
    times = [seconds(line["timestamp"]) for line in lines]
    return [after - before for before, after in zip(times, times[1:])]


def test_what_expires_does_so_whatever_the_clock_says(
    service: Service, clock: Clock, observed: Observed
) -> None:
    """A request that is never answered is written after the wait, with the clock set back."""
    service.configure(capture="response_wait_s = 3.0")
    marker = new_marker()
    with contextlib.ExitStack() as undo:
        quiet = undo.enter_context(LabNamespace())
        server = undo.enter_context(quiet.socket())
        server.bind((IMDS_IPV4, 80))
        server.listen()
        undo.enter_context(service.running())
        for number, shift_s in enumerate((BACK_S, FORWARD_S)):
            client = undo.enter_context(quiet.socket())
            client.connect((IMDS_IPV4, 80))
            client.sendall(f"GET /latest/{marker}/{number} HTTP/1.1\r\n\r\n".encode())
            clock.set(shift_s)
            service.until_recorded(marker, number)
        service.stop()
    requests = [line for line in events_of(service.lines(), "imds_request")
                if marker in line["url"]["path"]]  # fmt: skip
    assert [line["imds"]["outcome"] for line in requests] == ["no_response"] * 2
    observed("clock set, a request unanswered", "written after the wait, 2 of 2 as no_response")
