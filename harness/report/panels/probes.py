"""What probes measured, by arm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.evidence import Evidence
from harness.figures._labels import axis_label
from harness.report.blocks import Block, Cell, Fold, Table, mean_cell
from harness.report.panels.base import Panel

if TYPE_CHECKING:
    from harness.report.view import ProfileView


class Probes(Panel):
    """What probes measured, by arm."""

    name = "probes"
    title = "Probes"
    order = 70

    def blocks(self, report: ProfileView) -> Sequence[Block | None]:
        """See `Panel`."""
        table = report.part("the table of probes", probes, report.evidence)
        return (*report.figures(self.name), Fold(table.caption, [table])) if table else ()


def probes(evidence: Evidence) -> Table | None:
    """Return the probes of every arm that has any: means with intervals."""
    metrics = [name for name in evidence.trials.columns if name.startswith("probe.")]
    values = {metric: evidence.values_by_arm(metric) for metric in metrics}
    known = {metric: evidence.plan.metric(metric) for metric in metrics}
    rows = [
        [
            Cell(arm.name),
            *(
                mean_cell(values[m].get(arm.name), "not measured for this arm", known[m])
                for m in metrics
            ),
        ]
        for arm in evidence.plan.arms
        if any(arm.name in found for found in values.values())
    ]
    if not rows:
        return None
    columns = ["Arm", *(axis_label(metric) for metric in metrics)]
    note = evidence.only_of_the_rest.strip()
    return Table("Probes by arm, with 95 % t intervals", columns, rows, note, name="probes")
