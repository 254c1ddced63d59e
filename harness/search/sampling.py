"""The next candidates; the only module that knows Optuna.

A round of candidates is a pure function of the space and of the history so far, so that a search
asks the same whatever the number of workers and however often it was interrupted.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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

    return optuna.create_study(sampler=sampler, direction=space.metric.goal)


def _told(space: SearchSpace, history: History) -> Study:
    """Return a study that knows the history and whose sampler starts afresh with this round."""
    from optuna.samplers import RandomSampler, TPESampler

    seed = (space.seed + len(history)) % 2**32
    if space.sampler == "random":  # which looks at no history
        return _new_study(space, RandomSampler(seed=seed))
    conditional = any("when" in dimension for dimension in space.dimensions.values())
    sampler = TPESampler(seed=seed, group=conditional)
    known = _last_told(space, history)
    optuna_study = known.optuna_study if known else _new_study(space, sampler)
    optuna_study.sampler = sampler
    distributions = {path: distribution(d) for path, d in space.dimensions.items()}
    for tried in history[len(known.history) if known else 0 :]:
        optuna_study.add_trial(finished_trial(tried, distributions))
    if history:
        _TOLD[id(history[0])] = _Told(optuna_study, space, tuple(history))
        while len(_TOLD) > MOST_TOLD:
            del _TOLD[next(iter(_TOLD))]
    return optuna_study


@dataclass(frozen=True)
class _Told:
    """A study, and the history that it was told."""

    optuna_study: Study
    space: SearchSpace
    history: tuple[Tried, ...]


_TOLD: dict[int, _Told] = {}
"""Studies by the identity of the first candidate that they were told, which they keep alive: what a
study was told once need not be told again in every round. They only save time."""
MOST_TOLD = 256


def _last_told(space: SearchSpace, history: History) -> _Told | None:
    """Return a study that knows a beginning of just this history, and forget it."""
    known = _TOLD.pop(id(history[0]), None) if history else None
    if known is None or known.space != space or len(known.history) > len(history):
        return None
    same = all(a is b for a, b in zip(known.history, history, strict=False))
    if not same:
        return None
    from optuna.trial import TrialState

    # What it was asked last is told with its outcome; as it stands there, it counts for nothing.
    for trial in known.optuna_study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        known.optuna_study.tell(trial.number, state=TrialState.FAIL)
    return known


def _replayed(space: SearchSpace, history: History) -> Study:
    """Return a study of CMA-ES that went through the history round by round.

    The state of CMA-ES (mean, covariance, generation) lives in the trials of the study that asked
    them, so that the candidates are asked again, in the same rounds, and told what they were worth.
    """
    from optuna.samplers import CmaEsSampler

    sampler = CmaEsSampler(seed=space.seed, consider_pruned_trials=True)
    optuna_study = _new_study(space, sampler)
    if space.default is not None and history:
        optuna_study.enqueue_trial(dict(space.default))
    start = 0
    while start < len(history):
        part = history[start : start + wanted(space, history[:start])]
        asked = [optuna_study.ask() for _ in part]
        suggested = [_suggest(trial, space) for trial in asked]
        values = [tried.value for tried in history[:start] if tried.value is not None]
        for tried, trial, parameters in zip(part, asked, suggested, strict=True):
            if parameters == tried.parameters:
                _tell(optuna_study, trial, tried, values)
            else:
                _replace(optuna_study, trial, tried, space)
        start += len(part)
    return optuna_study


def _tell(optuna_study: Study, trial: Trial, tried: Tried, values: Sequence[float]) -> None:
    """Tell CMA-ES the outcome of a candidate.

    CMA-ES ranks candidates and has no notion of one without a value: one that diverged counts as
    the worst of the rounds before, one that was pruned with its last value.
    """
    from optuna.study import StudyDirection
    from optuna.trial import TrialState

    partial = _partial(tried)
    for epoch, value in partial.items():
        trial.report(value, epoch)
    if tried.value is not None:
        optuna_study.tell(trial, tried.value)
    elif partial:
        optuna_study.tell(trial, state=TrialState.PRUNED)
    elif values:
        minimizes = optuna_study.direction == StudyDirection.MINIMIZE
        optuna_study.tell(trial, max(values) if minimizes else min(values))
    else:
        optuna_study.tell(trial, state=TrialState.FAIL)


def _replace(optuna_study: Study, trial: Trial, tried: Tried, space: SearchSpace) -> None:
    """Put a candidate that another version of Optuna asked in the place of this version's own."""
    from optuna.trial import TrialState

    attributes = optuna_study.get_trials(deepcopy=False)[trial.number].system_attrs
    optuna_study.tell(trial, state=TrialState.FAIL)
    distributions = {path: distribution(d) for path, d in space.dimensions.items()}
    finished = finished_trial(tried, distributions)
    finished.system_attrs = dict(attributes)
    optuna_study.add_trial(finished)


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


def distribution(dimension: Mapping[str, Any]) -> BaseDistribution:
    """Return Optuna's word for what a setting may be."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    kind, values = kind_of(dimension)
    if kind == "choice":
        return CategoricalDistribution(values)
    low, high = values
    if kind == "integer":
        return IntDistribution(low, high)
    return FloatDistribution(low, high, log=kind == "log")


def finished_trial(tried: Tried, distributions: Mapping[str, BaseDistribution]) -> FrozenTrial:
    """Return a candidate as a trial of Optuna.

    A candidate without a value counts as pruned, which TPE takes as worse than any value.
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
