"""Commands about study files: validate, plan, run, new, list, schema, docs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli import options
from harness.cli.documents import emit
from harness.cli.live import LivePort, live_page
from harness.cli.options import REPORTS, RESULTS
from harness.cli.width import in_width
from harness.errors import InputError, Problem, nearest

if TYPE_CHECKING:
    from harness.run.observer import Observer
    from harness.study import LoadedStudy


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    for command in (validate, plan, pilot, run, new, list_, schema, docs):
        app.command(name=command.__name__.strip("_"))(command)


def validate(
    studies: options.StudyFiles,
    explain: Annotated[
        bool, typer.Option("--explain", help="show each mistake in its file, and what is right")
    ] = False,
    build: Annotated[
        bool, typer.Option("--build", help="build each network too, and take one step with it")
    ] = False,
    data_root: options.DataRoot = None,
) -> int:
    """Check study files, every profile of each; say what is wrong and where."""
    from harness.study import load_study

    problems: list[Problem] = []
    for file in studies:
        try:
            loaded = load_study(file)
            if build:
                _build(file, data_root)
        except InputError as error:
            problems += error.problems
            continue
        claims = len(loaded.study.claims)
        profiles = ", ".join(loaded.study.profiles) or "none"
        fine = f"{len(loaded.arms)} arms, {claims} claims; profiles: {profiles}"
        typer.echo(in_width(f"{file}: fine ({fine})"))
    if problems and explain:
        from harness.study.explain import explain_problem

        for problem in problems:
            typer.echo("\n".join([str(problem), *explain_problem(problem), ""]), err=True)
        raise InputError(f"{len(problems)} mistakes, shown above")
    if problems:
        raise InputError(problems)
    return 0


def _build(file: Path, data_root: Path | None) -> None:
    """Build the networks of a study and of its profiles; say which cannot be for want of data."""
    from harness.run.dry_runs import check_here
    from harness.study import load_profiles, load_study
    from harness.workloads import DataMissingError
    from harness.workloads import data_root as root_of

    loaded = load_study(file)
    profiles = load_profiles(file, "*") if loaded.study.profiles else []
    checked: set[str] = set()
    problems: dict[Problem, None] = {}
    for one in [loaded, *profiles]:
        try:
            check_here(one, root_of(data_root), checked)
        except InputError as error:
            problems |= dict.fromkeys(error.problems)
        except DataMissingError as error:
            reason = str(error).partition("\n")[0]
            typer.echo(f"{file}: profile {one.profile} is not built: {reason}")
    if problems:
        raise InputError(problems)


def plan(
    study: options.StudyFile,
    profile: options.Profile = None,
    overrides: options.Overrides = None,
    results: options.Results = RESULTS,
    data_root: options.DataRoot = None,
    as_json: options.AsJson = False,
) -> int:
    """Show the arms, the trials by phase, what is already done, and the time it will take."""
    from harness.api import plan as make_plan
    from harness.cli.plan_view import plan_as_dict, print_plan
    from harness.plan.pilot import read_pilot
    from harness.run.prepare import reading
    from harness.study import load_study
    from harness.workloads import data_root as root_of

    planned = make_plan(
        load_study(study, profile, overrides or ()), results=results, data=data_root
    )
    of = planned.plan
    found = read_pilot(results, of.study.study, of.profile)
    told = reading(of, root_of(data_root))
    if as_json:
        emit(plan_as_dict(of, planned.outlook, found, told))
    else:
        print_plan(of, planned.outlook, found, told)
    return 0


def pilot(
    study: options.StudyFile,
    profile: options.Profile = None,
    overrides: options.Overrides = None,
    seeds: Annotated[int, typer.Option(min=3, help="trainings for each source of randomness")] = 10,
    searches: Annotated[
        int,
        typer.Option(min=1, help="times that the baseline is tuned: 5 show the luck of tuning"),
    ] = 1,
    results: options.Results = RESULTS,
    data_root: options.DataRoot = None,
    as_json: options.AsJson = False,
) -> int:
    """Train the baseline with one source of randomness varied at a time; see `harness plan` then.

    Initial weights, order and split are varied alone and together. No result of it is evidence.
    """
    from harness.cli.pilot_view import pilot_as_dict, pilot_lines
    from harness.run.pilot import run_pilot
    from harness.run.prepare import prepare
    from harness.study import load_study
    from harness.workloads import data_root as root_of

    plan = prepare(load_study(study, profile, overrides or ()), root_of(data_root))
    tell = (lambda _: None) if as_json else typer.echo
    found = run_pilot(plan, results, data_root, seeds=seeds, searches=searches, tell=tell)
    if as_json:
        emit(pilot_as_dict(plan, found))
    for line in () if as_json else pilot_lines(plan, found):
        typer.echo(line)
    return 0


def run(
    studies: options.StudyFiles,
    profile: options.ProfilePattern = None,
    all_profiles: options.AllProfiles = False,
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
    models: Annotated[
        bool, typer.Option("--models", help="at the end, log each arm's network to MLflow")
    ] = False,
    register: Annotated[
        bool, typer.Option("--register", help="as --models, and in MLflow's model registry")
    ] = False,
    retrain_damaged: Annotated[
        bool, typer.Option("--retrain-damaged", help="train again what is damaged in the records")
    ] = False,
    max_time: Annotated[
        str | None,
        typer.Option(help="such as '8 h': then start no trial, and judge what is decided"),
    ] = None,
    max_cost: Annotated[
        float | None, typer.Option(help="the same, in the money of the study's prices")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(help="count for --max-cost what trials cost since then: 2026-11-30T12:00"),
    ] = None,
    log: Annotated[
        list[str] | None,
        typer.Option(help="log trials also to tensorboard:FOLDER, or wandb:FOLDER (offline)"),
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="serve a page that shows the run while it goes on")
    ] = False,
    live_port: LivePort = None,
    results: options.Results = RESULTS,
    out: options.Reports = REPORTS,
    data_root: options.DataRoot = None,
    as_json: options.AsJson = False,
) -> int:
    """Run studies, or go on with them: train what has no record yet, judge, report."""
    from harness.api import run_all
    from harness.run.loggers import open_logger

    loggers = [open_logger(said) for said in log or ()]
    loaded = _load_all(studies, profile, all_profiles, overrides or ())
    if live_port is not None and not live:
        raise InputError("--live-port goes with --live")
    with live_page(results, live_port, stays=True) if live else nullcontext() as page:
        if page:
            typer.echo(f"live page: {page}", err=True)
        finished = run_all(
            loaded,
            results=results,
            reports=out,
            data=data_root,
            address=address,
            in_process=in_process,
            retrain_damaged=retrain_damaged,
            tracking_uri=tracking_uri,
            models="register" if register else "log" if models else None,
            max_time=max_time,
            max_cost=max_cost,
            since=since,
            live=live,
            observers=lambda: [*([] if as_json else [_display(results, tracking_uri)]), *loggers],
        )
    if as_json:
        documents = [result.to_dict() for result in finished]
        emit(documents[0] if len(documents) == 1 else documents)
    lacking = any(not model["model"] for result in finished for model in result.models)
    failed = any(result.counts["failed"] or result.left_out for result in finished)
    for result in finished:
        if result.stopped:
            say = f"harness: {result.study} ({result.profile}) is not done: {result.stopped}; "
            typer.echo(say + "everything recorded is kept, run again to go on", err=True)
    return 1 if lacking or failed or any(result.stopped for result in finished) else 0


def _load_all(
    files: list[Path], profile: str | None, all_profiles: bool, overrides: Sequence[str]
) -> list[LoadedStudy]:
    from harness.study import load_profiles, load_study

    if all_profiles and profile is not None:
        raise InputError("give either --profile or --all-profiles")
    pattern = "*" if all_profiles else profile
    if pattern is None or not set(pattern) & set("*?["):
        return [load_study(file, pattern, overrides) for file in files]
    return [study for file in files for study in load_profiles(file, pattern, overrides)]


def _display(results: Path, tracking_uri: str | None) -> Observer:
    from harness.cli.display import Display

    return Display(results, tracking_uri)


def new(
    name: Annotated[str, typer.Argument(help="name of the study")],
    data: Annotated[
        str | None,
        typer.Option(help="harness list data; your own as image_folder:PATH, texts:PATH, ..."),
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="of table_file and series: the column to predict")
    ] = None,
    model: Annotated[str | None, typer.Option(help="its model, or my_module:function")] = None,
    vary: Annotated[str | None, typer.Option(help="what is varied: model.depth, ...")] = None,
    levels: Annotated[str | None, typer.Option(help="the levels, separated by commas")] = None,
    metric: Annotated[str | None, typer.Option(help="what the claim measures")] = None,
    seeds: Annotated[int | None, typer.Option(help="seeds of every arm")] = None,
    folder: Annotated[Path, typer.Option(help="where to write it")] = Path("studies"),
    experiment: Annotated[
        str | None, typer.Option(help="of MLflow: a study of runs that other code logged there")
    ] = None,
    tracking_uri: options.TrackingUri = None,
    runs: Annotated[
        str | None,
        typer.Option("--from", metavar="RUNS", help="a study of such runs: see `harness import`"),
    ] = None,
) -> int:
    """Write a commented study to start from; on a terminal, ask for what no option says.

    With --experiment it is about runs that are in MLflow already, with --from about those of a
    table, a storage of Optuna or a folder that `harness import` reads: --vary and --metric name a
    parameter and a metric of theirs, and the rest is found out.
    """
    from harness.cli.template import QUESTIONS, Answers, data_setting, fill, write_study

    given = {
        "data": data, "model": model, "vary": vary, "levels": levels, "metric": metric,
        "seeds": seeds,
    }  # fmt: skip
    answers = {key: value for key, value in given.items() if value is not None}
    if experiment is not None or runs is not None:
        from harness.cli.logged_template import Draft, draft

        unused = sorted(set(answers) - {"vary", "metric"}) + (["target"] if target else [])
        if unused:
            raise InputError(f"--{unused[0]} is found out from the runs of the experiment")
        asked = Draft(name, experiment, tracking_uri, runs, vary, metric)
        file = write_study(name, folder, lambda: draft(asked))
        command = f"import-mlflow {file}" if runs is None else f"import {file} {runs}"
        typer.echo(f"{file} is written; read it, then: harness {command}")
        return 0
    asked_for = typer.prompt if sys.stdin.isatty() else None
    if asked_for and "data" not in answers:
        answers["data"] = typer.prompt(QUESTIONS["data"], default=Answers.data)
    answers["data"] = data_setting(str(answers.get("data", Answers.data)), target, asked_for)
    if asked_for:
        _ask(answers)
    file = write_study(name, folder, lambda: fill(name, Answers(**answers)))  # type: ignore[arg-type]
    typer.echo(f"{file} is written; try: harness plan {file}")
    return 0


def _ask(answers: dict[str, str | int]) -> None:
    """Ask for what is not answered yet, with an answer to choose by return."""
    from harness.cli.template import QUESTIONS, Answers, default_metric, default_model

    for key, question in QUESTIONS.items():
        usual = getattr(Answers(), key)
        if key in ("metric", "model"):
            data = str(answers["data"])
            usual = default_metric(data) if key == "metric" else default_model(data)
        if key not in answers:
            answers[key] = typer.prompt(question, default=usual, type=type(usual))


def list_(kind: Annotated[str, typer.Argument(help="what to list")] = "kinds") -> int:
    """Show what a study file can name: data, models, activations, optimizers, probes, designs."""
    from harness.cli.catalogue import catalogue

    kinds = catalogue()
    if kind == "kinds":
        for name, entries in kinds.items():
            typer.echo(in_width(f"{name}: {', '.join(entries)}"))
        return 0
    if kind not in kinds:
        names = ", ".join(kinds)
        raise InputError(f"nothing is called '{kind}' (known: {names}){nearest(kind, kinds)}")
    width = max(len(name) for name in kinds[kind])
    for name, says in kinds[kind].items():
        typer.echo(in_width(f"{name:<{width}}  {says}".rstrip(), width + 2))
    return 0


def schema(
    command: Annotated[
        str | None, typer.Argument(help="whose JSON document is meant, in place of study files")
    ] = None,
) -> int:
    """Print the JSON Schema of study files, for editors, or of what a command's --json prints."""
    from harness.cli.forms import forms
    from harness.study.load import schema as study_schema

    known = forms()
    if command is not None and command not in known:
        names = ", ".join(known)
        near = nearest(command, known)
        raise InputError(f"'{command}' prints no document (these do: {names}){near}")
    found = study_schema(registered=True) if command is None else known[command].json_schema()
    emit(found, indent=2)
    return 0


def docs(
    page: Annotated[
        str | None, typer.Argument(help="its name; without one, all are listed")
    ] = None,
) -> int:
    """Print a page of the documentation, or an example; no network is needed."""
    from harness.cli import reference

    known = reference.names()
    if page is None:
        width = max(map(len, known))
        for name, title in reference.pages().items():
            typer.echo(f"{name:<{width}}  {title}")
        return 0
    if page not in known:
        raise InputError(
            f"there is no page '{page}'{nearest(page, known)}; `harness docs` lists all"
        )
    typer.echo(reference.page(page))
    return 0
