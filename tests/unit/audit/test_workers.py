"""Jobs run on a bounded number of threads; an error comes to where results are taken."""

from __future__ import annotations

import threading

import pytest

from analyzer.audit.workers import Workers


def test_results_come_from_all_jobs_also_from_those_added_later() -> None:
    with Workers[int](2) as workers:
        workers.add(lambda: 3)
        found = []
        for result in workers.results():
            found.append(result)
            if result:
                workers.add(lambda left=result - 1: left)  # type: ignore[misc]
    assert found == [3, 2, 1, 0]


def test_no_more_jobs_run_at_a_time_than_there_are_threads() -> None:
    barrier = threading.Barrier(2, timeout=60)
    running, most = 0, 0
    lock = threading.Lock()

    def job() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        barrier.wait()
        with lock:
            running -= 1

    with Workers[None](2) as workers:
        for _ in range(6):
            workers.add(job)
        assert list(workers.results()) == [None] * 6
    assert most == 2


def test_an_error_of_a_job_is_raised() -> None:
    def job() -> None:
        raise LookupError("lost")

    with Workers[None](1) as workers:
        workers.add(job)
        with pytest.raises(LookupError, match="lost"):
            list(workers.results())


def test_threads_keep_no_process_alive() -> None:
    with Workers[None](2) as workers:
        assert all(thread.daemon for thread in workers._threads)
    for thread in workers._threads:
        thread.join(60)
        assert not thread.is_alive()


def test_without_jobs_there_are_no_results() -> None:
    with Workers[None](1) as workers:
        assert list(workers.results()) == []
