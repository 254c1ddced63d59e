"""The page on a leaderboard of many methods and data sets."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from harness.figures._benchmark import counted, pictures
from harness.figures.base import Picture
from harness.formatting import as_file_name, listed, number, p_text, with_interval
from harness.ranking.leaderboard import Leaderboard, Standing
from harness.ranking.pairs import Pair
from harness.ranking.ranks import ranks
from harness.report.blocks import Cell, Table, number_cell

NAME = "benchmark"
METHODS = "benchmark-methods"
"""The folder of the pages of methods whose scores are from elsewhere."""
_SHADES = 5
MARKS = {"best": "★", "among the best": "●", "": ""}
MARKS_IN_WORDS = (
    "★ best beyond the noise of seeds; ● among the best: the seeds do not tell it from the best"
    " mean (Welch's t test of all pairs of a data set, corrected by Holm, each data set by itself)."
)
_MOST_PAIRS = 200
_FEWEST_GROUPED = 4


class BenchmarkView:
    """A leaderboard in words, tables and pictures."""

    name = NAME
    published_only = False

    def __init__(self, board: Leaderboard, source: str):
        self.board, self.source = board, source
        self.size = counted(board)

    @property
    def method_links(self) -> list[tuple[str, str]]:
        """Name the methods and the pages of each, as seen from this one."""
        return method_links(self.board, f"{METHODS}/")

    @cached_property
    def pictures(self) -> Sequence[Picture]:
        """The figures."""
        return pictures(self.board)

    @property
    def standings(self) -> Table:
        """The leaderboard."""
        rows = []
        for one in self.board.standings:
            ends = (None, None) if one.middle.low is None else (one.middle.low, one.middle.high)
            bounds = [None if end is None else float(end) for end in ends]
            rows.append([
                Cell(one.method), Cell(place_text(one), True),
                Cell("settled" if one.settled else "open"), Cell(one.letters),
                Cell(with_interval(one.mean_rank, one.rank_low, one.rank_high), True),
                Cell(f"{100 * one.win_rate:.0f} %", True),
                Cell(with_interval(float(one.middle.estimate), *bounds), True),
            ])  # fmt: skip
        test = self.board.friedman
        return Table(
            "Leaderboard, by mean rank",
            ["Method", "Place", "", "Ties", "Mean rank", "Wins", "Interquartile mean"],
            rows,
            "Place: where a method can stand, given the pairs that are settled; all of these places"
            f" are right together in about {100 * (1 - self.board.alpha):g} % of such"
            " benchmarks or more, if differences between data sets lie evenly about their middle."
            " Ties: two methods that share a letter are not told apart."
            " Mean rank: with its 95 % interval over data sets like these. Wins: share"
            " of comparisons with another method on a data set, a tie counts half. Interquartile"
            " mean: of scores rescaled in each data set (0: worst mean, 1: best mean), with its"
            f" 95 % interval over seeds. All methods rank alike: p {p_text(test.p_value)}"
            f" (Friedman), {p_text(test.f_p_value)} (Iman and Davenport).",
            name="leaderboard-over-data-sets",
        )

    @property
    def pairs(self) -> Table:
        """Every two methods, those with the smallest p first."""
        shown = sorted(self.board.pairs, key=lambda pair: pair.p_corrected)[:_MOST_PAIRS]
        left = len(self.board.pairs) - len(shown)
        note = f" {left:,} pairs with larger p are left out." if left else ""
        return pair_table(self.board, shown, "Pairs", note, "pairs-of-methods")

    @property
    def heat(self) -> Table:
        """Scores by data set and method, shaded within each data set, the best marked."""
        board, scores = self.board, self.board.scores
        rows = []
        simple = board.trained.simple if board.trained is not None else {}
        sizes = board.trained.sizes if board.trained is not None else {}
        for j, dataset in enumerate(scores.datasets):
            means = scores.means[:, j]
            spread = means.max() - means.min()
            cells = [Cell(dataset)]
            for mean, mark in zip(means, board.marks[j], strict=True):
                place = (mean - means.min()) / spread if spread > 0.0 else 0.5
                shade = min(int(place * _SHADES), _SHADES - 1)
                text = f"{number(board.sign * float(mean), 4)} {MARKS[mark]}".strip()
                cells.append(Cell(text, True, tone=f"number heat-{shade}"))
            if simple:
                score = simple[dataset][1] if dataset in simple else None
                cells.append(number_cell(score, "none is for such data", 4))
            if sizes:
                examples, inputs, classes = sizes.get(dataset, ("–", "–", "–"))
                known = examples, inputs, classes or "numbers"
                cells += [Cell(f"{n:,}" if isinstance(n, int) else n, True) for n in known]
            rows.append(cells)
        marked = any(any(marks) for marks in board.marks)
        note = (
            MARKS_IN_WORDS
            if marked
            else "No best is marked: without several seeds noise is unknown."
        )
        return Table(
            f"Mean {board.metric} by data set, darker is better within its line",
            ["Data set", *scores.methods, *(["Simple baseline"] if simple else []),
             *(["Examples", "Inputs", "Classes"] if sizes else [])],
            rows,
            note,
            name="scores-by-data-set",
        )  # fmt: skip

    @property
    def groups(self) -> Table | None:
        """Mean ranks on small and large data sets, few and many inputs, two and more classes."""
        sizes = self.board.trained.sizes if self.board.trained is not None else {}
        known = [j for j, name in enumerate(self.board.scores.datasets) if name in sizes]
        of = np.array([sizes[self.board.scores.datasets[j]] for j in known])
        if len(known) < _FEWEST_GROUPED:
            return None
        examples, inputs = (int(np.ceil(np.median(of[:, i]))) for i in (0, 1))
        ranked, rows = ranks(self.board.scores.means)[:, known], []
        for says, which in (
            (f"fewer than {examples:,} examples", of[:, 0] < examples),
            (f"{examples:,} examples or more", of[:, 0] >= examples),
            (f"fewer than {inputs:,} inputs", of[:, 1] < inputs),
            (f"{inputs:,} inputs or more", of[:, 1] >= inputs),
            ("two classes", of[:, 2] == 2),
            ("more classes", of[:, 2] > 2),
        ):
            if 0 < which.sum() < len(known):
                means = ranked[:, which].mean(axis=1)
                cells = [Cell(number(float(mean), 3), True) for mean in means]
                rows.append([Cell(says), Cell(str(which.sum()), True), *cells])
        return Table(
            "Mean rank by kind of data set",
            ["Data sets with", "Data sets", *self.board.scores.methods],
            rows,
            "Halves at the median. Nothing tests these differences: a few data sets are in each"
            " line, and they differ in more than one thing.",
            name="ranks-by-kind",
        )

    @property
    def tied(self) -> str:
        """Say which methods the critical difference does not tell apart."""
        names = [one.method for one in self.board.standings]
        groups = [listed([names[i] for i in group]) for group in self.board.groups]
        return "; ".join(groups)


def method_links(board: Leaderboard, prefix: str = "") -> list[tuple[str, str]]:
    """Name the methods and the page of each, in the order of the leaderboard."""
    names = [one.method for one in board.standings]
    return [(name, f"{prefix}{as_file_name(name)}.html") for name in names]


def place_text(one: Standing) -> str:
    """Return the place of a method, or from which to which it can be."""
    return str(one.place_low) if one.settled else f"{one.place_low} to {one.place_high}"


def pair_table(
    board: Leaderboard, pairs: Sequence[Pair], caption: str, note: str = "", name: str = ""
) -> Table:
    """Return pairs of methods as a table, in their order."""
    names = [one.method for one in board.standings]
    rows = []
    for pair in pairs:
        ends, sign = pair.difference, board.sign
        low, high = sorted((sign * ends.low, sign * ends.high))
        better = {1: names[pair.first], -1: names[pair.second], 0: "open"}[pair.better]
        rows.append([
            Cell(f"{names[pair.first]} − {names[pair.second]}"), Cell(better),
            Cell(p_text(pair.p_corrected), True),
            Cell(with_interval(sign * ends.estimate, low, high), True),
            Cell(f"{pair.wins} / {pair.ties} / {pair.losses}", True),
            Cell(with_interval(pair.improvement, pair.improvement_low, pair.improvement_high),
                 True),
            Cell(number(ends.between, 2), True),
        ])  # fmt: skip
    return Table(
        caption,
        ["Pair", "Better", "p", f"Difference of {board.metric}", "Wins / ties / losses",
         "Probability of improvement", "Between data sets"],
        rows,
        f"Better: settled if p is at most {board.alpha:g}. p: exact signed-rank test over"
        " data sets, corrected for all pairs (Holm). Difference: mean over data sets like"
        " these, with the data set as random effect, and its 95 % interval, each pair by"
        " itself. Probability of improvement: that a run of the first beats one of the second"
        " on a data set drawn at random, with its 95 % interval over data sets."
        f" Between data sets: standard deviation of the true difference; with seeds only.{note}",
        name=name,
    )  # fmt: skip
