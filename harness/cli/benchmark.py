"""The command about scores of many methods on many data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from harness.cli import options
from harness.cli.documents import emit
from harness.cli.options import REPORTS

Goal = Literal["maximize", "minimize"]
Missing = Literal["refuse", "worst", "drop-dataset"]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(benchmark)


def benchmark(
    scores: Annotated[
        Path,
        typer.Argument(
            metavar="SCORES",
            help="a CSV file: columns method, dataset, score and perhaps seed, or a table whose "
            "first column is called method or dataset",
        ),
    ],
    metric: Annotated[str, typer.Option(metavar="NAME", help="what the scores are")],
    goal: Annotated[Goal, typer.Option(help="which way is better")],
    missing: Annotated[Missing, typer.Option(help="what a missing score means")] = "refuse",
    alpha: Annotated[float, typer.Option(help="chance of any pair settled falsely")] = 0.05,
    out: options.Reports = REPORTS,
    as_json: options.AsJson = False,
) -> int:
    """Judge scores from elsewhere: which places of many methods on many data sets are settled.

    Nothing is trained. Writes benchmark.html, benchmark.md and the figures.
    """
    from harness.api import judge_scores
    from harness.report import build_benchmark
    from harness.run.reports import check_writable

    board = judge_scores(scores, metric=metric, goal=goal, missing=missing, alpha=alpha)
    check_writable(out)
    page = build_benchmark(board, scores.name, out)
    if as_json:
        emit(board.to_dict())
        return 0
    typer.echo(board.headline)
    for one in board.standings:
        place = f"{one.place_low}" if one.settled else f"{one.place_low} to {one.place_high}"
        typer.echo(
            f"  place {place:<9}{one.method}, mean rank {one.mean_rank:.2f} "
            f"[{one.rank_low:.2f}, {one.rank_high:.2f}]"
        )
    for text in (*board.notes, *board.unknown):
        typer.echo(f"note: {text}")
    typer.echo(f"benchmark: {page}")
    return 0
