"""Arms side by side: every seed's result, and means with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import MaxNLocator

from harness.evidence import Evidence
from harness.figures._arms import CLOSER, LEGEND_ROW, legend, legend_rows, mean_row, near_and_far
from harness.figures._labels import axis_label, direction, metric_name
from harness.figures._layout import NEUTRAL, Layout, lay_out, row_label
from harness.figures._lines import Floats
from harness.figures._style import (
    GRID,
    INK,
    MUTED,
    PAPER,
    arrowhead,
    colour_of,
    marker_of,
    new_axes,
    new_figure,
    theme,
)
from harness.figures.base import Figure, Picture
from harness.formatting import capitalized, number, wrapped
from harness.judged import Verdict
from harness.metrics import Metric
from harness.plan import SIMPLE_BASELINE

_ROW = 0.185
_WIDTH = 4.9
MOST_ROWS = 90
_LABEL = 20
"""Letters of a row's name."""


@dataclass(frozen=True)
class _Row:
    arm: str
    label: str
    style: int
    values: Floats
    first: bool
    group: str
    single: bool

    @property
    def mean(self) -> float:
        return float(self.values.mean()) if len(self.values) else math.nan


class Arms(Figure):
    """Every confirmation seed beside the mean and interval of its arm."""

    name = "arms"
    section = "arms"
    order = 10
    flow = "pair"
    published = True

    def draw(self, evidence: Evidence, verdicts: Sequence[Verdict]) -> Picture | None:
        """See `Figure`."""
        del verdicts
        return arms_compared(evidence, evidence.primary_metric)


def arms_compared(evidence: Evidence, metric: str) -> Picture | None:
    """Draw every confirmation seed beside the mean and interval of its arm."""
    values = evidence.values_by_arm(metric)
    baseline = values.pop(SIMPLE_BASELINE, np.zeros(0))
    layout = lay_out(evidence.plan)
    every = _rows(layout, values)
    rows = every[:MOST_ROWS]
    if not any(len(row.values) for row in rows):
        return None
    reference = float(baseline.mean()) if len(baseline) else None
    known = evidence.plan.metric(metric)
    limits = _limits(rows, reference, known)
    keyed = _key(layout) if layout.hue else []
    with theme():
        panels = tuple(_arms_panel(rows, reference, limit, (known, keyed)) for limit in limits)
    closer = CLOSER if len(panels) > 1 else ""
    left_out = f" Not drawn: {len(every) - len(rows)} more arms." if every[MOST_ROWS:] else ""
    line = " The dotted line is the mean of the simple baseline." if reference is not None else ""
    return Picture(
        "arms",
        f"{capitalized(metric_name(metric))} of every arm",
        "Small marks: single confirmation seeds. Large marks: their mean with its 95 % t interval."
        f"{line}{closer}{left_out}{direction(known)}{evidence.only_of_the_rest}",
        f"{capitalized(metric_name(metric))} of {len(rows)} arms, each with its seeds, mean and"
        " interval; the numbers are in the leaderboard.",
        panels,
        columns=len(panels),
        data=[
            mean_row(row.arm, row.values, known) | {"values": row.values.tolist()}
            for row in rows
            if len(row.values)
        ],
    )


def _rows(layout: Layout, values: dict[str, Floats]) -> list[_Row]:
    return [
        _Row(
            member.arm,
            member.label if layout.hue else row_label(layout, group, member, _LABEL),
            (NEUTRAL if group.single else member.style) if layout.hue else 0,
            values.get(member.arm, np.zeros(0)),
            index == 0,
            group.title,
            group.single,
        )
        for group in layout.groups
        for index, member in enumerate(group.members)
    ]


def _key(layout: Layout) -> list[tuple[str, int]]:
    """Return label and style of every level of the factor that styles stand for."""
    crossed = [group for group in layout.groups if not group.single]
    found = {member.style: member.label for group in crossed for member in group.members}
    return [(label, style) for style, label in sorted(found.items())]


def _limits(
    rows: Sequence[_Row], reference: float | None, metric: Metric
) -> list[tuple[float, float]]:
    """Return the limits of the whole, and of the best half where that is much narrower."""
    samples = [row.values for row in rows if len(row.values)]
    if reference is not None:
        samples.append(np.array([reference]))
    return near_and_far(samples, metric)


