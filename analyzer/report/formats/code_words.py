"""Words what was read of callers' code, the same in each format for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from analyzer.report.callers import CodeEvidence, Group
from analyzer.software import wording

# Of each kind in one cell; the JSON format has all.
LISTED_MAX = 5


def facts(group: Group) -> Iterator[tuple[str, str]]:
    """Yield what is known of a caller's code, each kind with its label, without what is absent."""
    kinds = {
        "Application": applications(group),
        "Libraries": libraries(group),
        "Packages": packages(group),
        "Script lines": lines(group),
        "Started by files": origins(group),
        "Code not read": _distinct(each.code.lacks for each in group.evidence),
    }
    for label, texts in kinds.items():
        if texts:
            rest = len(texts) - LISTED_MAX
            more = [f"{rest} more"] if rest > 0 else []
            yield label, "; ".join([*texts[:LISTED_MAX], *more])
    if group.evidence_left_out:
        yield "Code left out", f"{group.evidence_left_out} more findings"


def applications(group: Group) -> list[str]:
    """Return the applications that interpreters run."""
    found = (each.code.entry_point for each in group.evidence)
    return _distinct([wording.library(each)] for each in found if each is not None)


def libraries(group: Group) -> list[str]:
    """Return the libraries, each once."""
    return _distinct(map(wording.library, each.code.libraries) for each in group.evidence)


def packages(group: Group) -> list[str]:
    """Return the packages that own its files."""
    return _distinct(map(wording.package, each.code.packages) for each in group.evidence)


def lines(group: Group) -> list[str]:
    """Return the script's lines."""
    return _distinct(map(wording.line, each.code.lines) for each in group.evidence)


def origins(group: Group) -> list[str]:
    """Return the places that start it."""
    return _distinct(map(wording.origin, each.code.origins) for each in group.evidence)


def document(evidence: CodeEvidence) -> dict[str, object]:
    """Return the evidence as members of JSON, each finding an object."""
    code = evidence.code._asdict()
    for name in ("libraries", "packages", "lines", "origins"):
        code[name] = [_object(each) for each in code[name]]
    code["entry_point"] = _object(code["entry_point"])
    return {
        "at": evidence.at,
        "hosts": evidence.hosts,
        "executable": evidence.executable,
        **code,
    }


def _object(found: object) -> object:
    return found._asdict() if hasattr(found, "_asdict") else found


def _distinct(parts: Iterable[Iterable[str]]) -> list[str]:
    return list(dict.fromkeys(text for texts in parts for text in texts))
