"""What the searches found where several settings were searched at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Drawing
from numpy.typing import NDArray

from harness.evidence import Evidence
from harness.figures._facets import MOST_PANELS, columns
from harness.figures._labels import metric_name, short_label, unit_in_words
from harness.figures._style import INK, MUTED, new_axes, new_figure, theme
from harness.figures.base import Figure, Picture
from harness.figures.search import chosen
from harness.formatting import capitalized, level_text, number, parameter_name, plural, wrapped
from harness.judged import Verdict
from harness.metrics import Metric
from harness.plan import SearchSpace
from harness.trial import Phase

Floats = NDArray[np.float64]
_ROOM = 0.62
"""Inches on either side of the outer axes."""
_MOST_LINES = 100
"""Candidates that are drawn of an arm; more cover each other."""
_MOST_DOTTED = 40


class SearchParallel(Figure):
    """Parallel coordinates: every candidate a line across its settings and what it was worth."""

    name = "search_parallel"
    section = "search"
    order = 15

    def draw(self, evidence: Evidence, verdicts: Sequence[Verdict]) -> Picture | None:
        """See `Figure`."""
        del verdicts
        panels: list[Drawing] = []
        data: list[dict[str, Any]] = []
        left = most = 0
        for arm in evidence.plan.arms:
            space = evidence.plan.space(arm)
            if space is None or len(space.dimensions) < 2:
                continue
            rows = _candidates(evidence, arm.name, space)
            if len(rows) < 2:
                continue
            if len(panels) == MOST_PANELS:
                left += 1
                continue
            won = chosen(evidence, arm.name)
            panels.append(_panel(arm.name, rows, space, won))
            data += _numbers(arm.name, rows, won)
            most = max(most, len(rows))
        if not panels:
            return None
        known = evidence.plan.metric(evidence.plan.search_metric(evidence.plan.baseline))
        note = f" {plural(left, 'more panel')} left out." if left else ""
        few = (
            f" Of more than {_MOST_LINES} candidates of an arm {_MOST_LINES} are drawn, evenly from"
            " the best to the worst."
            if most > _MOST_LINES
            else ""
        )
        return Picture(
            "search-parallel",
            "Search: candidates across all searched settings",
            "Each line is a candidate of an arm's first search: its settings, each between the ends"
            f" of its declared range, and at the right its {metric_name(known.name)} on search"
            " seeds, the mean of those that completed. Darker is better; the thick line is the"
            f" winner. Gaps are settings that a candidate did not have.{few}{note}"
            f"{unit_in_words(known)}",
            f"Parallel coordinates of the candidates of {plural(len(panels), 'arm')}.",
            tuple(panels),
            columns=min(columns(len(panels)), 2),
            data=data,
        )


def _numbers(arm: str, rows: pd.DataFrame, won: int | None) -> list[dict[str, Any]]:
    """Return every candidate in a row: its settings, its value, and whether it won."""
    named = rows.rename(columns=lambda name: str(name).removeprefix("parameter."))
    settings = [
        {str(name): None if pd.isna(value) else value for name, value in row.items()}
        for row in named.to_dict("records")
    ]
    return [
        {"arm": arm, "candidate": int(place), **row, "won": int(place) == won}
        for place, row in zip(rows.index.tolist(), settings, strict=True)
    ]


def _candidates(evidence: Evidence, arm: str, space: SearchSpace) -> pd.DataFrame:
    """Return the settings and the mean value of an arm's candidates that completed."""
    trials, metric = evidence.trials, space.metric.name
    names = [f"parameter.{path}" for path in space.dimensions]
    if metric not in trials or not set(names) & set(trials):
        return pd.DataFrame()
    mine = trials[(trials["phase"] == Phase.SEARCH.value) & (trials["arm"] == arm)]
    mine = mine[
        (mine["state"] == "complete") & (mine["candidate"].astype(float) < space.candidates)
    ]
    first = {name: "first" for name in names if name in mine}
    return mine.groupby("candidate").agg({**first, metric: "mean"}).dropna(subset=[metric])


