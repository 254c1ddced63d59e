"""What a study cost, by phase, by arm and by claim, beside what was forecast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.evidence import Evidence
from harness.formatting import ABSENT, amount, plural, seconds
from harness.report.blocks import Block, Cell, Facts, Fold, Table, values_of
from harness.report.panels.base import Panel
from harness.report.settings import when
from harness.study.prices import Prices
from harness.trial import COSTS, SECONDS, Phase

if TYPE_CHECKING:
    from harness.report.view import ProfileView

_TITLES = {SECONDS: "Worker time", "gpu_seconds": "GPU time", "joules": "Energy"}
_OF = {SECONDS: " of one worker", "gpu_seconds": " of a GPU", "joules": ""}


class Cost(Panel):
    """What the study cost, by phase and by arm, beside what was forecast."""

    name = "cost"
    title = "Cost"
    order = 100

    def blocks(self, report: ProfileView) -> Sequence[Block | None]:
        """See `Panel`."""
        evidence = report.evidence
        ran = report.part("the facts of the execution", lambda: Facts(execution(evidence)))
        arms = report.part("the table of costs by arm", by_arm, evidence)
        return (
            ran,
            report.part("the table of costs", by_phase, evidence),
            Fold(arms.caption, [arms]) if arms else None,
        )


def execution(evidence: Evidence) -> list[tuple[str, str]]:
    """Say when the execution ran, how it ended, and how much of it was already there."""
    execution = evidence.execution
    reused = int(evidence.trials["reused"].sum())
    took = seconds(execution.wall_seconds) if execution.wall_seconds is not None else "not known"
    if reused:
        took += f" (with {reused:,} of {plural(len(evidence.trials), 'result')} already at hand)"
    spent = in_words(evidence)
    return [
        ("Execution", f"number {execution.id}, {execution.status}"),
        ("Started", when(execution.started)),
        ("Took", took),
        *([("Its trials took", spent)] if spent else []),
        *([("All its trials cost", cost)] if (cost := bill_in_words(evidence)) else []),
    ]


def by_phase(evidence: Evidence) -> Table:
    """Return trials and training seconds by phase; each distinct trial counts once."""
    rows = []
    trials = _distinct(evidence.trials)
    units = _sensed(trials)
    for phase in Phase:
        mine = trials[trials["phase"] == phase.value]
        if len(mine):
            rows.append(_phase_row(phase.value.capitalize(), mine, units))
    rows.append(_phase_row("Together", trials, units))
    columns = ["Phase", "Distinct trials", "Taken from earlier records", "Training time", "Steps"]
    return Table(
        "Cost by phase",
        [*columns, *(_TITLES[unit] for unit in units)],
        rows,
        "Training time is that of the trials that ended, wherever and whenever they ran; loading,"
        " evaluation and probes are not in it, but all that a timing block does is. Of trials that"
        " were trained together each has its share, so that sums are right, and single trials have"
        " no time of their own.",
        name="costs",
    )


def _phase_row(name: str, rows: pd.DataFrame, units: Sequence[str]) -> list[Cell]:
    spent, steps = _time(rows), values_of(rows, "cost.steps")
    return [
        Cell(name),
        Cell(f"{len(rows):,}", True),
        Cell(f"{int(rows['reused'].sum()):,}", True),
        Cell(seconds(float(spent.sum())), True)
        if len(spent)
        else Cell(ABSENT, True, "no trial has ended with a measured time"),
        Cell(f"{steps.sum():,.0f}", True)
        if len(steps)
        else Cell(ABSENT, True, "no trial of this phase counts steps"),
        *(_sum_cell(rows, unit) for unit in units),
    ]


def by_arm(evidence: Evidence) -> Table | None:
    """Return what each arm cost, beside the forecast of what this execution ran, if there is one.

    None for records of before there were forecasts, of which no sensor measured anything.
    """
    trials = _distinct(evidence.trials)
    forecast, units = forecast_of(evidence), _sensed(trials)
    if not _is_newer(evidence) and not units:
        return None
    shown = [SECONDS, *units]
    expected = [u for u in COSTS if any(u in costs for costs in forecast.values())]
    rows = []
    for name in [*evidence.plan.stages, *(arm.name for arm in evidence.plan.all_arms)]:
        mine = trials[trials["arm"] == name]
        ran = mine[~mine["reused"].astype(bool)]
        cells = [Cell(name), Cell(f"{len(mine):,}", True), *(_sum_cell(mine, u) for u in shown)]
        for unit in expected:
            value = forecast.get(name, {}).get(unit)
            cells.append(_amount_cell(unit, value, "nothing was left to run"))
            cells.append(_sum_cell(ran, unit))
        rows.append(cells)
    columns = ["Arm", "Distinct trials", *(_TITLES[unit] for unit in shown)]
    for unit in expected:
        columns += [f"{_TITLES[unit]}, forecast", f"{_TITLES[unit]}, this run"]
    return Table(
        "Cost by arm",
        columns,
        rows,
        "Search and confirmation together. Worker time is how long a worker was held, loading,"
        " evaluation and probes included; of trials that were trained together each has its share."
        + (" The forecast is of what this run had to do, made when it began." if expected else ""),
        name="costs-by-arm",
    )


def in_words(evidence: Evidence) -> str:
    """Say what the trials of this execution cost, beside the forecast; empty for older records."""
    forecast = forecast_of(evidence)
    trials = _distinct(evidence.trials)
    ran = trials[~trials["reused"].astype(bool)]
    parts = []
    for unit in COSTS:
        expected = sum(costs[unit] for costs in forecast.values() if unit in costs)
        spent = _total(ran, unit)
        if spent is not None and (unit != SECONDS or _is_newer(evidence)):
            beside = f" (forecast: {amount(unit, expected)})" if expected else ""
            parts.append(f"{amount(unit, spent)}{_OF[unit]}{beside}")
    return ", ".join(parts)


def bill_in_words(evidence: Evidence) -> str:
    """Say what all trials come to at the prices that held when the execution began.

    Empty where there were none, or where a trial does not know how long it held its devices.
    """
    noted = evidence.execution.context.get("prices")
    declared = evidence.plan.study.prices
    prices = Prices.model_validate(noted) if noted else declared
    trials = _distinct(evidence.trials)
    held = _total(trials, SECONDS)
    if prices is None or held is None:
        return ""
    bill = str(prices.bill(evidence.plan.study.resources, held, _total(trials, "joules")))
    rate = prices.device_hour
    at = "" if rate is None else f", at {rate:g} {prices.currency} for an hour of a device"
    return f"{bill}{at}" if bill else ""


def of_claim(evidence: Evidence, trial_ids: Sequence[str]) -> tuple[str, str]:
    """Return the time of the trials behind a claim, and their energy if all know it."""
    trials = _distinct(evidence.trials)
    mine = trials[trials["trial_id"].isin(list(trial_ids))]
    trained, joules = _time(mine), _total(mine, "joules")
    text = seconds(float(trained.sum()) if len(trained) else None)
    return text, "" if joules is None else amount("joules", joules)


def forecast_of(evidence: Evidence) -> Mapping[str, Mapping[str, float]]:
    """Return what was forecast when the execution began, by arm; empty if that is not known."""
    found: Mapping[str, Mapping[str, float]] = evidence.execution.context.get("forecast", {})
    return found


def _is_newer(evidence: Evidence) -> bool:
    """Whether the execution began with a forecast, which is empty if nothing had been measured."""
    return "forecast" in evidence.execution.context


def _distinct(trials: pd.DataFrame) -> pd.DataFrame:
    return trials.drop_duplicates("trial_id")


def _sensed(trials: pd.DataFrame) -> list[str]:
    """Return the costs that need a sensor or a device and were measured for any trial."""
    return [unit for unit in COSTS if unit != SECONDS and f"spent.{unit}" in trials]


def _time(rows: pd.DataFrame) -> NDArray[np.float64]:
    """Return the training time of each trial that has one; of timing blocks, that of the block."""
    timed = rows["phase"] == Phase.TIMING.value
    of_blocks = values_of(rows[timed], f"spent.{SECONDS}")
    return np.concatenate([values_of(rows[~timed], "cost.seconds"), of_blocks])


def _total(rows: pd.DataFrame, unit: str) -> float | None:
    """Return a sum over trials, None if there are none or any of them does not know it."""
    values = rows.get(f"spent.{unit}")
    if values is None or not len(values) or values.isna().any():
        return None
    return float(values.sum())


def _sum_cell(rows: pd.DataFrame, unit: str) -> Cell:
    if not len(rows):
        return Cell(ABSENT, True, "no trial was run")
    return _amount_cell(unit, _total(rows, unit), "not measured in every trial")


def _amount_cell(unit: str, value: float | None, absent: str) -> Cell:
    return Cell(ABSENT, True, absent) if value is None else Cell(amount(unit, value), True)
