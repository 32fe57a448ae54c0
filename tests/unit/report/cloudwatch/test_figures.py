"""CloudWatch's figures: every form that the AWS CLI prints, and what is said of any other."""

from __future__ import annotations

import datetime
import json
import shlex
from pathlib import Path
from typing import Any, Optional

import pytest

from analyzer.errors import AnalyzerError
from analyzer.report.cloudwatch import figures as module
from analyzer.report.cloudwatch.comparison import compare
from analyzer.report.cloudwatch.figures import CloudWatch, read
from analyzer.report.cloudwatch.question import NO_TOKEN, REJECTED, command
from analyzer.report.findings import Bucket, Findings, Span
from analyzer.report.result import Comparison
from tests.unit.report_samples import HOUR, INSTANCE, NOW, findings, host, v2_only

MINUTES_5 = datetime.timedelta(minutes=5)
T0 = datetime.datetime(2026, 11, 21, 12, 0, tzinfo=datetime.timezone.utc)
OTHER = "i-0fedcba9876543210"
LABEL = f"{NO_TOKEN} 300 {INSTANCE}"


def series(
    *values: float, label: str = LABEL, start: datetime.datetime = T0, **fields: Any
) -> dict[str, Any]:
    """Return one result, newest first as CloudWatch has it."""
    times = [(start + n * MINUTES_5).isoformat() for n in range(len(values))]
    return {
        "Id": "no_token",
        "Label": label,
        "Timestamps": times[::-1],
        "Values": list(values)[::-1],
        "StatusCode": "Complete",
        **fields,
    }


def answer(*results: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"MetricDataResults": list(results), "Messages": [], **fields}


def written(path: Path, *documents: Any) -> Path:
    file = path / "metrics.json"
    file.write_text("\n".join(json.dumps(each, indent=4) for each in documents) + "\n")
    return file


def loaded(path: Path, *documents: Any) -> CloudWatch:
    return read(written(path, *documents))


# --- reading --------------------------------------------------------------------------------


def test_what_get_metric_data_prints_is_read(tmp_path: Path) -> None:
    """By metric and start of each period."""
    rejected = series(0, 1, label=f"{REJECTED} 300 {INSTANCE}", Id="rejected")
    read_back = loaded(tmp_path, answer(series(0, 3, 2), rejected))
    assert read_back.counts == {
        NO_TOKEN: {T0: 0, T0 + MINUTES_5: 3, T0 + 2 * MINUTES_5: 2},
        REJECTED: {T0: 0, T0 + MINUTES_5: 1},
    }
    assert (read_back.period_s, read_back.bucket_s) == (300, 300)
    assert (read_back.instances, read_back.notes) == (frozenset([INSTANCE]), ())


@pytest.mark.parametrize(
    "form",
    [
        "2026-11-21T12:00:00Z",
        "2026-11-21T12:00:00+00:00",
        "2026-11-21T13:00:00+01:00",
        "2026-11-21T12:00:00",
        1795262400,
        1795262400.0,
    ],
)
def test_every_form_of_time_is_read(tmp_path: Path, form: object) -> None:
    """Both major versions of the CLI, and cli_timestamp_format."""
    counts = loaded(tmp_path, answer(series(4, Timestamps=[form]))).counts
    assert counts == {NO_TOKEN: {T0: 4}}


def test_several_answers_in_one_file_are_added_up(tmp_path: Path) -> None:
    """Pages of one instance, and several instances."""
    page_1 = answer(series(1, 2))
    page_2 = answer(series(3, start=T0 + 2 * MINUTES_5))
    other = answer(series(10, 20, 30, label=f"{NO_TOKEN} 300 {OTHER}"))
    read_back = loaded(tmp_path, page_1, page_2, other)
    assert list(read_back.counts[NO_TOKEN].values()) == [11, 22, 33]
    assert read_back.instances == {INSTANCE, OTHER}


def test_get_metric_statistics_is_read_too(tmp_path: Path) -> None:
    """Its datapoints come in no order."""
    points = [
        {"Timestamp": "2026-11-21T12:05:00Z", "Sum": 2.0, "Unit": "Count"},
        {"Timestamp": "2026-11-21T12:00:00Z", "Sum": 1.0, "Unit": "Count"},
    ]
    read_back = loaded(tmp_path, {"Label": NO_TOKEN, "Datapoints": points})
    assert read_back.counts == {NO_TOKEN: {T0: 1, T0 + MINUTES_5: 2}}
    assert (read_back.period_s, read_back.instances) == (300, frozenset())
    with pytest.raises(AnalyzerError, match="--statistics Sum"):
        loaded(tmp_path, {"Label": NO_TOKEN, "Datapoints": [{"Average": 1}]})


