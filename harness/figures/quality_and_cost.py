"""Quality against cost: what better results take."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from harness.evidence import Evidence, trained_alone
from harness.figures._arms import CLOSER, mean_row, near_and_far
from harness.figures._labels import axis_label, metric_name
from harness.figures._layout import Group, Layout, lay_out
from harness.figures._lines import Floats, padded, spread
from harness.figures._style import (
    INK,
    MUTED,
    PAPER,
    SERIES,
    arrowhead,
    marker_of,
    new_axes,
    new_figure,
    theme,
)
from harness.figures.base import Figure, Picture
from harness.formatting import capitalized, listed, wrapped
from harness.judged import Verdict
from harness.metrics import Metric
from harness.plan import is_simple_baseline

_WIDTH, _PLOT = 4.9, 2.8
_MARGINS = (0.68, 0.15, 0.58, 0.12)
_COLUMNS, _LEGEND_ROW = 4, 0.16
_OTHER = -1


@dataclass(frozen=True)
class _Point:
    arm: str
    seconds: float
    quality: Floats
    style: int

    @property
    def mean(self) -> float:
        return float(self.quality.mean())


@dataclass(frozen=True)
class _Cost:
    """What one trial of each arm takes, measured alike for all of them."""

    label: str
    says: str
    values: Mapping[str, Floats]


def _cost(evidence: Evidence, arms: Sequence[str]) -> _Cost:
    """Return the times that most arms have: never times of trials alone beside shares of packs."""
    trials = evidence.trials
    own = replace(evidence, trials=trials[trained_alone(trials)])
    shares = replace(evidence, trials=trials[~trained_alone(trials)])
    kinds = [
        _Cost("Training time of one trial (s)", "the median training time of trials alone",
              own.values_by_arm("cost.seconds")),
        _Cost("Time of a training step (s)", "the median time of a step, measured alone",
              evidence.values_by_arm("probe.step_time")),
        _Cost("Share of a pack's training time (s)",
              "the median of the trials' shares of the time of a pack (networks that were trained"
              " together share their time equally, so that none has a time of its own)",
              shares.values_by_arm("cost.seconds")),
    ]  # fmt: skip
    networks = {arm for arm in arms if not is_simple_baseline(arm)}
    return max(kinds, key=lambda kind: len(networks & set(kind.values)))


class QualityAndCost(Figure):
    """The mean result of every arm against what one of its trials takes."""

    name = "quality_and_cost"
    section = "cost"
    order = 10
    flow = "pair"

    def draw(self, evidence: Evidence, verdicts: Sequence[Verdict]) -> Picture | None:
        """See `Figure`."""
        del verdicts
        return quality_and_cost(evidence, evidence.primary_metric)


def quality_and_cost(evidence: Evidence, metric: str) -> Picture | None:
    """Draw each arm's mean of a metric against what one trial takes."""
    quality = evidence.values_by_arm(metric)
    cost = _cost(evidence, list(quality))
    layout = lay_out(evidence.plan)
    styles = _styles(layout)
    points = [
        _Point(arm, float(np.median(cost.values[arm])), values, styles.get(arm, _OTHER))
        for arm, values in quality.items()
        if arm in cost.values
    ]
    if len(points) < 2:
        return None
    known = evidence.plan.metric(metric)
    limits = near_and_far([point.quality for point in points], known)
    frontier = _frontier(points, known) if known.goal else []
    key = _key(layout, {point.style for point in points})
    with theme():
        panels = tuple(
            _panel(points, limit, (known, cost), (frontier if limit is limits[-1] else [], key))
            for limit in limits
        )
    named = (
        " Named, and joined by the dotted line: the arms that no other arm beats in both."
        if frontier
        else ""
    )
    unbeaten = listed([point.arm for point in frontier])
    closer = CLOSER if len(panels) > 1 else ""
    lacking = [arm for arm in quality if arm not in cost.values]
    left_out = f" Left out, for want of such a time: {listed(lacking)}." if lacking else ""
    return Picture(
        "quality-and-cost",
        f"{capitalized(metric_name(metric))} against training time",
        f"Mean over the confirmation seeds with its 95 % t interval, against {cost.says}, which"
        f" depends on the machine.{named}{left_out}{closer}",
        f"{len(points)} arms by training time and {metric_name(metric)}"
        + (f"; no arm is better and cheaper than {unbeaten}." if frontier else "."),
        panels,
        columns=len(panels),
        data=[
            mean_row(point.arm, point.quality, known) | {cost.label: point.seconds}
            for point in points
        ],
    )


def _styles(layout: Layout) -> dict[str, int]:
    """Style arms by their group where there are several groups, else each by itself."""
    several = len(layout.groups) > 1
    return {
        member.arm: index if several else member.style
        for index, group in _numbered(layout)
        for member in group.members
    }


def _numbered(layout: Layout) -> list[tuple[int, Group]]:
    """Number the groups; all groups of single arms have one number."""
    crossed = sum(not group.single for group in layout.groups)
    return [(min(i, crossed) if g.single else i, g) for i, g in enumerate(layout.groups)]


