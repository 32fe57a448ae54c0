"""Asks an engine what the lines of each host say of the host itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Optional

from analyzer.report.engine.bounds import OF_NO_REQUEST
from analyzer.report.engine.contents import Contents
from analyzer.report.engine.rows import Ask, Rows, at, by_first, maybe_at
from analyzer.report.engine.shortfalls import gather_shortfalls
from analyzer.report.engine.sql import query
from analyzer.report.hosts import Boot, Host, Loss, Odd, Span

# Lines are written some time after what they tell, so that two boots may seem to overlap by this.
_OVERLAP_S = 5.0


def gather_hosts(ask: Ask, contents: Contents, window: Mapping[str, int]) -> tuple[Host, ...]:
    """Return the hosts that have lines in the window or called IMDSv1 before it, by name."""

    def asked_if(is_there: bool, name: str, **parts: object) -> Rows:
        return ask(query(name, **parts)) if is_there else []

    spans = by_first(ask(query("covered", **window)))
    losses = by_first(asked_if(contents.losses, "losses", **window))
    counted = by_first(asked_if(contents.counted_losses, "counted_losses", **window))
    boots = {key: _boots(rows) for key, rows in by_first(ask(query("boots"))).items()}
    shortfalls = gather_shortfalls(ask, window) if contents.counted else {}
    overlaps = {
        host: Span(at(start), at(end))
        for host, start, end in asked_if(contents.bootless_marks, "overlaps")
    }
    odd = by_first(ask(query("odd", **window)))
    probes = by_first(ask(query("probes")))
    names = by_first(ask(query("host_names")))
    deployed: dict[str, int] = dict(asked_if(contents.starts, "deployments"))
    limits: dict[str, int] = dict(asked_if(contents.hop_limits, "host_hop_limits"))
    hosts = [
        Host(
            key=key,
            name=names[key][-1][0],
            instance_id=instance,
            requests={"v1": int(v1), "v2": int(v2), "unknown": int(unknown)},
            other_clouds=int(others),
            first_at=at(first_us),
            last_at=at(last_us),
            last_v1_at=maybe_at(last_v1_us),
            last_unknown_at=maybe_at(last_unknown_us),
            covered=tuple(Span(at(start), at(end)) for start, end in spans[key]),
            losses=tuple(
                Loss(at(at_us), reason, int(count), not reason.startswith(OF_NO_REQUEST))
                for at_us, reason, count in (*losses[key], *counted[key])
            ),
            boots=boots.get(key, ()),
            deployed_at=maybe_at(deployed.get(key)),
            probes=tuple(probe for (probe,) in probes[key]),
            hop_limit=int(limits[key]) if key in limits else None,
            names=tuple(name for (name,) in names[key]),
            shortfalls=shortfalls.get(key, ()),
            odd=tuple(
                Odd(kind, int(count), at(first), at(last), example)
                for kind, count, first, last, example in odd[key]
            ),
            overlap=None if instance else overlap(boots.get(key, ())) or overlaps.get(key),
        )
        for (
            key, instance, v1, v2, unknown, others, first_us, last_us, last_v1_us, last_unknown_us
        ) in ask(query("hosts", has_sightings=contents.v1))
    ]  # fmt: skip
    return tuple(sorted(hosts, key=lambda host: (host.name, host.key)))


def _boots(rows: Rows) -> tuple[Boot, ...]:
    return tuple(
        Boot(
            id=boot,
            first_at=at(first_us),
            last_at=at(last_us),
            booted_at=maybe_at(booted_us),
            attached_s=None if attached_s is None else float(attached_s),
            stopped_at=maybe_at(stopped_us),
        )
        for boot, first_us, last_us, booted_us, attached_s, stopped_us in rows
    )


def overlap(boots: Iterable[Boot]) -> Optional[Span]:
    """Return the first time in which two boots had lines, None where there is none."""
    former: Optional[Boot] = None
    for boot in sorted(boots, key=lambda boot: boot.first_at):
        if former is not None:
            both = Span(boot.first_at, min(boot.last_at, former.last_at))
            if both.seconds > _OVERLAP_S:
                return both
        if former is None or boot.last_at > former.last_at:
            former = boot
    return None
