"""How much each searched setting mattered to a search."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.samplers.base import Tried

FEWEST = 8
"""With fewer candidates a forest has nothing to learn from."""
MOST = 512
"""Of more candidates so many are drawn at random: the time grows with their square."""


def importances(
    dimensions: Mapping[str, Mapping[str, Any]], tried: Sequence[tuple[Mapping[str, Any], float]]
) -> dict[str, float] | None:
    """Return each setting's share of the variance over its range, by functional ANOVA.

    A random forest is fitted to the candidates, and its variance over the whole space is divided
    among the settings alone; what belongs to their interactions is left out (Hutter, Hoos and
    Leyton-Brown, ICML 2014). The same candidates give the same shares.

    Args:
        dimensions: the settings, as in a search space; all candidates have all of them.
        tried: the settings and the value of each candidate; of more than `MOST` so many count.

    Returns:
        Shares that sum to one, or None where there are too few candidates or all are worth the
        same.
    """
    if len(tried) > MOST:
        drawn = np.random.default_rng(0).choice(len(tried), MOST, replace=False)
        tried = [tried[place] for place in sorted(drawn)]
    if len(tried) < FEWEST or len({value for _, value in tried}) < 2:
        return None
    import optuna
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    from harness.samplers._optuna import distribution, finished_trial

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    distributions = {path: distribution(dimension) for path, dimension in dimensions.items()}
    study = optuna.create_study()
    study.add_trials([finished_trial(Tried(p, value), distributions) for p, value in tried])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        found = get_param_importances(
            study, evaluator=FanovaImportanceEvaluator(seed=0), params=list(dimensions)
        )
    return {path: float(found[path]) for path in dimensions}
