"""The leaderboards of a benchmark: places, ranks, data sets, pairs, score against cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.figures._benchmark import by_metric
from harness.formatting import as_file_name, capitalized, plural
from harness.judge.leaderboards import not_run
from harness.ranking.leaderboard import Leaderboard
from harness.report.benchmark import BenchmarkView, method_links
from harness.report.blocks import Block, Fold, Form, Heading, Items, Text
from harness.report.method_pages import FOLDER
from harness.report.panels.base import Panel

if TYPE_CHECKING:
    from harness.report.view import ProfileView

_METHODS = """<p>Method by method, with every data set and every other method:
{% for name, file in links %}<a href="{{ file }}">{{ name }}</a>{% if not loop.last %} · {% endif %}
{% endfor %}</p>
"""
_PUBLISHED = ("critical-differences", "score-and-cost")


class Leaderboards(Panel):
    """Which places of a benchmark are settled, by which data sets, at what cost."""

    name = "leaderboards"
    title = "Leaderboard over data sets"
    order = 15

    def blocks(self, report: ProfileView) -> Sequence[Block | None]:
        """See `Panel`."""
        if report.evidence.plan.study.datasets is None:
            return ()
        if missing := not_run(report.evidence):
            return (Text(f"There is none before {plural(missing, 'more trial')} have been run."),)
        boards = report.result.leaderboards
        found: list[Block | None] = []
        if len(boards) > 1:
            drawn = report.part("the picture of all leaderboards", by_metric, boards)
            found += [one for one in (drawn,) if one and report.encoded(one, one.svgs)]
        found += [block for i, board in enumerate(boards) for block in _blocks(report, board, i)]
        if boards and not report.published_only:
            links = method_links(boards[0], f"{FOLDER}/{report.name}-")
            found.append(Form(_METHODS, "", {"links": links}))
        return found


def _blocks(report: ProfileView, board: Leaderboard, place: int) -> Iterator[Block | None]:
    """Yield what the page says of one leaderboard; files of all but the first have its metric."""
    view = BenchmarkView(board, report.result.study)
    suffix = f"-{as_file_name(board.metric)}" if place else ""
    drawn = report.part("the pictures of the leaderboard", lambda: view.pictures) or ()
    pictures = [
        replace(one, name=f"{one.name}{suffix}")
        for one in drawn
        if not report.published_only or one.name in _PUBLISHED
    ]
    tables = [
        None if table is None else replace(table, name=f"{table.name}{suffix}")
        for table in (
            report.part(f"the {what} of the leaderboard", getattr, view, what)
            for what in ("standings", "heat", "groups", "pairs")
        )
    ]
    yield Heading(f"By {board.metric}, {board.goal}")
    yield Text(f"{board.headline} {capitalized(view.size)}.")
    yield tables[0]
    yield Items([f"{capitalized(text)}." for text in (*board.notes, *board.unknown)])
    yield tables[1]
    yield from (one for one in pictures if report.encoded(one, one.svgs) is not None)
    yield tables[2]
    yield Fold("Every pair of methods", [tables[3]]) if tables[3] is not None else None
