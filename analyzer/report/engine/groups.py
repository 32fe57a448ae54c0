"""Asks an engine for the groups of callers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from analyzer.logline.runs import stable_unit
from analyzer.report.callers import Group, Key, Tally, Use
from analyzer.report.engine.bounds import USES_MAX
from analyzer.report.engine.contents import Contents
from analyzer.report.engine.evidence import OfGroup, gather_evidence
from analyzer.report.engine.examples import example_of
from analyzer.report.engine.rows import Rows, at, by_first, maybe_at
from analyzer.report.engine.sql import query
from analyzer.report.engine.values import gather_values

if TYPE_CHECKING:
    from analyzer.report.engine.gathering import Engine


def gather_groups(
    engine: Engine, contents: Contents, limits: Mapping[str, int]
) -> tuple[Group, ...]:
    """Return the groups; ``limits`` are the hosts' hop limits."""
    groups = engine.ask(query("groups"))
    if not groups:
        return ()

    def asked_if(is_there: bool, name: str) -> Mapping[int, Rows]:
        return by_first(engine.ask(query(name)) if is_there else [])

    values = gather_values(engine.ask)
    tallies = by_first(engine.ask(query("tallies")))
    days = by_first(engine.ask(query("days")))
    failures = asked_if(contents.token_failures, "token_failures")
    hops = asked_if(contents.hop_limits, "hop_limits")
    uses = by_first(engine.ask(query("uses", limit=USES_MAX)))
    asked = asked_if(contents.token_requests and contents.v1, "v1_by_asked")
    examples = _examples(engine, len(groups))
    evidence = gather_evidence(engine.ask) if contents.evidence else {}
    return tuple(
        Group(
            key=_key(caller, provider, values[number].facts),
            tallies=tuple(
                Tally(version, reason, outcome or None, operation, int(requests))
                for version, reason, outcome, operation, requests in tallies[number]
            ),
            first_at=at(first_us),
            last_at=at(last_us),
            last_v1_at=maybe_at(last_v1_us),
            days=tuple(at(day_us).date() for day_us, _ in days[number]),
            v1_days=tuple(at(day_us).date() for day_us, is_v1 in days[number] if is_v1),
            host_count=host_count,
            hosts=values[number].listed("hosts"),
            v1_hosts=values[number].listed("v1_hosts"),
            paths=tuple(values[number].lists["paths"]),
            workload_count=workload_count,
            workloads=values[number].listed("workloads"),
            users=values[number].listed("users"),
            user_agents=values[number].listed("user_agents"),
            v1_places=values[number].listed("v1_places"),
            forwarded=int(forwarded),
            through=int(through),
            token_failures={outcome: int(count) for outcome, count in failures[number]},
            example=example_of(examples[number]) if number in examples else {},
            hop_limits=tuple((int(limit), int(count)) for limit, count in hops[number]),
            instance_hop_limits=tuple(
                sorted(
                    {limits[name] for name in values[number].listed("v1_hosts") if name in limits}
                )
            ),
            evidence=evidence.get(number, OfGroup()).evidence,
            evidence_left_out=evidence.get(number, OfGroup()).left_out,
            uses=tuple(_use(*each) for each in uses[number]),
            v1_by_asked=tuple((each, int(count)) for each, count in asked[number]),
        )
        for (
            number, caller, provider, first_us, last_us, last_v1_us, forwarded, through, host_count,
            workload_count,
        ) in groups
    )  # fmt: skip


def _examples(engine: Engine, groups: int) -> Mapping[int, str]:
    """Return a line of each group. To read all fields of lines is left to where it is needed."""
    engine.keep("example_texts", engine.example_texts())
    sole: dict[int, str] = dict(engine.ask(query("sole_examples")))
    if len(sole) == groups:
        return sole
    question = query("example_lines", records=engine.example_records(), kept="line")
    return {**sole, **dict(engine.ask(question))}


def _use(
    version: str,
    operation: str,
    outcome: str,
    agent: str,
    relayed: str,
    path: str,
    host: str,
    host_count: int,
    requests: int,
    first_us: int,
    last_us: int,
) -> Use:
    return Use(
        version, operation, outcome or None, agent or None, tuple(relayed.split()), path, host,
        int(host_count), int(requests), at(first_us), at(last_us),
    )  # fmt: skip


def _key(caller: str, provider: str, facts: Mapping[str, str]) -> Key:
    return Key(
        caller=caller,
        program=facts.get("program", caller),  # further callers have no facts
        launcher=facts.get("launcher"),
        kind=facts.get("kind"),
        unit=stable_unit(facts.get("unit", "")) or None,
        place=facts.get("place", "host"),
        user_agent=facts.get("user_agent"),
        provider=provider,
        deployed=facts.get("deployed"),
        container=facts.get("container"),
        image=facts.get("image"),
        labels=facts.get("labels"),
        through=facts.get("through"),
    )
