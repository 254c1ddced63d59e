"""Small multiples of lines: each panel shows one group in colour and all others in grey."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import XAxis, YAxis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, Locator, LogLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray

from harness.figures._style import (
    FAINT,
    LINES,
    MUTED,
    PAPER,
    arrowhead,
    colour_of,
    marker_of,
    new_axes,
    new_figure,
    theme,
)
from harness.formatting import number, wrapped
from harness.metrics import Metric

Floats = NDArray[np.float64]

_LEFT = 0.68
"""Inches for the label and the numbers of the vertical axis."""
_MOST_DECADES = 300
"""Powers of ten up to which an axis reaches; beyond, limits are not finite any more."""
_MOST_SHOWN = 8
"""Powers of ten that a logarithmic axis shows below its largest value."""
_NOISE = 1e-12
"""Differences of this share, and values this small, are rounding errors."""
_MOST_GREY_POINTS = 40
_MOST_POINTS = 240
"""Points of a line that are drawn; more lie closer together than a picture shows."""
_MOST_DOTS = 120
"""Of points that are not joined."""
_LONGEST_NAME = 16


@dataclass(frozen=True)
class Line:
    """One line: its points, its band if it has one, and the index of a point to ring.

    Points that are not `joined` differ in more than what the horizontal axis shows.
    """

    label: str
    style: int
    x: Floats
    y: Floats
    low: Floats | None = None
    high: Floats | None = None
    marked: int | None = None
    joined: bool = True


def line_of_means(label: str, style: int, x: Floats, curves: Floats, metric: Metric) -> Line:
    """Return the mean of curves, shape (n, points), with its 95 % t interval; none of a single one.

    Args:
        label: of the line.
        style: colour and marker, by number.
        x: shape (points,).
        curves: one row each.
        metric: that they are of.
    """
    ends = np.array([metric.interval(column) for column in curves.T]) if len(curves) > 1 else None
    low, high = (None, None) if ends is None else ends.T
    return Line(label, style, x, curves.mean(axis=0), low, high)


def thinned(line: Line) -> Line:
    """Return the points that are drawn of a line that has very many.

    Of a joined line the lowest and the highest of each of many equal stretches, so that no peak
    is lost; of other points an even choice by their height, with the lowest, the highest and the
    marked one.
    """
    count = len(line.x)
    if count <= (_MOST_POINTS if line.joined else _MOST_DOTS):
        return line
    if line.joined:
        stretches = np.array_split(np.arange(count), _MOST_POINTS // 2)
        known = [part[np.isfinite(line.y[part])] for part in stretches]
        kept = {int(part[place]) for part in known if len(part)
                for place in (line.y[part].argmin(), line.y[part].argmax())}  # fmt: skip
        kept |= {int(part[0]) for part, found in zip(stretches, known, strict=True)
                 if not len(found)} | {0, count - 1}  # fmt: skip
    else:
        order = np.argsort(line.y, kind="stable")
        kept = set(order[np.linspace(0, count - 1, _MOST_DOTS).round().astype(int)].tolist())
    chosen = sorted(kept | ({line.marked} if line.marked is not None else set()))
    return replace(
        line,
        x=line.x[chosen],
        y=line.y[chosen],
        low=None if line.low is None else line.low[chosen],
        high=None if line.high is None else line.high[chosen],
        marked=None if line.marked is None else chosen.index(line.marked),
    )


@dataclass(frozen=True)
class Facet:
    """One panel; a note stands in its corner."""

    title: str
    lines: Sequence[Line]
    note: str = ""


@dataclass(frozen=True)
class Frame:
    """What all panels share: labels and scales. Limits are those of all lines together.

    `categories` names the places 0, 1, ... of a horizontal axis that stands for no number; there
    every point is marked, and intervals are upright lines. `x_range` are the ends of what was
    allowed, which the axis shows whole, with a line at either.
    """

    x_label: str
    y_label: str
    log_x: bool = False
    log_y: bool = False
    whole_x: bool = False
    width: float = 3.3
    height: float = 2.35
    categories: tuple[str, ...] = ()
    x_range: tuple[float, float] | None = None


def draw_facets(facets: Sequence[Facet], frame: Frame) -> tuple[Figure, ...]:
    """Draw one figure of equal size per facet, on the same scales."""
    everything = [line for facet in facets for line in facet.lines]
    with theme():
        return tuple(_draw(facet, everything, frame) for facet in facets)


def _draw(facet: Facet, everything: Sequence[Line], frame: Frame) -> Figure:
    figure = new_figure(frame.width, frame.height)
    widest = max((len(line.label) for line in everything), default=0)
    right = min(1.25, 0.16 + 0.068 * widest)
    axes = new_axes(figure, (_LEFT, right, _bottom(frame), 0.3))
    _scale(axes, everything, frame)
    if len(everything) > len(facet.lines):  # the same in all panels, which a page holds once
        _grey(axes, everything)
    for line in facet.lines:
        _line(axes, thinned(line), frame)
    _label_ends(axes, facet.lines)
    axes.set_title(wrapped(facet.title, 34, 1), pad=6)
    axes.set_xlabel(frame.x_label, labelpad=2)
    axes.set_ylabel(wrapped(frame.y_label, 30, 1))
    axes.yaxis.set_label_coords(-(_LEFT - 0.16) / (frame.width - _LEFT - right), 0.5)
    if facet.note:
        axes.annotate(facet.note, (0.02, 0.03), xycoords="axes fraction", fontsize=7.5, color=MUTED)
    return figure


def _grey(axes: Axes, lines: Sequence[Line]) -> None:
    """Draw all lines in the background as one path, and all points that are not joined as dots."""
    joined, dots, gap = [np.zeros((0, 2))], [np.zeros((0, 2))], np.full((1, 2), np.nan)
    for line in lines:
        few = np.unique(np.linspace(0, len(line.x) - 1, _MOST_GREY_POINTS).astype(int))
        points = np.column_stack([line.x[few], line.y[few]])
        if line.joined:
            joined += [points, gap]
        else:
            dots.append(points)
    if len(joined) > 1:
        axes.plot(*np.concatenate(joined).T, color=FAINT, zorder=1, linewidth=0.6)
    found = np.concatenate(dots)
    found = found[np.isfinite(found).all(axis=1)]
    if len(found):
        x, y = (axes.transData + axes.transAxes.inverted()).transform(found).T
        apart = np.full(len(x), np.nan)
        axes.plot(
            np.column_stack([x, x + 1e-3, apart]).ravel(), np.column_stack([y, y, apart]).ravel(),
            color=FAINT, linewidth=2.4, solid_capstyle="round", transform=axes.transAxes, zorder=1,
        )  # fmt: skip


def _turned(frame: Frame) -> bool:
    """Whether the names on the axis are too long to stand side by side."""
    return max(map(len, frame.categories), default=0) * len(frame.categories) > 45


def _bottom(frame: Frame) -> float:
    """Inches for the numbers or names of the horizontal axis and its label."""
    if not _turned(frame):
        return 0.46
    return 0.42 + 0.04 * min(max(map(len, frame.categories)), _LONGEST_NAME)


def _line(axes: Axes, line: Line, frame: Frame) -> None:
    whiskers = bool(frame.categories)
    colour = colour_of(line.style)
    if whiskers and line.low is not None and line.high is not None:
        axes.vlines(line.x, line.low, line.high, color=colour, linewidth=1.1, zorder=2)
    elif line.low is not None and line.high is not None:
        drawn = np.isfinite(line.low) & np.isfinite(line.high)
        axes.fill_between(
            line.x, line.low, line.high, where=drawn.tolist(), color=colour, alpha=0.2, linewidth=0
        )
    axes.plot(
        line.x,
        line.y,
        color=colour,
        linestyle=LINES[line.style % len(LINES)] if line.joined else "",
        linewidth=1.5,
        marker=marker_of(line.style),
        markersize=3.6,
        markeredgewidth=0.5,
        markeredgecolor=PAPER,
        markevery=1 if whiskers or not line.joined else max(1, len(line.x) // 6),
        zorder=3,
    )
    bottom = axes.get_ylim()[0]
    for x in line.x[np.isfinite(line.y) & (line.y < bottom)] if frame.log_y else ():
        arrowhead(axes, x, bottom, "v", colour)
    if line.marked is not None:
        axes.plot(
            line.x[line.marked],
            line.y[line.marked],
            marker="o",
            markersize=8,
            markerfacecolor="none",
            markeredgecolor=colour,
            markeredgewidth=1.1,
            zorder=4,
        )


def _scale(axes: Axes, lines: Sequence[Line], frame: Frame) -> None:
    ends = [np.array(frame.x_range)] if frame.x_range else []
    xs = _finite([*(line.x for line in lines), *ends], frame.log_x)
    drawn = [part for line in lines for part in (line.y, line.low, line.high) if part is not None]
    ys = _finite(drawn, frame.log_y)
    if frame.log_x:
        axes.set_xscale("log")
    if frame.log_y:
        axes.set_yscale("log")
    axes.set_xlim(*padded(xs, 0.03, frame.log_x))
    if frame.log_y and len(ys):
        ys = ys[ys >= ys.max() / 10.0**_MOST_SHOWN]
    axes.set_ylim(*padded(ys, 0.05, frame.log_y))
    for end in frame.x_range or ():
        axes.axvline(end, color=MUTED, linewidth=0.8, linestyle=(0, (2, 2)), zorder=0.5)
    if frame.categories:
        axes.set_xlim(-0.25, len(frame.categories) - 0.75)
        names = [wrapped(name, _LONGEST_NAME, 1) for name in frame.categories]
        axes.set_xticks(range(len(names)), names)
        if _turned(frame):
            for label in axes.get_xticklabels():
                label.set(rotation=30, ha="right", rotation_mode="anchor")
    if frame.whole_x:
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    for log, axis in ((frame.log_x, axes.xaxis), (frame.log_y, axes.yaxis)):
        if log:
            name_logarithms(axis)


def name_logarithms(axis: XAxis | YAxis) -> None:
    """Put plain numbers at the ticks of a logarithmic axis, whose limits are known."""
    axis.set_major_locator(_log_ticks(axis.get_view_interval()))
    axis.set_major_formatter(FuncFormatter(lambda value, _: _tick(value)))
    axis.set_minor_locator(NullLocator())  # they have no length, and take most of the time


def _log_ticks(limits: tuple[float, float]) -> Locator:
    """Return ticks at powers of ten, and between them where these are few."""
    decades = np.log10(limits[1] / limits[0])
    if decades < 1:
        return MaxNLocator(4)
    return LogLocator(subs=(1.0, 3.0) if decades < 2.5 else (1.0,), numticks=6)


def _tick(value: float) -> str:
    """Write a tick of a logarithmic axis: as it is, or as a power of ten."""
    return f"{value:g}" if 1e-4 <= value < 1e5 else number(value, 1)


def _finite(arrays: Sequence[Floats], positive: bool) -> Floats:
    flat = np.concatenate([np.asarray(a, dtype=float) for a in arrays]) if arrays else np.zeros(0)
    flat = flat[np.isfinite(flat)]
    return flat[flat > 0] if positive else flat


def padded(values: Floats, share: float, log: bool = False) -> tuple[float, float]:
    """Return limits around values, with some room on both sides."""
    if not len(values):
        return (0.1, 1.0) if log else (0.0, 1.0)
    low, high = float(values.min()), float(values.max())
    if log:
        ends = np.log10([low, high])
        room = share * max(ends[1] - ends[0], 0.3)
        edges = np.clip([ends[0] - room, ends[1] + room], -_MOST_DECADES, _MOST_DECADES)
        return float(10 ** edges[0]), float(10 ** edges[1])
    most = 10.0**_MOST_DECADES  # matplotlib computes with sums and products of limits
    low, high = max(low, -most), min(high, most)
    largest = max(abs(low), abs(high))
    if largest < _NOISE:
        return -0.5, 0.5
    room = share * (high - low) if high - low > _NOISE * largest else 0.05 * largest
    return low - room, high + room


def _label_ends(axes: Axes, lines: Sequence[Line]) -> None:
    """Write each line's label at its right end, pushed apart where they would overlap."""
    ends = [(line, _last(line)) for line in lines]
    known = [(line, end) for line, end in ends if end is not None]
    to_axes = axes.transData + axes.transAxes.inverted()
    heights = [float(to_axes.transform((axes.get_xlim()[1], end))[1]) for _, end in known]
    figure = axes.get_figure()
    assert figure is not None
    gap = 0.13 / (axes.get_position().height * figure.get_size_inches()[1])  # type: ignore[union-attr]
    for (line, _), place in zip(known, spread(heights, gap), strict=True):
        axes.annotate(
            wrapped(line.label, 18, 1),
            (1.02, place),
            xycoords="axes fraction",
            va="center",
            fontsize=8,
            color=colour_of(line.style),
            annotation_clip=False,
        )


def _last(line: Line) -> float | None:
    finite = line.y[np.isfinite(line.y)]
    return float(finite[-1]) if len(finite) else None


def spread(places: Sequence[float], gap: float) -> list[float]:
    """Move places apart until neighbours are at least a gap apart, keeping them within 0 to 1."""
    order = sorted(range(len(places)), key=lambda i: places[i])
    moved = [min(max(places[i], 0.0), 1.0) for i in order]
    for _ in range(60):
        for i in range(len(moved) - 1):
            lack = gap - (moved[i + 1] - moved[i])
            if lack > 1e-9:
                moved[i] -= lack / 2
                moved[i + 1] += lack / 2
        over = max(moved[-1] - 1.0, 0.0) if moved else 0.0
        under = max(-moved[0], 0.0) if moved else 0.0
        moved = [place - over + under for place in moved]
    result = [0.0] * len(places)
    for rank, index in enumerate(order):
        result[index] = moved[rank]
    return result
