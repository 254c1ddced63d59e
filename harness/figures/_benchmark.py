"""Pictures of a leaderboard: critical differences, ranks with intervals, performance profiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from harness.figures._style import (
    FAINT,
    INK,
    LINES,
    MUTED,
    SERIES,
    new_axes,
    new_figure,
    theme,
)
from harness.figures.base import Picture
from harness.formatting import listed, number, plural
from harness.ranking.leaderboard import THRESHOLDS, Leaderboard, Standing

_WIDTH, _ROW = 6.4, 0.24
_SHAPES = "osD^vP"
_LETTER = 0.068  # inches that a letter takes


def pictures(board: Leaderboard) -> tuple[Picture, ...]:
    """Draw a leaderboard; the same one gives the same pictures."""
    with theme():
        made = [critical_differences(board), rank_intervals(board), profiles(board)]
        if board.trained is not None and len(board.trained.seconds) == len(board.standings):
            made.append(score_and_cost(board, board.trained.seconds))
        return tuple(made)


def critical_differences(board: Leaderboard) -> Picture:
    """Draw the diagram of Demšar (JMLR 7, 2006): mean ranks on a line, bars join who is tied."""
    rows, k = board.standings, len(board.standings)
    left = (k + 1) // 2
    heights = 0.55 + 0.13 * len(board.groups)  # of the axis and the bars, in inches
    name = 0.3 + _LETTER * (5 + max(len(row.method) for row in rows))  # and the rank behind it
    figure = new_figure(_WIDTH + 1.2, heights + _ROW * left + 0.85)
    axes = new_axes(figure, (name, name, 0.1, 0.5))
    height = heights + _ROW * left + 0.25
    axes.set(xlim=(1 - 0.05 * k, k + 0.05 * k), ylim=(height, 0))
    axes.xaxis.tick_top()
    axes.set_xticks(range(1, k + 1))
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.spines["top"].set_visible(True)
    axes.grid(visible=False)
    axes.set_yticks([])
    for i, row in enumerate(rows):
        first = i < left
        y = heights + _ROW * (i if first else k - 1 - i)
        end = 1 - 0.05 * k if first else k + 0.05 * k
        axes.plot([row.mean_rank, row.mean_rank, end], [0, y, y], color=MUTED, linewidth=0.8)
        axes.annotate(
            f"{row.method} {number(row.mean_rank, 3)}", (end, y), (-4 if first else 4, 0),
            textcoords="offset points", va="center", ha="right" if first else "left", color=INK,
            annotation_clip=False,
        )  # fmt: skip
    for level, group in enumerate(board.groups):
        ranks = [rows[i].mean_rank for i in group]
        y = 0.3 + 0.13 * level
        ends = [min(ranks) - 0.015 * k, max(ranks) + 0.015 * k]
        axes.plot(ends, [y, y], color=SERIES[0], linewidth=3.5, solid_capstyle="round")
    y = height - 0.03
    shown = min(board.difference, k - 1)
    axes.plot([1, 1 + shown], [y, y], color=INK, linewidth=1.2, marker="|")
    axes.annotate(
        f"critical difference {number(board.difference, 3)}", (1, y), (0, 4),
        textcoords="offset points", va="bottom", ha="left", color=INK,
    )  # fmt: skip
    tied = [listed([rows[i].method for i in group]) for group in board.groups]
    return Picture(
        "critical-differences", "Mean ranks and critical difference",
        "Mean rank over data sets, 1 is the best. A bar joins methods that Nemenyi's test does not"
        f" tell apart at {board.alpha:g}. Its answer about two methods depends on which"
        " others are there; the settled places do not rest on it.",
        "; ".join(f"{row.method} {number(row.mean_rank, 3)}" for row in rows)
        + (f". Not told apart: {'; '.join(tied)}." if tied else ". All are told apart."),
        (figure,), flow="narrow", data=_rank_rows(board),
    )  # fmt: skip


def by_metric(boards: Sequence[Leaderboard]) -> Picture:
    """Draw critical differences of several metrics, one below the other, of the same methods.

    A two-dimensional critical difference diagram, as Bunse draws them (critdd, 2022).
    """
    methods = [row.method for row in boards[0].standings]
    k, line = len(methods), 0.55
    names = [board.metric for board in boards]
    margin, legend = 0.3 + _LETTER * max(map(len, names)), 0.45 + 0.2 * ((k + 3) // 4)
    with theme():
        figure = new_figure(_WIDTH + 1.2, line * len(boards) + legend + 0.7)
        axes = new_axes(figure, (margin, 0.2, legend + 0.35, 0.15))
        for y, board in enumerate(boards):
            for depth, group in enumerate(board.groups):
                ends = [board.standings[i].mean_rank for i in (group[0], group[-1])]
                below = y + 0.16 + 0.1 * depth
                axes.plot(ends, [below, below], color=INK, linewidth=2.5, solid_capstyle="butt")
            for row in board.standings:
                i = methods.index(row.method)
                axes.plot(
                    row.mean_rank, y, _SHAPES[i % len(_SHAPES)], color=SERIES[i % len(SERIES)],
                    markersize=7, label=row.method if y == 0 else None,
                )  # fmt: skip
        axes.set(xlim=(1 - 0.03 * k, k + 0.03 * k), ylim=(len(boards) - 0.3, -0.5))
        axes.set_xticks(range(1, k + 1))
        axes.set_yticks(range(len(boards)), names)
        axes.set_xlabel("Mean rank over data sets, 1 is the best")
        axes.grid(visible=False, axis="y")
        figure.legend(loc="lower left", ncols=4, frameon=False, fontsize=8)
    return Picture(
        "critical-differences-by-metric", "Mean ranks by every metric",
        "A line for each metric. A bar joins methods that Nemenyi's test does not tell apart at"
        f" {boards[0].alpha:.2g}.",
        "; ".join(
            f"{board.metric}: "
            + ", ".join(f"{row.method} {number(row.mean_rank, 3)}" for row in board.standings)
            for board in boards
        ),
        (figure,), flow="narrow", data=[row for board in boards for row in _rank_rows(board)],
    )  # fmt: skip


def _rank_rows(board: Leaderboard) -> list[dict[str, Any]]:
    return [
        {"metric": board.metric, "method": one.method, "mean rank": one.mean_rank,
         "low": one.rank_low, "high": one.rank_high,
         "not told apart by the critical difference": [
             board.standings[j].method
             for group in board.groups if i in group for j in group if j != i
         ]}
        for i, one in enumerate(board.standings)
    ]  # fmt: skip


def rank_intervals(board: Leaderboard) -> Picture:
    """Draw each method's mean rank with its interval over data sets."""
    rows = board.standings
    figure, margin = _rows_figure(rows)
    axes = new_axes(figure, (margin, 0.2, 0.5, 0.1))
    for y, row in enumerate(rows):
        colour = SERIES[0] if row.settled else MUTED
        axes.plot([row.rank_low, row.rank_high], [y, y], color=colour, linewidth=2)
        axes.plot(
            row.mean_rank, y, "o" if row.settled else "D", color=colour,
            fillstyle="full" if row.settled else "none", markersize=5.5,
        )  # fmt: skip
    axes.set(ylim=(len(rows) - 0.5, -0.5), xlim=(0.8, len(rows) + 0.2))
    axes.set_xlabel("Mean rank over data sets, 1 is the best")
    axes.set_xticks(range(1, len(rows) + 1))
    axes.set_yticks(range(len(rows)), [row.method for row in rows])
    axes.grid(visible=False, axis="y")
    return Picture(
        "ranks", "Mean ranks",
        "With the 95 % t interval over data sets like these, each method by itself. Filled circle:"
        " the place is settled; open diamond: it is not.",
        "; ".join(
            f"{row.method} {number(row.mean_rank, 3)}, from {number(row.rank_low, 3)} to"
            f" {number(row.rank_high, 3)}" for row in rows
        ),
        (figure,), flow="narrow", data=_rank_rows(board),
    )  # fmt: skip


