"""Turns a kernel snapshot into a caller: the process, its ancestors, container and unit."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, Optional

from analyzer.lru import Cache
from analyzer.recorder.attribute.budget import Budget
from analyzer.recorder.attribute.cgroups import CgroupPaths, at_the_call
from analyzer.recorder.attribute.identity import identified
from analyzer.recorder.attribute.membership import CGROUPS_MAX, Membership, membership_of
from analyzer.recorder.attribute.naming import Naming, NodeSettings
from analyzer.recorder.attribute.processes import (
    Processes,
    ProcFacts,
    in_words,
    only_names,
    split_args,
)
from analyzer.recorder.attribute.programs import Programs
from analyzer.recorder.attribute.runtimes.monitors import maybe_monitor
from analyzer.recorder.attribute.sizes import process_bytes
from analyzer.recorder.attribute.users import UserNames
from analyzer.recorder.callers import Caller, NamedProcess, User
from analyzer.recorder.source_events import (
    Attribution,
    CgroupMade,
    KernelProcess,
    Program,
    Snapshot,
)
from analyzer.text import decode_text

# Requests in quantity come from few processes. Those that call once and exit only pass through;
# at 1024 a second of them they leave the busy ones in place. About 2 KB each; with the longest
# arguments there can be 280, so the bytes are bounded too.
CALLERS_MAX = 1024
CALLERS_BYTES_MAX = 8 << 20
ANCESTORS_MAX = 2048
ANCESTORS_BYTES_MAX = 8 << 20
# How long a program may be shown that has replaced itself without a change of name.
KEEP_S = 60.0
# The same while the name of one of its users is being looked up.
KEEP_NAMELESS_S = 1.0
DEFAULT_NODE = NodeSettings()
NOBODY = Caller(None, (), False, None, None)


class _Known(NamedTuple):
    seen: tuple[object, ...]
    caller: Caller


class Attributor:
    """Name callers. Remembers them, but never an argument that is not masked."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        names_only: bool = False,
        node: NodeSettings = DEFAULT_NODE,
    ) -> None:
        """``names_only``: of arguments keep the program, its script and the names of options."""
        self._clock = clock
        self._naming = Naming(node)
        self._names_only = names_only
        self._processes = Processes()
        self._budget = Budget(clock)
        self._programs = Programs(self._processes, self._budget)
        self._users = UserNames()
        self._cgroups = CgroupPaths.of_this_host()
        self._callers: Cache[tuple[int, int], _Known] = Cache(
            CALLERS_MAX, KEEP_S, CALLERS_BYTES_MAX
        )
        self._ancestors: Cache[KernelProcess, NamedProcess] = Cache(
            ANCESTORS_MAX, KEEP_S, ANCESTORS_BYTES_MAX
        )

    def set_names_only(self, names_only: bool) -> None:
        """Change what is kept of arguments; who was described before is described anew."""
        if names_only != self._names_only:
            self._names_only = names_only
            self._callers.clear()
            self._ancestors.clear()

    def set_node(self, node: NodeSettings) -> None:
        """Change how containers are named; those that were named before are named anew."""
        if self._naming.set(node):
            self._callers.clear()

    @property
    def has_new_containers(self) -> bool:
        """True if a container has called lately that had not called before."""
        return self._naming.has_news(self._clock())

    def attribute(self, snapshot: Optional[Snapshot], others: Sequence[Snapshot] = ()) -> Caller:
        """Return who a snapshot shows. The same object as before while nothing changed.

        ``others`` show further processes that took part.
        """
        if others:
            further = (self.attribute(each).process for each in others)
            named = tuple(each for each in further if each is not None)
            caller = self.attribute(snapshot)
            size = caller.size_bytes + sum(map(process_bytes, named))
            return caller._replace(others=named, size_bytes=size)
        if snapshot is None:
            return NOBODY
        now = self._clock()
        kernel = snapshot.process
        if kernel is None:
            return self._nobody_in(snapshot, now)
        key = (kernel.pid, kernel.start_boottime_ns)
        # The arguments may hold secrets: what stays of them is Python's keyed 64-bit hash.
        seen = (
            kernel,
            snapshot.cgroup_id,
            hash(snapshot.args),
            snapshot.args_truncated,
            snapshot.ancestors,
            snapshot.ancestors_truncated,
            snapshot.attribution,
            snapshot.executable,
            snapshot.mount_namespace,
            snapshot.is_executable_replaced,
        )
        known = self._callers.get(key, now)
        if known is not None and known.seen == seen:
            return known.caller
        caller, is_there = self._describe(snapshot, kernel, now)
        if not is_there:
            # It was read while it lived; nothing better can be learned now.
            old = self._callers.maybe_old(key)
            if old is not None and old.seen == seen:
                caller = _with_users_of(caller, old.caller)
        keep_s = self._keep_s(kernel, *snapshot.ancestors)
        self._callers.put(key, _Known(seen, caller), now, keep_s=keep_s, size=caller.size_bytes)
        return caller

    def _nobody_in(self, snapshot: Snapshot, now: float) -> Caller:
        """Tell what is known of a socket whose user is not."""
        path = self._cgroups.maybe_path(snapshot.cgroup_id, now)
        membership = self._membership(at_the_call(None, path) or "", now)
        return _nobody(membership, snapshot.attribution)

    def _describe(
        self, snapshot: Snapshot, kernel: KernelProcess, now: float
    ) -> tuple[Caller, bool]:
        args = split_args(snapshot.args)
        truncated = snapshot.args_truncated
        facts = self._processes.look_up(kernel, args=truncated or not args, cgroup=True)
        # /proc completes what the kernel cut; it does not contradict it.
        if facts.args and b"\0".join(facts.args).startswith(snapshot.args.rstrip(b"\0")):
            args, truncated = facts.args, False
        cgroup = at_the_call(facts.cgroup, self._cgroups.maybe_path(snapshot.cgroup_id, now))
        membership = self._membership(cgroup or "", now, snapshot.ancestors)
        process = in_words(
            kernel,
            args,
            args_truncated=truncated or facts.args_too_long,
            executable=(
                facts.executable
                if snapshot.executable is None
                else decode_text(snapshot.executable)
            ),
            user=self._users.user(kernel.uid, now),
            mount_namespace=snapshot.mount_namespace,
            unverified=(*_unverified(snapshot, facts), *membership.unverified),
            budget=self._budget,
        )
        if self._names_only:
            process = only_names(process)
        ancestors = tuple(self._ancestor(each, now) for each in snapshot.ancestors)
        caller = Caller(
            process=process,
            ancestors=ancestors,
            ancestors_truncated=snapshot.ancestors_truncated,
            container=membership.container,
            service=membership.service,
            workload=membership.workload,
            attribution=snapshot.attribution,
            size_bytes=sum(map(process_bytes, (process, *ancestors))),
            realm=membership.realm,
        )
        return identified(caller), facts.is_there

    def _membership(
        self, cgroup_text: str, now: float, ancestors: Sequence[KernelProcess] = ()
    ) -> Membership:
        """Return what a cgroup's path says, with the names that its runtime left on the node."""
        membership = membership_of(cgroup_text)
        container, workload = self._naming.named(
            membership.container,
            membership.workload,
            cgroup_text,
            now,
            functools.partial(maybe_monitor, self._processes, ancestors),
        )
        if container is None:
            return membership
        unverified = membership.unverified
        if workload is not None and "container" in unverified and "orchestrator" not in unverified:
            unverified = (*unverified, "orchestrator")
        return membership._replace(container=container, workload=workload, unverified=unverified)

    def learn(self, program: Program) -> None:
        """Take what the kernel tells of a process before it names it as an ancestor."""
        self._programs.learn(program, self._clock())

    def learn_cgroup(self, made: CgroupMade) -> None:
        """Take what the kernel tells of a cgroup before anybody calls from it.

        A container's names are read now: what its runtime left may be gone when it has called.
        """
        now, path = self._clock(), decode_text(made.path)
        self._cgroups.learn(made.cgroup_id, path, now)
        cgroup_text = at_the_call(None, path) or ""
        membership = membership_of(cgroup_text)
        self._naming.prepare(membership.container, membership.workload, cgroup_text, now)

    def survey(self, for_s: float) -> bool:
        """Look at what runs already, for so long; returns whether that is done."""
        return self._programs.survey(for_s)

    def _ancestor(self, kernel: KernelProcess, now: float) -> NamedProcess:
        process = self._ancestors.get(kernel, now)
        if process is None:
            user = self._users.user(kernel.uid, now)
            told = self._programs.maybe_told(kernel, now)
            if told is not None and _is_complete(told):
                process = told._replace(user=user)
            else:
                process = self._look_up_ancestor(kernel, told, user)
            if self._names_only:
                process = only_names(process)
            size = process_bytes(process)
            self._ancestors.put(kernel, process, now, keep_s=self._keep_s(kernel), size=size)
        return process

    def _look_up_ancestor(
        self, kernel: KernelProcess, told: Optional[NamedProcess], user: User
    ) -> NamedProcess:
        """Ask /proc; where it does not know, take what is known from before."""
        facts = self._processes.look_up(kernel, args=True, cgroup=False)
        if facts.args is None:
            known = (
                told or self._programs.maybe_surveyed(kernel) or self._ancestors.maybe_old(kernel)
            )
            if known is not None:
                return known._replace(
                    user=user,
                    executable_inode=kernel.executable_inode,
                    executable_device=kernel.executable_device,
                )
        return in_words(
            kernel,
            facts.args or (),
            args_truncated=facts.args_too_long,
            executable=facts.executable if told is None else told.executable or facts.executable,
            user=user,
            mount_namespace=facts.mount_namespace,
            budget=self._budget,
        )

    def _keep_s(self, *processes: KernelProcess) -> float:
        is_asking = any(self._users.is_asking(each.uid) for each in processes)
        return KEEP_NAMELESS_S if is_asking else KEEP_S


def _is_complete(process: NamedProcess) -> bool:
    """Tell whether /proc has nothing to add."""
    return (
        process.args is not None and not process.args_truncated and process.executable is not None
    )


def _unverified(snapshot: Snapshot, facts: ProcFacts) -> tuple[str, ...]:
    """Return what a process had changed, or only /proc told, when it may have been another."""
    is_told_by_proc = snapshot.executable is None and facts.executable is not None
    is_doubted = snapshot.is_executable_replaced or (is_told_by_proc and not facts.is_same_file)
    return ("executable",) if is_doubted else ()


def _with_users_of(new: Caller, old: Caller) -> Caller:
    """Return the old description with the users of the new one: only their names can be better."""
    if old.process is None or new.process is None:
        return old
    named = old._replace(
        process=old.process._replace(user=new.process.user),
        ancestors=tuple(
            then._replace(user=now.user) for then, now in zip(old.ancestors, new.ancestors)
        ),
    )
    return old if named == old else named


@functools.lru_cache(maxsize=CGROUPS_MAX)
def _nobody(membership: Membership, attribution: Attribution) -> Caller:
    container, service, workload, realm, _ = membership
    return Caller(None, (), False, container, service, workload, attribution, realm=realm)
