"""The tables of a report, as plain cells that a page and a Markdown file both show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from harness.evidence import Evidence, trained_alone
from harness.figures._labels import axis_label, metric_name
from harness.plan import SIMPLE_BASELINE
from harness.stats.intervals import t_interval
from harness.trial import State
from harness.wording import ABSENT, capitalized, estimate, number, parameter_name, plural

SHARE = "share"
"""Marks a time that is a share of the time of trials that were trained together."""


@dataclass(frozen=True)
class Cell:
    """A text in a table; `reason` says why there is no number, `anchor` names the row."""

    text: str
    numeric: bool = False
    reason: str = ""


@dataclass(frozen=True)
class Table:
    """A table with a caption; the first cell of each row is its header."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    anchors: Sequence[str] = field(default_factory=tuple)

    @property
    def reasons(self) -> list[str]:
        """Why numbers are absent, each reason once."""
        found = [cell.reason for row in self.rows for cell in row if cell.reason]
        return list(dict.fromkeys(found))


def mean_cell(values: Any, absent: str) -> Cell:
    """Write a mean with its 95 % t interval, or say why there is none."""
    if values is None or not len(values):
        return Cell(ABSENT, True, absent)
    mean = float(np.mean(values))
    low, high = t_interval(values)
    if not math.isfinite(low):
        return Cell(number(mean, 4), True)
    shown = estimate(mean, low, high)
    return Cell(f"{shown[0]} [{shown[1]}, {shown[2]}]" if low < high else number(mean, 4), True)


def number_cell(value: float | None, absent: str, digits: int = 3) -> Cell:
    """Write a number, or say why there is none."""
    text = number(value, digits)
    return Cell(text, True, absent if text == ABSENT else "")


def best_arm(evidence: Evidence) -> str | None:
    """Return the arm with the best mean of the validation metric on the confirmation seeds.

    None without results, or where nothing says whether a low or a high one is better.
    """
    metric = evidence.validation_metric
    values = evidence.values_by_arm(metric)
    means = {a: float(v.mean()) for a, v in values.items() if a != SIMPLE_BASELINE}
    return evidence.plan.metric(metric).best(means)


def best_in_words(evidence: Evidence) -> str:
    """Name the best arm and its test result, beside the simple baseline's, in a sentence."""
    metric = evidence.primary_metric
    values, best = evidence.values_by_arm(metric), best_arm(evidence)
    if best is None or best not in values:
        return ""
    text = f"Best by validation: {best}, with a {metric_name(metric)} of {_mean(values[best])}"
    if SIMPLE_BASELINE in values:
        text += f"; the simple baseline has {_mean(values[SIMPLE_BASELINE])}"
    return text + "."


def _mean(values: Any) -> str:
    """Write a mean to the digits that its interval justifies."""
    mean = float(np.mean(values))
    return estimate(mean, *t_interval(values))[0] if len(values) > 1 else number(mean)


def leaderboard(evidence: Evidence) -> Table:
    """Return the simple baseline, the baseline arm and the best arm side by side."""
    best = best_arm(evidence)
    roles: dict[str, list[str]] = {}
    if SIMPLE_BASELINE in [arm.name for arm in evidence.plan.all_arms]:
        roles[SIMPLE_BASELINE] = ["simple baseline"]
    roles.setdefault(evidence.plan.baseline.name, []).append("baseline arm")
    if best is not None:
        roles.setdefault(best, []).append("best arm by validation")
    rows = [
        [Cell(capitalized(" and ".join(role))), Cell(arm), *_arm_cells(evidence, arm)]
        for arm, role in roles.items()
    ]
    metric = evidence.validation_metric
    unknown = evidence.plan.metric(metric).goal is None
    return Table(
        "Simple baseline, baseline arm and best arm",
        ["Role", "Arm", *_arm_columns(evidence)],
        rows,
        (
            f"Which arm is best is not said: the study declares no goal for {metric_name(metric)}."
            if unknown
            else "The best arm is the one with the best mean validation result, so that the test"
            " split chooses nothing."
        )
        + f" Brackets: 95 % t interval of the mean.{share_note(rows)}",
    )


def all_arms(evidence: Evidence) -> Table:
    """Return every arm with its results and the hyperparameters that its search chose."""
    paths = list(evidence.plan.study.search.space) if evidence.plan.study.search else []
    chosen = _chosen(evidence, paths)
    rows = []
    for arm in evidence.plan.all_arms:
        cells = [Cell(arm.name), *_arm_cells(evidence, arm.name)]
        for path in paths:
            values = chosen.get((arm.name, path))
            cells.append(
                Cell(", ".join(map(_setting, values)), True)
                if values
                else Cell(ABSENT, True, "not searched for this arm")
            )
        rows.append(cells)
    columns = ["Arm", *_arm_columns(evidence)]
    columns += [f"Chosen {parameter_name(path)}" for path in paths]
    note = share_note(rows).strip()
    return Table(f"All {plural(len(rows), 'arm')}", columns, rows, note)


def _arm_columns(evidence: Evidence) -> list[str]:
    return [
        axis_label(evidence.plan.metric(evidence.primary_metric)),
        axis_label(evidence.plan.metric(evidence.validation_metric)),
        "Seeds",
        "Parameters",
        "Seconds per trial",
    ]


