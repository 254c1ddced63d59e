"""Commands about runs that other code logged."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli import options
from harness.cli.documents import emit
from harness.cli.options import REPORTS, RESULTS

if TYPE_CHECKING:
    from harness.study import LoadedStudy


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    app.command()(import_mlflow)
    app.command(name="import")(import_)


def import_mlflow(
    study: options.StudyFile,
    tracking_uri: options.TrackingUri = None,
    profile: options.Profile = None,
    overrides: options.Overrides = None,
    results: options.Results = RESULTS,
    out: options.Reports = REPORTS,
    as_json: options.AsJson = False,
) -> int:
    """Judge claims over runs that other code trained and logged in MLflow; nothing is trained.

    The study says `training: {name: mlflow, ...}`; `harness new NAME --experiment ...` drafts one.
    """
    from harness.study import load_study

    return _import(load_study(study, profile, overrides or ()), tracking_uri, results, out, as_json)


def import_(
    study: options.StudyFile,
    runs: Annotated[
        str,
        typer.Argument(
            metavar="RUNS",
            help="a CSV, JSON lines or Parquet file; a folder of TensorBoard, W&B,"
            " lm-evaluation-harness or Inspect; or the address of a storage of Optuna",
        ),
    ],
    profile: options.Profile = None,
    overrides: options.Overrides = None,
    results: options.Results = RESULTS,
    out: options.Reports = REPORTS,
    as_json: options.AsJson = False,
) -> int:
    """Judge claims over runs that other code left in a table or folder; nothing is trained.

    The study says `training: {name: logged, ...}`.
    """
    from harness.study import load_study

    return _import(load_study(study, profile, overrides or ()), runs, results, out, as_json)


def _import(
    loaded: LoadedStudy, address: str | None, results: Path, out: Path, as_json: bool
) -> int:
    from harness.api import import_runs
    from harness.cli.verdict_table import print_verdicts

    done = import_runs(loaded, address, results=results, reports=out)
    if as_json:
        emit(done.to_dict())
        return 1 if done.left_out else 0
    counts = ", ".join(f"{count} {state}" for state, count in done.counts.items() if count)
    typer.echo(f"{done.study} ({done.profile}): {counts}")
    for note in done.integrity.get("imported", ())[1:]:
        typer.echo(f"note: {note}")
    print_verdicts(done.verdicts)
    if done.report:
        typer.echo(f"report: {done.report / 'index.html'}")
    return 1 if done.left_out else 0
