"""How good a search with fewer candidates would have been."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from harness.evidence import Evidence, expected_best_of
from harness.figures._facets import GREY, columns, counted, facets_of, numbers_of
from harness.figures._labels import metric_name, short_label, unit_in_words
from harness.figures._layout import Member, lay_out
from harness.figures._lines import Frame, Line, draw_facets
from harness.figures.base import Figure, Picture
from harness.judged import Verdict


class SearchBudget(Figure):
    """The best validation metric to be expected of a smaller number of candidates."""

    name = "search_budget"
    section = "search"
    order = 20

    def draw(self, evidence: Evidence, verdicts: Sequence[Verdict]) -> Picture | None:
        """See `Figure`."""
        del verdicts
        return search_budget(evidence)


def search_budget(evidence: Evidence) -> Picture | None:
    """Draw the expected best of 1, 2, ... candidates, a line for each searched arm."""
    plan = evidence.plan
    known = plan.metric(plan.search_metric(plan.baseline))
    arms = {arm.name: arm for arm in plan.arms}

    def line(member: Member) -> Callable[[], Line] | None:
        arm = arms.get(member.arm)
        if arm is None or plan.search_metric(arm) != known.name:
            return None
        best = expected_best_of(evidence, arm)
        if len(best) < 2:
            return None
        return lambda: Line(member.label, member.style, np.arange(1.0, len(best) + 1), best)

    facets, left_out = facets_of(lay_out(plan), line)
    if not facets:
        return None
    frame = Frame("Candidates", short_label(known), whole_x=True)
    return Picture(
        "search-budget",
        f"Search: {metric_name(known.name)} to be expected of fewer candidates",
        "The expected best of so many of an arm's candidates, drawn at random without replacement"
        " (Dodge et al. 2019). Where lines still rise or cross at the right, a larger budget may"
        " change the answer. These are values on search seeds, those of winners flattered by the"
        f" choice, and no evidence for a claim. {GREY}{left_out}{unit_in_words(known)}",
        f"Expected best {metric_name(known.name)} of {counted(facets)} against the number of"
        " candidates.",
        draw_facets(facets, frame),
        columns=columns(len(facets)),
        data=numbers_of(facets, frame),
    )
