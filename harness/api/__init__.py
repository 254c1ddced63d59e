"""The harness from Python: load, plan, run, judge, report; as small as the command line.

    from harness import api

    study = api.load("activations", profile="quick")
    api.plan(study)                 # arms, trials, what is done, what the rest will take
    result = api.run(study)         # train what has no record yet, judge, write the report
    result.claims                   # verdicts as a pandas frame
    result.evidence                 # one row per confirmation trial

A study is a file, the name of a bundled study, a mapping that says what a file would say, or what
`load` returned. Everything that is wrong with an input raises `InputError`, whose text says where
and what was expected; nothing was run then. In a notebook, plans and results show as tables.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.api.results import Planned, Result
from harness.api.scores import judge_scores
from harness.errors import InputError
from harness.study.bundled import find_study

if TYPE_CHECKING:
    from harness.run.observer import Observer
    from harness.run.outcome import Fault, RunOptions, RunResult
    from harness.study import LoadedStudy

    StudyLike = str | Path | Mapping[str, Any] | LoadedStudy

__all__ = [
    "InputError", "Planned", "Result", "import_mlflow", "import_runs", "judge", "judge_scores",
    "load", "plan", "report", "run", "run_all",
]  # fmt: skip

RESULTS = Path("results")
REPORTS = Path("reports")
MODELS = ("log", "register")


def load(
    study: StudyLike, profile: str | None = None, settings: Mapping[str, Any] | None = None
) -> LoadedStudy:
    """Read and check a study.

    Args:
        study: a file, the name of a bundled study, or a mapping that says what a file would say.
        profile: one of its profiles; without one, the study as it stands.
        settings: changes by their dotted path, such as `{"workload.epochs": 3}`.

    Raises:
        InputError: with every mistake found, each at its place.
    """
    from harness.study import LoadedStudy, load_study

    if isinstance(study, LoadedStudy):
        if profile is not None or settings:
            raise InputError("a study that is loaded already has its profile and settings")
        return study
    source = find_study(str(study)) if isinstance(study, (str, Path)) else study
    texts = [f"{path}={json.dumps(value)}" for path, value in (settings or {}).items()]
    return load_study(source, profile, texts)


def plan(
    study: StudyLike, *, results: str | Path = RESULTS, data: str | Path | None = None
) -> Planned:
    """Say what a run will do: arms, trials by phase, what is done, and the time the rest takes.

    Args:
        study: as for `load`.
        results: the folder of the records; it need not exist.
        data: the folder of data files; default: $HARNESS_DATA, or a cache.
    """
    from harness.run.finished import look_ahead
    from harness.run.prepare import prepare
    from harness.store import DATABASE, open_store
    from harness.workloads import data_root

    loaded = load(study)
    prepared = prepare(loaded, data_root(data))
    store = open_store(Path(results)) if (Path(results) / DATABASE).is_file() else None
    return Planned(prepared, look_ahead(prepared, store, loaded.file))


def run(
    study: StudyLike,
    *,
    results: str | Path = RESULTS,
    reports: str | Path = REPORTS,
    data: str | Path | None = None,
    address: str | None = None,
    in_process: bool = False,
    retrain_damaged: bool = False,
    tracking_uri: str | None = None,
    models: Literal["log", "register"] | None = None,
    max_time: str | None = None,
    max_cost: float | None = None,
    since: str | None = None,
    live: bool = False,
    observers: Sequence[Observer] = (),
) -> Result:
    """Run a study, or go on with it: train what has no record yet, judge, write the report.

    Args:
        study: as for `load`.
        results: the folder of the records.
        reports: the folder of the reports.
        data: the folder of data files; default: $HARNESS_DATA, or a cache.
        address: a running Ray cluster, `auto` or host:port; default: this machine.
        in_process: without Ray, one trial at a time.
        retrain_damaged: train again what is damaged in the records.
        tracking_uri: an MLflow server elsewhere; default: a database beside the records.
        models: `log` the network of each arm's winner to MLflow at the end, or `register` it there
            as well; each that is not there yet is trained once more.
        max_time: such as `8 h`, after which no trial is started; what has been decided by then is
            judged and reported, and `stopped` of the result says so.
        max_cost: the same, in the currency of the study's prices.
        since: a moment such as `2026-11-30T12:00`; what the study's trials have cost since then
            counts for `max_cost` as well.
        live: let the page of `harness live` show the run: what runs now, and provisional effects.
        observers: told of everything that happens (see `harness.run.observer`).

    Raises:
        InputError: if the study, or anything else that is given, is wrong; nothing was run then.
        DataMissingError: if its data cannot be had.
        ClusterError: if the cluster breaks down; everything recorded is safe.
    """
    return run_all(
        [study],
        results=results,
        reports=reports,
        data=data,
        address=address,
        in_process=in_process,
        retrain_damaged=retrain_damaged,
        tracking_uri=tracking_uri,
        models=models,
        max_time=max_time,
        max_cost=max_cost,
        since=since,
        live=live,
        observers=lambda: observers,
    )[0]


def run_all(
    studies: Iterable[StudyLike],
    *,
    results: str | Path = RESULTS,
    reports: str | Path = REPORTS,
    data: str | Path | None = None,
    address: str | None = None,
    in_process: bool = False,
    retrain_damaged: bool = False,
    tracking_uri: str | None = None,
    models: Literal["log", "register"] | None = None,
    max_time: str | None = None,
    max_cost: float | None = None,
    since: str | None = None,
    live: bool = False,
    observers: Callable[[], Sequence[Observer]] = tuple,
) -> list[Result]:
    """Run several studies, one after the other; all are checked before the first one runs.

    A limit holds for all of them together; those after the one that it ends are not begun.
    `observers` is called before each study; see `run` for the other arguments, and for what it
    raises.
    """
    if models not in (None, *MODELS):
        raise InputError(f"models: '{models}' is not one of {', '.join(MODELS)}")
    loaded = [load(study) for study in studies]
    from harness.run.limits import limits_of
    from harness.run.live import LiveObserver
    from harness.run.mirroring import MirrorObserver
    from harness.run.outcome import RunOptions
    from harness.run.reports import refresh_scoreboard
    from harness.run.study_run import run_study

    limits = limits_of(max_time, max_cost, since, [study.study for study in loaded])
    folder, out = Path(results), Path(reports)
    options = RunOptions(
        folder,
        out,
        Path(data) if data else None,
        address,
        in_process,
        retrain_damaged,
        limits,
        live,
    )
    done: list[Result] = []
    for study in loaded:
        watching = [*observers(), *([LiveObserver(folder)] if live else [])]
        watching.append(MirrorObserver(tracking_uri, folder))
        ran = run_study(study, options, watching)
        logged = _log_networks(ran, models, options, tracking_uri, watching) if models else []
        done.append(Result.of_run(ran, folder, logged))
        if ran.stopped:
            break
    tell(f"not begun: {study.study.study} ({study.profile})" for study in loaded[len(done) :])
    return _with_faults(done, refresh_scoreboard(folder, out))


def import_runs(
    study: StudyLike,
    source: str | None = None,
    *,
    results: str | Path = RESULTS,
    reports: str | Path = REPORTS,
) -> Result:
    """Judge claims over runs that other code trained and logged; nothing is trained.

    Args:
        study: as for `load`; its `training` is `mlflow` or `logged`.
        source: where the runs are: an address of MLflow (default: $MLFLOW_TRACKING_URI) or of a
            storage of Optuna, or a CSV, TSV, JSON lines or Parquet file.
        results: the folder of the records.
        reports: the folder of the reports.

    Raises:
        InputError: if the runs cannot be read or do not fit the study; nothing was written then.
        StoreError: if the results cannot be used.
    """
    loaded = load(study)
    from harness.run import importing
    from harness.run.outcome import RunOptions
    from harness.run.reports import refresh_scoreboard

    folder, out = Path(results), Path(reports)
    done = importing.import_runs(loaded, source, RunOptions(folder, out))
    return _with_faults([Result.of_run(done, folder)], refresh_scoreboard(folder, out))[0]


import_mlflow = import_runs
"""What it was called when it knew MLflow alone."""


def judge(studies: Iterable[str] | None = None, *, results: str | Path = RESULTS) -> list[Result]:
    """Judge what is recorded, own and published, training nothing: one result for each profile.

    What cannot be judged is left out, and told on standard error.

    Args:
        studies: names of studies; default: all that have records.
        results: the folder of the records.

    Raises:
        InputError: if there are no results of a study that is named.
        StoreError: if there are no results, or they cannot be used.
    """
    from harness.run.results import open_results

    at_hand = open_results(Path(results))
    wanted = at_hand.named(studies)
    found = [Result.of_profile(judged, Path(results)) for judged in at_hand.judged(wanted)]
    tell(at_hand.faults_of(wanted))
    return found


def report(
    studies: Iterable[str] | None = None,
    *,
    results: str | Path = RESULTS,
    reports: str | Path = REPORTS,
) -> dict[str, Path]:
    """Rebuild reports and the scoreboard from the records; nothing is trained.

    What cannot be judged or drawn is left out, and told on standard error.

    Args:
        studies: names of studies; default: all that have records.
        results: the folder of the records.
        reports: the folder that gets the reports.

    Returns:
        The page of each study by its name.
    """
    from harness.run.reports import build_reports
    from harness.run.results import open_results

    at_hand = open_results(Path(results))
    made = build_reports(at_hand, at_hand.named(studies), Path(reports))
    tell(made.faults)
    return {study: folder / "index.html" for study, folder in made.folders.items()}


def _with_faults(done: Sequence[Result], faults: Sequence[Fault]) -> list[Result]:
    """Tell what went wrong; of the scoreboard's faults, those of other studies are only told."""
    found = []
    for result in done:
        mine = [str(fault) for fault in faults if fault.study in (result.study, "")]
        found.append(replace(result, left_out=list(dict.fromkeys([*result.left_out, *mine]))))
    tell(
        dict.fromkeys([*(text for result in found for text in result.left_out), *map(str, faults)])
    )
    return found


def tell(faults: Iterable[object]) -> None:
    """Say on standard error what went wrong, a line for each."""
    for fault in faults:
        sys.stderr.write(f"harness: {fault}\n")


def _log_networks(
    ran: RunResult,
    models: str,
    options: RunOptions,
    tracking_uri: str | None,
    observers: Sequence[Observer],
) -> Sequence[Mapping[str, Any]]:
    from harness.run.networks import Wanted, log_after_run

    register = models == "register"
    wanted = Wanted(ran.study, ran.profile, (), register, tracking_uri, options.data)
    return log_after_run(options.results, wanted, observers)
