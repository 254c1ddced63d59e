"""What each seed of a claim gave, drawn: its number, and the two sides behind it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from harness.evidence import Evidence
from harness.figures._labels import axis_label, round_values
from harness.formatting import number, with_minus
from harness.judge import MissingEvidence
from harness.judge.measures import compared_arms, sides_per_seed
from harness.measures.base import pair_in_words
from harness.measures.contrast import Contrast
from harness.study.claims import Test

_WIDTH, _HEIGHT, _SCALE, _ROOM = 640.0, 44.0, 20.0, 24.0
_ROW, _LEFT = 16.0, 60.0
_MOST_ROWS = 40


@dataclass(frozen=True)
class Pairs:
    """Both sides of a claim, seed by seed, and what they are called."""

    first: str
    second: str
    metric: str
    drawing: Markup


def pairs_of(test: Test, evidence: Evidence, seeds: int) -> Pairs | None:
    """Draw both sides that a test compares; None where it compares no two, or seeds are lacking."""
    measure = test.measure
    if not isinstance(measure, Contrast) or test.generalize_over or test.spread_over_seeds:
        return None
    try:
        arms = compared_arms(test, evidence.plan)
        first, second = sides_per_seed(test, evidence, seeds)
    except (MissingEvidence, ValueError):
        return None
    if not 0 < len(first) <= _MOST_ROWS:
        return None
    names = pair_in_words(measure.root, measure.sign, arms)[0].split(f" {measure.sign} ", 1)
    label = axis_label(evidence.plan.metric(test.metric))
    rows, _ = evidence.sample(test.metric, seeds)
    shared = rows[rows["arm"].isin([arm.name for side in arms.sides for arm in side])]["seed"]
    numbers = sorted(int(seed) for seed in shared.unique())
    if len(numbers) != len(first):
        return None
    drawn = _paired(list(zip(numbers, first, second, strict=True)), names, label)
    return Pairs(names[0], names[-1], label, drawn)


def _paired(rows: Sequence[tuple[int, float, float]], names: Sequence[str], label: str) -> Markup:
    first, second = [row[1] for row in rows], [row[2] for row in rows]
    low, high = min([*first, *second]), max([*first, *second])
    width = (high - low) or abs(high) or 1.0
    bottom = _ROW * len(first) + 4

    def at(value: float) -> float:
        return _LEFT + (value - low) / width * (_WIDTH - _LEFT - _ROOM)

    shapes = [_axis_line(_LEFT, _WIDTH - _ROOM, bottom, bottom)]
    shapes += [_tick(at(value), bottom, value) for value in round_values(low, high)]
    for place, (seed, one, other) in enumerate(rows):
        y = _ROW * place + _ROW / 2 + 2
        shapes += [
            f'<text class="row" x="{_LEFT - 12:g}" y="{y + 4:g}">{seed}</text>',
            _axis_line(at(one), at(other), y, y),
            f'<circle class="one" cx="{at(one):.1f}" cy="{y:g}" r="5"/>',
            f'<rect class="other" x="{at(other) - 4:.1f}" y="{y - 4:g}" width="8" height="8"/>',
        ]
    said = f"{label} of {names[0]} and {names[-1]}, in {len(first)} pairs"
    return Markup(
        '<svg class="strip dots pairs" viewBox="0 0 {:g} {:g}" role="img" aria-label="{}">{}</svg>'
    ).format(_WIDTH, bottom + _SCALE, said, Markup("".join(shapes)))


def _axis_line(x1: float, x2: float, y1: float, y2: float) -> str:
    return f'<line class="axis" x1="{x1:.1f}" x2="{x2:.1f}" y1="{y1:g}" y2="{y2:g}"/>'


def _tick(x: float, y: float, value: float) -> str:
    label = with_minus(f"{value:.6g}")
    return f'{_axis_line(x, x, y, y + 4)}<text x="{x:.1f}" y="{y + 16:g}">{label}</text>'


def dots(numbers: Sequence[float], claimed: Sequence[tuple[float, float]]) -> Markup:
    """Draw a dot for each number on an axis, beside where the claim puts their mean."""
    finite = [value for value in numbers if math.isfinite(value)]
    if not finite:
        return Markup("")
    ends = [end for pair in claimed for end in pair if math.isfinite(end)]
    low, high = min([*finite, *ends]), max([*finite, *ends])
    width = (high - low) or abs(high) or 1.0

    def at(value: float) -> float:
        share = min(max((value - low) / width, -0.02), 1.02)
        return _ROOM + share * (_WIDTH - 2 * _ROOM)

    shapes = [
        f'<rect class="claimed" x="{at(a):.1f}" y="2" width="{max(at(b) - at(a), 1):.1f}"'
        f' height="{_HEIGHT - 4:g}"/>'
        for a, b in claimed
    ]
    shapes.append(_axis_line(_ROOM, _WIDTH - _ROOM, _HEIGHT, _HEIGHT))
    shapes += [_tick(at(value), _HEIGHT, value) for value in round_values(low, high)]
    shapes += [
        f'<circle class="mark" cx="{at(v):.1f}" cy="{12 + 10 * (i % 3):g}" r="4.5"/>'
        for i, v in enumerate(finite)
    ]
    shown = f"from {number(min(finite), 4)} to {number(max(finite), 4)}"
    return Markup(
        f'<svg class="strip dots" viewBox="0 0 {_WIDTH:g} {_HEIGHT + _SCALE:g}" role="img"'
        f' aria-label="{len(finite)} numbers {shown}">{"".join(shapes)}</svg>'
    )
