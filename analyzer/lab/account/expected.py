"""Makes request lines from the table of the lab's programs, where nothing can be recorded.

Recording needs root and a network namespace. Without them the accounts can still be looked at.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from typing import Any

from analyzer.imds import IMDS_IPV4
from analyzer.lab.account.recording import Line
from analyzer.lab.programs import Call, LabProgram
from analyzer.logline.events import REQUEST

_STEP = datetime.timedelta(milliseconds=100)
_FIRST_PID = 4200


def expected(programs: Sequence[LabProgram], end: datetime.datetime) -> tuple[Line, ...]:
    """Return a line for each request that the programs would send, the last one before ``end``."""
    calls = [(program, call) for program in programs for call in program.expected]
    at = end - len(calls) * _STEP
    return tuple(_lines(calls, at))


def _lines(
    calls: Sequence[tuple[LabProgram, Call]], start: datetime.datetime
) -> Iterator[dict[str, Any]]:
    for number, (program, call) in enumerate(calls):
        at = (start + number * _STEP).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        is_token = call.method == "PUT"
        reason = "token_request" if is_token else "token_header"
        yield {
            "timestamp": at,
            "level": "warning" if call.version == "v1" else "info",
            "event": REQUEST,
            "imds": {
                "version": call.version,
                "operation": "token" if is_token else "metadata",
                "reason": "no_token_header" if call.version == "v1" else reason,
                "provider": "aws",
                "outcome": "success",
                "caller": {
                    "program": program.caller,
                    "kind": "program",
                    "key": f"uid=0;program={program.caller}",
                },
            },
            "http": {"request": {"method": call.method}, "response": {"status_code": 200}},
            "url": {"path": call.path},
            "source": {"ip": IMDS_IPV4, "port": 40_000 + number},
            "destination": {"ip": IMDS_IPV4, "port": 80},
            "process": {
                "pid": _FIRST_PID + number,
                "name": program.caller,
                "args": list(program.argv),
                "start": at,
                "user": {"id": "0", "name": "root"},
            },
        }
