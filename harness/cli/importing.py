"""The command about runs that other code logged in MLflow."""

from __future__ import annotations

import typer

from harness.cli import options
from harness.cli.documents import emit
from harness.cli.options import REPORTS, RESULTS


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(import_mlflow)


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
    from harness.api import import_mlflow as import_runs
    from harness.cli.verdict_table import print_verdicts
    from harness.study import load_study

    done = import_runs(
        load_study(study, profile, overrides or ()),
        tracking_uri,
        results=results,
        reports=out,
    )
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
