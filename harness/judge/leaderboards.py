"""From the evidence of a benchmark to its leaderboards, one for each metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from harness.data import data_of
from harness.errors import InputError
from harness.evidence import Evidence
from harness.formatting import level_text, listed, listed_some, plural
from harness.plan import SIMPLE_BASELINE
from harness.ranking.leaderboard import Leaderboard, Trained, complete, leaderboard
from harness.ranking.table_file import ScoreTable
from harness.study import Arm
from harness.study.benchmark_checks import (
    SECONDS_TO_TARGET,
    STEP_SECONDS,
    STEPS_TO_TARGET,
    data_of_levels,
    ranked_by,
)
from harness.study.generalize_checks import same_data
from harness.workloads import summary


def leaderboards(evidence: Evidence) -> list[Leaderboard]:
    """Judge a benchmark; empty for any other design, and while trials have not been run.

    The error rate of the study is shared by its leaderboards.

    Raises:
        InputError: if no data set is left to be ranked over.
    """
    study = evidence.plan.study
    if study.datasets is None or not_run(evidence):
        return []
    metrics = ranked_by(study, _designed(evidence))
    return [_leaderboard(evidence, metric, study.alpha / len(metrics)) for metric in metrics]


def not_run(evidence: Evidence) -> int:
    """Return how many trials of the leaderboard have not been run; they are no failures."""
    rows = _rows(evidence)
    study = evidence.plan.study
    planned = len(_designed(evidence)) * study.first_seeds
    ended = int((rows["state"] != "missing").sum())
    if study.timing is not None and SECONDS_TO_TARGET in study.design.metrics:
        planned += len(_designed(evidence)) * study.timing.blocks
        blocks = evidence.timing
        named = [arm.name for arm in _designed(evidence)]
        ended += int((blocks["arm"].isin(named) & (blocks["state"] != "missing")).sum())
    return planned - ended


def _designed(evidence: Evidence) -> list[Arm]:
    return [arm for arm in evidence.plan.arms if not arm.named]


def _rows(evidence: Evidence) -> pd.DataFrame:
    """Return the confirmation trials of the methods on the seeds that all of them have."""
    study = evidence.plan.study
    rows = evidence.confirmation
    named = {arm.name for arm in _designed(evidence)}
    return rows[rows["arm"].isin(named) & (rows["seed"] < study.first_seed + study.first_seeds)]


def _leaderboard(evidence: Evidence, metric: str, alpha: float) -> Leaderboard:
    study = evidence.plan.study
    measured = STEPS_TO_TARGET if metric == SECONDS_TO_TARGET else metric
    known = evidence.plan.metric(measured)
    if known.goal is None:
        raise InputError(f"nothing says whether a low or a high {metric} is better")
    table, failed = _table(evidence, metric)
    scores, _ = complete(table, known.goal, study.design.failures)
    gone = [name for name in table.datasets if name not in scores.datasets]
    notes = [_failures(failed, gone)] if failed else []
    trained = _trained(evidence, metric)
    notes += _against_simple(trained, scores, known.sign)
    data = data_of_levels(study, _designed(evidence))
    notes += [
        f"{listed(twins)} have the same data and other networks, so that they are not independent "
        "of each other as data sets are"
        for twins in same_data(data)
    ]
    board = leaderboard(scores, metric, known.goal, alpha, notes, _unknown(evidence))
    return replace(board, trained=trained)


def _table(evidence: Evidence, metric: str) -> tuple[ScoreTable, list[str]]:
    """Return the scores as a table with gaps where trials failed, and which these are.

    Where searches are repeated, the seeds that share a winner are one run: their mean.
    """
    study, rows = evidence.plan.study, _rows(evidence)
    table = ScoreTable(study.study, with_seeds=True)
    repeats = study.search.repeats if study.search is not None else 1
    failed = []
    for arm in _designed(evidence):
        method, dataset = (
            level_text(arm.levels[factor])
            for factor in (study.design.methods, study.design.datasets)
        )
        for known, name in ((table.methods, method), (table.datasets, dataset)):
            if name not in known:
                known.append(name)
        mine = rows[rows["arm"] == arm.name]
        values = _values(evidence, mine, metric)
        failed += [f"{method} on {dataset}"] * int(values.isna().sum())
        turns = (mine["seed"] - study.first_seed) % repeats if repeats > 1 else mine["seed"]
        runs = values.groupby(turns).agg(lambda run: run.mean(skipna=False))
        table.cells[method, dataset] = {
            str(seed): None if np.isnan(value) else float(value) for seed, value in runs.items()
        }
    return table, failed


def _values(evidence: Evidence, rows: pd.DataFrame, metric: str) -> pd.Series:
    """Return a metric of the trials of an arm; NaN where a trial failed or does not have it."""
    factor = 1.0
    if metric == SECONDS_TO_TARGET:
        blocks, metric = evidence.timing, STEPS_TO_TARGET
        mine = blocks[blocks["arm"].isin(rows["arm"])]
        factor = float(mine[STEP_SECONDS].median()) if STEP_SECONDS in mine else np.nan
    if metric not in rows:
        return pd.Series(np.nan, index=rows.index)
    return factor * rows[metric].where(rows["state"] == "complete")


def _failures(failed: Sequence[str], gone: Sequence[str]) -> str:
    who = listed_some([f"{name} ({failed.count(name)})" for name in dict.fromkeys(failed)])
    verb = "has" if len(failed) == 1 else "have"
    rule = (
        f"left out is {listed_some(gone)}, so that nothing is said of data sets on which a method "
        "fails" if gone else "each counts as the worst score of its data set, level with who has it"
    )  # fmt: skip
    return f"{plural(len(failed), 'trial')} {verb} no score (failed, diverged, or without it): " + (
        f"{who}; {rule}, as the study declares"
    )


def _trained(evidence: Evidence, metric: str) -> Trained:
    study, means = evidence.plan.study, evidence.values_by_arm(metric)
    simple = {}
    for arm in evidence.plan.all_arms:
        dataset = arm.name.removeprefix(f"{SIMPLE_BASELINE} on ")
        if dataset != arm.name and len(means.get(arm.name, ())):
            name = str(arm.workload["model"]["name"])
            simple[dataset] = (name, float(means[arm.name].mean()))
    spent: dict[str, list[float]] = {}
    seconds = evidence.values_by_arm("cost.seconds")
    for arm in _designed(evidence):
        taken = seconds.get(arm.name, np.zeros(0))
        spent.setdefault(level_text(arm.levels[study.design.methods]), []).append(
            float(np.log(taken.mean())) if len(taken) and taken.mean() > 0 else np.nan
        )
    costs = {method: float(np.exp(np.mean(logs))) for method, logs in spent.items()}
    data = data_of_levels(study, _designed(evidence))
    return Trained(
        simple,
        {method: cost for method, cost in costs.items() if np.isfinite(cost)},
        {level: size for level, settings in data.items() if (size := _size(settings)) is not None},
    )


def _size(settings: Mapping[str, Any]) -> tuple[int, int, int] | None:
    """Return examples, inputs and classes; None for data that are not known here."""
    try:
        form = data_of(settings).form
        classes = form.outputs if form.kind != "numbers" else 0
        return summary(settings).examples, int(np.prod(form.shape)), classes
    except Exception:  # such as data of a package that is not installed here; it is only said
        return None


def _against_simple(trained: Trained, scores: Any, sign: int) -> list[str]:
    """Say on which data sets no method has a better mean than the simple baseline."""
    behind = [
        f"{dataset} ({trained.simple[dataset][0].replace('_', ' ')})"
        for j, dataset in enumerate(scores.datasets)
        if dataset in trained.simple
        and scores.means[:, j].max() <= sign * trained.simple[dataset][1]
    ]
    if not behind:
        return []
    return [f"no method has a better mean than the simple baseline on {listed_some(behind)}"]


def _unknown(evidence: Evidence) -> list[str]:
    """Say what such records cannot tell."""
    search, found = evidence.plan.study.search, []
    if search is None:
        found.append("nothing was tuned: this ranks settings as much as methods")
    elif search.repeats == 1:
        found.append(
            "each method was tuned once on each data set, so that the luck of tuning is in none of "
            "the intervals over seeds; with “search.repeats” it is"
        )
    found.append("whether these data sets are a fair sample of others nobody can compute")
    return found
