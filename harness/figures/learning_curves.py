"""A metric by epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pandas as pd

from harness.evidence import Evidence
from harness.figures._facets import GREY, columns, counted, facets_of, numbers_of
from harness.figures._labels import metric_name, short_label, unit_in_words
from harness.figures._layout import Layout, Member, lay_out
from harness.figures._lines import Frame, Line, draw_facets
from harness.figures.base import Figure, Picture
from harness.formatting import capitalized
from harness.judged import Verdict
from harness.seeding import stream
from harness.stats.intervals import Band, bootstrap_band


class LearningCurves(Figure):
    """The validation metric of every arm by epoch."""

    name = "learning_curves"
    section = "curves"
    order = 10

    def draw(self, evidence: Evidence, verdicts: Sequence[Verdict]) -> Picture | None:
        """See `Figure`."""
        del verdicts
        return learning_curves(evidence, evidence.validation_metric)


def learning_curves(
    evidence: Evidence, metric: str, layout: Layout | None = None
) -> Picture | None:
    """Draw a metric by epoch for the arms of a layout, with the band of the mean over seeds."""
    curves = evidence.curves
    if metric not in curves or curves.empty:
        return None
    assigned = evidence.confirmation["arm"].value_counts()

    def line(member: Member) -> Callable[[], Line] | None:
        table = curve_table(evidence, member.arm, metric)
        return None if table is None or table.empty else partial(drawn, member, table)

    def drawn(member: Member, table: pd.DataFrame) -> Line:
        band = evidence.once(
            ("band", member.arm, metric), lambda: _band(table, f"{member.arm}:{metric}")
        )
        planned = max(evidence.plan.study.first_seeds, assigned[member.arm])
        short = "" if len(table) == planned else f" ({len(table)}/{planned})"
        epochs = table.columns.to_numpy(dtype=float)
        return Line(member.label + short, member.style, epochs, band.mean, band.low, band.high)

    facets, left_out = facets_of(layout or lay_out(evidence.plan), line)
    if not facets:
        return None
    known = evidence.plan.metric(metric)
    frame = Frame("Epoch", short_label(known), whole_x=True)
    panels = draw_facets(facets, frame)
    name = metric_name(metric)
    return Picture(
        "learning-curves",
        f"{capitalized(name)} by epoch",
        f"Mean over the confirmation seeds that trained to the end (as “n/m” where some of"
        f" m did not), with the pointwise 95 % bootstrap band of the mean."
        f"{f' {GREY}' if len(facets) > 1 else ''}{left_out}"
        f"{unit_in_words(known)}",
        f"Learning curves of {counted(facets)}: {name} against epoch, one panel per group.",
        panels,
        columns=columns(len(panels)),
        data=numbers_of(facets, frame),
    )


def curve_table(evidence: Evidence, arm: str, metric: str) -> pd.DataFrame | None:
    """Return a metric of an arm by seed and epoch, of the epochs that all seeds have."""
    rows = evidence.finished_curves.get(arm)
    if rows is None:
        return None

    def made() -> pd.DataFrame:
        table = rows.pivot_table(index="seed", columns="epoch", values=metric)
        return table.dropna(axis="columns")

    return evidence.once(("curves", arm, metric), made)


def _band(table: pd.DataFrame, name: str) -> Band:
    generator = np.random.default_rng(stream(0, f"band:{name}"))
    return bootstrap_band(table.to_numpy(), generator, resamples=1_999)
