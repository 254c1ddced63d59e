"""An effect and its interval as a small drawing, beside where the claim puts it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from harness.judged import Part, Verdict

WIDTH, HEIGHT = 200.0, 26.0
_ROOM = 8.0
Row = Verdict | Part


def strips(rows: Sequence[Row]) -> list[Markup]:
    """Draw effects of one measure on one scale, each as an SVG that takes the page's colours.

    The drawing is silent for screen readers: its numbers stand beside it.
    """
    numbers = [
        value
        for row in rows
        for value in (row.effect, row.ci_low, row.ci_high, row.neutral, *_bounds(row))
        if value is not None and math.isfinite(value)
    ]
    scale = _Scale(min(numbers, default=0.0), max(numbers, default=1.0))
    return [_strip(row, scale) for row in rows]


def alike_strips(verdicts: Sequence[Verdict]) -> list[Markup]:
    """Draw verdicts on one scale where they are of one measure, else each on its own."""
    if len({verdict.measures for verdict in verdicts}) == 1:
        return strips(verdicts)
    return [strips([verdict])[0] for verdict in verdicts]


def common_strip(row: Row) -> Markup:
    """Draw a row that is in units of its interval's half-width, from 4 below the bound to 4 above.

    What lies farther is drawn at the edge, so that the strips of all claims have one axis. Empty
    where there is nothing to draw.
    """
    return _strip(row, _Scale(-4.0, 4.0, beyond=0.05)) if row.effect is not None else Markup("")


class _Scale:
    """Puts a number on the drawing; what lies outside is put at the edge."""

    def __init__(self, low: float, high: float, beyond: float = 1.0):
        self._low, self._beyond = low, beyond
        self._width = (high - low) or abs(high) or 1.0

    def shows(self, value: float) -> bool:
        """Tell whether a number has a place of its own."""
        return self.side(value) == 0

    def side(self, value: float) -> int:
        """Return -1 for what lies left of the drawing, 1 for what lies right of it, else 0."""
        share = (value - self._low) / self._width
        return -1 if share < -self._beyond else 1 if share > 1 + self._beyond else 0

    def at(self, value: float) -> float:
        share = min(max((value - self._low) / self._width, -self._beyond), 1 + self._beyond)
        return min(max(_ROOM + share * (WIDTH - 2 * _ROOM), 0.0), WIDTH)


def _bounds(row: Row) -> list[float]:
    return [bound for pair in row.claimed for bound in pair]


def _strip(row: Row, scale: _Scale) -> Markup:
    middle = HEIGHT / 2
    parts = []
    for low, high in row.claimed:
        left, right = scale.at(low), scale.at(high)
        parts.append(_box(left, right))
        parts += [_upright(scale.at(b), "edge") for b in (low, high) if math.isfinite(b)]
    if row.neutral is not None and scale.shows(row.neutral):
        parts.append(_upright(scale.at(row.neutral), "neutral"))
    if row.effect is not None:
        left = scale.at(row.ci_low) if row.ci_low is not None else 0.0
        right = scale.at(row.ci_high) if row.ci_high is not None else WIDTH
        parts.append(
            f'<line class="interval" x1="{left:.1f}" x2="{right:.1f}" y1="{middle:g}"'
            f' y2="{middle:g}"/>'
        )
        if row.ci_low is None or scale.side(row.ci_low) < 0:  # it goes on beyond the edge
            parts.append(_head(0.0, 6.0))
        if row.ci_high is None or scale.side(row.ci_high) > 0:
            parts.append(_head(WIDTH, -6.0))
        parts.append(_mark(row.verdict, scale.at(row.effect), middle))
    body = "".join(parts)
    return Markup(
        f'<svg class="strip {row.verdict}" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" aria-hidden="true"'
        f' focusable="false">{body}</svg>'
    )  # nothing in it comes from a study file


def _box(left: float, right: float) -> str:
    return (
        f'<rect class="claimed" x="{left:.1f}" y="2" width="{max(right - left, 0):.1f}"'
        f' height="{HEIGHT - 4:g}"/>'
    )


def _head(x: float, inwards: float) -> str:
    return f'<path class="head" d="M{x:g} {HEIGHT / 2:g}l{inwards:g} -4.5v9z"/>'


def _upright(x: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{HEIGHT:g}"/>'


def _mark(verdict: str, x: float, y: float) -> str:
    """Mark the effect by shape as well as by colour, as the figures do."""
    if verdict == "refuted":
        path = f"M{x - 4.5:.1f} {y - 4.5:g}l9 9m0 -9l-9 9"
        return f'<path class="cross" d="{path}"/>'
    if verdict == "supported":
        return f'<circle class="mark" cx="{x:.1f}" cy="{y:g}" r="5"/>'
    path = f"M{x:.1f} {y - 5.5:g}l5.5 5.5l-5.5 5.5l-5.5 -5.5z"
    return f'<path class="open" d="{path}"/>'
