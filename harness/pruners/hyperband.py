"""Hyperband."""

from __future__ import annotations

import math
from typing import Literal

from harness.pruners.base import Halving


class Hyperband(Halving):
    """Several successive halvings side by side that begin to stop candidates at different epochs.

    The first begins at `first`, the next at `first * factor`, ...; the last stops nobody. Each has
    its share of the candidates, so that each spends about as many epochs (Li et al. 2018,
    Hyperband: a novel bandit-based approach to hyperparameter optimization).
    """

    name: Literal["hyperband"]

    def bracket(self, index: int, longest: int) -> int:
        """Return 0 for those that are stopped earliest.

        The bracket that decides at s epochs before the end has n = (S + 1) / (s + 1) * factor**s
        candidates of each hand (Li et al. 2018, algorithm 1). They are dealt out evenly: the next
        one goes to the bracket that lags most behind its share.
        """
        shares = self._shares(longest)
        total = sum(shares)
        dealt = [0] * len(shares)
        place = 0
        for turn in range(1, index % total + 2):
            place = max(range(len(shares)), key=lambda b: shares[b] * turn - dealt[b] * total)
            dealt[place] += 1
        return place

    def _shares(self, longest: int) -> list[int]:
        """Return how many of a hand each bracket gets; the last never stops anyone."""
        stages = 0
        while self.first * self.factor**stages < longest:
            stages += 1
        return [math.ceil((stages + 1) / (s + 1) * self.factor**s) for s in range(stages, -1, -1)]
