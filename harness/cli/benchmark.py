"""The command about scores of many methods on many data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from harness.api.board_lines import board_lines
from harness.cli import options
from harness.cli.documents import emit
from harness.cli.options import REPORTS, RESULTS
from harness.errors import InputError

Goal = Literal["minimize", "maximize"]  # the order of harness.metrics: typing keeps one of both
Missing = Literal["refuse", "worst", "drop-dataset"]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(benchmark)


def benchmark(
    scores: Annotated[
        Path,
        typer.Argument(
            metavar="SCORES|STUDY",
            help="a CSV file: columns method, dataset, score and perhaps seed, or a table whose "
            "first column is called method or dataset; or a benchmark study that was run",
        ),
    ],
    metric: Annotated[
        str | None, typer.Option(metavar="NAME", help="what the scores are; of a study, which one")
    ] = None,
    goal: Annotated[Goal | None, typer.Option(help="of scores: which way is better")] = None,
    missing: Annotated[Missing, typer.Option(help="what a missing score means")] = "refuse",
    alpha: Annotated[float, typer.Option(help="chance of any pair settled falsely")] = 0.05,
    profile: Annotated[str | None, typer.Option(help="of a study")] = None,
    results: options.Results = RESULTS,
    out: options.Reports = REPORTS,
    as_json: options.AsJson = False,
) -> int:
    """Judge which places of many methods on many data sets are settled: scores, or a study's.

    Nothing is trained. Of scores from elsewhere it writes benchmark.html, benchmark.md and the
    figures; a study has its leaderboard on its own page.
    """
    if scores.suffix in ("", ".yaml", ".yml"):
        return _of_study(scores.stem, profile, metric, results, as_json=as_json)
    if metric is None or goal is None:
        option = "--metric" if metric is None else "--goal"
        raise InputError(f"{option} is missing: the file does not say what its scores are")
    from harness.api import judge_scores
    from harness.report import build_benchmark
    from harness.run.reports import check_writable

    board = judge_scores(scores, metric=metric, goal=goal, missing=missing, alpha=alpha)
    check_writable(out)
    page = build_benchmark(board, scores.name, out)
    if as_json:
        emit(board.to_dict())
        return 0
    for line in board_lines(board.to_dict()):
        typer.echo(line)
    typer.echo(f"benchmark: {page}")
    return 0


def _of_study(
    study: str, profile: str | None, metric: str | None, results: Path, *, as_json: bool
) -> int:
    """Show the leaderboards of a study that was run; one document for the metric that is asked."""
    from harness.api import judge

    judged = [one for one in judge([study], results=results) if profile in (None, one.profile)]
    boards = [(one, board) for one in judged for board in one.leaderboards]
    wanted = [(one, board) for one, board in boards if metric in (None, board["metric"])]
    if not wanted:
        names = list(dict.fromkeys(board["metric"] for _, board in boards))
        has = f"; it has leaderboards by {', '.join(names)}" if names else ""
        profiles = ", ".join(one.profile for one in judge([study], results=results))
        raise InputError(
            f"{study} has no such leaderboard: its design is no benchmark, or not all trials of "
            f"the profile have been run (profiles with results: {profiles}){has}"
        )
    if as_json:
        emit(dict(wanted[0][1]))
        return 0
    for one, board in wanted:
        typer.echo(f"{one.study} ({one.profile})")
        for line in board_lines(board):
            typer.echo(line)
    return 0
