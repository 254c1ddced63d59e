"""The confirmation trials one by one: on the page of the report, or on pages of their own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from harness.evidence import Evidence
from harness.figures._labels import metric_name
from harness.formatting import capitalized, number, parameter_name
from harness.report.blocks import SHARE, Cell, Table, number_cell, share_note

MOST_ON_THE_REPORT = 100
"""More trials than this get pages of their own, so that the report opens fast."""
MOST_ON_A_PAGE = 500
MOST_LINKS = 40
"""A claim with more trials than this names them by arm."""
FOLDER = "trials"


@dataclass(frozen=True)
class ArmLink:
    """The trials of one arm behind a claim: how many, and where the first of them stands."""

    arm: str
    count: int
    address: str


class TrialList:
    """Every confirmation trial of a profile, arm by arm, each with an address.

    Args:
        evidence: of the profile.
        profile: name of the profile, which starts the anchors and names the pages.
    """

    def __init__(self, evidence: Evidence, profile: str):
        self._evidence, self._profile = evidence, profile
        rows = evidence.confirmation
        order = {arm.name: place for place, arm in enumerate(evidence.plan.all_arms)}
        rows = rows.assign(place=rows["arm"].map(order)) if len(rows) else rows
        self._rows = rows.sort_values(["place", "seed"], kind="stable") if len(rows) else rows

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def apart(self) -> bool:
        """Whether the trials stand on pages of their own."""
        return len(self) > MOST_ON_THE_REPORT

    @cached_property
    def tables(self) -> list[Table]:
        """The trials as one table, or as one for each page."""
        size = MOST_ON_A_PAGE if self.apart else max(len(self), 1)
        starts = range(0, len(self), size)
        return [self._table(self._rows.iloc[start : start + size]) for start in starts]

    @cached_property
    def addresses(self) -> dict[str, str]:
        """Where each trial stands, as seen from the report, by trial id."""
        found: dict[str, str] = {}
        for index, table in enumerate(self.tables):
            page = self.page_name(index) if self.apart else ""
            for anchor in filter(None, table.anchors):
                found.setdefault(anchor.removeprefix(self._prefix), f"{page}#{anchor}")
        return found

    def page_name(self, index: int) -> str:
        """Name the page of the table with this index, as seen from the report."""
        return f"{FOLDER}/{self._profile}-{index + 1}.html"

    def by_arm(self, trials: Sequence[str]) -> list[ArmLink]:
        """Group the trials behind a claim by arm, in planned order."""
        wanted = set(trials)
        mine = self._rows[self._rows["trial_id"].isin(wanted)].drop_duplicates("trial_id")
        counts = Counter(mine["arm"])
        first = mine.drop_duplicates("arm").set_index("arm")["trial_id"]
        return [ArmLink(arm, counts[arm], self.addresses[first[arm]]) for arm in counts]

    @property
    def _prefix(self) -> str:
        return f"{self._profile}-trial-"

    @cached_property
    def _parameters(self) -> list[str]:
        search = self._evidence.plan.study.search
        paths = list(search.space) if search is not None else []
        return [path for path in paths if f"parameter.{path}" in self._rows]

    def _table(self, rows: pd.DataFrame) -> Table:
        metrics = [self._evidence.primary_metric, self._evidence.validation_metric]
        seen: set[str] = set()
        anchors = []
        for trial_id in rows["trial_id"]:  # arms may share a trial
            anchors.append("" if trial_id in seen else f"{self._prefix}{trial_id}")
            seen.add(trial_id)
        cells = [self._cells(row, metrics) for row in rows.to_dict("records")]
        return Table(
            "Confirmation trials: the evidence",
            ["Trial", "Arm", "Seed", "State", *(capitalized(metric_name(m)) for m in metrics),
             *(capitalized(parameter_name(path)) for path in self._parameters),
             "Epoch chosen", "Seconds"],
            cells,
            f"The command “harness trial ID” shows one of them in full.{share_note(cells)}",
            tuple(anchors),
        )  # fmt: skip

    def _cells(self, row: dict[Any, Any], metrics: Sequence[str]) -> list[Cell]:
        complete = row["state"] == "complete"
        absent = "not measured" if complete else f"{row['state']}: {row['reason']}"
        epoch = row.get("selected_epoch")
        return [
            Cell(row["trial_id"]),
            Cell(row["arm"]),
            Cell(str(row["seed"]), True),
            Cell(row["state"]),
            *(number_cell(row.get(metric), absent, 4) for metric in metrics),
            *(_setting(row.get(f"parameter.{path}")) for path in self._parameters),
            number_cell(epoch, absent if not complete else "no epoch was chosen", 6),
            _seconds(row, absent),
        ]


def _seconds(row: dict[Any, Any], absent: str) -> Cell:
    cell = number_cell(row.get("cost.seconds"), absent, 2)
    shared = row.get("cost.pack_size", 1.0) > 1
    return Cell(f"{cell.text} ({SHARE})", True) if shared and not cell.reason else cell


def _setting(value: Any) -> Cell:
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return Cell("–", True, "not searched for this arm")
    return Cell(number(value) if isinstance(value, int | float) else str(value), True)
