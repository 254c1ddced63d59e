"""How much the choice among candidates flatters the score that made it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from harness.evidence import Evidence
from harness.figures._facets import GREY, columns, counted, facets_of, numbers_of
from harness.figures._layout import Member, lay_out
from harness.figures._lines import Frame, Line, draw_facets, line_of_means
from harness.figures.base import Figure, Picture
from harness.judged import Verdict
from harness.metrics import Metric
from harness.search.found import optimism_by_candidates


class Optimism(Figure):
    """Optimism of the best of 1, 2, ... candidates, where the probe split_half measured it."""

    name = "optimism"
    section = "search"
    order = 30

    def draw(self, evidence: Evidence, verdicts: Sequence[Verdict]) -> Picture | None:
        """See `Figure`."""
        del verdicts
        plan = evidence.plan
        arms = {arm.name: arm for arm in plan.arms}

        def line(member: Member) -> Callable[[], Line] | None:
            arm = arms.get(member.arm)
            if arm is None or plan.space(arm) is None:
                return None
            found = optimism_by_candidates(evidence.trials, plan, arm)
            shortest = min(map(len, found), default=0)
            if shortest < 2:
                return None
            curves, x = np.array([one[:shortest] for one in found]), np.arange(1.0, shortest + 1)
            return lambda: line_of_means(member.label, member.style, x, curves, Metric("optimism"))

        facets, left_out = facets_of(lay_out(plan), line)
        if not facets:
            return None
        frame = Frame("Candidates", "Optimism", whole_x=True)
        return Picture(
            "optimism",
            "Search: how much the choice flatters",
            "Score of the best of so many candidates, drawn at random, on the half of the"
            " validation examples that chose it, minus its score on the other half: the mean of the"
            " searches, with its 95 % t interval (Cawley and Talbot 2010). Zero: the choice does"
            f" not flatter. {GREY}{left_out}",
            f"Optimism of {counted(facets)} against the number of candidates.",
            draw_facets(facets, frame),
            columns=columns(len(facets)),
            data=numbers_of(facets, frame),
        )
