"""How results go on with size: fitted laws, arms that cross, sizes of equal compute."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Drawing

from harness.evidence import Evidence
from harness.figures._labels import axis_label
from harness.figures._lines import Floats, name_logarithms, padded
from harness.figures._style import (
    FAINT,
    INK,
    LINES,
    MARKERS,
    MUTED,
    PAPER,
    SERIES,
    new_axes,
    new_figure,
    theme,
)
from harness.figures.base import Figure, Picture
from harness.formatting import plural, wrapped
from harness.judged import Part, Verdict
from harness.levels import flat, level_key
from harness.measures.base import ACROSS
from harness.measures.crossing import Crossing
from harness.measures.extrapolation import Extrapolation
from harness.stats.intervals import t_interval
from harness.stats.laws import predictions
from harness.study import Arm, Comparison, compared
from harness.study.claims import Test

PARAMETERS, EXAMPLES, EPOCHS = "cost.parameters", "cost.examples", "cost.epochs"
_EQUAL = 1.3  # two amounts of compute of which neither is so many times the other
_SIZE, _MARGINS = (4.9, 3.0), (0.72, 0.15, 0.5, 0.5)
_BAR = {"capsize": 0, "elinewidth": 1.1, "markersize": 4.5, "markeredgecolor": PAPER}


class Scaling(Figure):
    """Fitted laws with what they predict, arms that cross, and sizes of equal compute."""

    name = "scaling"
    section = "effects"
    order = 20
    flow = "pair"
    published = True

    def draw(self, evidence: Evidence, verdicts: Sequence[Verdict]) -> Picture | None:
        """See `Figure`."""
        found: dict[str, Verdict | Part] = {}
        for verdict in verdicts:
            found |= {row.measures: row for row in verdict.parts or (verdict,)}
        panels: list[Drawing] = []
        with theme():
            for test in _each_once(evidence):
                panels += _panels(test, evidence, found)
        if not panels:
            return None
        return Picture(
            "scaling",
            "Laws of scale and crossings",
            "Means over the confirmation seeds with 95 % t intervals. A line through points: a law"
            " fitted to the means of the filled ones; open points were held out (claims fit every"
            " seed by itself). Where two arms cross, the shaded stretch is the interval of the"
            " crossing in which the claim was judged. Where several sizes share a compute budget, a"
            " panel of its own has a line for each budget: its lowest point is the best size.",
            f"{plural(len(panels), 'panel')} of results over size, data or compute, on logarithmic"
            " axes. The verdict table has the numbers.",
            tuple(panels),
            columns=min(len(panels), 2),
        )


def _each_once(evidence: Evidence) -> list[Test]:
    """Return the tests of claims, without those that ask the same of the same numbers."""
    kept: list[Test] = []
    for test in (test for claim in evidence.plan.study.claims for test in claim.tests):
        same = (test.metric, test.across, test.measure)
        if same not in [(one.metric, one.across, one.measure) for one in kept]:
            kept.append(test)
    return kept


def _panels(test: Test, evidence: Evidence, found: dict[str, Any]) -> list[Drawing]:
    measure = test.measure
    if not isinstance(measure, Crossing | Extrapolation):
        return []
    study = evidence.plan.study
    comparison = compared(test, study, evidence.plan.arms)
    tables = [_values(side, test, evidence) for side in comparison.sides]
    if any(values is None for values in tables):
        return []
    x = np.exp(measure.axis(study.factors))
    label = axis_label(evidence.plan.metric(test.metric))
    figure = new_figure(*_SIZE)
    axes = new_axes(figure, _MARGINS)
    axes.set_xscale("log")
    axes.set_xlabel(_axis_name(measure, x, comparison, evidence))
    axes.set_ylabel(wrapped(label, 34, 1))
    if isinstance(measure, Extrapolation):
        _draw_law(axes, x, tables, measure)
        name_logarithms(axes.xaxis)
        name_logarithms(axes.yaxis)
        axes.set_title(wrapped(f"{label} and its law", 48, 1))
        return [figure, *_of_equal_compute(x, comparison, test, evidence)]
    row = next((r for name, r in found.items() if measure.words(comparison) in name), None)
    _draw_crossing(axes, x, tables, measure, row, _sides(test, comparison))
    name_logarithms(axes.xaxis)
    axes.set_title(wrapped(f"Which leads in {label}", 48, 1))
    return [figure]


def _axis_name(
    measure: Crossing | Extrapolation, x: Floats, comparison: Comparison, evidence: Evidence
) -> str:
    """Say what the numbers of an axis are: a factor, a setting, or compute."""
    if measure.over is not None:
        return measure.over.replace("_", " ")
    arms = [arm for side in comparison.sides for arm in side]
    # a point of a crossing has two sides
    each = [place for place in x for _ in range(len(comparison.sides) // len(x))]
    at = {
        arm.name: place for place, side in zip(each, comparison.sides, strict=True) for arm in side
    }
    settings = [flat(arm.workload) for arm in arms]
    for path in settings[0]:
        values = [setting.get(path) for setting in settings]
        if all(_is_number(v, at[arm.name]) for arm, v in zip(arms, values, strict=True)):
            return path.replace("_", " ").replace(".", ": ")
    operations = _operations(evidence)
    shares = [operations.get(name, np.nan) / place for name, place in at.items()]
    return "compute" if _alike(shares) else "number of each point in the claim"


def _is_number(value: Any, place: float) -> bool:
    return isinstance(value, int | float) and bool(np.isclose(value, place))


def _operations(evidence: Evidence) -> dict[str, float]:
    """Return what the compute of each arm is proportional to: parameters × examples × epochs.

    Of dense layers, with 6 operations for each parameter and example (Kaplan et al. 2020).
    """
    known = [
        {arm: float(values.mean()) for arm, values in evidence.values_by_arm(metric).items()}
        for metric in (PARAMETERS, EXAMPLES, EPOCHS)
    ]
    arms = set(known[0]).intersection(*known[1:])
    return {arm: math.prod(one[arm] for one in known) for arm in arms}


def _alike(values: Sequence[float]) -> bool:
    """Whether amounts of compute are as equal as whole updates allow; no if one is unknown."""
    return bool(np.max(values) < _EQUAL * np.min(values))


def _values(side: Sequence[Arm], test: Test, evidence: Evidence) -> Floats | None:
    """Return one number per seed of a side's arms; None if any is missing."""
    rows = evidence.confirmation
    names = [arm.name for arm in side]
    if test.metric not in rows:
        return None
    mine = rows[rows["arm"].isin(names)]
    table = mine.pivot_table(index="seed", columns="arm", values=test.metric).dropna()
    if table.empty or table.shape[1] < len(names):
        return None
    return np.asarray(ACROSS[test.across].reduce(table), dtype=float)


