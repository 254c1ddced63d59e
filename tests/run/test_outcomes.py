"""What each test example came out as: recorded, stored and published beside the records."""

import gzip
import json
import sqlite3
import zlib

import numpy as np
import pytest

from harness.evidence import gather
from harness.judge import judge, numbers_per_seed
from harness.publish import PublishedError, read_file, write_file
from harness.publish.write import DIGEST
from harness.run.study_run import RunOptions, run_study
from harness.stats.crossed import mean_squares, over_seeds_and_examples
from harness.stats.hypotheses import Between, assess
from harness.store import DATABASE, StoreError, open_store
from harness.store.arrays import ArraysDamagedError
from harness.store.outcomes import pack_outcomes, unpack_outcomes
from harness.study import load_study
from harness.trial import Phase, Record, State, Trial

STUDY = """\
study: small
question: Does the activation matter?
workload:
  data: digits
  model: {name: mlp, depth: 1, width: 8}
  optimizer: {name: adam, lr: 1e-2}
  epochs: 2
  batch_size: 128
factors:
  activation: {path: model.activation, levels: [sigmoid, relu]}
search:
  space: {optimizer.lr: {log: [1e-3, 1e-1]}}
  candidates: 2
seeds: 5
claims:
  - id: alike
    says: Both are alike
    metric: test.accuracy
    contrast: {activation: [relu, sigmoid]}
    within: 0.5
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("outcomes")
    file = folder / "small.yaml"
    file.write_text(STUDY)
    options = RunOptions(folder / "results", folder / "reports", in_process=True)
    run_study(load_study(file), options)
    return folder / "results"


def test_their_mean_is_the_metric(results):
    store = open_store(results)
    items = list(store.assigned_records(1))
    outcomes = store.outcomes(item.trial_id for item in items)
    confirmed = [item for item in items if item.phase is Phase.CONFIRMATION]
    assert len(confirmed) == 15  # two arms and the simple model
    assert set(outcomes) == {item.trial_id for item in confirmed}
    for item in confirmed:
        found, metrics = outcomes[item.trial_id], item.record.metrics
        assert list(found) == ["test.accuracy", "test.loss", "label"]
        assert set(np.unique(found["test.accuracy"])) <= {0.0, 1.0}
        assert found["test.accuracy"].mean() == pytest.approx(metrics["test.accuracy"], abs=1e-6)
        assert found["test.loss"].mean() == pytest.approx(metrics["test.loss"], rel=1e-3)
    assert "outcomes" not in items[0].record.to_dict()


def test_published_files_carry_them_and_older_ones_stay_readable(results, tmp_path):
    store = open_store(results)
    execution = store.executions()[-1]
    file = write_file(store, execution, tmp_path)
    mine, theirs = gather(store, execution), gather(read_file(file), execution)
    assert mine.outcomes.keys() == theirs.outcomes.keys()
    for trial_id, found in mine.outcomes.items():
        assert np.array_equal(found["test.accuracy"], theirs.outcomes[trial_id]["test.accuracy"])
    document = json.loads(gzip.decompress(file.read_bytes()))
    del document[DIGEST]
    kept = document.pop("outcomes")
    file.write_bytes(gzip.compress(json.dumps(document).encode()))
    assert gather(read_file(file), execution).outcomes == {}
    first = next(iter(kept))
    file.write_bytes(gzip.compress(json.dumps(document | {"outcomes": {first: "AAAA"}}).encode()))
    with pytest.raises(PublishedError, match=f"outcomes.{first} cannot be read"):
        read_file(file)


def test_numbers_come_back_and_damaged_bytes_are_refused():
    generator = np.random.default_rng(0)
    given = {
        "test.accuracy": generator.integers(0, 2, 361).astype(np.float32),
        "test.error": (1e6 * generator.normal(size=361)).astype(np.float32),
        "test.none": np.zeros(0, np.float32),
        "cluster": np.arange(361, dtype=np.int32) * 10_000,
        "label": (np.arange(361) % 200).astype(np.int32),
        "test.beyond": np.array([1.5, np.inf], np.float32),
    }
    given["test.same"] = given["test.error"]
    data = pack_outcomes(given)
    found = unpack_outcomes(data)
    assert list(found) == list(given)
    for name, values in given.items():
        assert found[name] == pytest.approx(values, rel=2**-11, abs=float(2**-25 * 1e7))
        if values is not given["test.error"]:
            assert np.array_equal(found[name], values)
    error = {"test.error": given["test.error"]}
    assert len(pack_outcomes(error)) < 2.3 * 361
    assert len(pack_outcomes(error | {"test.same": given["test.error"]})) < 2.4 * 361
    assert len(pack_outcomes({"test.accuracy": given["test.accuracy"]})) < 120
    four_bytes = b'[["m", "float32", 3]]\n' + np.array([1, 2, 3], "<f4").tobytes()
    assert list(unpack_outcomes(zlib.compress(four_bytes))["m"]) == [1, 2, 3]  # as they were first
    for broken in (b"", data[:-1], data[:20], b"x" + data, pack_outcomes({})[:-4]):
        with pytest.raises(ArraysDamagedError):
            unpack_outcomes(broken)


def test_damaged_outcomes_are_an_error_and_can_be_set_aside(tmp_path):
    store = open_store(tmp_path)
    bits = np.array([1.0, 0.0, 1.0])
    trial = Trial({"epochs": 1}, 0, Phase.CONFIRMATION, "d", "c")
    record = Record(trial, State.COMPLETE, outcomes={"test.accuracy": bits})
    store.add_records([record])
    assert np.array_equal(store.outcomes([trial.id])[trial.id]["test.accuracy"], bits)
    assert not store.set_aside_damaged(trial.id)
    store.close()
    with sqlite3.connect(tmp_path / DATABASE) as connection:
        connection.execute(
            "UPDATE outcomes SET data = ?", (pack_outcomes({"test.accuracy": bits[:2]}),)
        )
    store = open_store(tmp_path)
    with pytest.raises(StoreError, match="what came of the test examples in the trial"):
        store.outcomes([trial.id])
    assert store.set_aside_damaged(trial.id)
    assert store.record(trial.id) is None
    store.add_records([record])
    assert list(store.outcomes([trial.id])) == [trial.id]


def test_the_verdict_of_a_study_has_both_intervals(results, tmp_path):
    store = open_store(results)
    execution = store.executions()[-1]
    evidence = gather(store, execution)
    (verdict,) = judge(evidence)
    values = numbers_per_seed(evidence.plan.study.claims[0], evidence, 5)
    one = assess(values, Between(-0.5, 0.5))
    table = []
    rows = evidence.confirmation.set_index(["arm", "seed"])["trial_id"]
    for seed in range(5):
        relu, sigmoid = (evidence.outcomes[rows[arm, seed]] for arm in ("relu", "sigmoid"))
        table.append(relu["test.accuracy"] - sigmoid["test.accuracy"])
    both = over_seeds_and_examples(one, Between(-0.5, 0.5), mean_squares(table))
    assert verdict.interval_over == "seeds and test examples"
    assert verdict.over_seeds == pytest.approx([one.low, one.high])
    assert verdict.over_seeds_and_examples == pytest.approx([both.low, both.high])
    assert judge(gather(read_file(write_file(store, execution, tmp_path)), execution)) == [verdict]
