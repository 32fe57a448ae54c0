"""CloudWatch's figures: every form that the AWS CLI prints, and what is said of any other."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any, Optional

import pytest

from analyzer.errors import AnalyzerError
from analyzer.report.cloudwatch import answers as module
from analyzer.report.cloudwatch.figures import read
from analyzer.report.cloudwatch.question import NO_TOKEN, REJECTED
from tests.unit.report.cloudwatch.printed import (
    LABEL,
    MINUTES_5,
    OTHER,
    T0,
    answer,
    loaded,
    series,
    totals,
)
from tests.unit.report_samples import HOUR, INSTANCE


def test_what_get_metric_data_prints_is_read(tmp_path: Path) -> None:
    """By metric and start of each period."""
    rejected = series(0, 1, label=f"{REJECTED} 300 {INSTANCE}", Id="rejected")
    read_back = loaded(tmp_path, answer(series(0, 3, 2), rejected))
    assert totals(read_back) == {
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
    counts = totals(loaded(tmp_path, answer(series(4, Timestamps=[form]))))
    assert counts == {NO_TOKEN: {T0: 4}}


def test_several_answers_in_one_file_are_added_up(tmp_path: Path) -> None:
    """Pages of one instance, and several instances."""
    page_1 = answer(series(1, 2))
    page_2 = answer(series(3, start=T0 + 2 * MINUTES_5))
    other = answer(series(10, 20, 30, label=f"{NO_TOKEN} 300 {OTHER}"))
    read_back = loaded(tmp_path, page_1, page_2, other)
    assert list(totals(read_back)[NO_TOKEN].values()) == [11, 22, 33]
    assert read_back.instances == {INSTANCE, OTHER}


def test_get_metric_statistics_is_read_too(tmp_path: Path) -> None:
    """Its datapoints come in no order."""
    points = [
        {"Timestamp": "2026-11-21T12:05:00Z", "Sum": 2.0, "Unit": "Count"},
        {"Timestamp": "2026-11-21T12:00:00Z", "Sum": 1.0, "Unit": "Count"},
    ]
    read_back = loaded(tmp_path, {"Label": NO_TOKEN, "Datapoints": points})
    assert totals(read_back) == {NO_TOKEN: {T0: 1, T0 + MINUTES_5: 2}}
    assert (read_back.period_s, read_back.instances) == (300, frozenset())
    with pytest.raises(AnalyzerError, match="--statistics Sum"):
        loaded(tmp_path, {"Label": NO_TOKEN, "Datapoints": [{"Average": 1}]})


@pytest.mark.parametrize(
    ("label", "identity", "metric"),
    [
        (NO_TOKEN, "m1", NO_TOKEN),
        (REJECTED, "m1", REJECTED),
        (INSTANCE, "no_token", NO_TOKEN),
        ("web-1", "rejected_3", REJECTED),
        ("web-1", "m1", None),
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
        assert list(totals(loaded(tmp_path, document))) == [metric]


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
    assert totals(twice) == {NO_TOKEN: {T0: 1, T0 + MINUTES_5: 2}}
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
    with pytest.raises(AnalyzerError, match="Ask for less time"):
        loaded(tmp_path, answer(series(1)))


# --- which instance -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "identity", "instance"),
    [
        # What a SEARCH returns, by its Label and by what its series differ in.
        (f"{NO_TOKEN} {INSTANCE}", "e1", INSTANCE),
        (f"{INSTANCE} {NO_TOKEN}", "e1", INSTANCE),
        (f"AWS/EC2 {INSTANCE} {NO_TOKEN}", "e1", INSTANCE),
        (f"{NO_TOKEN} InstanceId={INSTANCE}", "e1", INSTANCE),
        # A query for each instance, with its id in the only place that is left.
        (NO_TOKEN, f"{INSTANCE.replace('-', '_')}_MetadataNoToken", INSTANCE),
        (NO_TOKEN, "no_token_i_0abcdef0", "i-0abcdef0"),
        (NO_TOKEN, "no_token", None),
        (NO_TOKEN, "i_0abcdef0123", None),  # no instance has an id of this length
        (f"{NO_TOKEN} of {INSTANCE} and {OTHER}", "m1", None),
    ],
)
def test_label_or_id_say_of_which_instance_it_is(
    tmp_path: Path, label: str, identity: str, instance: Optional[str]
) -> None:
    """A sum over several is of none of them."""
    (found,) = loaded(tmp_path, answer(series(1, 2, label=label, Id=identity))).series
    assert (found.metric, found.instance, found.is_certain) == (NO_TOKEN, instance, True)


def test_one_instance_is_one_series_under_any_label(tmp_path: Path) -> None:
    """As a SEARCH labels it otherwise than the command that the report prints."""
    search = series(3, start=T0 + 2 * MINUTES_5, label=f"{INSTANCE} {NO_TOKEN}", Id="e1")
    (found,) = loaded(tmp_path, answer(series(1, 2)), answer(search)).series
    assert list(found.counts.values()) == [1, 2, 3]


@pytest.mark.parametrize("label", [INSTANCE, f"AWS/EC2 {INSTANCE}", f"InstanceId: {INSTANCE}"])
def test_a_search_for_one_metric_is_labelled_with_the_instance_only(
    tmp_path: Path, label: str
) -> None:
    """Then the metric is assumed, and said to be."""
    found = loaded(tmp_path, answer(series(1, 2, label=label, Id="e1")))
    assert [(each.metric, each.is_certain) for each in found.series] == [(NO_TOKEN, False)]
    assert "MetadataNoToken is assumed" in found.notes[0]


def test_two_searches_that_name_no_metric_are_refused(tmp_path: Path) -> None:
    """One may be of the calls that were refused."""
    both = [series(1, start=T0 + n * HOUR, label=INSTANCE, Id=f"e{n}") for n in range(2)]
    with pytest.raises(AnalyzerError, match="Ids e0 and e1 say which figures"):
        loaded(tmp_path, answer(*both))


def test_other_metrics_of_the_instance_are_left_out(tmp_path: Path) -> None:
    """They come in one answer with ours, and have fractions."""
    prefix = INSTANCE.replace("-", "_")
    names = ("CPUUtilization", "NetworkPacketsIn", "DiskReadOps", "EBSIOBalance%")
    others = [series(1.5, 2, label=each, Id=f"{prefix}_{each.strip('%')}") for each in names]
    ours = series(0, 3, label=NO_TOKEN, Id=f"{prefix}_{NO_TOKEN}")
    (found,) = loaded(tmp_path, answer(*others, ours)).series
    assert (found.instance, list(found.counts.values())) == (INSTANCE, [0, 3])


# --- what is missing ------------------------------------------------------------------------


def test_pages_that_follow_each_other_are_whole(tmp_path: Path) -> None:
    """The AWS CLI joins pages, so that the first part of a series says PartialData."""
    first = series(3, 4, start=T0 + 2 * MINUTES_5, StatusCode="PartialData")
    joined = loaded(tmp_path, answer(first, series(1, 2)))
    assert (joined.is_partial, joined.notes) == (False, ())
    apart = loaded(tmp_path, answer(first, NextToken="x"), answer(series(1, 2)))
    assert (apart.is_partial, apart.notes) == (False, ())
    assert apart.series == joined.series


@pytest.mark.parametrize(
    ("documents", "note"),
    [
        ((answer(series(1, 2), NextToken="x"),), "leave out --max-items"),
        ((answer(series(1, 2), NextToken="x"),
          answer(series(1, label=f"{NO_TOKEN} 300 {OTHER}", Id="m2"))), "leave out --max-items"),
        ((answer(series(1, 2, StatusCode="PartialData")),), "says PartialData of"),
        ((answer(series(1, 2, StatusCode="Forbidden")),), "says Forbidden of"),
        ((answer(series(1, 2), Messages=[{"Code": "C", "Value": "Too many metrics"}]),),
         "says 'Too many metrics'"),
        ((answer(series(1, 2, Messages=[{"Code": "C", "Value": "x"}])),), f"says 'x' of {LABEL}"),
        ((answer(*(series(1, label=f"{NO_TOKEN} i-{n:017x}", Id="e1") for n in range(500))),),
         "500 series at most"),
    ],
)  # fmt: skip
def test_figures_that_are_not_all_there_are_partial(
    tmp_path: Path, documents: tuple[Any, ...], note: str
) -> None:
    """In the words of what is missing."""
    found = loaded(tmp_path, *documents)
    assert found.is_partial
    assert note in found.notes[0]


def test_a_search_below_its_limit_is_whole(tmp_path: Path) -> None:
    """One series less than CloudWatch returns at most."""
    results = (series(1, label=f"{NO_TOKEN} i-{n:017x}", Id="e1") for n in range(499))
    assert not loaded(tmp_path, answer(*results)).is_partial
