"""What figures of arms share: limits, and the key of the arms' styles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from harness.figures._lines import Floats, padded
from harness.figures._style import PAPER, colour_of, marker_of
from harness.metrics import Metric

CLOSER = (
    " The second panel is the same, closer to the best arms; an arrowhead at the frame stands for"
    " what lies beyond it."
)
LEGEND_ROW = 0.18
"""Inches of a row of the key."""


def near_and_far(samples: Sequence[Floats], metric: Metric) -> list[tuple[float, float]]:
    """Return limits for all samples, and for the better half where that is much narrower.

    Args:
        samples: values of each arm, each of shape (seeds,), none empty.
        metric: tells which way is better; where nobody said, there is no better half.
    """
    whole = padded(np.concatenate(samples), 0.03)
    if metric.goal is None:
        return [whole]
    order = sorted(samples, key=lambda values: -metric.sign * float(values.mean()))
    close = padded(np.concatenate(order[: max(2, math.ceil(len(order) / 2))]), 0.06)
    narrow = len(order) > 3 and close[1] - close[0] < 0.3 * (whole[1] - whole[0])
    return [whole, close] if narrow else [whole]


def mean_row(arm: str, values: Floats, metric: Metric) -> dict[str, Any]:
    """Return the row of an arm in the numbers of a figure: mean, interval, seeds."""
    low, high = metric.interval(values)
    return {"arm": arm, "metric": metric.name, "mean": float(values.mean()), "low": low,
            "high": high, "seeds": len(values)}  # fmt: skip


def legend(axes: Axes, key: Sequence[tuple[str, int]]) -> None:
    """Name styles above the axes, each by its label; as many in a row as their words allow."""
    figure = axes.get_figure()
    assert figure is not None
    width = float(figure.get_size_inches()[0])  # type: ignore[union-attr]
    columns = _columns(key, width)
    box = axes.get_position()
    left = -0.02 if columns >= len(key) else 0.02 - box.x0 / box.width
    handles = [
        Line2D(
            [], [], marker=marker_of(style), color=colour_of(style),
            linewidth=1.4, markersize=5, markeredgecolor=PAPER, markeredgewidth=0.8, label=label,
        )
        for label, style in key
    ]  # fmt: skip
    axes.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(left, 0.995), ncols=columns,
        frameon=False, fontsize=8, handlelength=1.6, columnspacing=1.2, borderaxespad=0.2,
    )  # fmt: skip


def legend_rows(key: Sequence[tuple[str, int]], width: float) -> int:
    """Return how many rows `legend` takes in a figure so many inches wide; none without a key."""
    return math.ceil(len(key) / _columns(key, width)) if key else 0


def _columns(key: Sequence[tuple[str, int]], width: float) -> int:
    widest = 0.42 + 0.07 * max(len(label) for label, _ in key)
    return max(1, min(len(key), int((width - 0.3) / widest)))
