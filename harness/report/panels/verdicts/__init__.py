"""Every claim with its verdict, its numbers, and the way down to its trials."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.formatting import ABSENT, p_text, with_minus
from harness.judged import Part, Verdict
from harness.report.blocks import Block, Cell, Form, Table, Text
from harness.report.panels.base import Panel
from harness.report.trials import MOST_LINKS
from harness.report.verdicts import effect, interval, measured

if TYPE_CHECKING:
    from harness.report.view import ProfileView

_FOLDER = Path(__file__).parent


class Verdicts(Panel):
    """Every claim with its verdict, its numbers, and the way down to its trials."""

    name = "verdicts"
    title = "Verdicts"
    order = 10

    def blocks(self, report: ProfileView) -> Sequence[Block | None]:
        """See `Panel`."""
        verdicts = report.result.verdicts
        if not verdicts:
            return (Text("The study makes no claims."),)
        html, markdown = ((_FOLDER / f"verdicts.{kind}").read_text() for kind in ("html", "md"))
        values = {
            "rows": verdicts,
            "why": report.result.provenance.discussions,
            "trials": report.trials,
            "most_links": MOST_LINKS,
        }
        return (Form(html, markdown, values, _table(verdicts)),)


def _table(verdicts: Sequence[Verdict]) -> Table:
    """Return the verdicts as a table: a row for each claim, and one for each part of it."""
    cells = []
    for row in verdicts:
        seeds = Cell(row.counted if row.seeds else ABSENT, True)
        if not row.parts:
            cells.append([*_cells(row, row.says), seeds, Cell(row.scope.words)])
            continue
        nothing = [Cell(ABSENT, True) for _ in range(4)]
        whole = [Cell(row.says), Cell(row.words), Cell("all parts"), *nothing]
        cells.append([*whole, seeds, Cell(row.scope.words)])
        cells += [
            [*_cells(part, f"Part {place}"), Cell(ABSENT, True), Cell(part.missing)]
            for place, part in enumerate(row.parts, 1)
        ]
    return Table(
        "Claims and verdicts",
        ["Claim", "Verdict", "Measured", "Effect", "Interval", "Claimed", "p", "Seeds", "At"],
        cells,
        "p: t test, corrected for all claims of the study together (Bonferroni).",
        name="verdicts",
    )


def _cells(row: Verdict | Part, says: str) -> list[Cell]:
    return [
        Cell(says), Cell(row.words), Cell(measured(row.measures)), Cell(effect(row), True),
        Cell(interval(row), True), Cell(with_minus(row.expected), True),
        Cell(p_text(row.p_corrected), True),
    ]  # fmt: skip
