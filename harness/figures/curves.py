"""What happens over epochs and searched hyperparameters: the figures made of lines."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd

from harness.evidence import Evidence
from harness.figures.layout import Member, lay_out
from harness.figures.lines import GREY, Frame, Line, columns, counted, draw_facets, facets_of
from harness.figures.style import Picture
from harness.figures.words import (
    capitalized,
    metric_name,
    parameter_name,
    short_label,
    unit_in_words,
)
from harness.seeding import stream
from harness.stats.intervals import bootstrap_band
from harness.trial import Phase


def learning_curves(evidence: Evidence, metric: str) -> Picture | None:
    """Draw a metric by epoch for every arm, with the pointwise band of the mean over seeds."""
    curves = evidence.curves
    if metric not in curves or curves.empty:
        return None
    complete = evidence.confirmation.query("state == 'complete'")
    finished = set(zip(complete["arm"], complete["seed"], strict=True))
    mine = [key in finished for key in zip(curves["arm"], curves["seed"], strict=True)]
    tables = {
        arm: rows.pivot_table(index="seed", columns="epoch", values=metric).dropna(axis="columns")
        for arm, rows in curves[mine].groupby("arm")
    }
    assigned = evidence.confirmation["arm"].value_counts()

    def line(member: Member) -> Callable[[], Line] | None:
        table = tables.get(member.arm)
        return None if table is None or table.empty else partial(drawn, member, table)

    def drawn(member: Member, table: pd.DataFrame) -> Line:
        generator = np.random.default_rng(stream(0, f"band:{member.arm}:{metric}"))
        band = bootstrap_band(table.to_numpy(), generator, resamples=1_999)
        planned = max(evidence.plan.study.first_seeds, assigned[member.arm])
        short = "" if len(table) == planned else f" ({len(table)}/{planned})"
        epochs = table.columns.to_numpy(dtype=float)
        return Line(member.label + short, member.style, epochs, band.mean, band.low, band.high)

    facets, left_out = facets_of(lay_out(evidence.plan), line)
    if not facets:
        return None
    known = evidence.plan.metric(metric)
    panels = draw_facets(facets, Frame("Epoch", short_label(known), whole_x=True))
    name = metric_name(metric)
    return Picture(
        "learning-curves",
        f"{capitalized(name)} by epoch",
        f"Mean over the confirmation seeds that trained to the end (as “n/m” where some of"
        f" m did not), with the pointwise 95 % bootstrap band of the mean. {GREY}{left_out}"
        f"{unit_in_words(known)}",
        f"Learning curves of {counted(facets)}: {name} against epoch, one panel per group.",
        panels,
        columns=columns(len(panels)),
    )


def searches(evidence: Evidence, metric: str) -> list[Picture]:
    """Draw the validation metric against each searched hyperparameter, one picture for each."""
    search = evidence.plan.study.search
    trials = evidence.trials
    if search is None or metric not in trials:
        return []
    rows = trials[(trials["phase"] == Phase.SEARCH.value) & (trials["state"] == "complete")]
    pictures = []
    for path, dimension in search.space.items():
        column = f"parameter.{path}"
        if column in rows and pd.api.types.is_numeric_dtype(rows[column]):
            log = dimension.log is not None
            picture = _search(evidence, rows.dropna(subset=[column, metric]), path, metric, log)
            pictures += [picture] if picture else []
    return pictures


def _search(
    evidence: Evidence, rows: pd.DataFrame, path: str, metric: str, log: bool
) -> Picture | None:
    column = f"parameter.{path}"
    known = evidence.plan.metric(metric)

    def line(member: Member) -> Callable[[], Line] | None:
        mine = rows[rows["arm"] == member.arm]
        return None if mine.empty else partial(drawn, member, mine)

    def drawn(member: Member, mine: pd.DataFrame) -> Line:
        valued = mine.groupby("candidate").agg({column: "first", metric: "mean"})
        valued = valued.sort_values(column, kind="stable")
        x, y = valued[column].to_numpy(dtype=float), valued[metric].to_numpy(dtype=float)
        return Line(member.label, member.style, x, y, marked=known.best(dict(enumerate(y))))

    facets, left_out = facets_of(lay_out(evidence.plan), line)
    if not facets:
        return None
    name = parameter_name(path)
    frame = Frame(capitalized(name), short_label(known), log_x=log)
    return Picture(
        f"search-{path.replace('.', '-').replace('_', '-')}",
        f"Search: {metric_name(metric)} over {name}",
        f"Every candidate of each arm's search, on search seeds; the ring marks the best. These"
        f" trials choose hyperparameters and are no evidence for a claim. {GREY}{left_out}"
        f"{unit_in_words(known)}",
        f"Search results of {counted(facets)}: {metric_name(metric)} against {name}.",
        draw_facets(facets, frame),
        columns=columns(len(facets)),
    )
