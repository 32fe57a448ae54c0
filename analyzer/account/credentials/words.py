"""Writes the joined uses for people, and as JSON."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Sequence
from typing import Any

from analyzer.account.credentials.joining import Joined, Known
from analyzer.text import visible

# More actions and addresses of one row are counted only; JSON has all.
SHOWN_MAX = 5
SHOWN_ROWS_MAX = 50
_MEANING = {
    Known.CALLERS: "fetched by {callers}",
    Known.NOBODY: "the instance is watched, and no caller fetched them by IMDSv1 at that time:"
    " find out who uses them",
    Known.NOT_WATCHED: "the instance has no log: install the analyzer there to name the caller",
}


def as_text(joined: Sequence[Joined], incomplete: Sequence[str] = ()) -> str:
    """Return a paragraph for each role, instance and user agent, most calls first."""
    return "\n".join((*_lines(joined), *incomplete)) + "\n"


def _lines(joined: Sequence[Joined]) -> Iterator[str]:
    if not joined:
        yield "No API call was made with credentials from IMDSv1."
        return
    calls = sum(each.calls for each in joined)
    yield f"{_calls(calls)} with credentials from IMDSv1 (ec2RoleDelivery 1.0)"
    for each in joined[:SHOWN_ROWS_MAX]:
        yield ""
        yield visible(f"{each.role or '(unknown role)'} on {each.instance} ({each.account})")
        yield f"  {_calls(each.calls)}, {_time(each.first_at)} to {_time(each.last_at)} UTC"
        yield f"  user agent  {visible(each.user_agent or 'none')}"
        yield f"  calls       {_some([f'{name} ({n:,})' for name, n in each.actions])}"
        yield f"  from        {_some(each.sources)}"
        callers = ", ".join(each.callers)
        yield f"  -> {visible(_MEANING[each.known].format(callers=callers))}"
    if len(joined) > SHOWN_ROWS_MAX:
        yield f"\nand {len(joined) - SHOWN_ROWS_MAX} more (--format json has all)"


def as_json(joined: Sequence[Joined], incomplete: Sequence[str] = ()) -> str:
    """Return all of it as one document."""
    document: dict[str, Any] = {
        "format": 1,
        "is_complete": not incomplete,
        "incomplete": list(incomplete),
        "calls": sum(each.calls for each in joined),
        "uses": [_object(each) for each in joined],
    }
    return json.dumps(document, indent=1) + "\n"


def _object(joined: Joined) -> dict[str, Any]:
    return {
        "account": joined.account,
        "role": joined.role,
        "instance": joined.instance,
        "user_agent": joined.user_agent,
        "calls": joined.calls,
        "errors": sum(row.errors for row in joined.rows),
        "first_at": joined.first_at.isoformat(),
        "last_at": joined.last_at.isoformat(),
        "regions": sorted({row.region for row in joined.rows}),
        "sources": list(joined.sources),
        "actions": dict(joined.actions),
        "known": joined.known.name.lower(),
        "callers": list(joined.callers),
    }


def _calls(number: int) -> str:
    return f"{number:,} API call{'' if number == 1 else 's'}"


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(map(visible, names[:SHOWN_MAX])) or "unknown"
    more = len(names) - SHOWN_MAX
    return f"{shown} and {more} more" if more > 0 else shown


def _time(at: datetime.datetime) -> str:
    return at.astimezone(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M")
