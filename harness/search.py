"""Which candidates to try next; the only module that knows Optuna.

A round of candidates is a pure function of the space and of the history so far, so that a search
asks the same whatever the number of workers and however often it was interrupted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.plan import SearchSpace, grid_points

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

History = Sequence[tuple[Mapping[str, Any], float | None]]
"""Candidates that were valued, in their order; None where every trial of one diverged or failed."""

LOWER_IS_BETTER = ("loss", "error", "perplexity")


def next_round(space: SearchSpace, history: History) -> list[dict[str, Any]]:
    """Return the next candidates, at most `space.round` of them and never more than the budget.

    The first of all is the workload's own setting, if the space contains it.
    """
    wanted = min(space.round, space.candidates - len(history))
    if wanted <= 0:
        return []
    if space.sampler == "grid":
        return grid_points(space.dimensions, space.candidates)[len(history) :][:wanted]
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    distributions = {path: _distribution(d) for path, d in space.dimensions.items()}
    optuna_study = optuna.create_study(
        sampler=_sampler(space, len(history)),
        direction="minimize" if lower_is_better(space.metric) else "maximize",
    )
    for parameters, value in history:
        optuna_study.add_trial(_finished(parameters, value, distributions))
    candidates = []
    if not history and space.default is not None:
        optuna_study.enqueue_trial(dict(space.default))
    for _ in range(wanted):
        candidates.append(dict(optuna_study.ask(distributions).params))
    return candidates


def best(space: SearchSpace, history: History) -> int | None:
    """Return the index of the best candidate (the earliest of equals), None if none has a value."""
    valued = [(value, index) for index, (_, value) in enumerate(history) if value is not None]
    if not valued:
        return None
    sign = 1 if lower_is_better(space.metric) else -1
    return min(valued, key=lambda pair: (sign * pair[0], pair[1]))[1]


def lower_is_better(metric: str) -> bool:
    """Tell the direction of a metric from its name."""
    return metric.rsplit(".", 1)[-1] in LOWER_IS_BETTER


def _sampler(space: SearchSpace, position: int) -> BaseSampler:
    from optuna.samplers import RandomSampler, TPESampler

    seed = (space.seed + position) % 2**32
    return RandomSampler(seed=seed) if space.sampler == "random" else TPESampler(seed=seed)


def _distribution(dimension: Mapping[str, Any]) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    kind, values = next(iter(dimension.items()))
    if kind == "choice":
        return CategoricalDistribution(values)
    low, high = values
    if kind == "integer":
        return IntDistribution(low, high)
    return FloatDistribution(low, high, log=kind == "log")


def _finished(
    parameters: Mapping[str, Any],
    value: float | None,
    distributions: Mapping[str, BaseDistribution],
) -> FrozenTrial:
    """A candidate without a value counts as pruned, which TPE takes as worse than any value."""
    from optuna.trial import TrialState, create_trial

    state = TrialState.PRUNED if value is None else TrialState.COMPLETE
    return create_trial(
        params=dict(parameters), distributions=dict(distributions), value=value, state=state
    )
