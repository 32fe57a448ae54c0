"""Run real IMDS clients in a namespace of their own, and check what the analyzer records of them.

``--prepare`` gets the clients (it needs the network); without it they are run (it needs root).
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn

import click

from analyzer.errors import AnalyzerError
from analyzer.lab.observer import ObserverProcess
from tests.clients import evidence
from tests.clients.expectations import SETTINGS, Setting
from tests.clients.roster import CLIENTS, Client, debian_packages
from tests.clients.store import ClientAbsent, ClientError, Store
from tests.clients.table import Row, closing_line, show
from tests.clients.trial import Patience, Ready, Trial, look_up, run_setting

SLOWNESS = float(os.environ.get("IMDS_ANALYZER_SLOWNESS", "0"))  # set in emulated machines
LOG = "imds.jsonl"
_NAMES = {client.name: client for client in CLIENTS}
_SETTING_NAMES = {setting.name: setting for setting in SETTINGS}


@click.command(help=__doc__)
@click.option("--prepare", is_flag=True, help="Get what is missing, and run nothing.")
@click.option("--list", "only_list", is_flag=True, help="Say what there is, and run nothing.")
@click.option("--packages", is_flag=True, help="Print the Debian packages they need.")
@click.option("--only", "names", multiple=True, type=click.Choice(list(_NAMES)), metavar="NAME")
@click.option("--setting", "settings", multiple=True, type=click.Choice(list(_SETTING_NAMES)))
@click.option(
    "--probe",
    "probes",
    multiple=True,
    default=("auto/auto",),
    metavar="SOURCE/ATTACH",
    help="As core/fentry; repeatable, each watches the same calls.",
)
@click.option("--no-skips", is_flag=True, help="A client that cannot be run is a failure.")
def main(
    prepare: bool,
    only_list: bool,
    packages: bool,
    names: Sequence[str],
    settings: Sequence[str],
    probes: Sequence[str],
    no_skips: bool,
) -> None:
    """Choose and do; exits with 1 when anything is wrong."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    clients = [client for client in CLIENTS if not names or client.name in names]
    chosen = [each for each in SETTINGS if not settings or each.name in settings]
    if packages:
        print(*debian_packages())
    elif only_list:
        for client in clients:
            print(f"{client.name:24} {client.expectation.why}")
    elif prepare:
        failed = [client for client in clients if not _prepare(client)]
        sys.exit(1 if failed else 0)
    else:
        sys.exit(0 if _run(clients, chosen, probes, no_skips=no_skips) else 1)


def _interrupt(number: int, _frame: object) -> NoReturn:
    sys.exit(128 + number)


def _prepare(client: Client) -> bool:
    """Make a client's environment unless it is there; say what was done."""
    store, environment = Store(), client.environment
    if environment is None:
        return True
    try:
        with store.locked():
            if store.has(client.name, environment.facts):
                print(f"{client.name}: is there")
                return True
            with store.making(client.name, environment.facts) as directory:
                environment.build(directory)
    except ClientAbsent as absent:
        print(f"{client.name}: will be skipped: {absent}")
        return True
    except ClientError as error:
        print(f"{client.name}: {error}")
        return False
    print(f"{client.name}: made in {store.directory(client.name)}", flush=True)
    return True


def _run(
    clients: Sequence[Client],
    settings: Sequence[Setting],
    probes: Sequence[str],
    *,
    no_skips: bool,
) -> bool:
    store = Store()
    found = [look_up(client, store) for client in clients]
    usable = [ready.client for ready in found if ready.skipped is None]
    all_rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="imds-clients-") as scratch:
        try:
            with contextlib.ExitStack() as analyzers:
                observers = [
                    analyzers.enter_context(_observer(probe, Path(scratch) / str(number)))
                    for number, probe in enumerate(probes)
                ]
                logs = [Path(scratch) / str(number) / LOG for number in range(len(probes))]
                trials = _run_settings(settings, usable, store, logs)
                for observer in observers:
                    observer.drain()
        except AnalyzerError as error:
            sys.exit(f"tests.clients: {error}")
        for log in logs:
            reader = evidence.LogReader(log, whole=True).read()
            rows = [
                _row(ready, setting, trials[setting.name].get(ready.client.name), reader)
                for ready in found
                for setting in settings
            ]
            rows.append(_whole(log, trials))
            seen_by = {line["observer"]["probe"] for line in reader.requests}
            show(rows, f"IMDS clients, seen through {', '.join(sorted(seen_by)) or 'nothing'}")
            all_rows += rows
    for setting in settings:
        print(f"{setting.name}: {setting.title}")
    print(closing_line(all_rows))
    return all(row.result == "ok" or (row.result == "skipped" and not no_skips) for row in all_rows)


def _observer(probe: str, directory: Path) -> ObserverProcess:
    directory.mkdir()
    source, _, attach = probe.partition("/")
    options = ("--source", source, "--attach", attach or "auto")
    return ObserverProcess(directory / LOG, directory, options)


def _whole(log: Path, trials: Mapping[str, Mapping[str, Trial]]) -> Row:
    """Return the row of what holds for the log as a whole."""
    runs = [trial for each in trials.values() for trial in each.values()]
    requests = sum(sum(run.counted.values()) for run in runs)
    wrong = tuple(evidence.whole_log_problems(log, [run.pid for run in runs]))
    counts = (f"{len(runs)} runs, {requests} requests",)
    means = ("no secret, nothing lost, each request by one of the runs",)
    return Row("the log as a whole", "", "all", counts, means, None, wrong)


def _run_settings(
    settings: Sequence[Setting], clients: Sequence[Client], store: Store, logs: Sequence[Path]
) -> dict[str, dict[str, Trial]]:
    """Run the settings side by side, each in its own namespace: most of the time is waiting."""
    stop = threading.Event()
    with ThreadPoolExecutor(max_workers=len(settings)) as pool:
        try:
            running = {
                setting.name: pool.submit(
                    run_setting, setting, clients, store, logs, Patience(SLOWNESS), stop
                )
                for setting in settings
            }
            return {name: each.result() for name, each in running.items()}
        except BaseException:
            stop.set()
            raise


def _row(ready: Ready, setting: Setting, trial: Trial | None, reader: evidence.LogReader) -> Row:
    client = ready.client
    row = Row(
        client.name,
        ready.version,
        setting.name,
        (),
        tuple(map(str, client.expectation.kinds(setting))),
        ready.skipped,
        (),
    )
    if trial is None:
        return row
    lines = evidence.of_process(reader.requests, trial.pid)
    wrong = tuple(evidence.problems(client, setting, trial, lines))
    if wrong and trial.said:
        wrong = (*wrong, f"it said: {trial.said}")
    kinds = Counter(map(evidence.kind, lines))
    recorded = tuple(f"{count} x {kind}" for kind, count in kinds.items())
    return row._replace(recorded=recorded, problems=wrong)


if __name__ == "__main__":
    main()
