"""The next candidates; the only module that knows Optuna.

A round of candidates is a pure function of the space and of the history so far, so that a search
asks the same whatever the number of workers and however often it was interrupted.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.metrics import lower_is_better
from harness.plan import SearchSpace
from harness.search.history import History, Tried, wanted
from harness.study import is_asked, kind_of

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial, Trial


def next_round(space: SearchSpace, history: History) -> list[dict[str, Any]]:
    """Return the next candidates, as many as `wanted` says.

    The first of all is the workload's own setting, if the space contains it.
    """
    count = wanted(space, history)
    if count == 0:
        return []
    if space.sampler == "grid":
        return [dict(point) for point in space.points[len(history) :][:count]]
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        if space.sampler == "cmaes":
            optuna_study = _replayed(space, history)
        else:
            optuna_study = _told(space, history)
        if not history and space.default is not None:
            optuna_study.enqueue_trial(dict(space.default))
        return [_suggest(optuna_study.ask(), space) for _ in range(count)]


def _new_study(space: SearchSpace, sampler: BaseSampler) -> Study:
    import optuna

    direction = "minimize" if lower_is_better(space.metric) else "maximize"
    return optuna.create_study(sampler=sampler, direction=direction)


def _told(space: SearchSpace, history: History) -> Study:
    """Return a study that knows the history and whose sampler starts afresh with this round."""
    from optuna.samplers import RandomSampler, TPESampler

    seed = (space.seed + len(history)) % 2**32
    if space.sampler == "random":
        optuna_study = _new_study(space, RandomSampler(seed=seed))
    else:
        conditional = any("when" in dimension for dimension in space.dimensions.values())
        optuna_study = _new_study(space, TPESampler(seed=seed, group=conditional))
    distributions = {path: _distribution(d) for path, d in space.dimensions.items()}
    for tried in history:
        optuna_study.add_trial(_finished(tried, distributions))
    return optuna_study


def _replayed(space: SearchSpace, history: History) -> Study:
    """Return a study of CMA-ES that went through the history round by round.

    Its state (mean, covariance, generation) lives in the study that asked, so that the candidates
    are asked again, in the same rounds, and told what they were worth. CMA-ES ranks candidates and
    has no notion of one without a value: it counts as the worst so far.
    """
    from optuna.samplers import CmaEsSampler
    from optuna.trial import TrialState

    sampler = CmaEsSampler(seed=space.seed, consider_pruned_trials=True)
    optuna_study = _new_study(space, sampler)
    start = 0
    while start < len(history):
        part = history[start : start + wanted(space, history[:start])]
        asked = []
        for tried in part:
            optuna_study.enqueue_trial(dict(tried.parameters))
            asked.append(optuna_study.ask())
            _suggest(asked[-1], space)
        for tried, trial in zip(part, asked, strict=True):
            known = [t.value for t in history[:start] if t.value is not None]
            for epoch, value in _partial(tried).items():
                trial.report(value, epoch)
            if tried.value is not None:
                optuna_study.tell(trial, tried.value)
            elif tried.pruned and _partial(tried):
                optuna_study.tell(trial, state=TrialState.PRUNED)
            elif known:
                worst = max(known) if lower_is_better(space.metric) else min(known)
                optuna_study.tell(trial, worst)
            else:
                optuna_study.tell(trial, state=TrialState.FAIL)
        start += len(part)
    return optuna_study


def _suggest(trial: Trial, space: SearchSpace) -> dict[str, Any]:
    """Ask for the settings one by one, those with a condition only where it holds."""
    chosen: dict[str, Any] = {}
    for path, dimension in space.dimensions.items():
        if not is_asked(dimension, chosen):
            continue
        kind, values = kind_of(dimension)
        if kind == "choice":
            chosen[path] = trial.suggest_categorical(path, values)
        elif kind == "integer":
            chosen[path] = trial.suggest_int(path, values[0], values[1])
        else:
            chosen[path] = trial.suggest_float(path, values[0], values[1], log=kind == "log")
    return chosen


def _distribution(dimension: Mapping[str, Any]) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    kind, values = kind_of(dimension)
    if kind == "choice":
        return CategoricalDistribution(values)
    low, high = values
    if kind == "integer":
        return IntDistribution(low, high)
    return FloatDistribution(low, high, log=kind == "log")


def _finished(tried: Tried, distributions: Mapping[str, BaseDistribution]) -> FrozenTrial:
    """A candidate without a value counts as pruned, which TPE takes as worse than any value.

    Among the pruned, those that came further are better, and then those with the better value.
    """
    from optuna.trial import TrialState, create_trial

    return create_trial(
        params=dict(tried.parameters),
        distributions={path: distributions[path] for path in tried.parameters},
        value=tried.value,
        state=TrialState.PRUNED if tried.value is None else TrialState.COMPLETE,
        intermediate_values=_partial(tried),
    )


def _partial(tried: Tried) -> dict[int, float]:
    """Return the best values of a pruned candidate up to each epoch that all its seeds reached."""
    if not tried.pruned:
        return {}
    columns = zip(*tried.curves, strict=False)
    return {epoch: sum(values) / len(values) for epoch, values in enumerate(columns, start=1)}
