"""Plans a stage of install.sh: gathers the facts, decides, writes the lines."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import Callable

from analyzer.service_plan.extras import extras
from analyzer.service_plan.facts import is_installed, maybe_said, package_facts, service_facts
from analyzer.service_plan.lines import Line, written
from analyzer.service_plan.packages import packages
from analyzer.service_plan.pip_settings import pip_settings
from analyzer.service_plan.release import release
from analyzer.service_plan.release_facts import extra_facts, release_facts, result_facts
from analyzer.service_plan.request import PlanRequest, parsed
from analyzer.service_plan.result import result
from analyzer.service_plan.service import service
from analyzer.service_plan.state import state

# What the lock has wheels for.
PYTHON_MIN, PYTHON_MAX = (3, 9), (3, 14)

Probe = Callable[[], str]


def _python(_request: PlanRequest, _probe: Probe) -> list[Line]:
    """Return this Python's version, if it will do."""
    version = sys.version_info[:2]
    return [(".".join(map(str, version)),)] if PYTHON_MIN <= version <= PYTHON_MAX else []


def _packages(request: PlanRequest, _probe: Probe) -> list[Line]:
    lines = packages(package_facts(request), partial(is_installed, request.system))
    return [*state(request.places), *lines]


def _pip_settings(request: PlanRequest, _probe: Probe) -> list[Line]:
    pip = (f"{request.release}/bin/python", "-I", "-m", "pip", "--disable-pip-version-check")
    return pip_settings(maybe_said(*pip, "config", "list") or "", os.environ)


def _service(request: PlanRequest, probe: Probe) -> list[Line]:
    return service(service_facts(request, probe), partial(is_installed, request.system))


# Stage: its lines. In the order in which install.sh asks.
STAGES: dict[str, Callable[[PlanRequest, Probe], list[Line]]] = {
    "python": _python,
    "packages": _packages,
    "release": lambda request, _: release(release_facts(request)),
    "pip-settings": _pip_settings,
    "service": _service,
    "extras": lambda request, _: extras(extra_facts(request)),
    "result": lambda request, _: result(result_facts(request)),
}


def plan(words: Sequence[str], probe: Probe) -> str:
    """Return the lines of a stage; ``probe`` tries which probe works, and is called if needed."""
    request = parsed(words, tuple(STAGES))
    return written(STAGES[request.stage](request, probe))
