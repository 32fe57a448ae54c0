"""Names a caller once, when it is described: ``imds.caller`` of all its lines."""

from __future__ import annotations

from typing import Optional

from analyzer.logline.caller import identify
from analyzer.logline.keys import Place
from analyzer.logline.recognition import Image
from analyzer.recorder.attribute.runtimes.owners import stable_name
from analyzer.recorder.callers import Caller, Container, NamedProcess, Workload

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
    """Return what stays of a container when it is made anew; "" outside of containers.

    That is its workload and its image, because a fix is made there. Without names it is the
    orchestrator or the runtime.
    """
    container, workload = caller.container, caller.workload
    if container is not None and container.runtime in NAMED_BY_PEOPLE:
        return f"{container.runtime}:{container.id}"
    kind = "" if container is None else container.runtime or "container"
    if workload is not None:
        kind = workload.orchestrator
    named = " ".join(filter(None, (_place(workload, container), _repository(container))))
    # Whoever names containers must not choose the name of another one's job.
    is_claimed = caller.process is not None and "container" in caller.process.unverified
    return f"{kind}:{'claimed ' if is_claimed else ''}{named}" if named else kind


def _place(workload: Optional[Workload], container: Optional[Container]) -> str:
    """Return the place in what deploys it, such as namespace, Deployment and container."""
    if workload is None or not (workload.owner or workload.name):
        return ""
    owner = workload.owner or (
        stable_name(workload.name) if workload.kind == "pod" else workload.name
    )
    is_service = workload.kind == "service"  # its containers' names have numbers
    name = "" if container is None or is_service else container.name
    return "/".join(filter(None, (workload.namespace, owner, name)))


def _repository(container: Optional[Container]) -> str:
    """Return an image's name without the registry, which differs by region and mirror."""
    image = "" if container is None else container.image
    registry, slash, rest = image.partition("/")
    is_registry = bool(slash) and ("." in registry or ":" in registry or registry == "localhost")
    return (rest if is_registry else image).removeprefix("library/")
