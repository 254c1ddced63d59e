"""What ``calibration.py`` simulates of tuning: null studies whose searches are lucky or not.

A study has ``seeds`` confirmation seeds, which take the winners of ``searches`` repeated searches
in turn. A number is the luck of its winner and the noise of its seed, both of deviation 1; there is
no effect. ``independent`` and ``assess`` are those that judge real studies.
"""

import numpy as np
import numpy.typing as npt

from harness.judge.repeats import independent
from harness.stats.hypotheses import Different, assess, decide
from harness.stats.multiplicity import end_level

Floats = npt.NDArray[np.float64]

ALPHA = 0.05
SEARCHES = (1, 2, 3, 4, 5, 8)
LUCK = ("normal", "one of two settings")
RULES = ("seeds as if independent", "averages of searches", "averages unless all winners are alike")
SEEDS = (8, 20)


def drawn_luck(kind: str, searches: int, rng: np.random.Generator) -> Floats:
    """Luck of each search: normal, or that of one of two settings that look equally good."""
    if kind == "normal":
        return rng.standard_normal(searches)
    return np.where(rng.random(searches) < 0.5, 1.0, -1.0)


def tuning_cell(job: tuple[str, str, int, int, int, int]) -> tuple[float, float]:
    """Rate of null studies with a false difference, and the mean half-width of intervals."""
    rule, kind, searches, seeds, studies, seed = job
    rng, hypothesis = np.random.default_rng(seed), Different()
    end = end_level(ALPHA, 1, hypothesis.sides)
    wrong, widths = 0, []
    for _ in range(studies):
        luck = drawn_luck(kind, searches, rng)
        values = luck[np.arange(seeds) % searches] + rng.standard_normal(seeds)
        alike = searches > 1 and len(set(luck)) == 1
        single = rule == RULES[0] or (rule == RULES[2] and alike)
        found = assess(independent(values, 0 if single else searches), hypothesis, end)
        wrong += decide(found, hypothesis) == "supported"
        widths.append((found.high - found.low) / 2.0)
    return wrong / studies, float(np.median(widths))
