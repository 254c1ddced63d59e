"""A pilot in a few lines: where variance comes from, and how to spend a budget."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.formatting import listed, plural
from harness.judged import FEWEST
from harness.plan import Plan
from harness.plan.pilot import (
    TEST,
    TOGETHER,
    TUNING,
    Pilot,
    end_of,
    metric_of_claims,
)
from harness.stats.sources import (
    Spending,
    Spread,
    Variances,
    best_spending,
    half_width,
    standard_error,
)
from harness.trial import SOURCES


def pilot_lines(plan: Plan, pilot: Pilot) -> Iterator[str]:
    """Say what a pilot found, and what each way of spending a budget would bring."""
    if not pilot.belongs_to(plan):
        if plan.fingerprints:
            yield "The pilot was trained with other settings, data or code: harness pilot again."
        return
    metric = metric_of_claims(plan, pilot)
    variances = pilot.variances(metric) if metric is not None else None
    if metric is None or variances is None:
        yield "The pilot knows no metric of a claim."
        return
    yield from _source_lines(pilot, metric)
    if variances.training > 0.0:
        yield from _Advice(plan, metric, variances).lines()


def _source_lines(pilot: Pilot, metric: str) -> Iterator[str]:
    spreads = pilot.spreads(metric)
    parts = [spreads[name].deviation ** 2 for name in (TOGETHER, TUNING, TEST) if name in spreads]
    shown = [name for name in (*SOURCES, TUNING, TEST) if name in spreads]
    told = "; ".join(f"{name} {_spread(spreads[name], sum(parts))}" for name in shown)
    settings = "the settings that its search found" if pilot.searches else "its settings"
    number = plural(len(pilot.values[TOGETHER][metric]), "training")
    every = listed(list(SOURCES)).capitalize()
    yield (
        f"Pilot of {pilot.arm} with {settings}: standard deviation of {metric} by source, with its"
        f" 95 % interval and its share of the variance: {told}. {every} at once:"
        f" {_spread(spreads[TOGETHER], sum(parts))}, from {number}."
    )
    if pilot.not_complete:
        yield f"{plural(pilot.not_complete, 'training')} of the pilot did not complete."


def _spread(one: Spread, whole: float) -> str:
    if one.high is None:
        return "0 (all equal)"
    share = f", {100 * one.deviation**2 / whole:.0f} %" if whole else ""
    return f"{one.deviation:.2g} ({one.low:.2g} to {one.high:.2g}{share})"


class _Advice:
    """What spending brings for a difference of two arms, at the level of a claim."""

    def __init__(self, plan: Plan, metric: str, of: Variances):
        search = plan.study.search
        self._of, self._metric, self._end = of, metric, end_of(plan)
        tuned = search is not None and plan.space(plan.baseline) is not None
        self._searches = search.repeats if search is not None and tuned else 0
        self._one = plan.search_count(plan.baseline) // self._searches if self._searches else 0
        self._now = Spending(plan.study.most_seeds, self._searches)

    def lines(self) -> Iterator[str]:
        """Say how wide intervals become, and which spending makes the difference most exact."""
        now = self._now
        if now.seeds < 2:
            return
        ways = [
            (f"{now.seeds} seeds, as planned", now),
            (f"{2 * now.seeds} seeds", Spending(2 * now.seeds, now.searches)),
        ]
        if self._of.test and now.searches < 2:
            ways.append(("twice the test examples", Spending(now.seeds, now.searches, 2.0)))
        if self._searches > 1 and self._of.tuning:
            more = Spending(now.seeds, self._searches + 1)
            ways.append(("another repetition of tuning", more))
        told = "; ".join(f"{self._width(way):.2g} with {name}" for name, way in ways)
        yield (
            f"A difference of two arms in {self._metric} then has an interval"
            f" ({100 - 200 * self._end:.4g} %) of about ± {told}, if the other arm varies as"
            " much and nothing that they share (split, order, test examples) cancels out."
        )
        if self._searches and self._of.tuning:
            yield from self._tuning_lines()
        elif self._searches:
            yield "The luck of tuning is not known: harness pilot --searches 5."
        if self._of.test:
            floor = (2.0 * self._of.test) ** 0.5
            yield (
                f"The test examples alone give it a standard error of {floor:.2g}, which no"
                " training makes smaller: only more test examples do."
            )
        else:
            yield "How much the choice of the test examples adds is not known for this metric."

    def _tuning_lines(self) -> Iterator[str]:
        if self._searches == 1:
            luck = (2.0 * self._of.tuning) ** 0.5
            several = Spending(max(self._now.seeds, FEWEST), FEWEST)
            yield (
                "That interval leaves out the luck of the one search, which gives the difference a"
                f" standard error of {luck:.2g}. With {FEWEST} repeated searches it is covered:"
                f" about ± {self._width(several):.2g} with {several.seeds} seeds, and the luck of"
                " the test examples is not."
            )
        planned = self._one * self._searches + self._now.seeds
        try:
            best = best_spending(self._of, 2 * planned, self._one)
        except ValueError:
            return
        more_seeds = Spending(2 * planned - self._one * self._searches, self._searches)
        ways = [(f"{_words(more_seeds)}", more_seeds), (f"{_words(best)}", best)]
        told = ", ".join(f"{self._error(way):.2g} with {name}" for name, way in ways)
        if best == more_seeds:
            told = f"{self._error(best):.2g} with {_words(best)}, the best of all ways"
        yield (
            f"Twice the trainings ({2 * planned} an arm instead of {planned}, searches included)"
            f" take its standard error over everything from {self._error(self._now):.2g} to {told}."
        )

    def _width(self, spent: Spending) -> float:
        return half_width(self._of, spent, self._end)

    def _error(self, spent: Spending) -> float:
        return standard_error(self._of, spent)


def _words(spent: Spending) -> str:
    return f"{plural(spent.searches, 'search', 'searches')} and {plural(spent.seeds, 'seed')}"


def pilot_as_dict(plan: Plan, pilot: Pilot) -> dict[str, Any]:
    """Return what a pilot found, for programs."""
    metric = metric_of_claims(plan, pilot)
    spreads = pilot.spreads(metric) if metric is not None else {}
    return {
        "arm": pilot.arm,
        "current": pilot.belongs_to(plan),
        "metric": metric,
        "searches": pilot.searches,
        "not_complete": pilot.not_complete,
        "sources": {
            name: {"deviation": one.deviation, "low": one.low, "high": one.high}
            for name, one in spreads.items()
        },
        "lines": list(pilot_lines(plan, pilot)),
    }
