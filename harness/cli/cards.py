"""The command about one model: its card."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli import options
from harness.cli.options import REPORTS, RESULTS
from harness.errors import InputError, nearest


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(card)


def card(
    study: Annotated[str, typer.Argument(metavar="STUDY", help="a study's name, or its file")],
    profile: options.Profile = None,
    arm: Annotated[
        str | None, typer.Option(help="an arm; without one, the best by validation")
    ] = None,
    results: options.Results = RESULTS,
    out: options.Reports = REPORTS,
) -> int:
    """Write the model card of a study's best arm, or of another one, from its records."""
    from harness.report.card import card_of, write_card
    from harness.report.view import views_of
    from harness.run.results import open_results

    at_hand = open_results(results)
    (name,) = at_hand.named([study])
    views = {view.name: view for view in views_of(at_hand.judged({name}))}
    faults = [f for f in at_hand.faults_of({name}) if profile in (None, f.profile)]
    if faults and profile not in views:
        raise InputError("\n".join(map(str, faults)))
    if profile is not None and profile not in views:
        names = ", ".join(views)
        raise InputError(
            f"there are no results of the profile '{profile}' of {name} (there are: {names})"
            f"{nearest(profile, views)}"
        )
    view = views[profile] if profile is not None else next(iter(views.values()))
    file = write_card(card_of(view.result, arm), out / name)
    typer.echo(f"{name} ({view.name}): {file} and {file.with_suffix('.html').name}")
    return 0
