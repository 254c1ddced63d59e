"""Whether the effect of one factor depends on another: means over pairs of factors, as lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from harness.evidence import Evidence
from harness.figures._facets import numbers_of
from harness.figures._labels import axis_label, metric_name
from harness.figures._layout import MOST_SERIES
from harness.figures._lines import Facet, Frame, Line, draw_facets
from harness.figures.base import Figure, Picture
from harness.formatting import capitalized, level_text, plural
from harness.judged import Verdict
from harness.levels import same_value

MOST_PAIRS = 6


@dataclass(frozen=True)
class _Pair:
    """Two factors: the levels of one stand on the axis, those of the other are lines."""

    across: str
    lines: str


class Interactions(Figure):
    """The mean result over every pair of crossed factors."""

    name = "interactions"
    section = "interactions"
    order = 10
    flow = "pair"

    def draw(self, evidence: Evidence, verdicts: Sequence[Verdict]) -> Picture | None:
        """See `Figure`."""
        del verdicts
        return interactions(evidence, evidence.primary_metric)


def interactions(evidence: Evidence, metric: str) -> Picture | None:
    """Draw the mean of a metric over two crossed factors, one panel per pair of factors.

    Each seed gives one number per pair of levels (the mean over the other factors), and the
    interval is that of these numbers. A seed in which an arm of the pair has no number is left out.
    """
    study = evidence.plan.study
    ranked = study.datasets is not None  # data sets have no order that a line could follow
    pairs = _pairs(study.factors) if study.design.crossed and not ranked else []
    rows = evidence.confirmation
    if not pairs or metric not in rows:
        return None
    drawn = [(pair, _lines(evidence, rows, metric, pair)) for pair in pairs[:MOST_PAIRS]]
    found = [(pair, lines) for pair, lines in drawn if lines]
    if not found:
        return None
    panels = tuple(
        draw_facets([Facet(f"{p.across} × {p.lines}", lines)], _frame(evidence, metric, p))[0]
        for p, lines in found
    )
    left = len(pairs) - MOST_PAIRS
    return Picture(
        "interactions",
        f"{capitalized(metric_name(metric))} by pairs of factors",
        "Mean over the confirmation seeds, and over the factors that are not named, with its"
        " 95 % t interval. Where lines run alike, the factors act independently; where they"
        " diverge or cross, the effect of one depends on the other."
        + (f" {plural(left, 'more pair')} left out." if left > 0 else ""),
        f"Interaction of {', '.join(f'{p.across} and {p.lines}' for p, _ in found)} in"
        f" {metric_name(metric)}.",
        panels,
        columns=min(len(panels), 2),
        data=[
            row
            for pair, lines in found
            for row in numbers_of(
                [Facet(f"{pair.across} × {pair.lines}", lines)], _frame(evidence, metric, pair)
            )
        ],
    )


def _pairs(factors: Any) -> list[_Pair]:
    """Put on the axis the factor whose levels are numbers, or else the one with more levels."""
    levels = {name: list(factor.levels) for name, factor in factors.items()}
    pairs = []
    for one, other in combinations([name for name, found in levels.items() if len(found) > 1], 2):
        ranked = sorted(
            (one, other), key=lambda name: (_numeric(levels[name]), len(levels[name])), reverse=True
        )
        if len(levels[ranked[1]]) > MOST_SERIES:
            ranked.reverse()
        if len(levels[ranked[1]]) <= MOST_SERIES:
            pairs.append(_Pair(*ranked))
    return pairs


def _numeric(levels: Sequence[Any]) -> bool:
    return all(isinstance(v, int | float) and not isinstance(v, bool) for v in levels)


def _lines(evidence: Evidence, rows: pd.DataFrame, metric: str, pair: _Pair) -> list[Line]:
    factors, known = evidence.plan.study.factors, evidence.plan.metric(metric)
    lines = []
    for style, level in enumerate(factors[pair.lines].levels):
        points = []
        for place, across in enumerate(factors[pair.across].levels):
            arms = [
                arm.name
                for arm in evidence.plan.arms
                if not arm.named
                and same_value(arm.levels[pair.lines], level)
                and same_value(arm.levels[pair.across], across)
            ]
            cell = rows[rows["arm"].isin(arms)]
            table = cell.pivot_table(index="seed", columns="arm", values=metric).dropna()
            whole = not table.empty and table.shape[1] == len(arms)
            values = table.mean(axis=1).to_numpy(dtype=float) if whole else np.zeros(0)
            mean = float(values.mean()) if len(values) else np.nan  # which leaves a gap
            spread = known.interval(values) if len(values) > 1 else (np.nan, np.nan)
            points.append((float(place), mean, *spread))
        columns = np.array(points, dtype=float).T
        if np.isfinite(columns[1]).any():
            lines.append(Line(level_text(level), style, *columns))
    return lines


def _frame(evidence: Evidence, metric: str, pair: _Pair) -> Frame:
    levels = tuple(level_text(level) for level in evidence.plan.study.factors[pair.across].levels)
    label = axis_label(evidence.plan.metric(metric))
    return Frame(
        capitalized(pair.across.replace("_", " ")), label, width=4.9, height=3.0,
        categories=levels,
    )  # fmt: skip
