"""Writes the part of a line that says who called.

It changes little from call to call, so the text of each caller is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from analyzer.lru import Cache
from analyzer.recorder.callers import Caller, Container, NamedProcess, User, Workload
from analyzer.recorder.records import Record
from analyzer.recorder.sinks.bounds import shorten_caller
from analyzer.recorder.sinks.encoding import members
from analyzer.text import timestamp

if TYPE_CHECKING:
    from analyzer.logline import callers as line
    from analyzer.logline import fields as request_line

# Callers whose part of the line is kept ready; a busy host has some dozens. About 2 KB each, but
# sixteen ancestors with long arguments make 400, so the bytes are bounded too.
CALLERS_MAX = 512
CALLERS_BYTES_MAX = 4 << 20
_FOREVER_S = float("inf")  # the text of a caller stays true
# A time of start that moves by less is the wall clock's drift, or its slewing, against the
# kernel's; one process must not seem to have started twice. By more, the clock was set.
CLOCK_SET_NS = 1_000_000_000

_PROCESS = b'"process":{'


class CallerText(NamedTuple):
    """A caller's part of the line. Holds the caller, so that its id() stays its own."""

    caller: Caller
    start_at_ns: int
    text: bytes
    cut: tuple[str, ...]  # names of the fields that were cut


# The caller's id(), and the room that its part was cut to; None for all of it.
_Key = tuple[int, Optional[int]]


class CallerTexts:
    """The texts of the callers that called last."""

    def __init__(self) -> None:
        self._kept: Cache[_Key, CallerText] = Cache(CALLERS_MAX, _FOREVER_S, CALLERS_BYTES_MAX)

    @property
    def count(self) -> int:
        """The number of kept texts."""
        return len(self._kept)

    @property
    def size_bytes(self) -> int:
        """The size of the texts."""
        return self._kept.held_bytes

    def of(self, record: Record, room: Optional[int] = None) -> CallerText:
        """Return ``"process":{...},...,`` without the thread, in at most ``room`` bytes."""
        caller = record.caller
        key = (id(caller), room)
        known = self._kept.get(key, 0.0)
        if known and abs(known.start_at_ns - record.process_start_at_ns) <= CLOCK_SET_NS:
            return known
        fields = caller_fields(record)
        cut = [] if room is None else shorten_caller(fields, room)
        known = CallerText(caller, record.process_start_at_ns, members(fields), tuple(cut))
        self._kept.put(key, known, 0.0, size=len(known.text))
        return known


def with_thread(record: Record, text: bytes) -> bytes:
    """Put the thread, which alone changes from call to call, into a caller's part."""
    process = record.caller.process
    if process is None or record.tid == process.pid:
        return text
    return b'%b"thread":{"id":%d},%b' % (_PROCESS, record.tid, text[len(_PROCESS) :])


def caller_fields(record: Record) -> dict[str, Any]:
    """Return what is known of a caller, without the thread."""
    return dict(_caller_fields(record))


def _caller_fields(record: Record) -> request_line.Request:
    caller = record.caller
    known, container = caller.process, caller.container
    process: line.Process = {}
    if known is not None:
        process = _identity_fields(known)
        process["start"] = timestamp(record.process_start_at_ns)
        process["user"] = _user_fields(known.user)
        if caller.ancestors:
            process["ancestors"] = [_relative_fields(each) for each in caller.ancestors]
        if caller.ancestors_truncated:
            process["ancestors_truncated"] = True
    if caller.others:
        process["others"] = [_relative_fields(each) for each in caller.others]
    fields: request_line.Request = {"process": process} if process else {}
    if container is not None:
        fields["container"] = _container_fields(container)
    if caller.workload is not None:
        fields["orchestrator"] = _orchestrator_fields(caller.workload)
    if caller.service:
        fields["service"] = {"name": caller.service}
    return fields


def _container_fields(container: Container) -> line.Container:
    fields: line.Container = {"id": container.id}
    if container.runtime:
        fields["runtime"] = container.runtime
    if container.name:
        fields["name"] = container.name
    if container.image:
        fields["image"] = {"name": container.image}
        if container.tag:
            fields["image"]["tag"] = container.tag
    return fields


def _orchestrator_fields(workload: Workload) -> line.Orchestrator:
    fields: line.Orchestrator = {"type": workload.orchestrator}
    if workload.cluster:
        fields["cluster"] = {"name": workload.cluster}
    if workload.node:
        fields["node"] = {"name": workload.node}
    if workload.namespace:
        fields["namespace"] = workload.namespace
    resource: line.Resource = {"type": workload.kind}
    if workload.id:
        resource["id"] = workload.id
    if workload.name:
        resource["name"] = workload.name
    if workload.owner:
        resource["parent"] = {"type": workload.owner_kind, "name": workload.owner}
    if workload.labels:
        resource["label"] = list(workload.labels)
    fields["resource"] = resource
    return fields


def _relative_fields(process: NamedProcess) -> line.Relative:
    """Return a process in brief; if its path is unknown, the file's numbers stand for it."""
    fields: line.Relative = {"pid": process.pid}
    _add_program(fields, process)
    if not process.executable:
        _add_file(fields, process)
    if "executable" in process.unverified:  # of units and containers only the caller's are shown
        fields["unverified"] = ["executable"]
    fields["user"] = _user_fields(process.user)
    return fields


def _identity_fields(process: NamedProcess) -> line.Process:
    """Return what the kernel told of a caller at the call."""
    fields: line.Process = {"pid": process.pid}
    _add_program(fields, process)
    _add_file(fields, process)
    if process.mount_namespace:
        fields["mount_namespace"] = process.mount_namespace
    if process.unverified:
        fields["unverified"] = list(process.unverified)
    return fields


def _add_program(fields: line.Program, process: NamedProcess) -> None:
    if process.name:
        fields["name"] = process.name
    if process.executable:
        fields["executable"] = process.executable
    if process.args:
        fields["args"] = process.args
    if process.args_truncated:
        fields["args_truncated"] = True


def _add_file(fields: line.Program, process: NamedProcess) -> None:
    """Add which file the kernel knows as the executable; its device as /proc writes it."""
    if process.executable_inode:
        device = process.executable_device
        fields["executable_inode"] = process.executable_inode
        fields["executable_device"] = f"{device >> 20}:{device & 0xFFFFF}"


def _user_fields(user: User) -> line.User:
    return {"id": str(user.id), "name": user.name} if user.name else {"id": str(user.id)}
