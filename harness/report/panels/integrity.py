"""What deviated from the plan, and what was looked for that could weaken the verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.integrity import FINE, NOTED
from harness.report.blocks import Block, Cell, Items, Table, Text
from harness.report.panels.base import Panel

if TYPE_CHECKING:
    from harness.report.view import ProfileView

_SYMBOLS = {FINE: "✓", NOTED: "⚠"}


class Integrity(Panel):
    """What deviated from the plan, and what was looked for that could weaken the verdicts."""

    name = "integrity"
    title = "Deviations from the plan, and integrity"
    contents = "Deviations and integrity"
    order = 120

    def blocks(self, report: ProfileView) -> Sequence[Block | None]:
        """See `Panel`."""
        checks = report.result.checks
        if not checks:
            return (Text("It was not checked."),)
        noted = [says for check in checks if check.outcome == NOTED for says in check.says]
        rows = [
            [
                Cell(check.title),
                Cell(f"{_SYMBOLS.get(check.outcome, '–')} {check.outcome}",
                     tone="outcome noted" if check.outcome == NOTED else "outcome"),
                Cell(" ".join(check.says)),
            ]
            for check in checks
        ]  # fmt: skip
        return (
            Items(noted) if noted else Text("Nothing deviated from the plan."),
            Table(
                "What was looked for that could weaken the verdicts, and what was found",
                ["Looked for", "Outcome", "Found"],
                rows,
                name="checks",
            ),
        )
