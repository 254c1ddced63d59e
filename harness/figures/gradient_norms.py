"""Gradients before training, layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from harness.evidence import Evidence
from harness.figures._facets import GREY, columns, counted, facets_of
from harness.figures._layout import Member, lay_out
from harness.figures._lines import Floats, Frame, Line, draw_facets
from harness.figures.base import Figure, Picture
from harness.stats.intervals import t_interval
from harness.trial import Verdict

GRADIENTS = "probe.gradient_norms_start"


class GradientNorms(Figure):
    """The gradient norm of each layer before training."""

    name = "gradient_norms"
    section = "probes"
    order = 10

    def draw(self, evidence: Evidence, verdicts: Sequence[Verdict]) -> Picture | None:
        """See `Figure`."""
        del verdicts
        return gradient_norms(evidence)


def gradient_norms(evidence: Evidence) -> Picture | None:
    """Draw the gradient norm of each layer before training, on a logarithmic scale."""
    complete = evidence.confirmation.query("state == 'complete'")
    norms: dict[str, list[list[float]]] = {}
    for arm, trial_id in zip(complete["arm"], complete["trial_id"], strict=True):
        values = evidence.details.get(trial_id, {}).get(GRADIENTS)
        if values and len(values) > 1:
            norms.setdefault(arm, []).append(values)

    def line(member: Member) -> Callable[[], Line] | None:
        rows = norms.get(member.arm, [])
        if not rows or len({len(row) for row in rows}) > 1:
            return None
        table = np.array(rows, dtype=float)
        table = np.where(table > 0, table, np.nan)
        if np.isnan(table).any():
            return None
        layers = np.arange(1, table.shape[1] + 1, dtype=float)
        return lambda: Line(member.label, member.style, layers, *_logarithmic_band(table))

    facets, left_out = facets_of(lay_out(evidence.plan), line)
    if not facets:
        return None
    frame = Frame("Layer, counted from the input", "Gradient norm", log_y=True, whole_x=True)
    panels = draw_facets(facets, frame)
    return Picture(
        "gradient-norms",
        "Gradients by layer, before training",
        "Norm of the loss gradient of each layer's weights before the first step: geometric mean"
        " over the confirmation seeds with its pointwise 95 % t interval, on a logarithmic scale."
        f" A line that falls to the left is a gradient that vanishes. {GREY}{left_out}",
        f"Gradient norms of {counted(facets)} by layer, one panel per group, logarithmic scale.",
        panels,
        columns=columns(len(panels)),
    )


def _logarithmic_band(table: Floats) -> tuple[Floats, Floats, Floats]:
    """Geometric mean and t interval of each column; shape (seeds, layers) to three of (layers,)."""
    logs = np.log(table)
    bounds = np.array([t_interval(column) for column in logs.T])
    with np.errstate(over="ignore"):
        return np.exp(logs.mean(axis=0)), np.exp(bounds[:, 0]), np.exp(bounds[:, 1])
