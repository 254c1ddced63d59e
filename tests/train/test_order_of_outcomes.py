"""What came of the test examples stands in their order, alone and in packs."""

from dataclasses import replace

import numpy as np
import pytest

from harness.train import evaluation
from harness.workloads import Examples

NAMES = {
    "class": {"test.accuracy", "test.loss"},
    "sequence": {"test.accuracy", "test.loss", "test.bits"},
    "numbers": {"test.loss", "test.mean_absolute_error", "test.root_mean_squared_error"},
}


def test_outcomes_follow_the_examples(of_each_kind, records_of, monkeypatch):
    """Other examples, in another order, with clusters, in batches of another size."""
    data, make = of_each_kind
    trials = [make(seed) for seed in range(3)]
    whole = records_of(trials, data)
    order = np.random.default_rng(0).permutation(len(data.test))[:-5]
    test = Examples(data.test.inputs[order], data.test.targets[order], clusters=order // 4)
    monkeypatch.setitem(evaluation.EVALUATION_BATCH, "cpu", 7)
    for company in (trials, trials[1:2]):
        found = records_of(company, replace(data, test=test))
        for trial, record in zip(company, found, strict=True):
            known = whole[trials.index(trial)].outcomes
            labels = {"label"} if data.form.kind == "class" else set()
            assert set(known) == NAMES[data.form.kind] | labels
            assert set(record.outcomes) == {*known, "cluster"}
            for name, values in known.items():
                assert record.outcomes[name] == pytest.approx(values[order], rel=1e-4, abs=1e-6)
            same = record.outcomes["cluster"][:, None] == record.outcomes["cluster"]
            assert np.array_equal(same, order[:, None] // 4 == order // 4)


def test_their_means_are_the_metrics(of_each_kind, records_of):
    data, make = of_each_kind
    targets = data.test.targets.copy()
    if data.form.kind == "sequence":
        targets[:, 1:5] = np.where(np.arange(len(targets))[:, None] % 3, targets[:, 1:5], -100)
        targets[0] = -100  # a sequence of which nothing counts
    (record,) = records_of([make()], replace(data, test=replace(data.test, targets=targets)))
    weights = record.outcomes.get("weight")
    assert (weights is not None) == (data.form.kind == "sequence")
    for name in NAMES[data.form.kind]:
        mean = np.average(record.outcomes[name], weights=weights)
        mean = np.sqrt(mean) if "root" in name else mean
        assert mean == pytest.approx(record.metrics[name], rel=1e-4)


def test_the_loss_of_another_loss_is_not_kept(numbers, make_trial, records_of):
    (record,) = records_of([make_trial(loss="mean_absolute_error")], numbers)
    assert set(record.outcomes) == NAMES["numbers"] - {"test.loss"}