def profiles(board: Leaderboard) -> Picture:
    """Draw the performance profiles of Agarwal et al. (NeurIPS 2021), a panel a few methods."""
    rows = board.standings
    width = len(SERIES)
    parts = [rows[i : i + width] for i in range(0, len(rows), width)]
    banded = rows[0].curve.low is not None
    band = " Band: 95 % over seeds, drawn again within each data set." if banded else ""
    unit = "runs" if banded else "data sets"
    return Picture(
        "profiles", "Performance profiles",
        f"Share of {unit} above each score; a curve further up is better. In each data set the"
        f" scores are rescaled: 0 is the worst mean of a method, 1 the best.{band}",
        f"Share of {unit} above half of the range: "
        + "; ".join(f"{row.method} {number(float(row.curve.estimate[50]), 2)}" for row in rows),
        tuple(_profile(part, banded) for part in parts), columns=len(parts), flow="pair",
        data=[
            {"method": row.method, "score": float(score), "share": float(row.curve.estimate[i]),
             "low": None if row.curve.low is None else float(row.curve.low[i]),
             "high": None if row.curve.high is None else float(row.curve.high[i])}
            for row in rows
            for i, score in enumerate(THRESHOLDS)
        ],
    )  # fmt: skip


def score_and_cost(board: Leaderboard, seconds: Mapping[str, float]) -> Picture:
    """Draw each method's interquartile mean against what one of its trainings took."""
    figure = new_figure(_WIDTH, 3.6)
    axes = new_axes(figure, (0.6, 0.2, 0.5, 0.15))
    axes.set_xscale("log")
    told = []
    for i, row in enumerate(board.standings):
        x, y = seconds[row.method], float(row.middle.estimate)
        colour = SERIES[i % len(SERIES)]
        if row.middle.low is not None and row.middle.high is not None:
            ends = [float(row.middle.low), float(row.middle.high)]
            axes.plot([x, x], ends, color=colour, linewidth=2)
        axes.plot(x, y, "o" if row.settled else "D", color=colour, markersize=5.5,
                  fillstyle="full" if row.settled else "none")  # fmt: skip
        axes.annotate(row.method, (x, y), (6, 4), textcoords="offset points", color=INK)
        told.append(f"{row.method} {number(y, 2)} in {number(x, 2)} s")
    low, high = min(seconds.values()), max(seconds.values())
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high < 50 * low else (1.0,)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set(xlim=(low / 2, high * 8), xlabel="Seconds of a training, geometric mean of data sets")
    axes.set_ylabel("Interquartile mean, rescaled")
    return Picture(
        "score-and-cost", "Score against cost",
        "Interquartile mean of scores that are rescaled in each data set (0: worst mean, 1: best),"
        " with its 95 % interval over seeds, against the time of one training after the search. Of"
        " trials that were trained together each has its share of the time.",
        "; ".join(told), (figure,), flow="narrow",
        data=[
            {"method": row.method, "seconds": seconds[row.method],
             "interquartile mean": float(row.middle.estimate)}
            for row in board.standings
        ],
    )  # fmt: skip


