"""Searches in the words of Optuna: studies that were told a history, distributions, trials."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState, create_trial

from harness.samplers.base import History, Tried, is_asked, kind_of

if TYPE_CHECKING:
    from optuna import Study
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial, Trial

    from harness.plan import SearchSpace


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Optuna from saying what it does."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


def new_study(space: SearchSpace, sampler: BaseSampler) -> Study:
    """Return a study that knows nothing yet."""
    return optuna.create_study(sampler=sampler, direction=space.metric.goal)


def told(space: SearchSpace, history: History, sampler: BaseSampler) -> Study:
    """Return a study that knows the history and asks this sampler."""
    known = _last_told(space, history)
    study = known.study if known else new_study(space, sampler)
    study.sampler = sampler
    distributions = {path: distribution(d) for path, d in space.dimensions.items()}
    for tried in history[len(known.history) if known else 0 :]:
        study.add_trial(finished_trial(tried, distributions))
    if history:
        _TOLD[id(history[0])] = _Told(study, space, tuple(history))
        while len(_TOLD) > MOST_TOLD:
            del _TOLD[next(iter(_TOLD))]
    return study


@dataclass(frozen=True)
class _Told:
    """A study, and the history that it was told."""

    study: Study
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
    # What it was asked last is told with its outcome; as it stands there, it counts for nothing.
    for trial in known.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        known.study.tell(trial.number, state=TrialState.FAIL)
    return known


def suggest(trial: Trial, space: SearchSpace) -> dict[str, Any]:
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
    return create_trial(
        params=dict(tried.parameters),
        distributions={path: distributions[path] for path in tried.parameters},
        value=tried.value,
        state=TrialState.PRUNED if tried.value is None else TrialState.COMPLETE,
        intermediate_values=partial(tried),
    )


def partial(tried: Tried) -> dict[int, float]:
    """Return the best values of a pruned candidate up to each epoch that all its seeds reached."""
    if not tried.pruned:
        return {}
    columns = zip(*tried.curves, strict=False)
    return {epoch: sum(values) / len(values) for epoch, values in enumerate(columns, start=1)}
