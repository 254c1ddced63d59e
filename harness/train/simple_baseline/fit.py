"""The simple models, by scikit-learn or by counting, on the splits that networks get.

Where inputs are token ids, regressions see which tokens a sequence holds, in whatever order.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from harness.data import data_of
from harness.models.sequences import PADDING
from harness.tasks import objective_for, total
from harness.train.loop import Outcome
from harness.train.resident import Split, place_splits
from harness.train.simple_baseline.ngram import NGram
from harness.trial import Trial
from harness.workloads import TrialData

Metrics = dict[str, float]


@dataclass(frozen=True)
class _Fitted:
    """A model that was fitted: what it says about a split, and how many numbers it holds."""

    measure: Callable[[Split], Metrics]
    parameters: int


def fit_simple_baseline(trial: Trial, data: TrialData) -> Outcome:
    """Fit the simple model that a trial names; report the metrics that networks report.

    Raises:
        ValueError: if the model cannot read such data.
    """
    splits = place_splits(trial, data, torch.device("cpu"))
    named = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    begin = time.perf_counter()
    fitted = _MODELS[trial.workload["model"]["name"]](trial, data, splits.train)
    seconds = time.perf_counter() - begin
    metrics = {
        f"{name}.{metric}": value
        for name, split in named.items()
        if split is not None
        for metric, value in fitted.measure(split).items()
    }
    cost = {"seconds": seconds, "parameters": float(fitted.parameters)}
    return Outcome(metrics, cost=cost)


def _logistic_regression(trial: Trial, data: TrialData, train: Split) -> _Fitted:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    _need("class", data)
    vocabulary = data.form.vocabulary
    model = LogisticRegression(C=trial.workload["model"]["regularization"], max_iter=200)
    with warnings.catch_warnings():
        # stopping at 200 iterations is this baseline's declared budget
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(_features(train, vocabulary), train.targets.numpy())

    def measure(split: Split) -> Metrics:
        inputs, targets = _features(split, vocabulary), split.targets.numpy()
        loss = log_loss(targets, model.predict_proba(inputs), labels=model.classes_)
        return {"accuracy": float(model.score(inputs, targets)), "loss": float(loss)}

    return _Fitted(measure, model.coef_.size + model.intercept_.size)


def _ridge(trial: Trial, data: TrialData, train: Split) -> _Fitted:
    from sklearn.linear_model import Ridge

    _need("numbers", data)
    vocabulary = data.form.vocabulary
    model = Ridge(alpha=trial.workload["model"]["regularization"])
    model.fit(_features(train, vocabulary), train.targets.numpy())

    def predict(split: Split) -> Tensor:
        found = model.predict(_features(split, vocabulary))
        return torch.from_numpy(found.reshape(len(split), -1))

    return _Fitted(_measured(trial, data, predict), model.coef_.size + model.intercept_.size)


def _seasonal_naive(trial: Trial, data: TrialData, train: Split) -> _Fitted:
    """Say that everything will be as it was one season ago (Hyndman and Athanasopoulos, 5.2)."""
    del train
    season, window = data_of(trial.workload["data"]).period, data.form.shape[0]
    if season is None:
        raise ValueError(f"seasonal_naive forecasts a series; {data.name} is none")
    if season > window:
        raise ValueError(f"a window of {window} steps holds no season of {season}")

    def predict(split: Split) -> Tensor:
        last_season = split.inputs[:, window - season :, 0]
        return last_season[:, torch.arange(data.form.outputs) % season]

    return _Fitted(_measured(trial, data, predict), 0)


def _ngram(trial: Trial, data: TrialData, train: Split) -> _Fitted:
    _need("sequence", data)
    assert data.form.vocabulary is not None
    model = NGram(trial.workload["model"]["order"], data.form.vocabulary)
    model.fit(np.concatenate([train.inputs.numpy(), train.targets[:, -1:].numpy()], axis=1))

    def measure(split: Split) -> Metrics:
        targets = split.targets.numpy()
        likelihood, best = model.scores(split.inputs.numpy(), targets)
        loss = -float(likelihood.mean())
        right = float((best == targets).mean())
        return {"loss": loss, "accuracy": right, "bits": loss / math.log(2)}

    return _Fitted(measure, model.entries)


_MODELS: dict[str, Callable[[Trial, TrialData, Split], _Fitted]] = {
    "logistic_regression": _logistic_regression,
    "ridge": _ridge,
    "seasonal_naive": _seasonal_naive,
    "ngram": _ngram,
}


def _measured(
    trial: Trial, data: TrialData, predict: Callable[[Split], Tensor]
) -> Callable[[Split], Metrics]:
    objective = objective_for(trial.workload, data.form)
    return lambda split: total(objective, predict(split), split.targets)


def _need(kind: str, data: TrialData) -> None:
    if data.form.kind != kind:
        raise ValueError(f"this model is for targets of kind {kind}, not {data.form.kind}")


def _features(split: Split, vocabulary: int | None) -> NDArray[Any] | csr_matrix:
    """Return features (n, features), as an array or as a sparse matrix."""
    rows = split.inputs.flatten(1).numpy()
    if vocabulary is None:
        return rows
    real = rows != PADDING
    places = (np.nonzero(real)[0], rows[real])
    counts = csr_matrix((np.ones(len(places[0])), places), shape=(len(rows), vocabulary))
    counts.sum_duplicates()
    counts.data[:] = 1
    return counts
