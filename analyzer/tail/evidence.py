"""Words the code of a caller in one short line: what says most of why it uses IMDSv1.

Nothing here is escaped: what shows the words does that.
"""

from __future__ import annotations

from analyzer.logline.line import Line, value_at
from analyzer.logline.named_caller import caller_of, short
from analyzer.software import wording
from analyzer.software.recorded import Code, from_fields

# Findings that one line names; the log's line has all.
_NAMED_MAX = 2


def who(line: Line) -> str:
    """Return whose code it is."""
    caller = caller_of(line.fields)
    return " from ".join(short(name) for name in (caller.program, caller.launcher) if name)


def said(line: Line) -> str:
    """Return what was found, "" for nothing: script lines first, then libraries, then packages."""
    code = from_fields(value_at(line.fields, "code"))
    found = _found(code)
    if not found:
        return ", ".join(code.lacks[:_NAMED_MAX])
    rest = len(found) - _NAMED_MAX
    more = [f"{rest} more"] if rest > 0 else []
    return ", ".join([*found[:_NAMED_MAX], *more])


def _found(code: Code) -> list[str]:
    return [
        *map(wording.line, code.lines),
        *map(wording.library, code.libraries),
        *(wording.library(each) for each in (code.entry_point,) if each is not None),
        *map(wording.package, code.packages),
        *map(wording.origin, code.origins),
    ]
