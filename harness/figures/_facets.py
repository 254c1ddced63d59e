"""What figures with a panel for each group of arms share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from harness.figures._layout import Layout, Member
from harness.figures._lines import Facet, Frame, Line
from harness.formatting import plural

MOST_PANELS = 24
GREY = "Grey: all other arms."


def facets_of(
    layout: Layout, line: Callable[[Member], Callable[[], Line] | None]
) -> tuple[list[Facet], str]:
    """Make a facet of each group that has any line; say how many panels had to stay out.

    Of those that stay out no line is computed; `line` only tells whether there is one.
    """
    groups = []
    for group in layout.groups:
        lines = [make for member in group.members if (make := line(member)) is not None]
        if lines:
            groups.append((group.title, lines))
    left = len(groups) - MOST_PANELS
    note = f" {plural(left, 'more panel')} left out." if left > 0 else ""
    shown = groups[:MOST_PANELS]
    return [Facet(title, [make() for make in lines]) for title, lines in shown], note


def numbers_of(facets: Sequence[Facet], frame: Frame) -> list[dict[str, Any]]:
    """Return the points of all lines in rows: panel, line, x, y and, where there is one, a band."""
    rows = []
    for facet in facets:
        for line in facet.lines:
            for place, (x, y) in enumerate(zip(line.x.tolist(), line.y.tolist(), strict=True)):
                at = frame.categories[int(x)] if frame.categories else x
                row: dict[str, Any] = {"panel": facet.title, "line": line.label}
                row |= {frame.x_label: at, frame.y_label: y}
                if line.low is not None and line.high is not None:
                    row |= {"low": float(line.low[place]), "high": float(line.high[place])}
                rows.append(row)
    return rows


def counted(facets: list[Facet]) -> str:
    return plural(sum(len(facet.lines) for facet in facets), "arm")


def columns(panels: int) -> int:
    return min(panels, 3 if panels != 4 else 2)