def _panel(arm: str, rows: pd.DataFrame, space: SearchSpace, won: int | None) -> Drawing:
    paths = list(space.dimensions)
    heights = [_heights(rows.get(f"parameter.{p}"), space.dimensions[p], len(rows)) for p in paths]
    values = rows[space.metric.name].to_numpy(dtype=float)
    low, high = float(values.min()), float(values.max())
    shares = (values - low) / (high - low) if high > low else np.full(len(values), 0.5)
    lines = np.column_stack([*heights, shares])
    ranks = _ranks(values, space.metric)
    with theme():
        figure = new_figure(max(3.3, 2 * _ROOM + 0.85 * len(paths)), 2.6)
        axes = new_axes(figure, (_ROOM, _ROOM, 0.5, 0.5))
        shades = mpl.colormaps["viridis_r"](0.1 + 0.9 * ranks)
        order = np.argsort(ranks, kind="stable")
        drawn = order[np.linspace(0, len(order) - 1, min(len(order), _MOST_LINES)).astype(int)]
        marker = "." if len(drawn) <= _MOST_DOTTED else ""
        for place in order[np.isin(order, drawn) | (rows.index.to_numpy()[order] == won)]:
            best = int(rows.index[place]) == won
            axes.plot(
                lines[place], color=shades[place], marker=marker, markersize=3,
                alpha=1 if best else 0.75, linewidth=2.4 if best else 0.8, zorder=4 if best else 2,
            )  # fmt: skip
        for place, path in enumerate(paths):
            bottom, top = _ends(space.dimensions[path])
            _axis(figure, place, (capitalized(parameter_name(path)), bottom, top))
        _axis(figure, len(paths), (short_label(space.metric), number(low), number(high)))
        axes.set(xlim=(-0.05, len(paths) + 0.05), ylim=(-0.05, 1.05), xticks=[], yticks=[])
        axes.grid(visible=False)
        for spine in axes.spines.values():
            spine.set_visible(False)
        figure.text(0.03, 0.955, wrapped(arm, 44, 1), weight="bold", fontsize=9.5, va="center")
    return figure


def _ranks(values: Floats, metric: Metric) -> Floats:
    """Return how good each value is among all, from 0 to 1; equal ones have equal ranks."""
    if len(values) < 2 or metric.goal is None:
        return np.full(len(values), 0.5, dtype=np.float64)
    ranks = pd.Series(metric.sign * values).rank(method="average").to_numpy(dtype=np.float64)
    return np.asarray((ranks - 1) / (len(values) - 1), dtype=np.float64)


def _heights(column: pd.Series | None, dimension: Mapping[str, Any], count: int) -> Floats:
    """Return where settings stand between the ends of their range, from 0 to 1; NaN if absent."""
    if column is None:
        return np.full(count, np.nan)
    ((kind, values),) = dimension.items()
    if kind == "choice":
        found = [next((n for n, one in enumerate(values) if one == v), math.nan) for v in column]
        return np.array(found, dtype=np.float64) / max(len(values) - 1, 1)
    numbers = column.to_numpy(dtype=float)
    low, high = float(values[0]), float(values[1])
    if kind == "log":
        numbers, low, high = np.log(numbers), float(np.log(low)), float(np.log(high))
    return (numbers - low) / (high - low)


def _ends(dimension: Mapping[str, Any]) -> tuple[str, str]:
    (values,) = dimension.values()
    return level_text(values[0]), level_text(values[-1])


def _axis(figure: Drawing, place: int, texts: tuple[str, str, str]) -> None:
    """Draw one upright axis with its name below, and what stands at its ends."""
    axes = figure.axes[0]
    axes.axvline(place, color=MUTED, linewidth=0.8, zorder=1)
    name, low, high = texts
    axes.text(place, 1.07, high, ha="center", va="bottom", fontsize=8, color=INK)
    axes.text(place, -0.07, low, ha="center", va="top", fontsize=8, color=INK)
    axes.text(place, -0.19, wrapped(name, 14, 2), ha="center", va="top", fontsize=8, color=INK)
