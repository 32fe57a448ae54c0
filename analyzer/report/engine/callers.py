"""From processes to what a person would fix: program, launcher, unit, place."""

from __future__ import annotations

from analyzer.logline.programs import (
    CARRIERS,
    CONTAINER_UNIT,
    FAMILIES,
    MODULE,
    RUNS_OF_AGENTS,
    RUNS_OF_PATHS,
    RUNS_OF_UNITS,
    TOOLS,
)
from analyzer.report.engine.sql import RECORD, UNIT, fill, matches, quoted, without_runs

# The probe records 16; others' records may hold more, which are no nearer.
ANCESTORS_MAX = 16
UNNAMED = "(unnamed)"

# A process as one text. What would be taken for a separator is a name that somebody chose to
# be that; arguments may hold UNIT, as only later ones can be mistaken for it.
_PROCESS = """replace(
  replace(coalesce(${whose}name, ''), $unit, '?') || $unit
  || replace(coalesce(${whose}executable, ''), $unit, '?')
  || coalesce($unit || array_to_string(${whose}args, $unit), ''),
$record, '?')"""


_TEXTS = fill(
    """
SELECT *, $own AS process,
  coalesce(array_to_string(list_transform(ancestors, lambda each: $ancestor), $record), '')
    AS tree
FROM $source
""",
    own=fill(_PROCESS, whose="", unit=UNIT, record=RECORD),
    ancestor=fill(_PROCESS, whose="each.", unit=UNIT, record=RECORD),
    record=RECORD,
    source="$source",
)


def with_texts(source: str) -> str:
    """Return the query that adds the caller and its ancestors as texts: ``process``, ``tree``."""
    return fill(_TEXTS, source=source)


REQUESTS = with_texts("cells WHERE is_cell AND is_ours AND event = 'imds_request'")

CALLERS = "SELECT DISTINCT process, tree FROM requests"

ANCESTRY = fill(
    """
SELECT process, tree, distance, split_part(tree, $record, distance) AS ancestor
FROM callers CROSS JOIN (VALUES $numbers) AS distances(distance)
WHERE split_part(tree, $record, distance) <> ''
""",
    record=RECORD,
    numbers=", ".join(f"({each})" for each in range(1, ANCESTORS_MAX + 1)),
)

