"""The command about trained networks: log them to MLflow, register them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli import options
from harness.cli.documents import emit
from harness.cli.options import RESULTS


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(models)


def models(
    study: Annotated[str, typer.Argument(metavar="STUDY", help="a study's name, or its file")],
    profile: options.Profile = None,
    arm: Annotated[
        list[str] | None, typer.Option(help="an arm, may be repeated; default: every arm")
    ] = None,
    register: Annotated[
        bool, typer.Option("--register", help="also as versions in MLflow's model registry")
    ] = False,
    tracking_uri: Annotated[
        str | None, typer.Option(help="an MLflow server elsewhere; default: results/mlflow.db")
    ] = None,
    results: options.Results = RESULTS,
    data_root: options.DataRoot = None,
    as_json: options.AsJson = False,
) -> int:
    """Log the network of each arm's winner to MLflow, for `mlflow.pyfunc.load_model`."""
    from harness.run.networks import Wanted, log_networks
    from harness.store import open_store

    wanted = Wanted(Path(study).stem, profile, tuple(arm or ()), register, tracking_uri, data_root)
    store = open_store(results, create=False)
    done = []
    for outcome in log_networks(store, wanted):
        done.append(outcome.to_dict())
        if not as_json:
            typer.echo(outcome.text)
    if as_json:
        emit(done)
    return 0 if all(found["model"] for found in done) else 1