def _key(layout: Layout, drawn: set[int]) -> list[tuple[str, int]]:
    """Return label and style of every group or arm that is drawn."""
    if len(layout.groups) > 1:
        named = list(
            dict.fromkeys(
                ("single arms" if group.single else group.title, index)
                for index, group in _numbered(layout)
            )
        )
    else:
        named = [(m.label, m.style) for group in layout.groups for m in group.members]
    return [(label, style) for label, style in named if style in drawn]


def _panel(
    points: Sequence[_Point],
    limits: tuple[float, float],
    scales: tuple[Metric, _Cost],
    words: tuple[Sequence[_Point], list[tuple[str, int]]],
) -> Drawing:
    (metric, cost), (named, key) = scales, words
    simple = any(is_simple_baseline(point.arm) for point in points)
    left, right, bottom, top = _MARGINS
    bottom += _LEGEND_ROW * math.ceil((len(key) + simple) / _COLUMNS)
    figure = new_figure(_WIDTH, _PLOT + bottom + top)
    axes = new_axes(figure, (left, right, bottom, top))
    times = np.array([point.seconds for point in points])
    log = bool(times.min() > 0 and times.max() / times.min() > 5)
    if log:
        axes.set_xscale("log")
        few = times.max() / times.min() < 300
        axes.xaxis.set_major_locator(
            LogLocator(subs=(1.0, 2.0, 5.0) if few else (1.0,), numticks=8)
        )
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlim(*padded(times, 0.08, log))
    axes.set_ylim(*limits)
    for point in points:
        _draw(axes, point, metric)
    if named:
        _name(axes, named)
    axes.set_xlabel(cost.label, labelpad=3)
    axes.set_ylabel(axis_label(metric), labelpad=4)
    _legend(axes, key, simple)
    return figure


def _look(style: int) -> dict[str, str]:
    if style == _OTHER:
        return {"marker": "*", "color": INK}
    marker = marker_of(style + style // len(SERIES))  # none looks as another does
    return {"marker": marker, "color": SERIES[style % len(SERIES)]}


def _draw(axes: Axes, point: _Point, metric: Metric) -> None:
    """Draw an arm; an arrowhead at the frame stands for what lies beyond it."""
    look = _look(point.style)
    low, high = metric.interval(point.quality)
    bottom, top = axes.get_ylim()
    ends = (low, high) if math.isfinite(low) else (point.mean, point.mean)
    axes.plot([point.seconds] * 2, ends, color=look["color"], linewidth=1.0)
    if ends[0] < bottom:
        arrowhead(axes, point.seconds, bottom, "v", look["color"])
    if ends[1] > top:
        arrowhead(axes, point.seconds, top, "^", look["color"])
    if not bottom <= point.mean <= top:
        return
    axes.plot(
        point.seconds, point.mean, markersize=9 if point.style == _OTHER else 6,
        markeredgecolor=PAPER, markeredgewidth=0.7, zorder=3, clip_on=False, **look,  # type: ignore[arg-type]
    )  # fmt: skip


def _frontier(points: Sequence[_Point], metric: Metric) -> list[_Point]:
    """Return the arms that are not beaten in both time and quality, the cheapest first."""
    sign, best = metric.sign, -math.inf
    frontier = []
    for point in sorted(points, key=lambda p: (p.seconds, -sign * p.mean)):
        if sign * point.mean > best:
            best = sign * point.mean
            frontier.append(point)
    return frontier


def _name(axes: Axes, points: Sequence[_Point]) -> None:
    axes.plot(
        [point.seconds for point in points], [point.mean for point in points],
        color=MUTED, linewidth=0.9, linestyle=(0, (1, 2)), zorder=1.5,
    )  # fmt: skip
    to_axes = axes.transData + axes.transAxes.inverted()
    places: Mapping[str, tuple[float, float]] = {
        point.arm: tuple(to_axes.transform((point.seconds, point.mean))) for point in points
    }
    seen = [arm for arm, (_, y) in places.items() if 0 <= y <= 1]
    moved = spread([places[arm][1] + 0.03 for arm in seen], 11 / (72 * _PLOT))
    for arm, y in zip(seen, moved, strict=True):
        right = places[arm][0] > 0.55
        axes.annotate(
            wrapped(arm, 24, 1),
            (places[arm][0], y),
            xycoords="axes fraction",
            xytext=(-7 if right else 7, 0),
            textcoords="offset points",
            ha="right" if right else "left",
            va="center",
            fontsize=8,
            zorder=5,
            bbox={
                "boxstyle": "square,pad=0.1",
                "facecolor": PAPER,
                "edgecolor": "none",
                "alpha": 0.7,
            },
        )


def _legend(axes: Axes, key: Sequence[tuple[str, int]], simple: bool) -> None:
    entries = [*key, *([("simple baseline", _OTHER)] if simple else [])]
    handles = [
        Line2D(
            [], [], linestyle="none", markersize=5.5, markeredgecolor=PAPER,
            markeredgewidth=0.6, label=wrapped(label, 18, 1), **_look(style),  # type: ignore[arg-type]
        )
        for label, style in entries
    ]  # fmt: skip
    axes.legend(
        handles=handles, loc="upper center", bbox_to_anchor=(0.45, -0.155), ncols=_COLUMNS,
        frameon=False, fontsize=8, handletextpad=0.1, columnspacing=0.8, labelspacing=0.35,
    )  # fmt: skip
