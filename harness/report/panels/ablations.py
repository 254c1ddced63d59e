"""What each change is worth, in a design that makes one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from harness.evidence import Evidence, trained_alone
from harness.figures._labels import axis_label
from harness.formatting import ABSENT, estimate, level_text, p_text
from harness.levels import same_value
from harness.metrics import Metric
from harness.report.blocks import Block, Cell, Table, mean_cell, number_cell
from harness.report.panels.base import Panel
from harness.stats.hypotheses import Different, sign_flip_check
from harness.stats.intervals import t_interval
from harness.stats.multiplicity import holm
from harness.study import Arm

if TYPE_CHECKING:
    from harness.report.view import ProfileView


class Ablations(Panel):
    """What each change is worth, in a design that makes one at a time."""

    name = "ablations"
    title = "Ablations"
    order = 40

    def blocks(self, report: ProfileView) -> Sequence[Block | None]:
        """See `Panel`."""
        return (report.part("the table of ablations", ablations, report.evidence),)


def ablations(evidence: Evidence) -> Table | None:
    """Compare every arm that differs in one factor with the baseline arm, paired over seeds.

    Returns:
        None for a design that changes several factors at once, or without results of the baseline.
    """
    study, baseline = evidence.plan.study, evidence.plan.baseline
    others = [arm for arm in evidence.plan.arms if not arm.named and arm.name != baseline.name]
    metric = evidence.primary_metric
    known = evidence.plan.metric(metric)
    rows = evidence.confirmation
    if not study.design.change or not others or metric not in rows:
        return None
    table = rows.pivot_table(index="seed", columns="arm", values=metric)
    if baseline.name not in table:
        return None
    differences = {
        arm.name: (table[arm.name] - table[baseline.name]).dropna().to_numpy(dtype=float)
        for arm in others
        if arm.name in table
    }
    tested = [name for name, values in differences.items() if len(values) > 1]
    raw = [sign_flip_check(differences[name], Different(0.0))[0] for name in tested]
    corrected = list(holm(raw)) if raw else []
    p_values = dict(zip(tested, corrected, strict=True))
    times = _times(rows)
    itself = Cell(ABSENT, True, "it is what the others are compared with")
    own = mean_cell(table[baseline.name].dropna(), "", known)
    first = [Cell("the baseline arm"), own, itself, itself]
    timed = [] if times.empty else ["Training time, ratio"]
    better = {"minimize": "; lower is better", "maximize": "; higher is better", None: ""}
    return Table(
        "What each change is worth, one at a time",
        [
            study.design.change,
            axis_label(known),
            "Change",
            "p, corrected",
            *timed,
        ],
        [
            first + [Cell("1", True)] * len(timed),
            *(
                _row(arm, baseline, (table, known), differences, (p_values, times))
                for arm in others
            ),
        ],
        f"Baseline arm: {baseline.name}. Change: the arm minus the baseline, paired over seeds,"
        f" with its 95 % t interval{better[known.goal]}. p: exact sign-flip test of no change,"
        " corrected for these rows (Holm); it explores, and is no verdict on a claim."
        + (" Training time: of the seeds whose trials were trained alone." if timed else ""),
        name="ablations",
    )


def _times(rows: pd.DataFrame) -> pd.DataFrame:
    """Return training times by seed and arm; empty where trials have only shares of a pack's."""
    alone = rows[trained_alone(rows)]
    if "cost.seconds" not in alone or alone["arm"].nunique() < 2:
        return pd.DataFrame()
    return alone.pivot_table(index="seed", columns="arm", values="cost.seconds")


def _row(
    arm: Arm,
    baseline: Arm,
    measured: tuple[pd.DataFrame, Metric],
    differences: dict[str, np.ndarray],
    more: tuple[dict[str, float], pd.DataFrame],
) -> list[Cell]:
    (table, known), (p_values, times) = measured, more
    values = differences.get(arm.name, np.zeros(0))
    absent = "no seed is complete in both arms"
    cells = [
        Cell(_change(arm, baseline)),
        mean_cell(table.get(arm.name, pd.Series()).dropna(), absent, known),
    ]
    if len(values) > 1:
        mean, low, high = estimate(float(values.mean()), *t_interval(values))
        cells += [Cell(f"{mean} [{low}, {high}]", True), Cell(p_text(p_values[arm.name]), True)]
    else:
        cells += [Cell(ABSENT, True, absent)] * 2
    if times.empty:
        return cells
    if {arm.name, baseline.name} <= set(times):
        ratio = float(np.exp(np.log(times[arm.name] / times[baseline.name]).mean()))
        return [*cells, number_cell(ratio, "no seed of which both trials were trained alone")]
    return [*cells, Cell(ABSENT, True, "trained together with others, without a time of its own")]


def _change(arm: Arm, baseline: Arm) -> str:
    changed = [f for f in arm.levels if not same_value(arm.levels[f], baseline.levels[f])]
    return ", ".join(
        f"{factor} ({level_text(arm.levels[factor])} instead of "
        f"{level_text(baseline.levels[factor])})"
        for factor in changed
    )
