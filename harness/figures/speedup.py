"""How much sooner several workers take a step together."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np

from harness.evidence import Evidence
from harness.figures._facets import GREY, columns, counted, facets_of, numbers_of
from harness.figures._layout import Member, lay_out
from harness.figures._lines import Facet, Floats, Frame, Line, draw_facets, line_of_means
from harness.figures.base import Figure, Picture
from harness.judged import Verdict
from harness.metrics import Metric

_NAME = re.compile(r"timing\.speedup_(\d+)")
_SHOWN = Metric("speedup", "maximize", bounds=(0.0, float("inf")))


class Speedup(Figure):
    """Speedup over the number of workers that share each batch, a line for each timed arm."""

    name = "speedup"
    section = "timing"
    order = 10
    published = True

    def draw(self, evidence: Evidence, verdicts: Sequence[Verdict]) -> Picture | None:
        """See `Figure`."""
        del verdicts
        timed = evidence.timing
        found = {int(m[1]): name for name in timed.columns if (m := _NAME.fullmatch(str(name)))}
        names = [found[count] for count in sorted(found)]
        if not names:
            return None
        workers: Floats = np.array([1.0, *sorted(found)])

        def line(member: Member) -> Callable[[], Line] | None:
            rows = timed[timed["arm"] == member.arm][names].dropna()
            if rows.empty:
                return None
            alone = np.ones((len(rows), 1))  # one worker is as fast as itself
            curves: Floats = np.hstack([alone, rows.to_numpy(dtype=float)])
            return lambda: line_of_means(member.label, member.style, workers, curves, _SHOWN)

        facets, left_out = facets_of(lay_out(evidence.plan), line)
        if not facets:
            return None
        ideal = Line("ideal", len(workers), workers, workers)
        facets = [Facet(one.title, [*one.lines, ideal], one.note) for one in facets]
        frame = Frame("Workers", "Speedup", whole_x=True)
        return Picture(
            self.name,
            "Speedup by the number of workers",
            "Seconds of a step by one worker, divided by those of workers that share its batch:"
            " mean over the timing blocks with its pointwise 95 % t interval. Ideal: n workers take"
            f" a step n times as fast. {GREY}{left_out}",
            f"Speedup over the number of workers, of {counted(facets)} (the ideal in each panel).",
            draw_facets(facets, frame),
            columns=columns(len(facets)),
            data=numbers_of(facets, frame),
        )