def _arms_panel(
    rows: Sequence[_Row],
    reference: float | None,
    limits: tuple[float, float],
    words: tuple[Metric, list[tuple[str, int]]],
) -> Drawing:
    metric, key = words
    places, separators = _places(rows)
    top = 0.12 + LEGEND_ROW * legend_rows(key, _WIDTH)
    figure = new_figure(_WIDTH, max(_ROW * (places[-1] + 1.2) + 0.5 + top, 1.5))
    axes = new_axes(figure, (1.3, 0.12, 0.45, top))
    axes.set_ylim(places[-1] + 0.8, -0.8)
    axes.set_xlim(*limits)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.grid(axis="y", visible=False)
    for separator in separators:
        axes.axhline(separator, color=GRID, linewidth=0.7)
    if reference is not None:
        axes.axvline(reference, color=INK, linewidth=0.9, linestyle=(0, (1, 1.6)), zorder=1.5)
    for row, place in zip(rows, places, strict=True):
        _arm(axes, row, place, metric)
    _name_rows(axes, rows, places, bool(key))
    axes.set_xlabel(axis_label(metric), labelpad=3)
    if key:
        legend(axes, key)
    return figure


def _places(rows: Sequence[_Row]) -> tuple[list[float], list[float]]:
    """Return the height of each row, and of the lines between groups."""
    places: list[float] = []
    separators = []
    for row in rows:
        step = 0.0 if not places else places[-1] + (1.7 if row.first else 1.0)
        if row.first and places:
            separators.append((places[-1] + step) / 2)
        places.append(step)
    return places, separators


def _arm(axes: Axes, row: _Row, place: float, metric: Metric) -> None:
    low_edge, high_edge = axes.get_xlim()
    colour, marker = colour_of(row.style), marker_of(row.style)
    if not len(row.values):
        axes.annotate(
            "no value", (0.02, place), xycoords=("axes fraction", "data"),
            va="center", fontsize=7.5, color=MUTED,
        )  # fmt: skip
        return
    if not low_edge <= row.mean <= high_edge:
        left = row.mean < low_edge
        axes.annotate(
            f"◂ {number(row.mean)}" if left else f"{number(row.mean)} ▸",
            (0.01 if left else 0.99, place),
            xycoords=("axes fraction", "data"),
            va="center",
            ha="left" if left else "right",
            fontsize=7.5,
            color=colour,
        )
        return
    inside = row.values[(row.values >= low_edge) & (row.values <= high_edge)]
    axes.plot(
        inside, np.full(len(inside), place), linestyle="none", marker=marker, markersize=2.8,
        color=colour, alpha=0.38, markeredgewidth=0, zorder=2,
    )  # fmt: skip
    low, high = metric.interval(row.values)
    if math.isfinite(low):
        ends = np.clip([low, high], low_edge, high_edge)
        axes.plot(ends, [place, place], color=colour, linewidth=1.4, zorder=3)
        if low < low_edge:
            arrowhead(axes, low_edge, place, "<", colour)
        if high > high_edge:
            arrowhead(axes, high_edge, place, ">", colour)
    axes.plot(
        row.mean, place, marker=marker, markersize=5.6, color=colour, markeredgecolor=PAPER,
        markeredgewidth=0.8, zorder=4, clip_on=False,
    )  # fmt: skip


def _name_rows(axes: Axes, rows: Sequence[_Row], places: Sequence[float], keyed: bool) -> None:
    """Name each group once where the key names its rows, and each row otherwise."""
    ticks, labels = [], []
    groups: dict[str, list[int]] = {}
    for index, row in enumerate(rows):
        groups.setdefault(row.group, []).append(index)
    for title, members in groups.items():
        if keyed and not rows[members[0]].single:
            ticks.append(float(np.mean([places[i] for i in members])))
            labels.append(wrapped(title, _LABEL))
        else:
            ticks += [places[i] for i in members]
            labels += [wrapped(rows[i].label, _LABEL, 1) for i in members]
    axes.set_yticks(ticks, labels)
    axes.tick_params(axis="y", length=0)
