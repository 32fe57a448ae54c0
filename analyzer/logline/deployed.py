"""Words what a container was deployed as: ``deployment payments/api``.

A line has the parts in ``orchestrator``. A report keeps them in one text, ``Deployment
payments/api``.
"""

from __future__ import annotations

from analyzer.logline.line import text_at

# The owner's kind as the log has it -> the same in words, where that is more than small letters.
_KINDS = {"TaskDefinition": "task family", "CronJob": "cron job"}
# Where callers' containers run -> what one of them is called, and what it runs on.
_COPIES = {
    "kubernetes": ("pod", "node"),
    "ecs": ("task", "instance"),
    "nomad": ("allocation", "node"),
}


def deployed_as(fields: object) -> str:
    """Return what a line's container was deployed as, as a report keeps it; "" if unknown."""
    named = (
        (
            text_at(fields, "orchestrator", "resource", "parent", "type"),
            text_at(fields, "orchestrator", "resource", "parent", "name"),
        ),
        (
            text_at(fields, "orchestrator", "resource", "type"),
            text_at(fields, "orchestrator", "resource", "name"),
        ),
    )
    namespace = text_at(fields, "orchestrator", "namespace")
    for kind, name in named:
        if kind and name:
            return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"
    return ""


def in_words(deployed: str) -> str:
    """Return the same in words."""
    kind, _, name = deployed.partition(" ")
    return f"{_KINDS.get(kind, kind.lower())} {name}"


def copies_at(place: str) -> tuple[str, str]:
    """Return what copies of a container are called at a place, and what they run on."""
    return _COPIES.get(place, ("container", "host"))
