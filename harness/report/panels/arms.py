"""The arms: the simple baseline, the baseline and the best, and all of them with their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from harness.evidence import Compared, Evidence, trained_alone
from harness.figures._labels import axis_label, metric_name
from harness.formatting import (
    ABSENT,
    as_file_name,
    capitalized,
    number,
    parameter_name,
    plural,
)
from harness.plan import is_simple_baseline
from harness.report.blocks import (
    SHARE,
    Block,
    Cell,
    Fold,
    Heading,
    Table,
    mean_cell,
    number_cell,
    share_note,
    values_of,
)
from harness.report.panels.base import Panel
from harness.trial import State

if TYPE_CHECKING:
    from harness.report.view import ProfileView


class Arms(Panel):
    """Simple baseline, baseline and best arm, and all arms with their numbers."""

    name = "arms"
    title = "Arms"
    contents = "Arms and leaderboard"
    order = 30

    def blocks(self, report: ProfileView) -> Sequence[Block | None]:
        """See `Panel`."""
        ranked = report.evidence.plan.study.datasets is not None  # by the leaderboards over data
        made = None if ranked else report.part("the leaderboard", leaderboards, report.evidence)
        boards = made or []
        every = report.part("the table of all arms", all_arms, report.evidence)
        return (
            *report.figures(self.name),
            Heading("Leaderboard") if boards else None,
            *(board for board in boards if board.rows),
            Fold(f"{every.caption} with their numbers", [every]) if every else None,
        )


def leaderboards(evidence: Evidence) -> list[Table]:
    """Return simple baseline, baseline arm and best arm side by side, a table for each test set."""
    groups = evidence.compared
    return [leaderboard(evidence, group, len(groups) > 1) for group in groups]


def leaderboard(evidence: Evidence, group: Compared, several: bool) -> Table:
    """Return the simple baseline, the baseline arm and the best arm of one test set."""
    roles: dict[str, list[str]] = {}
    simple = [arm for arm in group.arms if is_simple_baseline(arm)]
    roles |= {arm: ["simple baseline"] for arm in simple}
    if evidence.plan.baseline.name in group.arms:
        roles.setdefault(evidence.plan.baseline.name, []).append("baseline arm")
    best = evidence.best_among(group.arms)
    if best is not None:
        only = several and set(group.arms) <= {best, *simple}
        roles.setdefault(best, []).append("only arm" if only else "best arm by validation")
    rows = [
        [Cell(capitalized(" and ".join(role))), Cell(arm), *_arm_cells(evidence, arm)]
        for arm, role in roles.items()
    ]
    return Table(
        "Simple baseline, baseline arm and best arm" + (f": {group.label}" if several else ""),
        ["Role", "Arm", *_arm_columns(evidence)],
        rows,
        _leaderboard_note(evidence) + f"{evidence.only_of_the_rest}{share_note(rows)}",
        name="leaderboard" + (f"-{as_file_name(group.label)}" if several else ""),
    )


def _leaderboard_note(evidence: Evidence) -> str:
    metric = evidence.validation_metric
    if evidence.plan.metric(metric).goal is None:
        said = (
            f"Which arm is best is not said: the study declares no goal for {metric_name(metric)}."
        )
    else:
        said = (
            "The best arm is the one with the best mean validation result, so that the test split"
            " chooses nothing."
        )
    return f"{said} Brackets: 95 % t interval of the mean."


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
    note = f"{evidence.only_of_the_rest}{share_note(rows)}".strip()
    return Table(f"All {plural(len(rows), 'arm')}", columns, rows, note, name="arms")


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
        mean_cell(values_of(complete, metric), absent, evidence.plan.metric(metric))
        for metric in (evidence.primary_metric, evidence.validation_metric)
    ]
    seeds = f"{len(complete)}" if len(complete) == planned else f"{len(complete)} of {planned}"
    parameters = sizes_in_words(complete, evidence, arm)
    return [
        *cells,
        Cell(seeds, True),
        Cell(parameters, True) if parameters else Cell(ABSENT, True, absent),
        _seconds_cell(complete, absent),
    ]


def sizes_in_words(rows: pd.DataFrame, evidence: Evidence, arm: str) -> str:
    """Write how many parameters an arm's network has, with an adapter also how many are trained.

    Empty if no record of the rows says it.
    """
    parameters = values_of(rows, "cost.parameters")
    if not len(parameters):
        return ""
    models = [one.workload["model"] for one in evidence.plan.arms if one.name == arm]
    trained = values_of(rows, "cost.trained_parameters")
    adapted = len(trained) and any(model.get("adapter") for model in models)
    whole = f"{parameters[0]:,.0f}"
    return f"{whole} ({trained[0]:,.0f} trained)" if adapted else whole


def _seconds_cell(rows: pd.DataFrame, absent: str) -> Cell:
    """Write the median training time of the trials trained alone, or else of shares of packs."""
    own = values_of(rows[trained_alone(rows)], "cost.seconds")
    if len(own):
        return number_cell(float(np.median(own)), absent, 2)
    shares = values_of(rows, "cost.seconds")
    if not len(shares):
        return Cell(ABSENT, True, absent)
    return Cell(f"{number(float(np.median(shares)), 2)} ({SHARE})", True)


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
