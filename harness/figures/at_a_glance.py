"""A study at a glance: the means of its arms in a picture that is small enough for a list."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import MaxNLocator

from harness.evidence import Evidence
from harness.figures._arms import LEGEND_ROW, legend, legend_rows, mean_row
from harness.figures._labels import axis_label, metric_name
from harness.figures._layout import NEUTRAL, Layout, lay_out, row_label
from harness.figures._lines import Floats, padded
from harness.figures._style import (
    INK,
    PAPER,
    colour_of,
    marker_of,
    new_axes,
    new_figure,
    theme,
)
from harness.figures.base import Figure, Picture
from harness.formatting import plural, wrapped
from harness.judged import Verdict
from harness.metrics import Metric
from harness.plan import is_simple_baseline

_WIDTH, _ROW = 3.6, 0.19
_MOST_ROWS = 10
_LABEL = 17
"""Letters of a row's name."""


@dataclass(frozen=True)
class _Row:
    """A line of the picture: an arm, or the arms that share all but the factor of the styles."""

    label: str
    marks: tuple[tuple[int, Floats], ...]

    def best(self, sign: int) -> float:
        return max(sign * float(values.mean()) for _, values in self.marks)


class AtAGlance(Figure):
    """The means of the arms, small enough for the scoreboard, which shows it."""

    name = "at_a_glance"
    section = "scoreboard"
    published = True

    def draw(self, evidence: Evidence, verdicts: Sequence[Verdict]) -> Picture | None:
        """See `Figure`."""
        del verdicts
        return at_a_glance(evidence, evidence.primary_metric)


def at_a_glance(evidence: Evidence, metric: str) -> Picture | None:
    """Draw the mean and interval of the arms, a row each; the best where there are too many.

    Arms that are tested on different data stand in panels of their own, each with its own axis
    and its own simple baseline.
    """
    values = evidence.values_by_arm(metric)
    drawn, said = [], []
    for group in evidence.compared:
        mine = {arm: values[arm] for arm in group.arms if arm in values}
        panel = _panel(evidence, metric, mine, group.label if len(evidence.compared) > 1 else "")
        if panel is not None:
            drawn.append(panel[0])
            said.append(panel[1])
    if not drawn:
        return None
    return Picture(
        "at-a-glance",
        "The study at a glance",
        "Mean over the confirmation seeds with its 95 % t interval; dotted: the simple baseline.",
        f"{metric_name(metric)} of {'; of '.join(said)}",
        tuple(drawn),
        data=[
            mean_row(arm, values[arm], evidence.plan.metric(metric)) | {"data": group.label}
            for group in evidence.compared
            for arm in group.arms
            if arm in values
        ],
    )


def _panel(
    evidence: Evidence, metric: str, values: dict[str, Floats], label: str
) -> tuple[Drawing, str] | None:
    """Draw the arms of one test set; return the drawing and how many arms it shows, in words."""
    simple = np.zeros(0)
    for arm in [arm for arm in values if is_simple_baseline(arm)]:
        simple = values.pop(arm)
    layout = lay_out(evidence.plan)
    rows = _rows(layout, values)
    if not rows:
        return None
    known = evidence.plan.metric(metric)
    places = list(range(len(rows)))
    if known.goal:
        places.sort(key=lambda place: -rows[place].best(known.sign))
    shown = [rows[place] for place in sorted(places[:_MOST_ROWS])]
    key = [(m.label, m.style) for m in layout.groups[0].members] if layout.hue else []
    reference = float(simple.mean()) if len(simple) else None
    with theme():
        top = 0.08 + LEGEND_ROW * legend_rows(key, _WIDTH)
        figure = new_figure(_WIDTH, _ROW * len(shown) + 0.44 + top)
        axes = new_axes(figure, (1.05, 0.1, 0.42, top))
        _draw(axes, shown, reference, known)
        axes.set_xlabel(wrapped(f"{axis_label(known)}{label and f', {label}'}", 44, 1), labelpad=2)
        if key:
            legend(axes, key)
    count = sum(len(row.marks) for row in shown)
    said = plural(count, "arm") + (f" on {label}" if label else "")
    if len(shown) < len(rows):
        which = "best" if known.goal else "first"
        said += f", the {which} of {plural(len(values), 'arm')}"
    return figure, said


def _rows(layout: Layout, values: dict[str, Floats]) -> list[_Row]:
    rows = []
    for group in layout.groups:
        members = [m for m in group.members if m.arm in values]
        if layout.hue and not group.single:
            marks = tuple((m.style, values[m.arm]) for m in members)
            rows += [_Row(group.title, marks)] if marks else []
        else:
            rows += [
                _Row(
                    row_label(layout, group, m, _LABEL),
                    ((NEUTRAL if layout.hue else 0, values[m.arm]),),
                )
                for m in members
            ]
    return rows


def _draw(axes: Axes, rows: list[_Row], reference: float | None, metric: Metric) -> None:
    drawn = [values for row in rows for _, values in row.marks]
    ends = [end for values in drawn for end in (*metric.interval(values), float(values.mean()))]
    ends += [reference] if reference is not None else []
    axes.set_xlim(*padded(np.array([end for end in ends if math.isfinite(end)]), 0.03))
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.set_yticks(range(len(rows)), [wrapped(row.label, _LABEL, 1) for row in rows])
    axes.tick_params(axis="y", length=0)
    if reference is not None:
        axes.axvline(reference, color=INK, linewidth=0.9, linestyle=(0, (1, 1.6)))
    for place, row in enumerate(rows):
        for index, (style, values) in enumerate(row.marks):
            y = place + 0.22 * (index - (len(row.marks) - 1) / 2) / max(1, len(row.marks) / 3)
            colour = colour_of(style)
            low, high = metric.interval(values)
            if math.isfinite(low):
                axes.plot([low, high], [y, y], color=colour, linewidth=1.2)
            axes.plot(
                float(values.mean()), y, marker=marker_of(style), markersize=4.6,
                color=colour, markeredgecolor=PAPER, markeredgewidth=0.6, zorder=3,
            )  # fmt: skip
