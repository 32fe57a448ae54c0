"""Writes a scan as JSON."""

from __future__ import annotations

import datetime
import json
from dataclasses import asdict

from analyzer import __version__
from analyzer.host.identity import instance_id
from analyzer.scan.findings import FORMAT, Finding, Outcome
from analyzer.text import visible


def as_json(outcome: Outcome, host: str, at: datetime.datetime) -> str:
    """Return the document. Fields that are unknown are left out, as in the log."""
    document = {
        "format": FORMAT,
        "version": __version__,
        "timestamp": at.astimezone(datetime.timezone.utc).isoformat().replace("+00:00", "Z"),
        "host": {"name": host, **({"id": instance_id()} if instance_id() else {})},
        "paths": list(outcome.paths),
        "complete": outcome.is_complete,
        "interrupted": outcome.is_interrupted,
        "counts": {
            "files": outcome.files,
            "folders": outcome.folders,
            "findings": len(outcome.findings),
            "findings_left_out": outcome.findings_left_out,
            "unread": outcome.unread_count,
        },
        "findings": [_finding(each) for each in outcome.findings],
        "unread": [{"path": visible(path), "reason": why} for path, why in outcome.unread.items()],
        "skipped": [
            {"path": visible(path), "reason": why} for path, why in outcome.skipped.items()
        ],
    }
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def _finding(finding: Finding) -> dict[str, object]:
    fields = asdict(finding)
    return {
        key: visible(value) if isinstance(value, str) else value
        for key, value in fields.items()
        if value not in ("", 0, ())
    }