@pytest.mark.parametrize(
    ("label", "identity", "metric"),
    [
        (NO_TOKEN, "m1", NO_TOKEN),
        (REJECTED, "m1", REJECTED),
        (INSTANCE, "no_token", None),
        (INSTANCE, "metadataNoToken", NO_TOKEN),
        (INSTANCE, "metadata_no_token_rejected", REJECTED),
        ("CPUUtilization", "m1", None),
    ],
)
def test_label_or_id_say_which_metric_it_is(
    tmp_path: Path, label: str, identity: str, metric: Optional[str]
) -> None:
    """Where neither does, it is refused."""
    document = answer(series(1, 2, label=label, Id=identity))
    if metric is None:
        with pytest.raises(AnalyzerError, match=r"neither Label .* says whether"):
            loaded(tmp_path, document)
    else:
        assert list(loaded(tmp_path, document).counts) == [metric]


def test_the_period_comes_from_the_label_or_the_distances(tmp_path: Path) -> None:
    """A time without calls may be left out, so a label is better; one time alone is assumed."""
    assert loaded(tmp_path, answer(series(1, 2, 3, label=NO_TOKEN))).period_s == 300
    sparse = series(1, 1, label=NO_TOKEN, Timestamps=[T0.isoformat(), (T0 + HOUR).isoformat()])
    assert loaded(tmp_path, answer(sparse)).period_s == 3600
    stated = {**sparse, "Label": LABEL}
    assert loaded(tmp_path, answer(stated)).period_s == 300
    alone = loaded(tmp_path, answer(series(1, label=NO_TOKEN)))
    assert alone.period_s == 300
    assert alone.notes == ("one time alone tells no period: 300 s is assumed",)
    with pytest.raises(AnalyzerError, match="several periods"):
        loaded(tmp_path, answer(series(1), series(1, label=f"{NO_TOKEN} 60 {OTHER}")))


def test_periods_that_begin_between_multiples_need_smaller_buckets(tmp_path: Path) -> None:
    """What was asked for from 12:02 on has periods from 12:02, 12:07, ..."""
    odd = loaded(tmp_path, answer(series(1, 2, start=T0 + datetime.timedelta(minutes=2))))
    assert (odd.period_s, odd.bucket_s) == (300, 60)
    with pytest.raises(AnalyzerError, match="whole minutes"):
        loaded(tmp_path, answer(series(1, 2, start=T0 + datetime.timedelta(seconds=7))))


def test_what_is_incomplete_is_said(tmp_path: Path) -> None:
    """Figures that may come later, and pages that were not asked for."""
    partial = loaded(tmp_path, answer(series(1, 2, StatusCode="PartialData"), NextToken="x"))
    assert partial.notes == (
        "CloudWatch has more figures than the file holds: leave out --max-items",
        f"CloudWatch says PartialData of {LABEL}: figures may be missing",
    )


def test_figures_that_occur_twice_count_once(tmp_path: Path) -> None:
    """Unless they differ: then two instances have one label."""
    twice = loaded(tmp_path, answer(series(1, 2)), answer(series(1, 2)))
    assert twice.counts == {NO_TOKEN: {T0: 1, T0 + MINUTES_5: 2}}
    assert twice.notes == (f"figures of {LABEL} that occur twice were taken once",)
    with pytest.raises(AnalyzerError, match="Give each instance a Label of its own"):
        loaded(tmp_path, answer(series(1, 2)), answer(series(1, 3)))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is empty"),
        (b"  \n", "is empty"),
        (b"\nAn error occurred (AccessDenied) when calling the GetMetricData operation: User x is",
         "the AWS CLI's error: An error occurred (AccessDenied)"),
        (b"METRICDATARESULTS\tno_token\n", "another --output"),
        (b'{"MetricDataResults": [', "is not JSON"),
        (b'{"MetricDataResults": []}', "holds no figure"),
        (b'{"MetricDataResults": [{"Label": "MetadataNoToken", "Timestamps": [], "Values": []}]}',
         "holds no figure"),
        (b'{"Metrics": []}', "what list-metrics prints"),
        (b'[{"Id": "m", "MetricStat": {}}]', "not what get-metric-data prints"),
        (b'{"MetricDataQueries": []}', "the question to get-metric-data"),
        (b'{"MetricDataResults": [7]}', "not what get-metric-data prints"),
        (b'{"MetricDataResults": [{"Label": "MetadataNoToken", "Timestamps": [1]}]}',
         "no Timestamps and Values of the same number"),
        (b'{"event": "imds_request"}', "not what get-metric-data prints"),
        (b"7", "not what get-metric-data prints"),
        (b"\xff\xfe{", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
    ],
)  # fmt: skip
def test_another_file_is_named_for_what_it_is(
    tmp_path: Path, content: bytes, complaint: str
) -> None:
    """With the command to run."""
    file = tmp_path / "metrics.json"
    file.write_bytes(content)
    with pytest.raises(AnalyzerError) as caught:
        read(file)
    assert complaint in str(caught.value)
    assert str(file) in str(caught.value)
    assert "aws cloudwatch get-metric-data" in str(caught.value)


