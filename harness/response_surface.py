"""A function to search that trains nothing: settings in, a distance from the best ones out.

    training:
      name: "harness.response_surface:evaluate"
      metric: validation.distance
      goal: minimize
      settings: {effective: 2, x1: 0.5, x2: 0.5, x3: 0.5, x4: 0.5, x5: 0.5, x6: 0.5}
    epochs: 1

It stands for the validation score of a network as a function of its settings, of which few matter,
and nobody knows beforehand which (Bergstra and Bengio, JMLR 13, 2012: low effective dimension).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from harness.seeding import SEARCH_SEEDS_START, stream

LEAST_WEIGHT = 0.01
"""Of a setting that hardly matters; one that matters has 1."""


def evaluate(config: Mapping[str, Any], report: Callable[..., None]) -> None:
    """Report how far the settings `x1`, `x2`, ..., each from 0 to 1, are from the best ones.

    The distance is the mean over the settings of (x - best)², weighted, without a unit: the weight
    is 1 for `effective` of them and 0.01 for all others. A random candidate is expected at 1/6,
    however many matter. Which these are, and the best values, evenly drawn
    from 0 to 1, are those of the seed's problem. All candidates of a search seed have one problem;
    with one search seed for a candidate, the winner of repetition r of a search is confirmed on its
    own problem by confirmation seed r.

    Args:
        config: `x1`, `x2`, ..., `effective` and `seed`; see `harness.components.OwnTraining`.
        report: takes the distance as `validation.distance` and as `test.distance`.

    Raises:
        ValueError: if there are no settings, or fewer than `effective`.
    """
    names = sorted(name for name in config if name[:1] == "x" and name[1:].isdecimal())
    effective = int(config["effective"])
    if not 1 <= effective <= len(names):
        raise ValueError(
            f"`effective` is {effective}, and there are {len(names)} settings x1, x2, ...: it has"
            " to be one of them at least, and all at most"
        )
    weights, best = problem(int(config["seed"]), len(names), effective)
    values = np.array([float(config[name]) for name in names])
    distance = float(np.average((values - best) ** 2, weights=weights))
    report({"validation.distance": distance, "test.distance": distance})


def problem(seed: int, settings: int, effective: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights and the best values of a seed's problem, shape (settings,) each."""
    drawn = np.random.default_rng(stream(seed % SEARCH_SEEDS_START, "response surface"))
    weights = np.full(settings, LEAST_WEIGHT)
    weights[drawn.permutation(settings)[:effective]] = 1.0
    return weights, drawn.random(settings)
