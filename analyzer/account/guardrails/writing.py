"""Writes the files into a directory, with a README that says what each does not stop."""

from __future__ import annotations

from pathlib import Path

from analyzer.account.guardrails.guardrail import Guardrail
from analyzer.account.guardrails.table import GUARDRAILS
from analyzer.errors import AnalyzerError
from analyzer.text import visible

README = "README.md"
_HEAD = """# Keep IMDSv1 off

Apply these in this order. TARGET_ID is a root, an organizational unit or an account. Words in
capitals are yours to fill in. The last three shut the way back: apply them when nobody needs it.
"""


def write(directory: Path) -> tuple[Path, ...]:
    """Write all files and return their paths; makes the directory.

    A file that is there already is only left if it is the same. Raises AnalyzerError, before
    anything is written, for one that differs.
    """
    contents = {each.file: each.text for each in GUARDRAILS}
    contents[README] = readme(str(directory))
    name = visible(str(directory))
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for file, text in contents.items():
            path = directory / file
            if path.exists() and path.read_text(encoding="utf-8", errors="replace") != text:
                raise AnalyzerError(
                    f"{name}/{file} exists already, with other content. Move it away, or"
                    " name another directory."
                )
        for file, text in contents.items():
            (directory / file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise AnalyzerError(
            f"cannot write the files into {name!r}: {error.strerror}. Name another directory."
        ) from None
    return tuple(directory / each for each in contents)


def readme(directory: str) -> str:
    """Return what each file does, what it does not stop, and how to apply it, as Markdown."""
    return "\n".join((_HEAD, *(_section(each, directory) for each in GUARDRAILS)))


def _section(guardrail: Guardrail, directory: str) -> str:
    gaps = "\n".join(f"- {each}" for each in guardrail.gaps)
    commands = "\n\n".join(guardrail.commands_in(directory))
    indented = "\n".join(f"    {line}" if line else "" for line in commands.split("\n"))
    shut = "\nIt shuts the way back to IMDSv1.\n" if guardrail.is_way_back_shut else ""
    return (
        f"## {guardrail.title}\n\n`{guardrail.file}`, a {guardrail.kind.value}. {guardrail.effect}"
        f"\n{shut}\nWhat it does not stop:\n\n{gaps}\n\nApply it:\n\n{indented}\n"
    )
