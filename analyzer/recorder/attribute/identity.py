"""Names a caller once, when it is described: ``imds.caller`` of all its lines."""

from __future__ import annotations

from analyzer.logline.caller import identify
from analyzer.logline.keys import Place
from analyzer.logline.recognition import Image
from analyzer.recorder.callers import Caller, Container, NamedProcess

# Their containers have names; others' have numbers, new ones each time they are made.
NAMED_BY_PEOPLE = frozenset({"lxc", "systemd-nspawn"})


def identified(caller: Caller) -> Caller:
    """Return a caller with its identity; without one where no process is known."""
    process = caller.process
    if process is None:
        return caller
    unit = caller.service or ""
    place = Place(unit, _stable_container(caller), "service" in process.unverified)
    ancestors = [_image(each) for each in caller.ancestors]
    return caller._replace(identity=identify(_image(process), ancestors, place))


def _image(process: NamedProcess) -> Image:
    return Image(
        process.pid,
        process.user.id,
        process.name,
        process.executable or "",
        process.args or (),
    )


def _stable_container(caller: Caller) -> str:
    """Return what stays of a container when it is made anew; "" outside of containers."""
    container, workload = caller.container, caller.workload
    if workload is not None:
        return workload.orchestrator
    return "" if container is None else _container(container)


def _container(container: Container) -> str:
    runtime = container.runtime or "container"
    return f"{runtime}:{container.id}" if container.runtime in NAMED_BY_PEOPLE else runtime