@pytest.mark.parametrize("value", [-1, "3", None, True, 1.5, float("nan"), float("inf")])
def test_what_is_no_count_is_refused(tmp_path: Path, value: object) -> None:
    """An average has fractions; a count has none."""
    with pytest.raises(AnalyzerError, match=r"not a number of calls|statistic Sum"):
        loaded(tmp_path, answer(series(1, Values=[value])))


@pytest.mark.parametrize("value", ["yesterday", None, True, 1e300])
def test_what_is_no_time_is_refused(tmp_path: Path, value: object) -> None:
    """With the value."""
    with pytest.raises(AnalyzerError, match="is not a time"):
        loaded(tmp_path, answer(series(1, Timestamps=[value])))


def test_a_file_that_is_not_there_or_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it is read whole."""
    with pytest.raises(AnalyzerError, match="No such file"):
        read(tmp_path / "none.json")
    monkeypatch.setattr(module, "SIZE_MAX", 10)
    with pytest.raises(AnalyzerError, match="ask for less time"):
        loaded(tmp_path, answer(series(1)))


def test_the_command_asks_for_both_metrics_in_labels_that_tell_all(tmp_path: Path) -> None:
    """Its answer needs no guess: the shell splits it, JSON reads it, and labels read back."""
    words = shlex.split(command(INSTANCE, Span(T0 + MINUTES_5, T0 + HOUR + MINUTES_5)))
    assert words[words.index("--start-time") + 1] == "2026-11-21T12:00:00Z"
    assert words[words.index("--end-time") + 1] == "2026-11-21T14:00:00Z"
    queries = json.loads(words[words.index("--metric-data-queries") + 1])
    assert {each["MetricStat"]["Metric"]["MetricName"] for each in queries} == {NO_TOKEN, REJECTED}
    results = [series(1, label=each["Label"], Id=each["Id"]) for each in queries]
    read_back = loaded(tmp_path, answer(*results))
    assert (read_back.period_s, read_back.instances) == (300, frozenset([INSTANCE]))
    assert set(read_back.counts) == {NO_TOKEN, REJECTED}


# --- comparing --------------------------------------------------------------------------------


def bucket(
    index: int, success: int = 0, rejected: int = 0, unanswered: int = 0, seconds: int = 300
) -> Bucket:
    start = T0 + index * datetime.timedelta(seconds=seconds)
    v1 = success + rejected + unanswered
    return Bucket(start, {"v1": v1, "v2": 3, "unknown": 0}, success, rejected, unanswered)


def counted(
    *values: int, metric: str = NO_TOKEN, instances: frozenset[str] = frozenset([INSTANCE])
) -> CloudWatch:
    points = {T0 + n * MINUTES_5: value for n, value in enumerate(values) if value >= 0}
    return CloudWatch(300, 300, {metric: points}, instances, ())


def recorded(*buckets: Bucket, bucket_s: int = 300, **fields: Any) -> Findings:
    return findings((v2_only(),), (host(**fields),), bucket_s=bucket_s, timeline=buckets)


def left(comparison: Comparison) -> list[tuple[int, int, int, int]]:
    """Return period, counted, recorded and missing of what does not agree."""
    return [
        ((each.period.start - T0) // MINUTES_5, each.counted, each.recorded, each.missing)
        for each in comparison.differences
    ]


def test_what_agrees_leaves_no_difference() -> None:
    """Periods, and sums."""
    comparison = compare(counted(0, 3, 0, 2), recorded(bucket(1, 3), bucket(3, 2)))
    assert left(comparison) == []
    assert (comparison.periods, comparison.counted, comparison.recorded) == (4, 5, 5)


def test_a_call_that_was_not_recorded_is_shown_by_time() -> None:
    """With its period."""
    comparison = compare(counted(0, 3, 0, 2), recorded(bucket(1, 1), bucket(3, 2)))
    assert left(comparison) == [(1, 3, 1, 2)]
    assert comparison.differences[0].is_covered


def test_calls_that_aws_did_not_count_are_shown_too() -> None:
    """Also in a period that CloudWatch leaves out."""
    comparison = compare(counted(1, -1, -1, 1), recorded(bucket(0, 1), bucket(2, 4), bucket(3, 1)))
    assert left(comparison) == [(2, 0, 4, 0)]


def test_calls_outside_the_figures_are_not_compared() -> None:
    """Before the first and after the last period."""
    comparison = compare(counted(1, 1), recorded(bucket(-1, 9), bucket(0, 1), bucket(1, 1),
                                                 bucket(2, 9)))  # fmt: skip
    assert left(comparison) == []


def test_an_unanswered_call_may_be_one_that_aws_counted() -> None:
    """Once: not for both metrics."""
    both = CloudWatch(300, 300, {NO_TOKEN: {T0: 1}, REJECTED: {T0: 1}}, frozenset(), ())
    assert left(compare(counted(1), recorded(bucket(0, unanswered=1)))) == []
    assert left(compare(both, recorded(bucket(0, unanswered=2)))) == []
    assert left(compare(both, recorded(bucket(0, unanswered=1)))) == [(0, 1, 0, 1)]


def test_refused_calls_are_compared_with_their_own_metric() -> None:
    """Successful ones do not make up for them."""
    rejected = counted(0, 3, metric=REJECTED)
    assert left(compare(rejected, recorded(bucket(1, rejected=3)))) == []
    assert left(compare(rejected, recorded(bucket(1, success=3)))) == [(1, 3, 0, 3)]


def test_a_call_at_a_border_may_be_counted_on_the_other_side() -> None:
    """In a neighbouring period, and no farther."""
    near = compare(counted(0, 3, 1, 0), recorded(bucket(1, 4)))
    assert left(near) == []
    assert near.notes == ("1 call was counted in the period beside that in which it was recorded",)
    far = compare(counted(0, 3, 0, 1), recorded(bucket(1, 4)))
    assert left(far) == [(1, 3, 4, 0), (3, 1, 0, 1)]
    once = compare(counted(1, 3, 1, 0), recorded(bucket(1, 4)))
    assert [each[3] for each in left(once)] == [1]


def test_smaller_buckets_are_added_up() -> None:
    """As for periods that begin between multiples."""
    start = T0 + datetime.timedelta(minutes=2)
    figures = CloudWatch(300, 60, {NO_TOKEN: {start: 2, start + MINUTES_5: 1}}, frozenset(), ())
    buckets = [bucket(minute, 1, seconds=60) for minute in (0, 2, 6, 7, 12)]
    assert left(compare(figures, recorded(*buckets, bucket_s=60))) == []
    with pytest.raises(ValueError, match="do not fit"):
        compare(figures, recorded(*buckets, bucket_s=300))
    with pytest.raises(ValueError, match="do not fit"):
        compare(counted(1), recorded(bucket_s=3600))


def test_a_period_that_was_not_watched_whole_is_marked() -> None:
    """Its calls may have been made while nobody watched."""
    covered = (Span(T0 + MINUTES_5 / 2, NOW),)
    comparison = compare(counted(1, 1), recorded(covered=covered))
    assert [each.is_covered for each in comparison.differences] == [False, True]


def test_coverage_is_of_the_hosts_that_the_figures_are_of() -> None:
    """Labels name them; what has figures or a log only is noted."""
    hosts = (
        host("a", instance_id=INSTANCE),
        host("b", instance_id="i-00000000000000001", covered=(Span(NOW - HOUR, NOW),)),
    )
    of_both = findings((v2_only(),), hosts, bucket_s=300)
    named = compare(counted(1), of_both)
    assert named.differences[0].is_covered
    assert named.notes == ("of 1 host there is a log, but no figures: b",)
    unnamed = compare(counted(1, instances=frozenset()), of_both)
    assert not unnamed.differences[0].is_covered
    assert "name no instance; the log has 2 hosts" in unnamed.notes[0]
    stranger = compare(counted(1, instances=frozenset([OTHER])), recorded())
    assert f"figures, but no log: {OTHER}" in stranger.notes[0]


def test_without_a_timeline_all_is_missing() -> None:
    """A log without requests accounts for nothing."""
    comparison = compare(counted(2, 3), recorded())
    assert sum(each.missing for each in comparison.differences) == 5
    assert comparison.recorded == 0
