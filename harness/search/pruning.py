"""When to stop a candidate: asynchronous successive halving and Hyperband on a frozen history.

Optuna's pruners decide while trials run, from whatever other trials have reported by then, so
that their answer depends on the number of workers. Here a rule is fixed before the trial starts,
from the rounds before its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from harness.plan import SearchSpace
from harness.search.history import History, Tried

StopRule = dict[str, Any]
"""`{epoch, metric, worse_than}`: stop after this epoch if the best value so far is worse."""


def stop_rules(
    space: SearchSpace, history: History, index: int, epochs: int
) -> list[list[StopRule]]:
    """Return the rules for a candidate's trials, a list for each search seed.

    At every rung a candidate goes on only if it is within the best 1/factor of those that came as
    far in earlier rounds, in its own bracket and under the same search seed (Li et al. 2020,
    algorithm 2, with the history frozen at the start of the round). As long as fewer than `factor`
    did, everyone goes on.

    Args:
        space: of the search.
        history: all rounds before.
        index: of the candidate in its repetition, which decides its bracket.
        epochs: that one of its trials takes if it is not stopped.
    """
    if space.pruning is None:
        return []
    factor: int = space.pruning["factor"]
    bracket = bracket_of(space, index)
    rivals = [tried for i, tried in enumerate(history) if bracket_of(space, i) == bracket]
    rules: list[list[StopRule]] = []
    for seed in range(space.seeds):
        rules.append([])
        for epoch in rungs(space, bracket, epochs):
            values = [v for tried in rivals if (v := _value_at(tried, seed, epoch)) is not None]
            if len(values) >= factor:
                values.sort(reverse=space.metric.goal == "maximize")
                worst = values[len(values) // factor - 1]
                rules[-1].append({"epoch": epoch, "metric": space.metric.name, "worse_than": worst})
    return rules


def rungs(space: SearchSpace, bracket: int, epochs: int) -> list[int]:
    """Return the epochs after which a candidate of a bracket may be stopped, before its last."""
    if space.pruning is None:
        return []
    factor: int = space.pruning["factor"]
    epoch: int = space.pruning["first"] * factor**bracket
    found = []
    while epoch < epochs:
        found.append(epoch)
        epoch *= factor
    return found


def bracket_of(space: SearchSpace, index: int) -> int:
    """Return the bracket of a candidate: 0 stops candidates earliest; successive halving has one.

    Hyperband gives the bracket that decides at s epochs before the end n = (S + 1) / (s + 1) *
    factor**s candidates of each hand (Li et al. 2018, algorithm 1). They are dealt out evenly:
    the next one goes to the bracket that lags most behind its share.
    """
    pruning = space.pruning
    if pruning is None or pruning["name"] != "hyperband":
        return 0
    shares = _shares(pruning, space.longest)
    total = sum(shares)
    dealt = [0] * len(shares)
    place = 0
    for turn in range(1, index % total + 2):
        place = max(range(len(shares)), key=lambda b: shares[b] * turn - dealt[b] * total)
        dealt[place] += 1
    return place


def _shares(pruning: Mapping[str, Any], longest: int) -> list[int]:
    """Return how many of a hand of candidates each bracket gets; the last never stops anyone."""
    factor, stages = pruning["factor"], 0
    while pruning["first"] * factor**stages < longest:
        stages += 1
    return [math.ceil((stages + 1) / (s + 1) * factor**s) for s in range(stages, -1, -1)]


def _value_at(tried: Tried, seed: int, epoch: int) -> float | None:
    """Return the best value up to an epoch; one that ended well before it counts with its last."""
    curve = tried.curves[seed] if seed < len(tried.curves) else ()
    if not curve or (len(curve) < epoch and tried.value is None):
        return None
    value = curve[min(epoch, len(curve)) - 1]
    return value if math.isfinite(value) else None
