"""What the searches found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import pandas as pd

from harness.evidence import Evidence
from harness.figures._facets import GREY, columns, counted, facets_of
from harness.figures._labels import metric_name, short_label, unit_in_words
from harness.figures._layout import Member, lay_out
from harness.figures._lines import Frame, Line, draw_facets
from harness.figures.base import Figure, Picture
from harness.formatting import capitalized, parameter_name
from harness.judged import Verdict
from harness.trial import Phase


class Search(Figure):
    """The validation metric of every candidate, over each searched hyperparameter."""

    name = "search"
    section = "search"
    order = 10

    def draw(self, evidence: Evidence, verdicts: Sequence[Verdict]) -> list[Picture]:
        """See `Figure`."""
        del verdicts
        return searches(evidence, evidence.validation_metric)


def searches(evidence: Evidence, metric: str) -> list[Picture]:
    """Draw the validation metric against each searched hyperparameter, one picture for each."""
    search = evidence.plan.study.search
    trials = evidence.trials
    if search is None or metric not in trials:
        return []
    rows = trials[(trials["phase"] == Phase.SEARCH.value) & (trials["state"] == "complete")]
    spaces = {arm.name: evidence.plan.space(arm) for arm in evidence.plan.arms}
    first = {name: space.candidates for name, space in spaces.items() if space is not None}
    rows = rows[rows["candidate"].astype(float) < rows["arm"].map(first).astype(float)]
    pictures = []
    for path, dimension in search.space.items():
        column = f"parameter.{path}"
        if column in rows and pd.api.types.is_numeric_dtype(rows[column]):
            log = dimension.log is not None
            picture = _search(evidence, rows.dropna(subset=[column, metric]), path, metric, log)
            pictures += [picture] if picture else []
    return pictures


def _which(evidence: Evidence) -> str:
    """Say which search of an arm is drawn: the first, where it was repeated."""
    search = evidence.plan.study.search
    repeats = search.repeats if search is not None else 1
    return "search" if repeats == 1 else f"first search, of {repeats}"


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
        f"Every candidate of each arm's {_which(evidence)}, on search seeds; the ring marks the"
        " best. These trials choose hyperparameters and are no evidence for a claim. "
        f"{GREY}{left_out}{unit_in_words(known)}",
        f"Search results of {counted(facets)}: {metric_name(metric)} against {name}.",
        draw_facets(facets, frame),
        columns=columns(len(facets)),
    )
