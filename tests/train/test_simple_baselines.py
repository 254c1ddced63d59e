"""Ridge, seasonal-naive and n-grams against their definitions."""

import json
import math
from collections import Counter

import numpy as np
import pytest

from harness.models.ngram.counts import KneserNey
from harness.study.workload import Workload
from harness.tasks import usual_task
from harness.train import train
from harness.trial import Phase, Record, State, Trial
from harness.workloads import load


def fitted(tmp_path, data, model):
    settings = json.dumps({"data": data, "model": model})
    workload = Workload.model_validate_json(settings).model_dump(mode="json")
    dataset = load(workload["data"], tmp_path)
    trial = Trial(workload, 0, Phase.CONFIRMATION, "f", "v", ())
    record = next(
        e for e in train([trial], dataset.for_phase(trial.phase)) if isinstance(e, Record)
    )
    assert record.state is State.COMPLETE, record.reason
    return record.metrics, dataset


@pytest.mark.parametrize(
    ("data", "model"),
    [("table", "logistic_regression"), ({"name": "table", "source": "diabetes"}, "ridge"),
     ("series", "seasonal_naive"), ({"name": "characters", "limit": 60, "test_limit": 9}, "ngram")],
)  # fmt: skip
def test_they_report_what_networks_report(tmp_path, data, model):
    metrics, dataset = fitted(tmp_path, data, model)
    expected = {
        f"{part}.{name}"
        for part in ("train", "validation", "test")
        for name in usual_task(dataset.form.kind).measures
    }
    assert set(metrics) == expected
    assert all(type(value) is float and math.isfinite(value) for value in metrics.values())


def test_seasonal_naive_repeats_the_last_season(tmp_path):
    data = {"name": "series", "source": "elnino", "horizon": 15}
    metrics, dataset = fitted(tmp_path, data, "seasonal_naive")
    errors = []
    for window, targets in zip(dataset.test.inputs[..., 0], dataset.test.targets, strict=True):
        errors += [target - window[len(window) - 12 + step % 12]
                   for step, target in enumerate(targets)]  # fmt: skip
    assert metrics["test.mean_absolute_error"] == pytest.approx(np.abs(errors).mean(), rel=1e-5)
    assert metrics["test.loss"] == pytest.approx(np.square(errors).mean(), rel=1e-5)


def test_ridge_beats_the_naive_forecast_where_a_year_is_regular(tmp_path):
    ridge, _ = fitted(tmp_path, {"name": "series", "source": "co2"}, "ridge")
    naive, _ = fitted(tmp_path, {"name": "series", "source": "co2"}, "seasonal_naive")
    assert ridge["test.loss"] < naive["test.loss"] / 2


def kneser_ney(rows, order, vocabulary):
    """Return the probability of a character after a context, by the textbook's recursion."""
    counts = Counter(tuple(row[i : i + order]) for row in rows for i in range(len(row) - order + 1))
    tables = {order: counts}
    for length in range(order - 1, 0, -1):
        tables[length] = Counter(gram[1:] for gram in tables[length + 1])

    def probability(context, character, length=order):
        if length == 0:
            return 1 / vocabulary
        table = tables[length]
        values = list(table.values())
        once, twice = values.count(1), values.count(2)
        discount = once / (once + 2 * twice) if once else 0.5
        shorter = context[1:] if context else ()
        following = {g[-1]: c for g, c in table.items() if g[:-1] == context}
        if not following:
            return probability(shorter, character, length - 1)
        total = sum(following.values())
        own = max(following.get(character, 0) - discount, 0) / total
        return own + discount * len(following) / total * probability(shorter, character, length - 1)

    return probability


@pytest.mark.parametrize("order", [1, 2, 3])
def test_ngrams_are_smoothed_as_the_textbook_says(order):
    generator = np.random.default_rng(0)
    rows = np.minimum(generator.integers(2, 9, (12, 15)), generator.integers(2, 9, (12, 15)))
    model = KneserNey(order, 10).fit(rows)
    probability = kneser_ney([tuple(map(int, row)) for row in rows], order, 10)
    inputs = generator.integers(2, 10, (4, 6))
    targets = generator.integers(0, 10, (4, 6))
    likelihood, best = model.scores(inputs, targets)
    for row in range(4):
        for step in range(6):
            known = min(step + 1, order - 1)
            context = tuple(map(int, inputs[row, step + 1 - known : step + 1]))
            found = [probability(context, c, known + 1) for c in range(10)]
            assert sum(found) == pytest.approx(1)
            assert math.exp(likelihood[row, step]) == pytest.approx(found[targets[row, step]])
            assert found[best[row, step]] == pytest.approx(max(found))


def test_a_large_vocabulary_takes_a_smaller_order():
    assert KneserNey(20, 100).order == 9
    assert KneserNey(5, 10_000).order == 4
