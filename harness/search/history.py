"""What a search has seen so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.plan import SearchSpace


@dataclass(frozen=True)
class Tried:
    """A candidate and what became of it.

    Attributes:
        parameters: the values of the searched settings.
        value: the metric, averaged over the search seeds; None if a trial was pruned, diverged or
            failed.
        epochs: that its trials were trained for, all together.
        pruned: whether a trial was stopped because it fell behind.
        curves: for each search seed, the best value of the metric up to each epoch; kept only
            where candidates are pruned.
    """

    parameters: Mapping[str, Any]
    value: float | None
    epochs: int = 0
    pruned: bool = False
    curves: tuple[tuple[float, ...], ...] = ()


History = Sequence[Tried]
"""The candidates of all rounds before, in the order in which they were asked."""


def wanted(space: SearchSpace, history: History) -> int:
    """Return the size of the next round; 0 when the budget is spent.

    A candidate is asked only if the epochs left would hold it even if it is not stopped.
    """
    room = min(space.round, space.candidates - len(history))
    if space.epochs is not None:
        left = space.epochs - sum(tried.epochs for tried in history)
        room = min(room, left // space.cost)
    return max(room, 0)


def best(space: SearchSpace, history: History) -> int | None:
    """Return the index of the best candidate (the earliest of equals), None if none has a value."""
    return space.metric.best(
        {i: tried.value for i, tried in enumerate(history) if tried.value is not None}
    )
