"""The effect of every claim with its interval, beside where the claim puts it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from harness.evidence import Evidence
from harness.figures._labels import measure_in_words
from harness.figures._style import (
    FAINT,
    INK,
    MUTED,
    PAPER,
    VERDICT_COLOURS,
    VERDICT_MARKERS,
    arrowhead,
    new_figure,
    theme,
)
from harness.figures.base import Figure, Picture
from harness.formatting import estimate, plural, with_minus, wrapped
from harness.judged import Part, Verdict
from harness.study import Study

WIDTH = 6.4
_STRIP, _TICKS, _LINE, _TITLE, _GAP = 0.2, 0.2, 0.145, 0.16, 0.14
_WORDS, _INDENT = 1.95, 0.14
_MOST_LETTERS = 22
"""Of an effect with its interval that fit in one line."""
Row = Verdict | Part


class Effects(Figure):
    """The effect of every claim with its interval, beside where the claim puts it."""

    name = "effects"
    section = "effects"
    order = 10
    flow = "narrow"
    published = True

    def draw(self, evidence: Evidence, verdicts: Sequence[Verdict]) -> Picture | None:
        """See `Figure`."""
        return forest(evidence.plan.study, verdicts)


def forest(study: Study, verdicts: Sequence[Verdict]) -> Picture | None:
    """Draw the effects of all claims, each on the scale of its own measure."""
    if not verdicts:
        return None
    with theme():
        figure = _draw([(row, *_texts(row, v)) for v in verdicts for row in v.parts or (v,)])
    counts = [
        f"{sum(v.verdict == word for v in verdicts)} {word}"
        for word in VERDICT_COLOURS
        if any(v.verdict == word for v in verdicts)
    ]
    return Picture(
        "effects",
        "Effects of the claims",
        "Mark: the estimated effect; round: supported, cross: refuted, open diamond: inconclusive."
        f" Line: its confidence interval ({100 * (1 - study.alpha):g} %, or"
        f" {100 * (1 - 2 * study.alpha):g} % where the claim has two bounds). Shaded: where the"
        " claim puts the effect. Thin upright line: no effect. An arrowhead: the interval has no"
        " end there. Each row has its own scale.",
        f"Effects of {plural(len(verdicts), 'claim')} with intervals: {', '.join(counts)}. The"
        " verdict table has the same numbers.",
        (figure,),
        data=[
            {"claim": v.id, "measures": row.measures, "claimed": row.expected,
             "verdict": row.verdict, "effect": row.effect, "low": row.ci_low, "high": row.ci_high,
             "level": row.level}
            for v in verdicts
            for row in v.parts or (v,)
        ],
    )  # fmt: skip


def _draw(rows: Sequence[tuple[Row, str, str, str]]) -> Drawing:
    heights = [
        (_GAP + _TITLE * (title.count("\n") + 1) if title else 0.03)
        + _LINE * (measured.count("\n") + 1) + 0.03 + _STRIP + _TICKS
        for _, title, measured, _ in rows
    ]  # fmt: skip
    total = sum(heights) + 0.04
    figure = new_figure(WIDTH, total)
    top = total
    for (row, *texts), height in zip(rows, heights, strict=True):
        _draw_row(figure, row, texts, top)
        top -= height
    return figure


def _texts(row: Row, whole: Verdict) -> tuple[str, str, str]:
    """Return title, measure, and the verdict of a claim of several parts, with its first part."""
    said = f"{measure_in_words(row.measures)}, claimed {row.expected}"
    measured = wrapped(with_minus(said), 96)
    if row is whole:
        return wrapped(whole.says, 76), measured, ""
    first = row is whole.parts[0]
    return (wrapped(whole.says, 60), measured, whole.verdict) if first else ("", measured, "")


def _draw_row(figure: Drawing, row: Row, texts: Sequence[str], y: float) -> None:
    """Draw a row whose upper edge is y inches above the lower edge of the figure."""
    total = float(figure.get_size_inches()[1])
    title, measured, overall = texts
    left = _INDENT / WIDTH
    if title:
        y -= _GAP
        figure.text(left, y / total, title, va="top", weight="bold", fontsize=8.8)
        if overall:
            figure.text(
                (WIDTH - _WORDS + 0.14) / WIDTH, y / total, f"claim {overall}",
                va="top", fontsize=8.2, weight="bold", color=VERDICT_COLOURS[overall],
            )  # fmt: skip
        y -= _TITLE * (title.count("\n") + 1)
    else:
        y -= 0.03
    figure.text(left, y / total, measured, va="top", fontsize=8, color=MUTED, linespacing=1.15)
    y -= _LINE * (measured.count("\n") + 1) + 0.03 + _STRIP
    axes = figure.add_axes((left, y / total, (WIDTH - _INDENT - _WORDS) / WIDTH, _STRIP / total))
    draw_strip(axes, row)
    _draw_words(figure, row, (y + _STRIP / 2) / total)


def draw_strip(axes: Axes, row: Row) -> None:
    """Draw effect and interval beside the claimed region, on the scale of the measure."""
    colour = VERDICT_COLOURS[row.verdict]
    low, high = _limits(row)
    axes.set_xlim(low, high)
    axes.set_ylim(-1, 1)
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="x", labelsize=7.5, pad=1.5, length=2)
    axes.locator_params(axis="x", nbins=7)
    for start, end in row.claimed:
        axes.axvspan(max(start, low), min(end, high), color=FAINT, alpha=0.45, linewidth=0)
        for bound in (start, end):
            if math.isfinite(bound):
                axes.axvline(bound, color=MUTED, linewidth=0.9, linestyle=(0, (3, 2)))
    if row.neutral is not None and low < row.neutral < high:
        axes.axvline(row.neutral, color=INK, linewidth=0.8)
    if row.effect is None:
        return
    ends = [
        low if row.ci_low is None else row.ci_low,
        high if row.ci_high is None else row.ci_high,
    ]
    axes.plot(ends, [0, 0], color=colour, linewidth=2.2, solid_capstyle="butt", clip_on=True)
    for given, edge, way in ((row.ci_low, low, "<"), (row.ci_high, high, ">")):
        if given is None:  # the interval has no such end
            arrowhead(axes, edge, 0, way, colour)
    filled = row.verdict in ("supported", "refuted")
    axes.plot(
        row.effect, 0, marker=VERDICT_MARKERS[row.verdict], markersize=7.5, clip_on=False,
        markerfacecolor=colour if filled else PAPER, markeredgecolor=PAPER if filled else colour,
        markeredgewidth=0.8 if filled else 1.4, zorder=5,
    )  # fmt: skip


def _limits(row: Row) -> tuple[float, float]:
    """Return limits that hold the interval, no effect, and the edges of the claimed range."""
    bounds = [bound for pair in row.claimed for bound in pair]
    numbers = [row.effect, row.ci_low, row.ci_high, row.neutral, *bounds]
    finite = [value for value in numbers if value is not None and math.isfinite(value)]
    low, high = min(finite), max(finite)
    room = 0.08 * (high - low) or 0.1 * abs(high) or 1.0
    return low - room, high + room


def _draw_words(figure: Drawing, row: Row, y: float) -> None:
    x = (WIDTH - _WORDS + 0.14) / WIDTH
    colour = VERDICT_COLOURS[row.verdict]
    if row.effect is None:
        figure.text(x, y, f"{row.verdict}: no number", va="center", fontsize=8, color=colour)
        return
    mean, low, high = estimate(row.effect, row.ci_low, row.ci_high)
    gap = 0.012 / float(figure.get_size_inches()[1])
    line = "\n" if len(f"{mean}{low}{high}") > _MOST_LETTERS else "  "
    figure.text(x, y + gap, f"{mean}{line}[{low}, {high}]", va="bottom", fontsize=8)
    figure.text(x, y - gap, row.verdict, va="top", fontsize=8, weight="bold", color=colour)