# Step by step: the fields; which file runs, and with what arguments (busybox runs what its first
# one names); which interpreter that is; what stands behind its options; the script.
PROGRAMS = fill(
    r"""
WITH fields AS (
  SELECT process,
    split_part(process, $unit, 1) AS name,
    split_part(process, $unit, 2) AS executable,
    regexp_extract(coalesce(split_part(process, $unit, 3), ''), '[^/]*\z') AS called,
    coalesce(split_part(process, $unit, 4), '') AS word,
    regexp_replace(process, '^[^\x1f]*\x1f[^\x1f]*(?:\x1f[^\x1f]*)?', '') AS words
  FROM (SELECT process FROM callers UNION SELECT ancestor AS process FROM ancestry) AS processes
), files AS (
  SELECT *,
    regexp_extract(CASE WHEN executable <> '' THEN executable ELSE name END, '[^/]*\z') AS file
  FROM fields
), applets AS (
  SELECT *, CASE WHEN file <> 'busybox' THEN ''
    WHEN called = 'busybox' THEN word ELSE called END AS applet
  FROM files
), interpreters AS (
  SELECT process, name, applet, file,
    executable || CASE WHEN applet <> '' THEN ' ' || applet ELSE '' END AS executable,
    CASE WHEN applet <> '' AND called = 'busybox'
      THEN regexp_replace(words, '^\x1f[^\x1f]*', '') ELSE words END AS words,
    CASE $families ELSE '' END AS family
  FROM applets
), ended AS (
  SELECT *, CASE WHEN words <> '' THEN substr(words, 2) || $unit ELSE '' END AS ended_words
  FROM interpreters
), rests AS (
  SELECT *, CASE family $options ELSE '' END AS rest FROM ended
), scripts AS (
  SELECT *,
    CASE WHEN rest = '' THEN ''
      WHEN family = 'python' AND $is_module THEN 'python -m ' || regexp_extract(rest, $module, 1)
      WHEN $is_option THEN ''
      ELSE split_part(rest, $unit, 1) END AS script
  FROM rests
), named AS (
  SELECT *,
    CASE WHEN script <> '' THEN $script WHEN executable <> '' AND NOT ($is_plain_tool)
      THEN $executable WHEN executable <> '' THEN file
      WHEN name <> '' THEN name ELSE $unnamed END AS program
  FROM scripts
)
SELECT process, program,
  (family <> '' AND script = '') OR $is_tool OR $applet_is_tool AS is_tool,
  script = '' AND (family = 'shell' OR $is_carrier OR $applet_is_carrier) AS is_carrier
FROM named
""",
    unit=UNIT,
    families=" ".join(
        "WHEN "
        + matches("CASE WHEN applet <> '' THEN applet ELSE file END", rf"^(?:{each.names})\z")
        + f" THEN {quoted(each.name)}"
        for each in FAMILIES
    ),
    options=" ".join(
        f"WHEN {quoted(each.name)} THEN regexp_replace(ended_words, {quoted(each.options)}, '')"
        for each in FAMILIES
    ),
    is_module=matches("rest", MODULE),
    module=quoted(MODULE),
    is_option=matches("rest", "^[-+]"),
    script=without_runs("script", RUNS_OF_PATHS),
    executable=without_runs("executable", RUNS_OF_PATHS),
    unnamed=quoted(UNNAMED),
    # One that has exited before it was looked at is known by its name alone: the same caller.
    is_plain_tool="applet = '' AND " + matches("file", TOOLS),
    is_tool=matches(r"regexp_extract(program, '[^/]*\z')", TOOLS),
    applet_is_tool=matches("applet", TOOLS),
    is_carrier=matches("file", CARRIERS),
    applet_is_carrier=matches("applet", CARRIERS),
)

NAMED = """
SELECT callers.process, callers.tree, programs.program, programs.is_tool,
  coalesce(CASE WHEN programs.is_tool THEN launchers.program END, '') AS launcher
FROM callers
JOIN programs ON programs.process = callers.process
LEFT JOIN (
  SELECT ancestry.process, ancestry.tree, ancestry.distance, programs.program
  FROM ancestry JOIN programs ON programs.process = ancestry.ancestor
  JOIN (
    SELECT ancestry.process, ancestry.tree, min(distance) AS distance
    FROM ancestry JOIN programs ON programs.process = ancestry.ancestor
    WHERE NOT programs.is_carrier
    GROUP BY ancestry.process, ancestry.tree
  ) AS nearest
    ON nearest.process = ancestry.process AND nearest.tree = ancestry.tree
    AND nearest.distance = ancestry.distance
) AS launchers
  ON launchers.process = callers.process AND launchers.tree = callers.tree
"""

KEYED = fill(
    """
SELECT requests.*, named.program, named.launcher, named.is_tool,
  CASE WHEN $is_containers THEN '' ELSE $clean_unit END AS key_unit,
  CASE WHEN orchestrator <> '' THEN orchestrator WHEN runtime <> '' THEN runtime
    WHEN container <> '' THEN 'container' ELSE 'host' END AS place,
  $clean_agent AS key_agent
FROM requests JOIN named ON named.process = requests.process AND named.tree = requests.tree
""",
    is_containers=matches("unit", CONTAINER_UNIT),
    clean_unit=without_runs("unit", RUNS_OF_UNITS),
    clean_agent=without_runs("agent", RUNS_OF_AGENTS),
)

# What is kept, in order, of ``cells``.
STEPS = (
    ("requests", REQUESTS),
    ("callers", CALLERS),
    ("ancestry", ANCESTRY),
    ("programs", PROGRAMS),
    ("named", NAMED),
    ("keyed", KEYED),
)
