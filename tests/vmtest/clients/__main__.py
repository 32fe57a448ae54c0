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
from typing import NoReturn, Optional

import click

from analyzer.errors import AnalyzerError
from analyzer.lab.observer import ObserverProcess
from tests.vmtest.clients import evidence, judgements
from tests.vmtest.clients.environments import Environment, of_the_analyzer
from tests.vmtest.clients.expectations import SETTINGS, Setting
from tests.vmtest.clients.known import ALL, debian_packages
from tests.vmtest.clients.roster import CLIENTS, Client
from tests.vmtest.clients.store import ANALYZER, ClientAbsent, ClientError, Store
from tests.vmtest.clients.table import ROWS_FILE, Row, closing_line, show, write_rows
from tests.vmtest.clients.targets import TARGETS
from tests.vmtest.clients.trial import Patience, Ready, Trial, look_up, run_setting

SLOWNESS = float(os.environ.get("IMDS_ANALYZER_SLOWNESS", "0"))  # set in emulated machines
LOG = "imds.jsonl"
_NAMES = {client.name: client for client in ALL}
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
@click.option(
    "--for",
    "target",
    type=click.Choice(list(TARGETS)),
    help="Prepare them for, or run them on, a machine of another type.",
)
@click.option("--in-guest", is_flag=True, help="Run only those that every machine can run.")
@click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    help=f"Where the logs and {ROWS_FILE} go; without it they are not kept.",
)
def main(
    prepare: bool,
    only_list: bool,
    packages: bool,
    names: Sequence[str],
    settings: Sequence[str],
    probes: Sequence[str],
    no_skips: bool,
    target: Optional[str],
    in_guest: bool,
    results: Optional[Path],
) -> None:
    """Choose and do; exits with 1 when anything is wrong."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    roster = CLIENTS if in_guest or target else ALL
    clients = [client for client in roster if not names or client.name in names]
    chosen = [each for each in SETTINGS if not settings or each.name in settings]
    store = Store(TARGETS[target] if target else None)
    if packages:
        print(*debian_packages())
    elif only_list:
        for client in clients:
            print(f"{client.name:24} {client.expectation.why}")
    elif prepare:
        sys.exit(0 if _prepare_all(clients, store) else 1)
    else:
        with contextlib.ExitStack() as kept:
            place = results or Path(kept.enter_context(_scratch()))
            good = _run(clients, chosen, probes, store, place, no_skips=no_skips)
        sys.exit(0 if good else 1)


def _interrupt(number: int, _frame: object) -> NoReturn:
    sys.exit(128 + number)


def _scratch() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="imds-clients-")


def _prepare_all(clients: Sequence[Client], store: Store) -> bool:
    """Make the environments that are missing; say what was done, and return if all went well."""
    environments = {each.name: each.environment for each in clients if each.environment}
    if store.target:
        environments[ANALYZER] = of_the_analyzer()
    with store.locked():
        failed = [each for each in environments.items() if not _prepare(store, *each)]
    return not failed


def _prepare(store: Store, name: str, environment: Environment) -> bool:
    if store.has(name, environment):
        print(f"{name}: is there")
        return True
    try:
        store.make(name, environment)
    except ClientAbsent as absent:
        print(f"{name}: will be skipped: {absent}")
        return True
    except ClientError as error:
        print(f"{name}: {error}")
        return False
    print(f"{name}: made in {store.directory(name)}", flush=True)
    return True


def _run(
    clients: Sequence[Client],
    settings: Sequence[Setting],
    probes: Sequence[str],
    store: Store,
    place: Path,
    *,
    no_skips: bool,
) -> bool:
    found = [look_up(client, store) for client in clients]
    usable = [ready.client for ready in found if ready.skipped is None]
    by_probe: dict[str, list[Row]] = {}
    logs = {probe: place / probe.replace("/", "-") / LOG for probe in probes}
    try:
        with contextlib.ExitStack() as analyzers:
            observers = [
                analyzers.enter_context(_observer(probe, log)) for probe, log in logs.items()
            ]
            trials = _run_settings(settings, usable, store, list(logs.values()))
            for observer in observers:
                observer.drain()
    except AnalyzerError as error:
        sys.exit(f"tests.vmtest.clients: {error}")
    for probe, log in logs.items():
        reader = evidence.LogReader(log, whole=True).read()
        rows = [
            _row(ready, setting, trials[setting.name].get(ready.client.name), reader, place)
            for ready in found
            for setting in settings
        ]
        rows.append(_whole(log, trials))
        seen_by = {line["observer"]["probe"] for line in reader.requests}
        show(rows, f"IMDS clients, seen through {', '.join(sorted(seen_by)) or 'nothing'}")
        by_probe[probe] = rows
    write_rows(place / ROWS_FILE, by_probe)
    for setting in settings:
        print(f"{setting.name}: {setting.title}")
    all_rows = [row for rows in by_probe.values() for row in rows]
    print(closing_line(all_rows))
    return all(row.result == "ok" or (row.result == "skipped" and not no_skips) for row in all_rows)


def _observer(probe: str, log: Path) -> ObserverProcess:
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    source, _, attach = probe.partition("/")
    options = ("--source", source, "--attach", attach or "auto")
    return ObserverProcess(log, log.parent, options)


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


def _row(
    ready: Ready,
    setting: Setting,
    trial: Trial | None,
    reader: evidence.LogReader,
    place: Path,
) -> Row:
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
    judged = ""
    if setting is SETTINGS[0]:  # in the others a client is kept from what it would do
        wrong = (*wrong, *judgements.problems(client.name, ready.version, lines, place))
        judged = judgements.summary(client.name, lines, place)
    if wrong and trial.said:
        wrong = (*wrong, f"it said: {trial.said}")
    kinds = Counter(map(evidence.kind, lines))
    recorded = tuple(f"{count} x {kind}" for kind, count in kinds.items())
    return row._replace(recorded=recorded, problems=wrong, judged=judged)


if __name__ == "__main__":
    main()
