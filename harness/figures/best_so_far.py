"""How soon each search method found good settings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.evidence import Evidence, candidate_values
from harness.figures._facets import MOST_PANELS, columns, counted, numbers_of
from harness.figures._labels import metric_name, short_label, unit_in_words
from harness.figures._layout import MOST_SERIES
from harness.figures._lines import Facet, Frame, Line, draw_facets, line_of_means
from harness.figures.base import Figure, Picture
from harness.formatting import level_text
from harness.judged import Verdict
from harness.search.found import best_so_far
from harness.study import Arm

_MANY_TIMES = 30
"""Values that differ by more are drawn on a logarithmic scale."""


class BestSoFar(Figure):
    """The best validation metric so far against candidates, where samplers are compared."""

    name = "best_so_far"
    section = "search"
    order = 5

    def draw(self, evidence: Evidence, verdicts: Sequence[Verdict]) -> Picture | None:
        """See `Figure`."""
        del verdicts
        plan = evidence.plan
        search = plan.study.search
        if search is None or not search.samplers_differ(plan.arms):
            return None
        known = plan.metric(plan.search_metric(plan.baseline))
        facets = _facets(evidence)[:MOST_PANELS]
        if not facets:
            return None
        values = np.concatenate([line.y for facet in facets for line in facet.lines])
        decades = values.min() > 0 and values.max() > _MANY_TIMES * values.min()
        frame = Frame("Candidates", short_label(known), log_y=bool(decades), whole_x=True)
        return Picture(
            "best-so-far",
            f"Search: best {metric_name(known.name)} so far",
            "The best of the first so many candidates in the order in which each sampler asked"
            f" them: the mean of {search.repeats} searches, with its 95 % t interval."
            " These are values on search seeds, flattered by the choice."
            f"{unit_in_words(known)}",
            f"Best {metric_name(known.name)} so far of {counted(facets)} against the number of"
            " candidates.",
            draw_facets(facets, frame),
            columns=columns(len(facets)),
            data=numbers_of(facets, frame),
        )


def _facets(evidence: Evidence) -> list[Facet]:
    """Return a panel for each setting of the other factors, with a line for each sampler."""
    plan, search = evidence.plan, evidence.plan.study.search
    assert search is not None
    names = list(dict.fromkeys(search.sampled_by(arm).name for arm in plan.arms))[:MOST_SERIES]
    panels: dict[str, list[Line]] = {}
    for arm in plan.arms:
        name = search.sampled_by(arm).name
        line = _line(evidence, arm, name, names)
        if line is not None:
            panels.setdefault(_title(arm, name), []).append(line)
    return [Facet(title, lines) for title, lines in panels.items()]


def _title(arm: Arm, sampler: str) -> str:
    """Say in what a panel's arms agree: the levels that are not the sampler's own."""
    others = [f"{f} {level_text(v)}" for f, v in arm.levels.items() if str(v) != sampler]
    return ", ".join(others) or ("single arms" if arm.named else "")


def _line(evidence: Evidence, arm: Arm, name: str, names: Sequence[str]) -> Line | None:
    space, tried = evidence.plan.space(arm), candidate_values(evidence, arm)
    if space is None or not tried or name not in names:
        return None
    shortest = min(map(len, tried))
    found = np.array([best_so_far(one[:shortest], space.metric.sign) for one in tried])
    found = found[:, np.isfinite(found).all(axis=0)]
    if found.shape[1] == 0:
        return None
    x = np.arange(shortest - found.shape[1] + 1.0, shortest + 1)
    return line_of_means(name.replace("_", " "), names.index(name), x, found, space.metric)
