"""What the trials of a run are forecast to cost, and what they did cost.

What is not known, because no earlier trial tells or because there is no sensor, is absent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.trial import COSTS, SECONDS, Record, cost_of

ENOUGH = 5
"""Measured trials from which on they decide a forecast."""


def forecast(guess: float, measured: Sequence[tuple[Record, float]]) -> dict[str, float]:
    """Forecast costs from what trials cost before.

    Args:
        guess: seconds of all trials to come, guessed from their sizes.
        measured: records, each with the guess for it.
    """
    found = {SECONDS: guess}
    for unit in COSTS:
        known = [(cost_of(r)[unit], g) for r, g in measured if unit in cost_of(r)]
        if len(known) >= ENOUGH:
            found[unit] = guess * sum(cost for cost, _ in known) / sum(g for _, g in known)
    return found


@dataclass(frozen=True)
class Costs:
    """Forecast and spent, of all trials of a run and of each arm's."""

    forecast: Mapping[str, float] = field(default_factory=dict)
    spent: Mapping[str, float] = field(default_factory=dict)
    by_arm: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, rounded to what is worth reading."""

        def rounded(costs: Mapping[str, float]) -> dict[str, float]:
            return {unit: round(value, 3) for unit, value in costs.items()}

        return {
            "forecast": rounded(self.forecast),
            "spent": rounded(self.spent),
            "by_arm": {arm: rounded(costs) for arm, costs in self.by_arm.items()},
        }


class Ledger:
    """Adds up what trials cost; a cost that any of them lacks is absent from the sum."""

    def __init__(self) -> None:
        self._costs: dict[str, list[dict[str, float]]] = defaultdict(list)

    def add(self, arm: str, record: Record) -> None:
        """Note a trial that was run for an arm."""
        self._costs[arm].append(cost_of(record))

    def costs(self, forecast: Mapping[str, float]) -> Costs:
        """Return what was spent, beside a forecast."""
        spent = _sum(cost for costs in self._costs.values() for cost in costs)
        return Costs(forecast, spent, {arm: _sum(costs) for arm, costs in self._costs.items()})


def _sum(costs: Iterable[Mapping[str, float]]) -> dict[str, float]:
    found = list(costs)
    complete = [unit for unit in COSTS if found and all(unit in cost for cost in found)]
    return {unit: sum(cost[unit] for cost in found) for unit in complete}
