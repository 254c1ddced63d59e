"""What the searches found, and how much each searched hyperparameter mattered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from harness.evidence import Evidence
from harness.figures._labels import metric_name
from harness.formatting import ABSENT, capitalized, listed, parameter_name
from harness.report.blocks import Block, Cell, Table
from harness.report.panels.base import Panel
from harness.search import importances
from harness.search.importance import MOST
from harness.trial import Phase

if TYPE_CHECKING:
    from harness.report.view import ProfileView

_MOST_NAMED = 4
_Candidates = list[tuple[Mapping[str, Any], float]]


class Search(Panel):
    """What the searches found, and how much each searched hyperparameter mattered."""

    name = "search"
    title = "Search"
    order = 90

    def blocks(self, report: ProfileView) -> Sequence[Block | None]:
        """See `Panel`."""
        table = report.part("the table of importance", importance, report.evidence)
        return (*report.figures(self.name), table)


def importance(evidence: Evidence) -> Table | None:
    """Divide the variance of the validation metric among the searched settings, by kinds of arm.

    Arms that were searched over the same settings are pooled, each less its own mean, so that a
    difference between arms counts for no setting. None where no arm has two settings or more.
    """
    search, metric = evidence.plan.study.search, evidence.validation_metric
    if search is None or metric not in evidence.trials:
        return None
    paths = [path for path in search.space if f"parameter.{path}" in evidence.trials]
    rows = [
        _row(arms, found, metric_name(metric), paths)
        for arms, found in _pools(evidence, metric, paths)
    ]
    if not rows:
        return None
    return Table(
        "Importance of the searched hyperparameters",
        ["Arms", "Candidates", *(capitalized(parameter_name(path)) for path in paths)],
        rows,
        f"Share of the variance of {metric_name(metric)} over the searched ranges that each"
        " setting explains alone (functional ANOVA on a random forest, Hutter et al. 2014)."
        " Candidates that did not complete are left out; with few candidates the shares are rough."
        f" Of more than {MOST} candidates so many are drawn at random.",
        name="importance",
    )


def _pools(
    evidence: Evidence, metric: str, paths: list[str]
) -> Iterator[tuple[list[str], tuple[dict[str, Any], _Candidates]]]:
    """Yield the arms that share at least two settings, with these and their candidates."""
    trials = evidence.trials
    rows = trials[(trials["phase"] == Phase.SEARCH.value) & (trials["state"] == "complete")]
    rows = rows[rows[metric].notna()]  # arms of another task have another metric
    pools: dict[tuple[str, ...], tuple[list[str], dict[str, Any], _Candidates]] = {}
    for arm in evidence.plan.arms:
        space, mine = evidence.plan.space(arm), rows[rows["arm"] == arm.name]
        if space is None or len(mine) == 0:
            continue
        columns = {f"parameter.{path}": "first" for path in paths}
        candidates = mine.groupby("candidate").agg({**columns, metric: "mean"})
        for own, part in _by_settings(candidates, [p for p in paths if p in space.dimensions]):
            if len(own) > 1:
                arms, dimensions, tried = pools.setdefault(
                    own, ([], {path: space.dimensions[path] for path in own}, [])
                )
                arms.append(arm.name)
                tried += _less_mean(part, own, metric)
    for arms, dimensions, tried in pools.values():
        yield arms, (dimensions, tried)


def _by_settings(
    candidates: pd.DataFrame, paths: list[str]
) -> Iterator[tuple[tuple[str, ...], pd.DataFrame]]:
    """Split candidates by the settings that they have: some are asked under a condition."""
    present = candidates[[f"parameter.{path}" for path in paths]].notna()
    for flags, part in candidates.groupby([present[column] for column in present]):
        yield tuple(path for path, there in zip(paths, flags, strict=True) if there), part


def _less_mean(rows: pd.DataFrame, paths: tuple[str, ...], metric: str) -> _Candidates:
    centred = rows[metric] - rows[metric].mean()
    settings = rows[[f"parameter.{path}" for path in paths]].to_dict("records")
    return [
        ({path: row[f"parameter.{path}"] for path in paths}, float(value))
        for row, value in zip(settings, centred, strict=True)
    ]


def _row(
    arms: list[str], found: tuple[dict[str, Any], _Candidates], metric: str, paths: list[str]
) -> list[Cell]:
    dimensions, tried = found
    shares = importances(dimensions, tried)
    named = arms[:_MOST_NAMED] + ([f"{len(arms) - _MOST_NAMED} more"] if arms[_MOST_NAMED:] else [])
    cells = [Cell(listed(named)), Cell(str(len(tried)), True)]
    for path in paths:
        if path not in dimensions:
            cells.append(Cell(ABSENT, True, "not searched for these arms"))
        elif shares is None:
            cells.append(Cell(ABSENT, True, f"too few candidates differ in {metric}"))
        else:
            cells.append(Cell(f"{100 * shares[path]:.0f} %", True))
    return cells
