"""The one page of the terminal: what it says, and that it is one page."""

from __future__ import annotations

import dataclasses
import functools
import io
from collections.abc import Sequence

import pytest
from rich.cells import cell_len
from rich.console import Console

from analyzer.report.formats import FORMATS, table
from analyzer.report.formats.selection import Detail
from analyzer.report.result import Cause, Entry, Judgement, Report, Standing, Step
from tests.unit import report_fleet_samples as fleets
from tests.unit import report_samples as samples
from tests.unit import reports

ONE_PAGE = Detail()
LONG_WORDS = ("a" * 500, "界 " * 100, "x\ny" * 40, samples.HOSTILE, "\x1b[2J", "-")


def page(report: Report, width: int = 80, detail: Detail = ONE_PAGE) -> list[str]:
    """Return the lines as a terminal of that width shows them."""
    file = io.StringIO()
    console = Console(file=file, width=width, color_system=None)
    table.show(report, console, detail)
    return file.getvalue().splitlines()


@functools.lru_cache(maxsize=3 * len(LONG_WORDS))
def long_page(text: str, width: int) -> tuple[str, ...]:
    """Return a page on which all is long; it takes a second."""
    return tuple(page(fleets.hostile(text), width))


def rows(lines: Sequence[str], width: int = 80) -> int:
    """Return how many rows of a terminal the lines take."""
    return sum(max(1, -(-cell_len(line) // width)) for line in lines)


class TestOnePage:
    """At most 60 rows, whatever the input."""

    @pytest.mark.parametrize("size", [1, 3, 40, 400])
    def test_a_fleet_of_any_size_is_one_page(self, size: int) -> None:
        assert rows(page(fleets.fleet(size))) <= table.ROWS_MAX

    @pytest.mark.parametrize("width", [40, 80, 200])
    @pytest.mark.parametrize("text", LONG_WORDS)
    def test_no_text_makes_it_longer(self, text: str, width: int) -> None:
        """Each list has more items than a page has rows, each text thousands of characters."""
        lines = long_page(text, width)
        assert rows(lines, width) <= table.ROWS_MAX
        assert max(cell_len(line) for line in lines) <= min(width, table.COLUMNS_MAX)
        assert all(line.isprintable() for line in lines)

    @pytest.mark.parametrize("text", LONG_WORDS)
    def test_each_part_is_there_even_if_all_are_long(self, text: str) -> None:
        said = "\n".join(long_page(text, 80))
        for title in ("In the way:", "Instances:", "group ", "If IMDSv1 is switched off today",
                      "Causes:", "owner ", "No longer in the way", "Comparison with CloudWatch",
                      "Not read:", "What to do next"):  # fmt: skip
            assert title in said, title
        assert said.splitlines()[-1] == "NOT SAFE"

    def test_what_is_left_out_is_counted(self) -> None:
        said = "\n".join(page(reports.large(groups=10_000, hosts=5_000)))
        assert "9,990 more callers left out here; --callers has all." in said
        assert "5,000  NOT SAFE" in said
        assert rows(said.splitlines()) <= table.ROWS_MAX

    def test_long_commands_count_for_the_rows_that_they_take(self) -> None:
        """They are not broken by the program, but by the terminal."""
        command = "aws ec2 describe-instances " + "i-0123456789abcdef0 " * 150
        entry = reports.everything()[0]
        diagnosis = dataclasses.replace(entry.diagnosis, commands=(command,))
        entries = (dataclasses.replace(entry, diagnosis=diagnosis),)
        report = dataclasses.replace(
            fleets.one_caller(entries=entries), steps=(Step("Look", "First.", (command,)),) * 9
        )
        lines = page(report)
        assert rows(lines) <= table.ROWS_MAX
        assert all(len(line) <= 80 or line.strip() == command.strip() for line in lines)


class TestWhatItSays:
    """What a meeting asks for."""

    def test_instances_by_verdict_and_without_a_log(self) -> None:
        said = "\n".join(page(fleets.fleet(400)))
        assert "400 of 403 running instances have a log" in said
        assert " 80  NOT SAFE             ip-10-0-0-0, ip-10-0-0-5, ip-10-0-0-10, 77 more" in said
        assert "240  SAFE" in said
        assert (
            "  3  without a log        1 of web-asg, no owner known; 1 of web-asg, search" in said
        )

    def test_what_breaks_with_the_number_of_hosts_and_the_date(self) -> None:
        said = "\n".join(page(fleets.fleet(400)))
        assert "1  service-000.py  breaks        80  15,880  old SDK     2026-11-30" in said
        assert "may break     46   9,191  old SDK     next boot" in said
        assert "fails now" in said
        assert "SAFE on 2026-11-30 00:00 UTC if nothing calls IMDSv1 until then" in said

    def test_causes_and_owners(self) -> None:
        said = "\n".join(page(fleets.fleet(400)))
        assert "Causes: old SDK on 80 hosts (2 callers); falls back on 68 hosts" in said
        assert "payments  54 of 134  service-000.py" in said

    def test_without_a_roster_nothing_is_said_of_owners(self) -> None:
        said = "\n".join(page(dataclasses.replace(fleets.fleet(40), roster=None, groups=())))
        assert "owner" not in said
        assert "Instances: 40 with a log" in said

    def test_one_host_gets_the_fix(self) -> None:
        said = "\n".join(page(fleets.one_caller(fleets.standing(caller="/srv/app/worker.py"))))
        assert "old SDK: botocore 1.12.253 cannot speak IMDSv2." in said
        assert "    pip install --upgrade 'botocore>=1.13.25'" in said
        assert "2026-11-30" in said

    def test_titles_in_order_and_the_commands_of_the_first_step_only(self) -> None:
        lines = page(reports.full())
        assert lines.index("1. Mend the callers") < lines.index(
            "2. Require tokens on each instance"
        )
        assert f"    {reports.STEPS[1].commands[0]}" in lines
        assert "ec2:RunInstances" not in "\n".join(lines)
        all_of_them = "\n".join(page(reports.full(), detail=Detail(steps=True)))
        assert "ec2:RunInstances" in all_of_them
        assert reports.STEPS[1].why in all_of_them

    def test_without_steps_there_is_no_title_for_them(self) -> None:
        assert "What to do next" not in "\n".join(page(reports.report(steps=())))

    def test_files_that_were_not_read_are_named(self) -> None:
        said = "\n".join(page(fleets.fleet(3)))
        assert "Not read: 1 file\n- /var/log/fleet/notes.txt: not a log" in said

    def test_figures_name_the_host_that_they_are_of(self) -> None:
        assert "MetadataNoToken on ip-10-0-0-0 from 2026-11-21" in "\n".join(page(fleets.fleet(3)))

    def test_two_hosts_of_one_name_are_told_apart(self) -> None:
        said = "\n".join(page(fleets.two_of_one_name()))
        assert f"NOT SAFE  localhost ({fleets.instance_id(0)})" in said
        assert f"SAFE      localhost ({fleets.instance_id(1)})" in said


class TestInTheWay:
    """Exactly what keeps it from SAFE."""

    @pytest.mark.parametrize(
        "kind", [Standing.CALLS, Standing.REJECTED, Standing.DUE, Standing.AWAITS_BOOT]
    )
    def test_these_are(self, kind: Standing) -> None:
        said = "\n".join(page(fleets.one_caller(fleets.standing(kind))))
        assert "If IMDSv1 is switched off today: 1 caller in the way" in said
        assert "No longer in the way" not in said

    @pytest.mark.parametrize(
        ("kind", "text"),
        [
            (Standing.SPEAKS_V2, "worker.py: v2 since 2026-11-20 00:00 UTC"),
            (Standing.SILENT, "worker.py: silent since 2026-11-21 23:00 UTC"),
            (Standing.BOOTED, "worker.py: silent at a boot since that was watched"),
            (Standing.ACCEPTED, "worker.py: accepted by ops@example.com until 2026-12-24: it is"),
        ],
    )
    def test_these_are_not_and_it_is_said_why(self, kind: Standing, text: str) -> None:
        said = "\n".join(page(fleets.one_caller(fleets.standing(kind))))
        assert "No caller is in the way" in said
        assert text in said

    def test_a_caller_that_nothing_judged_is(self) -> None:
        assert "1  worker.py  breaks" in "\n".join(page(fleets.one_caller()))

    def test_a_caller_that_since_leaves_out_of_the_lists_is(self) -> None:
        report = fleets.one_caller(fleets.standing(Standing.DUE, caller="/old/job"), entries=())
        assert "1  /old/job  may break" in "\n".join(page(report))

    def test_remarks_are_apart(self) -> None:
        lines = page(fleets.fleet(3))
        remark = lines.index("  - no reboot within the window")
        assert lines.index("  In the way:") < lines.index("  Known, and not in the way:") < remark

    def test_a_safe_page_has_remarks_only(self) -> None:
        verdict = dataclasses.replace(
            reports.verdict(Judgement.SAFE, "no reboot was seen"), safe_on=None
        )
        said = "\n".join(page(dataclasses.replace(reports.safe(), verdict=verdict)))
        assert "In the way:" not in said
        assert "  - no reboot was seen" in said
        assert "SAFE on" not in said


class TestInFull:
    """What ``--hosts`` and ``--callers`` add."""

    def test_hosts_lists_every_host_with_numbers_of_its_own(self) -> None:
        lines = page(fleets.fleet(400), detail=Detail(hosts=True))
        names = {line.split()[0] for line in lines if line.endswith((" SAFE", " EVIDENCE"))}
        assert {f"ip-10-0-{n // 256}-{n % 256}" for n in range(400)} <= names
        place = next(n for n, line in enumerate(lines) if line.startswith("ip-10-0-0-5 "))
        own = " ".join("\n".join(lines[place : place + 8]).split())
        assert "worker-asg, platform, running" in own
        assert "service-000.py: 6 IMDSv1 calls, last on 2026-11-21 23:00 UTC" in own
        assert f"- ip-10-0-1-144 ({fleets.instance_id(400)}): web-asg" in lines[-60:] or any(
            "ip-10-0-1-144" in line for line in lines
        )

    def test_callers_describes_each_with_each_host(self) -> None:
        lines = page(fleets.fleet(40, callers=30), detail=Detail(callers=True))
        said = "\n".join(lines)
        assert "Callers in the way (7)" in said or "Callers in the way (30)" in said
        assert said.count("-> Upgrade botocore") >= 3
        assert "Callers no longer in the way (2)" in said
        assert "Accepted with --accept (1)" in said
        assert "/srv/app/worker.py on all hosts, accepted by ops@example.com" in said

    def test_a_decision_that_has_ended_says_so(self) -> None:
        ended = fleets.acceptance(until=(samples.NOW - samples.DAY).date())
        report = dataclasses.replace(fleets.one_caller(fleets.standing()), accepted=(ended,))
        said = " ".join(" ".join(page(report, detail=Detail(callers=True))).split())
        assert "no longer, it has ended" in said

    def test_a_long_list_is_whole(self) -> None:
        report = reports.large(groups=300, hosts=700)
        said = FORMATS["table"](report, Detail(hosts=True, callers=True))
        assert all(f"\n{n}. worker.py" in said for n in range(1, 301))
        assert all(f"ip-10-0-{n // 256}-{n % 256} " in said for n in range(700))


def test_incidents_leave_the_page_its_length() -> None:
    """However many: each after the first few gives way, never the part."""
    diagnosis = dataclasses.replace(
        reports.hostile_diagnosis("nginx " * 60), cause=Cause.FORGERY, evidence=("seen " * 100,)
    )
    for number in (1, 3, 500):
        entries = [Entry(samples.group(f"/usr/sbin/nginx-{n}"), diagnosis) for n in range(number)]
        large = reports.large(groups=30, hosts=40)
        text = table.as_text(dataclasses.replace(large, entries=(*entries, *large.entries)))
        assert len(text.splitlines()) <= table.ROWS_MAX
        assert text.startswith("INCIDENT")
