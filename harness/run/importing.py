"""Runs that other code logged become records, and are judged as all others are.

A record of a logged run has an identity of its own, of the run's id and content, so that it is
never taken for a trial that was trained here.
"""

from __future__ import annotations

import itertools
import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

from harness.errors import nearest
from harness.formatting import listed_some
from harness.judged import FEWEST
from harness.metrics import BUILT_IN, logged_names
from harness.plan import Plan, make_plan
from harness.provenance import environment
from harness.publish import FOLDER, Published
from harness.run.finished import shown_path
from harness.run.logged_runs import Match, match_runs
from harness.run.outcome import RunOptions, RunResult
from harness.run.reports import check_writable, conclude
from harness.run.results import Results
from harness.run.sources import Source, open_source
from harness.store import AssignedRecord, Store, conductor_lock, open_store
from harness.study import InputError, LoadedStudy, Problem
from harness.track.reading import ReadingError
from harness.trial import Phase, Record, State, Trial, digest, trained_elsewhere

_VERSIONS = {"mlflow": "imported from MLflow", "logged": "imported"}
"""In the place of the version of the code that trains, by the name of the training."""
_TRAINED = {"mlflow": "elsewhere, logged in MLflow", "logged": "elsewhere"}
MOST_POINTS = 200
"""Points of a learning curve; of longer histories, evenly spaced ones are kept."""


def import_runs(loaded: LoadedStudy, tracking_uri: str | None, options: RunOptions) -> RunResult:
    """Read the runs of a study, keep them as records, judge its claims and write its report.

    Args:
        loaded: a study whose `training` is `mlflow` or `logged`.
        tracking_uri: where the runs were logged: of MLflow, a storage of Optuna, or a file; None
            for what $MLFLOW_TRACKING_URI says.
        options: where results and reports are.

    Raises:
        InputError: if the study trains, the runs cannot be read, or do not fit the study; nothing
            was written then.
        StoreError: if the results folder cannot be used.
    """
    begin = time.monotonic()
    plan = make_plan(loaded.study, loaded.arms, profile=loaded.profile, overrides=loaded.overrides)
    training = plan.baseline.workload["training"]
    if not trained_elsewhere(plan.baseline.workload):
        raise InputError(
            [Problem("is trained by `harness run`; only a study with `training: {name: mlflow, "
                     "...}` or `{name: logged, ...}` is imported", loaded.file)]
        )  # fmt: skip
    records, source = _read(plan, training, tracking_uri, loaded.file)
    check_writable(options.reports, plan.study.study)
    context = {
        "overrides": dict(plan.overrides),
        "fingerprints": {},
        "environment": environment(),
        "duplicates": {},
        "file": shown_path(loaded.file),
        "imported": {"experiment": training["experiment"], **source},
    }
    with conductor_lock(options.results), closing(open_store(options.results)) as store:
        store.check()
        published = Published(options.results / FOLDER)
        published.check(plan.study.study)
        counts = _store(plan, store, records, context, begin)
        names = (plan.study.study, plan.profile)
        result = conclude(Results(store, published), names, options.reports)
    return replace(result, counts=counts, wall_seconds=time.monotonic() - begin)


def _store(
    plan: Plan,
    store: Store,
    records: Sequence[tuple[Match, Record]],
    context: Mapping[str, Any],
    begin: float,
) -> Counter[str]:
    """Keep the records of an execution of their own; count those that are new, by state."""
    known = store.states()
    names = plan.study.study, plan.profile
    execution = store.start_execution(*names, plan.hash, plan.declaration, context)
    status = "interrupted"
    try:
        for _, record in records:
            store.set_aside_damaged(record.trial_id)
        store.add_records([record for _, record in records])
        store.add_assignments(execution, [_assigned(*item, known) for item in records])
        status = "finished"
    finally:
        store.end_execution(execution, status, time.monotonic() - begin)
    counts = Counter(complete=0, diverged=0, failed=0, reused=0)
    counts.update("reused" if r.trial_id in known else r.state.value for _, r in records)
    return counts


def _read(
    plan: Plan, training: Mapping[str, Any], address: str | None, file: str
) -> tuple[list[tuple[Match, Record]], dict[str, Any]]:
    """Return the matched runs with their records, and where they are from and what to know."""
    in_mlflow = training["name"] == "mlflow"
    try:
        source = open_source(address, training)
        matched = match_runs(plan, source.runs(), file)
        _check_metrics(matched.matches, logged_names(training["metrics"]), file)
        records = [(match, _record(match, source)) for match in matched.matches]
    except ReadingError as error:
        option = "--tracking-uri" if in_mlflow else "the runs"
        raise InputError([Problem(str(error), option)]) from None
    notes = [*source.notes, *matched.notes, *_sorted_runs(records), *_shorter(records)]
    origin = {"notes": notes} if in_mlflow else {"notes": notes, "from": source.words}
    if address is None or in_mlflow:
        return records, origin
    # as it may stand in a report: no folders of a machine, and no password
    return records, origin | {"address": "STORAGE" if "://" in address else shown_path(address)}