def _profile(rows: Sequence[Standing], banded: bool) -> Drawing:
    figure = new_figure(4.9, 3.6 + 0.17 * ((len(rows) + 1) // 2))
    legend = 0.6 + 0.17 * ((len(rows) + 1) // 2)
    axes = new_axes(figure, (0.6, 0.15, legend, 0.12))
    for i, row in enumerate(rows):
        axes.step(
            THRESHOLDS, row.curve.estimate, where="post", color=SERIES[i], linestyle=LINES[i],
            label=row.method, linewidth=1.6,
        )  # fmt: skip
        if banded and row.curve.low is not None and row.curve.high is not None:
            axes.fill_between(
                THRESHOLDS, row.curve.low, row.curve.high, step="post", color=SERIES[i],
                alpha=0.15, linewidth=0,
            )  # fmt: skip
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="Rescaled score", ylabel="Share above it")
    axes.axhline(0.5, color=FAINT, linewidth=0.7)
    figure.legend(loc="lower left", ncols=2, frameon=False, fontsize=8)
    return figure


def _rows_figure(rows: Sequence[Standing]) -> tuple[Drawing, float]:
    """Return a figure with a line for each method, and the margin that their names take."""
    margin = 0.25 + _LETTER * max(len(row.method) for row in rows)
    return new_figure(_WIDTH, 0.7 + _ROW * len(rows)), margin


def counted(board: Leaderboard) -> str:
    """Say how large the benchmark is."""
    seeds = sorted(set(board.scores.seeds))
    said = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    runs = "one score each" if seeds == [1] else f"{said} seeds each"
    return (
        f"{plural(len(board.standings), 'method')} on"
        f" {plural(len(board.scores.datasets), 'data set')}, {runs}"
    )
