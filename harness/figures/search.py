"""What the searches found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import pandas as pd

from harness.evidence import Evidence, candidate_values
from harness.figures._facets import GREY, columns, counted, facets_of, numbers_of
from harness.figures._labels import metric_name, short_label, unit_in_words
from harness.figures._layout import Layout, Member, lay_out
from harness.figures._lines import Facet, Frame, Line, draw_facets, thinned
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


def searches(evidence: Evidence, metric: str, layout: Layout | None = None) -> list[Picture]:
    """Draw the validation metric against each searched hyperparameter, one picture for each."""
    layout = layout or lay_out(evidence.plan)
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
            known = rows.dropna(subset=[column, metric])
            picture = _search(evidence, known, path, metric, (log, layout))
            pictures += [picture] if picture else []
    return pictures


def searched(evidence: Evidence, arm: str) -> tuple[str, ...]:
    """Return the paths over which an arm was searched; none if it was not."""
    space = next((evidence.plan.space(a) for a in evidence.plan.arms if a.name == arm), None)
    return tuple(space.dimensions) if space is not None else ()


def chosen(evidence: Evidence, arm: str) -> int | None:
    """Return the number of the candidate that won the first search of an arm; None if none has.

    Confirmation trials say which it was. Before there are any, it is the one with the best mean, of
    equals the one that was asked first, as the search chooses.
    """
    search = evidence.plan.study.search
    rows = evidence.confirmation
    mine = rows[(rows["arm"] == arm) & rows["candidate"].notna()]
    repeats = search.repeats if search is not None else 1
    first = mine[mine["seed"] % repeats == 0]
    if len(first):
        return int(first["candidate"].iloc[0])
    known = next((one for one in evidence.plan.arms if one.name == arm), None)
    space = evidence.plan.space(known) if known is not None else None
    if known is None or space is None:
        return None
    tried = candidate_values(evidence, known)
    return space.metric.best(dict(enumerate(tried[0].tolist()))) if tried else None


def _which(evidence: Evidence) -> str:
    """Say which search of an arm is drawn: the first, where it was repeated."""
    search = evidence.plan.study.search
    repeats = search.repeats if search is not None else 1
    return "search" if repeats == 1 else f"first search, of {repeats}"


def _few(facets: Sequence[Facet]) -> str:
    thin = any(len(thinned(line).x) < len(line.x) for facet in facets for line in facet.lines)
    return " Of very many points an even choice is drawn; the CSV has all." if thin else ""


def _search(
    evidence: Evidence,
    rows: pd.DataFrame,
    path: str,
    metric: str,
    look: tuple[bool, Layout],
) -> Picture | None:
    (log, layout), column = look, f"parameter.{path}"
    known = evidence.plan.metric(metric)

    def line(member: Member) -> Callable[[], Line] | None:
        mine = rows[rows["arm"] == member.arm]
        return None if mine.empty else partial(drawn, member, mine)

    def drawn(member: Member, mine: pd.DataFrame) -> Line:
        valued = mine.groupby("candidate").agg({column: "first", metric: "mean"})
        valued = valued.sort_values(column, kind="stable")
        x, y = valued[column].to_numpy(dtype=float), valued[metric].to_numpy(dtype=float)
        asked = [int(candidate) for candidate in valued.index]
        won = chosen(evidence, member.arm)
        marked = asked.index(won) if won in asked else None
        alone = searched(evidence, member.arm) == (path,)
        return Line(member.label, member.style, x, y, marked=marked, joined=alone)

    facets, left_out = facets_of(layout, line)
    if not facets:
        return None
    name = parameter_name(path)
    search = evidence.plan.study.search
    assert search is not None
    dimension = search.space[path]
    values = [float(value) for value in getattr(dimension, dimension.kind)]
    ends = (min(values), max(values))
    frame = Frame(capitalized(name), short_label(known), log_x=log, x_range=ends)
    return Picture(
        f"search-{path.replace('.', '-').replace('_', '-')}",
        f"Search: {metric_name(metric)} over {name}",
        f"Every candidate of each arm's {_which(evidence)}, on search seeds; the ring marks the"
        " winner, dotted lines the ends of the declared range. Points are joined where nothing else"
        f" was searched.{_few(facets)} These trials choose hyperparameters and are no evidence for"
        " a claim. "
        f"{GREY if len(facets) > 1 else ''}{left_out}{unit_in_words(known)}",
        f"Search results of {counted(facets)}: {metric_name(metric)} against {name}.",
        draw_facets(facets, frame),
        columns=columns(len(facets)),
        data=numbers_of(facets, frame),
    )
