"""Forecasting windows that never overlap between parts, and tables."""

import json

import numpy as np
import pytest
from pydantic import TypeAdapter

from harness.data import data_of
from harness.errors import InputError
from harness.study import load_study
from harness.study.workload import DataSetting
from harness.workloads import DataMissingError, load, split

SERIES = {"name": "series", "column": None, "inputs": "target", "window": 5, "horizon": 2,
          "season": None, "validation_fraction": 0.2, "limit": None}  # fmt: skip


@pytest.fixture
def counting(tmp_path):
    """A series whose values are their places, so that every window shows where it was cut."""
    rows = ["date,load,value", *(f"day {i},{1000 - i},{i}" for i in range(200))]
    (tmp_path / "counting.csv").write_text("\n".join(rows))
    return tmp_path


def places(dataset, train):
    """Return a function from normalized values to places in the series."""
    first, step = dataset.examples.inputs[train[0], :2, 0].astype(np.float64)
    return lambda values: np.rint((values - first) / (step - first)).astype(int)


@pytest.mark.parametrize("more", [{}, {"limit": 60}, {"window": 12, "horizon": 7}])
def test_no_window_reaches_from_one_part_into_another(counting, more):
    config = {**SERIES, "source": "counting.csv", "column": "value", **more}
    dataset = load(config, counting)
    train, validation = split(dataset.examples.targets, 0.2, 0, dataset.handling)
    place = places(dataset, train)

    def reach(examples, index):
        whole = np.concatenate([examples.inputs[index, :, 0], examples.targets[index]], axis=1)
        found = place(whole)
        assert (np.diff(found, axis=1) == 1).all()
        return found.min(), found.max()

    everything = np.arange(len(dataset.test))
    ends = [reach(dataset.examples, train), reach(dataset.examples, validation),
            reach(dataset.test, everything)]  # fmt: skip
    assert ends[0][1] < ends[1][0] <= ends[1][1] < ends[2][0]
    whole = load({**config, "limit": None}, counting)  # its training part gives the unit
    learned, _ = split(whole.examples.targets, 0.2, 0, whole.handling)
    values = np.arange(len(learned) + config["window"] + config["horizon"] - 1, dtype=np.float64)
    start = len(whole.examples) - len(dataset.examples)
    known = (start + np.arange(2) - values.mean()) / values.std()
    assert dataset.examples.inputs[train[0], :2, 0] == pytest.approx(known, abs=1e-4)


def test_windows_of_several_lengths_forecast_the_same_values():
    short, long = ({"name": "series", "window": n, "longest_window": 48} for n in (22, 48))
    one, two = (load(data, None) for data in (short, long))
    assert np.array_equal(one.test.targets, two.test.targets)
    assert np.array_equal(one.examples.targets, two.examples.targets)
    assert np.array_equal(one.examples.inputs, two.examples.inputs[:, -22:])
    parts = [split(each.examples.targets, 0.1, 0, each.handling) for each in (one, two)]
    assert all(np.array_equal(a, b) for a, b in zip(*parts, strict=True))
    assert len(load({"name": "series", "window": 22}, None).test) == len(one.test) + 48 - 22
    reading = data_of(short).reading(None)
    assert reading == []  # of a file it would say which rows are tested


def test_windows_of_two_lengths_are_not_compared_on_other_values(tmp_path):
    text = """
study: look-back
question: q
workload: {data: {name: series, MORE}, model: recurrent, epochs: 1}
factors: {window: {path: data.window, levels: [24, 48]}}
seeds: 5
claims: [{id: c, says: s, metric: test.mean_absolute_error, contrast: {window: [48, 24]}, below: 0}]
"""
    file = tmp_path / "back.yaml"
    file.write_text(text.replace("MORE", "source: sunspots"))
    with pytest.raises(InputError, match=r"over other values .* set `data.longest_window: 48`"):
        load_study(file)
    file.write_text(text.replace("MORE", "longest_window: 48"))
    assert load_study(file)
    file.write_text(text.replace("MORE", "longest_window: 30"))
    with pytest.raises(InputError, match=r"\(30\) is shorter than `window` \(48\)"):
        load_study(file)


