"""A page for each method of a benchmark: its score on every data set, and against every other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from harness.evidence import Evidence
from harness.formatting import (
    ABSENT,
    level_text,
    number,
    parameter_name,
    with_interval,
)
from harness.metrics import Metric
from harness.ranking.leaderboard import Leaderboard
from harness.ranking.pairs import Pair
from harness.ranking.ranks import ranks
from harness.report.benchmark import MARKS, MARKS_IN_WORDS, method_links, pair_table, place_text
from harness.report.blocks import Block, Cell, Heading, Table, Text, mean_cell

if TYPE_CHECKING:
    import numpy as np

FOLDER = "methods"
Settings = Mapping[tuple[str, str], str]
"""What the search chose, by method and data set."""


@dataclass(frozen=True)
class MethodPage:
    """One method in words and tables.

    Attributes:
        method: its name.
        file: its name.
        others: names and files of all, in the order of the leaderboard.
        blocks: what the page shows.
    """

    method: str
    file: str
    others: Sequence[tuple[str, str]]
    blocks: Sequence[Block]


def method_pages(
    boards: Sequence[Leaderboard], evidence: Evidence | None = None, prefix: str = ""
) -> Iterator[MethodPage]:
    """Yield the page of each method.

    Args:
        boards: one for each metric, of the same methods.
        evidence: of methods that were trained here.
        prefix: begins the name of each file.
    """
    links = method_links(boards[0], prefix) if boards else []
    chosen = {} if evidence is None else _chosen(evidence)
    for name, file in links:
        blocks = [block for board in boards for block in _of_board(board, name, chosen)]
        yield MethodPage(name, file, links, blocks)


def _of_board(board: Leaderboard, method: str, chosen: Settings) -> Iterator[Block]:
    place = next(i for i, one in enumerate(board.standings) if one.method == method)
    one = board.standings[place]
    yield Heading(f"By {board.metric}, {board.goal}")
    yield Text(
        f"Place {place_text(one)} of {len(board.standings)}"
        f" ({'settled' if one.settled else 'open'}), mean rank"
        f" {with_interval(one.mean_rank, one.rank_low, one.rank_high)}; it wins"
        f" {100 * one.win_rate:.0f} % of comparisons with another method on a data set."
    )
    yield _by_dataset(board, place, chosen)
    mine = [_turned(pair, place) for pair in board.pairs if place in (pair.first, pair.second)]
    yield pair_table(board, mine, f"{method} against every other method")


def _by_dataset(board: Leaderboard, place: int, chosen: Settings) -> Table:
    scores, ranked = board.scores, ranks(board.scores.means)
    method, seeded = scores.methods[place], min(scores.seeds) > 1
    rows = []
    for j, dataset in enumerate(scores.datasets):
        means = scores.means[:, j]
        best = int(means.argmax())
        cells = [Cell(dataset), _score(board.sign * scores.runs[j][place])]
        cells += [Cell(number(float(ranked[place, j]), 3), True)]
        if seeded:
            cells.append(Cell(MARKS[board.marks[j][place]]))
        behind = abs(float(means[best] - means[place]))
        cells += [
            Cell(scores.methods[best]),
            Cell(number(behind, 3) if means[best] > means[place] else ABSENT, True),
        ]
        if chosen:
            cells.append(Cell(chosen.get((method, dataset), "nothing was searched")))
        rows.append(cells)
    return Table(
        f"{method} on each data set",
        ["Data set", f"Mean {board.metric}", "Rank", *([""] if seeded else []), "Highest mean"
         if board.goal == "maximize" else "Lowest mean", "Behind it",
         *(["Chosen by the search"] if chosen else [])],
        rows,
        ("Brackets: 95 % t interval over seeds. " + MARKS_IN_WORDS if seeded else "")
        or "One score on each data set.",
    )  # fmt: skip


def _score(run: np.ndarray) -> Cell:
    return mean_cell(run, "no score", Metric(""))


def _turned(pair: Pair, place: int) -> Pair:
    """Return a pair as seen from one of its methods."""
    if pair.first == place:
        return pair
    of = pair.difference
    return replace(
        pair, first=pair.second, second=pair.first, wins=pair.losses, losses=pair.wins,
        improvement=1.0 - pair.improvement, improvement_low=1.0 - pair.improvement_high,
        improvement_high=1.0 - pair.improvement_low, better=-pair.better,
        difference=replace(of, estimate=-of.estimate, low=-of.high, high=-of.low),
    )  # fmt: skip


def _chosen(evidence: Evidence) -> dict[tuple[str, str], str]:
    """Return what the searches of each method on each data set chose, in words."""
    study, rows = evidence.plan.study, evidence.confirmation
    if study.search is None:
        return {}
    found = {}
    for arm in evidence.plan.arms:
        if arm.named or study.datasets is None:
            continue
        key = level_text(arm.levels[study.design.methods]), level_text(arm.levels[study.datasets])
        mine, said = rows[rows["arm"] == arm.name], []
        for path in study.search.space:
            values = (
                mine[f"parameter.{path}"].dropna().unique() if f"parameter.{path}" in mine else ()
            )
            if len(values):
                texts = [_value(value) for value in values]
                said.append(f"{parameter_name(path)} {' or '.join(texts)}")
        found[key] = ", ".join(said) or "nothing was searched"
    return found


def _value(value: Any) -> str:
    """Write a value of a setting; whole numbers are floats where other arms have none."""
    if isinstance(value, int | float):
        return f"{value:,.0f}" if value == round(value) else number(value)
    return str(value)
