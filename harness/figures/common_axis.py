"""All claims of a study on one axis: how far each effect lies from its claimed bound."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

from matplotlib.axes import Axes

from harness.evidence import Evidence
from harness.figures._style import (
    FAINT,
    INK,
    PAPER,
    VERDICT_COLOURS,
    VERDICT_MARKERS,
    arrowhead,
    new_axes,
    new_figure,
    theme,
)
from harness.figures.base import Figure, Picture
from harness.formatting import number, plural, wrapped
from harness.judged import Part, Verdict

_WIDTH, _ROW, _LABEL = 6.4, 0.36, 2.9
_FARTHEST = 8.0
"""Half-widths to either side of the bound up to which the axis reaches."""
RowT = TypeVar("RowT", bound=Verdict | Part)


class CommonAxis(Figure):
    """All claims on one axis: effect minus claimed bound, in half-widths of the interval."""

    name = "common_axis"
    section = "effects"
    order = 5
    flow = "narrow"

    def draw(self, evidence: Evidence, verdicts: Sequence[Verdict]) -> Picture | None:
        """See `Figure`."""
        del evidence
        rows = [(row, on_one_axis(row)) for row in verdicts]
        shown = [(row, placed) for row, placed in rows if placed.effect is not None]
        if len(shown) < 2:
            return None
        left = len(rows) - len(shown)
        ends = [abs(end) for _, p in shown for end in (p.ci_low, p.ci_high) if end is not None]
        reach = min(max([3.0, *ends]) + 0.5, _FARTHEST)
        with theme():
            figure = new_figure(_WIDTH, _ROW * len(shown) + 0.6)
            axes = new_axes(figure, (_LABEL, 0.2, 0.5, 0.1))
            axes.set(xlim=(-reach, reach), ylim=(len(shown) - 0.5, -0.5))
            axes.grid(visible=False, axis="y")
            axes.set_yticks(range(len(shown)), [wrapped(row.says, 44) for row, _ in shown])
            axes.tick_params(axis="y", length=0, labelsize=7.5)
            axes.axvline(0, color=INK, linewidth=0.9)
            for place, (_, row) in enumerate(shown):
                _draw(axes, place, row)
            axes.set_xlabel("(effect − claimed bound) ÷ half-width of the interval", labelpad=3)
        return Picture(
            "common-axis",
            "All claims on one axis",
            "Effect minus the nearest claimed bound, in units of half the width of its interval, so"
            " that every interval is two long: one that does not touch the upright line decides."
            " Shaded: where the claim puts the effect. Round: supported; cross: refuted; open"
            " diamond: inconclusive. An arrowhead at the frame stands for what lies beyond it."
            + (f" Without an interval, and not shown: {plural(left, 'claim')}." if left else ""),
            "; ".join(
                f"{row.says}: {row.verdict}, {number(abs(placed.effect or 0.0), 2)} half-widths"
                f" {'above' if (placed.effect or 0.0) > 0 else 'below'} the bound"
                for row, placed in shown
            ),
            (figure,),
            data=[
                {"claim": row.id, "measures": row.measures, "verdict": row.verdict,
                 "half_widths_from_bound": p.effect, "low": p.ci_low, "high": p.ci_high}
                for row, p in shown
            ],
        )  # fmt: skip


def on_one_axis(row: RowT) -> RowT:
    """Return a verdict in units of its interval's half-width, from the nearest claimed bound.

    As in forest plots of studies with different units: the bound is 0, the interval has length 2.
    Without bound or width there is nothing to draw.
    """
    bounds = [b for pair in row.claimed for b in pair if math.isfinite(b)]
    effect, low, high = row.effect, row.ci_low, row.ci_high
    if effect is None or low is None or high is None or not bounds or not high > low:
        return replace(row, effect=None, ci_low=None, ci_high=None, claimed=(), neutral=None)
    half, margin = (high - low) / 2, min(bounds, key=lambda bound: abs(effect - bound))

    def at(value: float) -> float:
        return (value - margin) / half

    ends: dict[str, Any] = {"effect": at(effect), "ci_low": at(low), "ci_high": at(high)}
    claimed = tuple((at(one), at(other)) for one, other in row.claimed)
    neutral = None if row.neutral is None else at(row.neutral)
    return replace(row, claimed=claimed, neutral=neutral, **ends)


def _draw(axes: Axes, place: int, row: Verdict) -> None:
    assert row.effect is not None
    assert row.ci_low is not None
    assert row.ci_high is not None
    colour = VERDICT_COLOURS[row.verdict]
    low, high = axes.get_xlim()
    for start, end in row.claimed:
        left, right = max(start, low), min(end, high)
        if right > left:
            axes.barh(place, right - left, 0.62, left, color=FAINT, alpha=0.45, linewidth=0)
    axes.plot([row.ci_low, row.ci_high], [place, place], color=colour, linewidth=1.8)
    if row.ci_low < low:
        arrowhead(axes, low, place, "<", colour)
    if row.ci_high > high:
        arrowhead(axes, high, place, ">", colour)
    if not low <= row.effect <= high:
        return
    filled = row.verdict in ("supported", "refuted")
    axes.plot(
        row.effect, place, marker=VERDICT_MARKERS[row.verdict], markersize=6.5, zorder=4,
        markerfacecolor=colour if filled else PAPER, markeredgecolor=PAPER if filled else colour,
        markeredgewidth=0.7 if filled else 1.3,
    )  # fmt: skip