def _sorted_runs(records: Sequence[tuple[Match, Record]]) -> list[str]:
    """Say that seeds were given in the order of results: such pairs are none."""
    arms: dict[str, list[tuple[int, Record]]] = {}
    for match, record in records:
        arms.setdefault(match.arm.name, []).append((match.block, record))
    for metric in dict.fromkeys(name for _, record in records for name in record.metrics):
        rows = [[r.metrics.get(metric) for _, r in sorted(of, key=lambda i: i[0])]
                for of in arms.values()]  # fmt: skip
        orders = {_order_of(row) for row in rows}
        if len(rows) > 1 and min(map(len, rows)) >= FEWEST and orders in ({1}, {-1}):
            return [
                f"In every arm, {metric} goes only one way with the seed, as if seeds had been"
                " given after sorting by it. Runs that are paired so are no pairs, and their"
                " intervals are too narrow."
            ]
    return []


def _shorter(records: Sequence[tuple[Match, Record]]) -> list[str]:
    """Say which runs end before others: nobody can tell whether they were interrupted."""
    ends = {match.run.label: record.curve[-1]["epoch"] for match, record in records if record.curve}
    last = max(ends.values(), default=0)
    early = [f"{label} at {end:g}" for label, end in ends.items() if end < last]
    if not early:
        return []
    return [
        f"Some runs end before others, which end at step {last:g}: {listed_some(early)}. If they"
        " were interrupted, they count all the same; leave them out."
    ]


def _order_of(values: Sequence[float | None]) -> int:
    """Return 1 for numbers that grow, -1 for such that fall, else 0."""
    known = [value for value in values if value is not None]
    steps = {(b > a) - (b < a) for a, b in itertools.pairwise(known)}
    return steps.pop() if len(steps) == 1 and len(known) == len(values) else 0


def _check_metrics(matches: Sequence[Match], metrics: Mapping[str, str], file: str) -> None:
    """Refuse a metric that no run has; where some lack it, their records say so."""
    known = dict.fromkeys(name for match in matches for name in match.run.metrics)
    problems = [
        Problem(
            f"no run has the metric '{theirs}'{nearest(theirs, known)} (they have:"
            f" {', '.join(sorted(known)) or 'none'})",
            file,
            path=f"workload.training.metrics.{ours}",
        )
        for ours, theirs in metrics.items()
        if theirs not in known
    ]
    if problems:
        raise InputError(problems)


def _record(match: Match, source: Source) -> Record:
    run, metrics = match.run, logged_names(match.arm.workload["training"]["metrics"])
    found = {ours: run.metrics[theirs] for ours, theirs in metrics.items() if theirs in run.metrics}
    absent = [theirs for theirs in metrics.values() if theirs not in run.metrics]
    endless = [ours for ours in found if _is_loss(ours) and not math.isfinite(found[ours])]
    curve = _curve({m: source.history(run, metrics[m]) for m in found})
    state, reason = State.COMPLETE, ""
    if absent:
        near = nearest(absent[0], run.metrics)
        state, reason = State.FAILED, f"the run {run.label} has no metric '{absent[0]}'{near}"
    elif endless:
        name = endless[0]
        state = State.DIVERGED
        reason = f"{metrics[name]} of the run {run.label} is {found[name]}"
    kind = match.arm.workload["training"]["name"]
    timed = {"seconds": run.ended - run.started} if run.ended else {}  # a table has no clock
    content = [run.id, run.params, {k: repr(v) for k, v in found.items()}, curve]
    workload = {
        **match.arm.workload,
        "run": {"id": run.id, "name": run.name, "seed": match.seed, "content": digest(content)},
    }
    return Record(
        Trial(workload, match.block, Phase.CONFIRMATION, "", _VERSIONS[kind]),
        state,
        reason,
        metrics={k: v for k, v in found.items() if state is State.COMPLETE},
        curve=tuple(curve),
        cost=timed | {"epochs": len(curve)},
        environment={"trained": _TRAINED[kind]},
        started=run.started,
        ended=run.ended,
    )


def _is_loss(metric: str) -> bool:
    return metric.rpartition(".")[2] == BUILT_IN["loss"].name


def _curve(histories: Mapping[str, Mapping[int, float]]) -> list[dict[str, float]]:
    """Join the histories of metrics that were logged more than once, by step."""
    told = {name: found for name, found in histories.items() if len(found) > 1}
    steps = sorted({step for found in told.values() for step in found})
    if len(steps) > MOST_POINTS:
        last = len(steps) - 1
        steps = [steps[round(i * last / (MOST_POINTS - 1))] for i in range(MOST_POINTS)]
    first = 1 if steps and steps[0] == 0 else 0  # epochs count from 1
    points: list[dict[str, float]] = []
    for step in steps:
        values = {
            m: found[step] for m, found in told.items() if math.isfinite(found.get(step, math.nan))
        }
        points.append({"epoch": step + first, **values})
    return points


def _assigned(match: Match, record: Record, known: Mapping[str, State]) -> AssignedRecord:
    id_ = record.trial_id
    phase = Phase.CONFIRMATION
    return AssignedRecord(match.arm.name, phase, None, {}, match.block, id_ in known, id_)
