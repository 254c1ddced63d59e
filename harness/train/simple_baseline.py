"""The simple model beside every study, by scikit-learn, on the same splits."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from harness.train.loop import Outcome
from harness.train.resident import Split, place_splits
from harness.trial import Trial
from harness.workloads import TrialData
from harness.workloads.text import PADDING


def fit_simple_baseline(trial: Trial, data: TrialData) -> Outcome:
    """Fit multinomial logistic regression on the flattened, normalized inputs.

    Where inputs are token ids, on which tokens a sequence holds, in whatever order.
    """
    splits = place_splits(trial, data, torch.device("cpu"))
    named = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    vocabulary = data.form.vocabulary
    flat = {name: _flatten(part, vocabulary) for name, part in named.items() if part is not None}
    model = LogisticRegression(C=trial.workload["model"]["regularization"], max_iter=200)
    begin = time.perf_counter()
    with warnings.catch_warnings():
        # stopping at 200 iterations is this baseline's declared budget
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(*flat["train"])
    seconds = time.perf_counter() - begin
    metrics = {}
    for name, (inputs, targets) in flat.items():
        metrics[f"{name}.accuracy"] = float(model.score(inputs, targets))
        probabilities = model.predict_proba(inputs)
        metrics[f"{name}.loss"] = float(log_loss(targets, probabilities, labels=model.classes_))
    parameters = float(model.coef_.size + model.intercept_.size)
    return Outcome(metrics, cost={"seconds": seconds, "parameters": parameters})


def _flatten(split: Split, vocabulary: int | None) -> tuple[Any, NDArray[np.int64]]:
    """Return features (n, features), as an array or as a sparse matrix, and targets."""
    rows = split.inputs.flatten(1).numpy()
    if vocabulary is None:
        return rows, split.targets.numpy()
    real = rows != PADDING
    places = (np.nonzero(real)[0], rows[real])
    counts = csr_matrix((np.ones(len(places[0])), places), shape=(len(rows), vocabulary))
    counts.sum_duplicates()
    counts.data[:] = 1
    return counts, split.targets.numpy()
