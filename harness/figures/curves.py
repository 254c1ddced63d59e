"""What happens over epochs, layers and searched hyperparameters: the figures made of lines."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd

from harness.evidence import Evidence
from harness.figures.layout import Layout, Member, lay_out
from harness.figures.lines import Facet, Floats, Frame, Line, draw_facets
from harness.figures.style import Picture
from harness.figures.words import (
    capitalized,
    metric_name,
    parameter_name,
    plural,
    short_label,
    unit_in_words,
)
from harness.seeding import stream
from harness.stats.intervals import bootstrap_band, t_interval
from harness.trial import Phase

MOST_PANELS = 24
GRADIENTS = "probe.gradient_norms_start"
_GREY = "Grey: all other arms."


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

    facets, left_out = _facets(lay_out(evidence.plan), line)
    if not facets:
        return None
    known = evidence.plan.metric(metric)
    panels = draw_facets(facets, Frame("Epoch", short_label(known), whole_x=True))
    name = metric_name(metric)
    return Picture(
        "learning-curves",
        f"{capitalized(name)} by epoch",
        f"Mean over the confirmation seeds that trained to the end (as “n/m” where some of"
        f" m did not), with the pointwise 95 % bootstrap band of the mean. {_GREY}{left_out}"
        f"{unit_in_words(known)}",
        f"Learning curves of {_counted(facets)}: {name} against epoch, one panel per group.",
        panels,
        columns=_columns(len(panels)),
    )


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

    facets, left_out = _facets(lay_out(evidence.plan), line)
    if not facets:
        return None
    frame = Frame("Layer, counted from the input", "Gradient norm", log_y=True, whole_x=True)
    panels = draw_facets(facets, frame)
    return Picture(
        "gradient-norms",
        "Gradients by layer, before training",
        "Norm of the loss gradient of each layer's weights before the first step: geometric mean"
        " over the confirmation seeds with its pointwise 95 % t interval, on a logarithmic scale."
        f" A line that falls to the left is a gradient that vanishes. {_GREY}{left_out}",
        f"Gradient norms of {_counted(facets)} by layer, one panel per group, logarithmic scale.",
        panels,
        columns=_columns(len(panels)),
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

    facets, left_out = _facets(lay_out(evidence.plan), line)
    if not facets:
        return None
    name = parameter_name(path)
    frame = Frame(capitalized(name), short_label(known), log_x=log)
    return Picture(
        f"search-{path.replace('.', '-').replace('_', '-')}",
        f"Search: {metric_name(metric)} over {name}",
        f"Every candidate of each arm's search, on search seeds; the ring marks the best. These"
        f" trials choose hyperparameters and are no evidence for a claim. {_GREY}{left_out}"
        f"{unit_in_words(known)}",
        f"Search results of {_counted(facets)}: {metric_name(metric)} against {name}.",
        draw_facets(facets, frame),
        columns=_columns(len(facets)),
    )


def _facets(
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


def _logarithmic_band(table: Floats) -> tuple[Floats, Floats, Floats]:
    """Geometric mean and t interval of each column; shape (seeds, layers) to three of (layers,)."""
    logs = np.log(table)
    bounds = np.array([t_interval(column) for column in logs.T])
    with np.errstate(over="ignore"):
        return np.exp(logs.mean(axis=0)), np.exp(bounds[:, 0]), np.exp(bounds[:, 1])


def _counted(facets: list[Facet]) -> str:
    return plural(sum(len(facet.lines) for facet in facets), "arm")


def _columns(panels: int) -> int:
    return min(panels, 3 if panels != 4 else 2)