def _points(axes: Any, x: Floats, tables: Sequence[Floats], style: int, **look: Any) -> None:
    ends = np.array([t_interval(v) if len(v) > 1 else (np.nan, np.nan) for v in tables])
    means = np.array([values.mean() for values in tables])
    bars = np.abs(ends.T - means)
    colour = SERIES[style % len(SERIES)]
    given = {"color": colour, "marker": MARKERS[style % len(MARKERS)], "linestyle": "", **_BAR}
    axes.errorbar(x, means, yerr=np.nan_to_num(bars), **{**given, **look})


def _draw_law(axes: Any, x: Floats, tables: Any, measure: Extrapolation) -> None:
    kept = len(x) - measure.held_out
    means = np.array([values.mean() for values in tables])
    axes.set_yscale("log")
    if (means > 0).all():
        places = np.geomspace(x[0], x[-1], 60)
        for law, style, text in (
            ("power", 1, "power law"),
            ("power_with_floor", 0, "with a floor"),
        ):
            if kept < (2 if law == "power" else 3):
                continue
            said = predictions(means[None, :kept], x[:kept], places, law)[0]  # type: ignore[arg-type]
            claimed = law == measure.law
            axes.plot(
                places, said, color=SERIES[style] if claimed else FAINT, linestyle=LINES[style],
                linewidth=1.5 if claimed else 1.0,
                label=text + ("" if claimed else " (not claimed)"), zorder=1.5,
            )  # fmt: skip
    style = 1 if measure.law == "power" else 0
    _points(axes, x[:kept], tables[:kept], style, label="fitted")
    hollow = {"markerfacecolor": PAPER, "markeredgecolor": SERIES[style]}
    _points(axes, x[kept:], tables[kept:], style, label="held out", **hollow)
    axes.legend(frameon=False, fontsize=7.5)