def test_an_error_has_one_unit_whatever_the_limit(tmp_path):
    """A rising series, whose last windows have a small deviation of their own."""
    every, last = (load({"name": "series", "limit": limit}, tmp_path) for limit in (None, 40))
    assert len(last.examples) == 40
    assert np.array_equal(every.test.targets, last.test.targets)
    assert np.array_equal(every.examples.inputs[-40:], last.examples.inputs)


def test_only_neighbouring_clusters_of_windows_share_values(counting):
    dataset = load({**SERIES, "source": "counting.csv", "column": "value"}, counting)
    clusters, span = dataset.test.clusters, 5 + 2
    assert np.bincount(clusters).tolist() == [7, 7, 7, 13]
    for cluster in range(3):
        last, first = (np.flatnonzero(clusters == cluster + i) for i in (0, 2))
        assert not len(first) or last[-1] + span <= first[0]


def test_one_of_several_columns_is_never_guessed(counting):
    with pytest.raises(DataMissingError, match=r"say which column.*`column: value`.*load, value"):
        load({**SERIES, "source": "counting.csv"}, counting)


def test_all_columns_and_a_named_one(counting):
    config = {**SERIES, "source": "counting.csv", "inputs": "all", "column": "load"}
    dataset = load(config, counting)
    assert dataset.form.shape == (5, 2)
    steps = np.diff(dataset.examples.inputs[0], axis=0)
    assert (steps[:, 0] < 0).all()
    assert (steps[:, 1] > 0).all()
    with pytest.raises(DataMissingError, match=r"no column 'lode'.*load, value.*load"):
        load({**config, "column": "lode"}, counting)


def test_a_missing_value_is_the_one_before_it(tmp_path):
    values = [str(i) for i in range(100)]
    values[0], values[3], values[4] = "", "", "NA"
    (tmp_path / "gaps.csv").write_text("\n".join(["value", *values]))
    # an empty line is no row at all, so the first gap disappears; the others are filled
    dataset = load({**SERIES, "source": "gaps.csv"}, tmp_path)
    row = dataset.examples.inputs[0, :, 0].astype(np.float64)
    assert row[1] == pytest.approx(row[2])


def test_seasons_are_known_and_windows_hold_two():
    def series(source, **settings):
        return data_of({**SERIES, "source": source, **settings})

    assert [series(s, window=52).period for s in ("co2", "etth1", "a.csv")] == [52, 24, 1]
    assert series("etth1", window=None).steps == 48
    assert series("nile", window=None).steps == 8
    assert series("co2", season=4).period == 4


def test_what_is_not_there_says_what_to_do(tmp_path):
    with pytest.raises(DataMissingError, match=r"ETTh1.csv.*--data-root or \$HARNESS_DATA"):
        load({**SERIES, "source": "etth1", "window": 48}, tmp_path)
    with pytest.raises(DataMissingError, match=r"no series 'sunspot'.*did you mean 'sunspots'"):
        load({**SERIES, "source": "sunspot"}, tmp_path)
    (tmp_path / "short.csv").write_text("\n".join(["value", *map(str, range(20))]))
    with pytest.raises(DataMissingError, match="20 points, too few"):
        load({**SERIES, "source": "short.csv"}, tmp_path)


def test_a_number_of_a_table_is_standardized_without_its_test_part(tmp_path):
    config = TypeAdapter(DataSetting).validate_json(
        json.dumps({"name": "table", "source": "diabetes"})
    )
    dataset = load(config.model_dump(mode="json"), tmp_path)
    assert dataset.examples.targets.mean() == pytest.approx(0, abs=1e-5)
    assert dataset.examples.targets.std() == pytest.approx(1, abs=1e-5)
    assert dataset.examples.inputs[:, 0].max() > 60  # years of age: not scaled beforehand
