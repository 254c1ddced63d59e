"""A pilot on the bundled digits, and what `harness plan` says of it."""

from dataclasses import replace

import numpy as np
import pytest
import yaml

from harness.cli.pilot_view import pilot_as_dict, pilot_lines
from harness.errors import InputError
from harness.plan.pilot import TEST, TOGETHER, TUNING, read_pilot
from harness.run.pilot import luck_of_examples, run_pilot
from harness.run.prepare import count_done, prepare
from harness.store import open_store
from harness.study import load_study
from harness.trial import SOURCES
from harness.workloads import data_root


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    from sharing import TINY

    file = tmp_path_factory.mktemp("study") / "tiny.yaml"
    file.write_text(TINY)
    return file


@pytest.fixture(scope="module")
def piloted(study, tmp_path_factory):
    results, told = tmp_path_factory.mktemp("results"), []
    loaded = load_study(study)
    plan = prepare(loaded, data_root(None))
    pilot = run_pilot(plan, results, seeds=4, searches=3, tell=told.append)
    return loaded, results, pilot, told


def test_every_source_is_estimated_and_kept_where_plan_finds_it(piloted):
    loaded, results, pilot, told = piloted
    plan = prepare(loaded, data_root(None))
    kept = read_pilot(results, "tiny", "default")
    assert kept.values == pilot.values
    assert kept.spreads("test.accuracy") == pilot.spreads("test.accuracy")
    assert set(pilot.spreads("test.accuracy")) == {*SOURCES, TOGETHER, TUNING, TEST}
    lines = list(pilot_lines(plan, pilot))
    assert 3 <= len(lines) <= 6
    assert lines[0].startswith("Pilot of relu with the settings that its search found")
    assert told == ["search: 6 trainings", "search: 3 trainings", "pilot: 15 trainings"]
    assert pilot_as_dict(plan, pilot)["metric"] == "test.accuracy"


def test_its_trials_are_no_evidence_and_its_first_search_is_that_of_the_study(piloted):
    loaded, results, pilot, _ = piloted
    plan = prepare(loaded, data_root(None))
    store = open_store(results)
    try:
        assert store.executions("tiny") == []
        assert count_done(plan, store).done == {"search": 3, "confirmation": 0}
        assert all(store.record(id_) for ids in pilot.trials.values() for id_ in ids)
        assert all(len(ids) == len(set(ids)) for ids in pilot.trials.values())
    finally:
        store.close()


def test_a_second_pilot_trains_nothing(piloted):
    loaded, results, pilot, _ = piloted
    told = []
    plan = prepare(loaded, data_root(None))
    assert run_pilot(plan, results, seeds=4, searches=3, tell=told.append).first == pilot.first
    assert told == []


def test_a_pilot_of_other_settings_is_not_used(piloted, study):
    _, _, pilot, _ = piloted
    other = prepare(load_study(study, None, ["workload.epochs=3"]), data_root(None))
    (line,) = pilot_lines(other, pilot)
    assert "other settings" in line
    assert list(pilot_lines(replace(other, fingerprints={}), pilot)) == []


def test_what_cannot_be_told_apart_is_refused(study, tmp_path):
    data = yaml.safe_load(study.read_text())
    data["workload"]["model"] = {"name": "logistic_regression"}
    data |= {"factors": {"size": {"path": "data.limit", "levels": [500, 900]}}, "probes": []}
    for name in ("arms", "search", "claims", "profiles"):
        data.pop(name)
    file = tmp_path / "simple.yaml"
    file.write_text(yaml.safe_dump(data, sort_keys=False))
    with pytest.raises(InputError, match="simple model"):
        run_pilot(prepare(load_study(file), data_root(None)), tmp_path / "results")


def test_the_luck_of_examples_counts_clusters_and_only_what_is_a_mean(study):
    """Copies of an example in one cluster add nothing: the luck stays that of the originals."""
    plan = prepare(load_study(study), data_root(None))
    generator = np.random.default_rng(0)
    table = (
        generator.normal(size=(4, 1)) + generator.normal(size=(4, 40)) + generator.normal(size=40)
    )
    alone = [{"test.accuracy": row} for row in table]
    copied = [
        {
            "test.accuracy": row.repeat(3),
            "test.root_mean_squared_error": row.repeat(3) ** 2,
            "cluster": np.arange(40).repeat(3),
            "label": np.zeros(120),
        }
        for row in table
    ]
    (variance, degrees, count) = luck_of_examples(plan, alone)["test.accuracy"]
    found = luck_of_examples(plan, copied)
    assert set(found) == {"test.accuracy"}
    assert found["test.accuracy"] == pytest.approx((variance, degrees, count))
    few = [{**one, "cluster": np.arange(120) // 40} for one in copied]
    assert luck_of_examples(plan, few) == {}