def _draw_crossing(
    axes: Any, x: Floats, tables: Any, measure: Crossing, row: Any, names: tuple[str, str]
) -> None:
    for style, (name, values) in enumerate(zip(names, (tables[::2], tables[1::2]), strict=True)):
        _points(axes, x, values, style, label=name, linestyle=LINES[style], linewidth=1.4)
    low, high = padded(x, 0.05, log=True)
    axes.set_xlim(low, high)
    if row is not None and row.effect is not None:
        ends = (row.ci_low or low, row.ci_high or high)
        axes.axvspan(*ends, color=FAINT, alpha=0.4, linewidth=0, zorder=0.5)
        axes.axvline(row.effect, color=INK, linewidth=0.8, linestyle=LINES[1], zorder=0.6)
    axes.legend(frameon=False, fontsize=7.5)


def _sides(test: Test, comparison: Comparison) -> tuple[str, str]:
    """Name the two lines: the levels in which their arms differ, or what the arms' names share."""
    first, second = comparison.sides[0], comparison.sides[1]
    a, b = first[0], second[0]
    told = [
        (str(a.levels[f]), str(b.levels[f]))
        for f in a.levels
        if f in b.levels and level_key(a.levels[f]) != level_key(b.levels[f])
    ]
    if len(told) == 1:
        return told[0]
    one, other = _shared_name(comparison.sides[::2]), _shared_name(comparison.sides[1::2])
    return (one, other) if one and other and one != other else (a.name, b.name)


def _shared_name(sides: Sequence[Sequence[Arm]]) -> str:
    """Return with which words the names of arms begin, `lstm` of `lstm-small` and `lstm-large`."""
    names = [arm.name.split("-") for side in sides for arm in side]
    shared = itertools.takewhile(lambda words: len(set(words)) == 1, zip(*names, strict=False))
    return "-".join(words[0] for words in shared)


def _of_equal_compute(
    x: Floats, comparison: Comparison, test: Test, evidence: Evidence
) -> list[Drawing]:
    """Draw a line for each point that arms of different size and equal compute stand for."""
    sizes = {k: float(v.mean()) for k, v in evidence.values_by_arm(PARAMETERS).items()}
    if not all(
        len({sizes.get(arm.name) for arm in side} - {None}) > 1 for side in comparison.sides
    ):
        return []
    operations = _operations(evidence)
    if not all(_alike([operations.get(a.name, np.nan) for a in s]) for s in comparison.sides):
        return []
    figure = new_figure(*_SIZE)
    axes = new_axes(figure, _MARGINS)
    axes.set_xscale("log")
    for style, (place, side) in enumerate(zip(x, comparison.sides, strict=True)):
        arms = sorted(side, key=lambda arm: sizes[arm.name])
        values = [_values([arm], test, evidence) for arm in arms]
        known = [one for one in values if one is not None]
        if len(known) < len(values):
            return []
        at = np.array([sizes[arm.name] for arm in arms])
        _points(
            axes, at, known, style, label=f"{place:.2g}", linestyle=LINES[style % len(LINES)],
            linewidth=1.3,
        )  # fmt: skip
    name_logarithms(axes.xaxis)
    axes.set_xlabel("Parameters")
    axes.set_ylabel(wrapped(axis_label(evidence.plan.metric(test.metric)), 34, 1))
    axes.set_title("Sizes of equal compute")
    key = axes.legend(frameon=False, fontsize=7, title="Compute", title_fontsize=7)
    key.get_title().set_color(MUTED)
    return [figure]