def _arm_cells(evidence: Evidence, arm: str) -> list[Cell]:
    rows = evidence.confirmation
    rows = rows[rows["arm"] == arm]
    complete = rows[rows["state"] == State.COMPLETE.value]
    absent = _why_absent(rows)
    planned = max(evidence.plan.study.first_seeds, len(rows))
    cells = [
        mean_cell(values_of(complete, metric), absent)
        for metric in (evidence.primary_metric, evidence.validation_metric)
    ]
    seeds = f"{len(complete)}" if len(complete) == planned else f"{len(complete)} of {planned}"
    parameters = values_of(complete, "cost.parameters")
    return [
        *cells,
        Cell(seeds, True),
        Cell(f"{parameters[0]:,.0f}", True) if len(parameters) else Cell(ABSENT, True, absent),
        _seconds_cell(complete, absent),
    ]


def _seconds_cell(rows: pd.DataFrame, absent: str) -> Cell:
    """Write the median training time of the trials trained alone, or else of shares of packs."""
    own = values_of(rows[trained_alone(rows)], "cost.seconds")
    if len(own):
        return number_cell(float(np.median(own)), absent, 2)
    shares = values_of(rows, "cost.seconds")
    if not len(shares):
        return Cell(ABSENT, True, absent)
    return Cell(f"{number(float(np.median(shares)), 2)} ({SHARE})", True)


def share_note(rows: Sequence[Sequence[Cell]]) -> str:
    """Say what a share is, if a table has one."""
    if not any(cell.text.endswith(f"({SHARE})") for row in rows for cell in row):
        return ""
    return (
        f" Seconds marked “{SHARE}”: the trial was trained together with others; its seconds are"
        " an equal share of the time of all, and no time of its own."
    )


def values_of(rows: pd.DataFrame, column: str) -> Any:
    """Return the numbers of a column as an array; none if there is no such column."""
    return rows[column].dropna().to_numpy(dtype=float) if column in rows else np.zeros(0)


def _why_absent(rows: pd.DataFrame) -> str:
    if rows.empty:
        return "no trial of this arm has run"
    states = rows["state"].value_counts()
    ended = [f"{count} {state}" for state, count in states.items() if state != "complete"]
    return "not measured for this arm" if not ended else f"trials that ended: {', '.join(ended)}"


def _chosen(evidence: Evidence, paths: Sequence[str]) -> dict[tuple[str, str], list[Any]]:
    """Return the winning values by arm and path: one for each repetition of the search."""
    winners = evidence.confirmation.drop_duplicates(["arm", "candidate"])
    chosen: dict[tuple[str, str], list[Any]] = {}
    for path in paths:
        column = f"parameter.{path}"
        if column in winners:
            for arm, value in zip(winners["arm"], winners[column], strict=True):
                if pd.notna(value):
                    chosen.setdefault((str(arm), path), []).append(value)
    return chosen


def _setting(value: Any) -> str:
    return number(value) if isinstance(value, int | float) else str(value)


def probes(evidence: Evidence) -> Table | None:
    """Return the probes of every arm that has any: means with intervals."""
    metrics = [name for name in evidence.trials.columns if name.startswith("probe.")]
    values = {metric: evidence.values_by_arm(metric) for metric in metrics}
    rows = [
        [
            Cell(arm.name),
            *(mean_cell(values[m].get(arm.name), "not measured for this arm") for m in metrics),
        ]
        for arm in evidence.plan.arms
        if any(arm.name in found for found in values.values())
    ]
    if not rows:
        return None
    columns = ["Arm", *(axis_label(metric) for metric in metrics)]
    return Table("Probes by arm, with 95 % t intervals", columns, rows)


def failures(evidence: Evidence, lost: Sequence[tuple[str, int, str]]) -> Table | None:
    """Return what did not complete, grouped by arm, phase, state and reason, and lost attempts."""
    trials = evidence.trials
    ended = trials[trials["state"] != State.COMPLETE.value]
    rows = []
    for (arm, phase, state, reason), mine in ended.groupby(
        ["arm", "phase", "state", "reason"], sort=False
    ):
        seeds = ", ".join(str(seed) for seed in sorted(set(mine["seed"])))
        why = str(reason).strip().splitlines()[-1] if str(reason).strip() else "no reason recorded"
        if state == "missing":
            why = "it has no record: the run ended before it"
        rows.append(
            [Cell(str(arm)), Cell(str(phase)), Cell(str(state)), Cell(seeds, True), Cell(why)]
        )
    arms = dict(zip(trials["trial_id"], trials["arm"], strict=True))
    for trial_id, attempt, cause in lost:
        rows.append(
            [
                Cell(arms.get(trial_id, trial_id)),
                Cell(f"attempt {attempt}"),
                Cell("lost"),
                Cell(trial_id, True),
                Cell(cause),
            ]
        )
    if not rows:
        return None
    return Table(
        "Trials that did not complete, and attempts that were lost",
        ["Arm", "Phase", "Outcome", "Seeds or trial", "Reason"],
        rows,
    )
