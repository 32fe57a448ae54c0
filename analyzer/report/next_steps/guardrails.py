"""Names the files that keep IMDSv1 off in the steps: their commands, and what they do not stop."""

from __future__ import annotations

from analyzer.account.guardrails.table import BY_FILE

DIRECTORY = "guardrails"
WRITE = f"imds-analyzer audit --guardrails {DIRECTORY}"


def commands(*files: str) -> tuple[str, ...]:
    """Return the commands that apply the files, which :data:`WRITE` has written."""
    return tuple(each for file in files for each in BY_FILE[file].commands_in(DIRECTORY))


def gaps(*files: str) -> str:
    """Return what each of the files does not stop."""
    said = " ".join(f"{file}: {' '.join(BY_FILE[file].gaps)}" for file in files)
    return f"What they do not stop: {said}"
