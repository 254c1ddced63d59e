"""Commands about study files: validate, plan, run, new, list, schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli import options
from harness.cli.options import REPORTS, RESULTS
from harness.study.errors import InputError, Problem, nearest

if TYPE_CHECKING:
    from harness.run.outcome import RunOptions, RunResult
    from harness.study import LoadedStudy


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    for command in (validate, plan, run, new, list_, schema):
        app.command(name=command.__name__.strip("_"))(command)


def validate(studies: options.StudyFiles) -> int:
    """Check study files, every profile of each; say what is wrong and where."""
    from harness.study import load_study

    problems: list[Problem] = []
    for file in studies:
        try:
            loaded = load_study(file)
        except InputError as error:
            problems += error.problems
            continue
        claims = len(loaded.study.claims)
        profiles = ", ".join(loaded.study.profiles) or "none"
        typer.echo(f"{file}: fine ({len(loaded.arms)} arms, {claims} claims; profiles: {profiles})")
    if problems:
        raise InputError(problems)
    return 0


def plan(
    study: options.StudyFile,
    profile: options.Profile = None,
    overrides: options.Overrides = None,
    results: options.Results = RESULTS,
    data_root: options.DataRoot = None,
    as_json: options.AsJson = False,
) -> int:
    """Show the arms, the trials by phase, what is already done, and the time it will take."""
    from harness.cli.plan_view import plan_as_dict, print_plan
    from harness.run.prepare import prepare
    from harness.run.unchanged import look_ahead
    from harness.store import DATABASE, open_store
    from harness.study import load_study
    from harness.workloads.sources import data_root as find_root

    loaded = load_study(study, profile, overrides or ())
    prepared = prepare(loaded, find_root(data_root))
    store = open_store(results) if (results / DATABASE).is_file() else None
    outlook = look_ahead(prepared, store, loaded.file)
    if as_json:
        typer.echo(json.dumps(plan_as_dict(prepared, outlook)))
    else:
        print_plan(prepared, outlook)
    return 0


def run(
    studies: options.StudyFiles,
    profile: options.Profile = None,
    overrides: options.Overrides = None,
    address: Annotated[
        str | None, typer.Option(help="a running Ray cluster: auto, or host:port")
    ] = None,
    in_process: Annotated[
        bool, typer.Option("--in-process", help="without Ray, one trial at a time; for debugging")
    ] = False,
    tracking_uri: Annotated[
        str | None, typer.Option(help="an MLflow server elsewhere; default: results/mlflow.db")
    ] = None,
    results: options.Results = RESULTS,
    out: options.Reports = REPORTS,
    data_root: options.DataRoot = None,
    as_json: options.AsJson = False,
) -> int:
    """Run studies, or go on with them: train what has no record yet, judge, report."""
    from harness.study import load_study

    loaded = [load_study(file, profile, overrides or ()) for file in studies]
    from harness.run.outcome import RunOptions

    settings = RunOptions(results, out, data_root, address, in_process)
    finished = [_run_one(study, settings, tracking_uri, as_json) for study in loaded]
    _write_scoreboard(results, out)
    if as_json:
        documents = [_result_as_dict(result) for result in finished]
        typer.echo(json.dumps(documents[0] if len(documents) == 1 else documents))
    return 1 if any(result.counts["failed"] for result in finished) else 0


def _run_one(
    loaded: LoadedStudy, settings: RunOptions, tracking_uri: str | None, as_json: bool
) -> RunResult:
    from harness.cli.display import Display
    from harness.run.conductor import run_study
    from harness.run.mirroring import MirrorObserver

    display = None if as_json else Display(settings.results, tracking_uri)
    mirror = MirrorObserver(tracking_uri, settings.results)
    observers = [mirror] if display is None else [display, mirror]
    return run_study(loaded, settings, observers)


def _write_scoreboard(results: Path, out: Path) -> None:
    """Bring the page over all studies up to date, once for all that ran."""
    from harness.run.pages import made_from, standing_page
    from harness.store import open_store

    store = open_store(results)
    if standing_page(store, out, made_from(store)) is not None:
        return
    from harness.run.conclude import build_reports
    from harness.run.results import open_results

    build_reports(open_results(results), (), out)


def _result_as_dict(result: RunResult) -> dict[str, Any]:
    from harness.cli.results import claims_as_dicts

    return {
        "study": result.study,
        "profile": result.profile,
        "trials": dict(result.counts),
        "wall_seconds": round(result.wall_seconds, 3),
        "claims": claims_as_dicts(result.outcome),
        "report": str(result.report / "index.html"),
    }


def new(
    name: Annotated[str, typer.Argument(help="name of the study")],
    folder: Annotated[Path, typer.Option(help="where to write it")] = Path("studies"),
) -> int:
    """Write a small commented study to start from."""
    from harness.cli.template import write_study

    file = write_study(name, folder)
    typer.echo(f"{file} is written; try: harness plan {file}")
    return 0


def list_(kind: Annotated[str, typer.Argument(help="what to list")] = "kinds") -> int:
    """Show what a study file can name: data, models, activations, optimizers, probes, designs."""
    from harness.cli.catalogue import catalogue

    kinds = catalogue()
    if kind == "kinds":
        for name, entries in kinds.items():
            typer.echo(f"{name}: {', '.join(entries)}")
        return 0
    if kind not in kinds:
        names = ", ".join(kinds)
        raise InputError(f"nothing is called '{kind}' (known: {names}){nearest(kind, kinds)}")
    width = max(len(name) for name in kinds[kind])
    for name, says in kinds[kind].items():
        typer.echo(f"{name:<{width}}  {says}".rstrip())
    return 0


def schema() -> int:
    """Print the JSON Schema of study files, for editors."""
    from harness.study.load import schema as study_schema

    typer.echo(json.dumps(study_schema(), indent=2))
    return 0
