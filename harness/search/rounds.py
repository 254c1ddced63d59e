"""The next candidates of a search, and when each is to be stopped.

Optuna's pruners decide while trials run, from whatever other trials have reported by then, so
that their answer depends on the number of workers. Here a rule is fixed before the trial starts,
from the rounds before its own.
"""

from __future__ import annotations

import math
from typing import Any

from harness.plan import SearchSpace
from harness.registry import SAMPLERS
from harness.samplers.base import History, Tried, wanted

StopRule = dict[str, Any]
"""`{epoch, metric, worse_than}`: stop after this epoch if the best value so far is worse."""


def next_round(space: SearchSpace, history: History) -> list[dict[str, Any]]:
    """Return the next candidates, as many as `wanted` says."""
    count = wanted(space, history)
    if count == 0:
        return []
    asked: list[dict[str, Any]] = SAMPLERS.read(space.sampler).ask(space, history, count)
    return asked


def random_until(space: SearchSpace, candidates: int) -> int:
    """Return how many candidates a sampler has to know before it learns, if it never gets there.

    Args:
        space: of the search.
        candidates: that one repetition asks.

    Returns:
        The number, or 0 where the last round learns from the rounds before, or no round ever does.
    """
    startup: int = SAMPLERS.read(space.sampler).startup
    known = max(candidates - 1, 0) // space.round * space.round
    return startup if known < startup else 0


def stop_rules(
    space: SearchSpace, history: History, index: int, epochs: int
) -> list[list[StopRule]]:
    """Return the rules for a candidate's trials, a list for each search seed.

    At every rung a candidate goes on only if it reaches the pruner's threshold, which is taken from
    those that came as far in earlier rounds, in its own bracket and under the same search seed (Li
    et al. 2020, algorithm 2, with the history frozen at the start of the round).

    Args:
        space: of the search.
        history: all rounds before.
        index: of the candidate in its repetition, which decides its bracket.
        epochs: that one of its trials takes if it is not stopped.
    """
    if space.pruner is None:
        return []
    bracket = bracket_of(space, index)
    rivals = [tried for i, tried in enumerate(history) if bracket_of(space, i) == bracket]
    rules: list[list[StopRule]] = []
    for seed in range(space.seeds):
        rules.append([])
        for epoch in rungs(space, bracket, epochs):
            values = [v for tried in rivals if (v := _value_at(tried, seed, epoch)) is not None]
            values.sort(reverse=space.metric.goal == "maximize")
            worst = space.pruner.threshold(values)
            if worst is not None:
                rules[-1].append({"epoch": epoch, "metric": space.metric.name, "worse_than": worst})
    return rules


def rungs(space: SearchSpace, bracket: int, epochs: int) -> list[int]:
    """Return the epochs after which a candidate of a bracket may be stopped, before its last."""
    return space.pruner.rungs(bracket, epochs) if space.pruner is not None else []


def bracket_of(space: SearchSpace, index: int) -> int:
    """Return the bracket of a candidate: 0 where there is one, or none is stopped."""
    return space.pruner.bracket(index, space.longest) if space.pruner is not None else 0


def _value_at(tried: Tried, seed: int, epoch: int) -> float | None:
    """Return the best value up to an epoch; one that ended well before it counts with its last."""
    curve = tried.curves[seed] if seed < len(tried.curves) else ()
    if not curve or (len(curve) < epoch and tried.value is None):
        return None
    value = curve[min(epoch, len(curve)) - 1]
    return value if math.isfinite(value) else None
