"""Laws of scale and crossings whose truth is known, judged as real claims are."""

from collections.abc import Callable

import numpy as np
from calibration_cells import ALPHA, FAMILIES, Floats, Noise

from harness.stats import fits
from harness.stats.crossing import as_average, behind, lead_over
from harness.stats.hypotheses import Alternative, Between, Less, assess, combine, decide
from harness.stats.laws import Law, predictions
from harness.stats.multiplicity import end_level, refuting_level

MISS = np.log(1.05)
"""By how much a law may miss the largest level: the margin of the claim, as a logarithm."""
SIZES = np.geomspace(1.0, 128.0, 8)
"""Seven are fitted (1.8 decades), the last is predicted."""
RELATIVE = 0.02
"""Deviation of a loss between seeds, in its own size."""
FALLS = -0.05
"""The exponent that a loss must fall by at least, in claims that it falls and follows a law."""

Truth = Callable[[Law], Floats]


def _loss(law: Law) -> Floats:
    """A loss that follows the law."""
    return SIZES**-0.3 + (1.0 if law == "power_with_floor" else 0.0)


def _off_by(miss: float) -> Truth:
    """The same, but for the largest level, which lies beside what the law predicts."""

    def loss(law: Law) -> Floats:
        values = _loss(law)
        said = predictions(values[None, :-1], SIZES[:-1], SIZES[-1:], law)[0, 0]
        return np.append(values[:-1], said * np.exp(miss))

    return loss


LAWS: dict[str, tuple[Truth, bool]] = {
    "the largest level misses the law by 5 %, upwards": (_off_by(MISS), False),
    "the largest level misses the law by 5 %, downwards": (_off_by(-MISS), False),
    "the law holds": (_loss, False),
    "equal at all sizes; claimed: it falls, and follows the law": (
        lambda _: np.ones_like(SIZES), True,
    ),
}  # fmt: skip
"""The loss at each size, and whether it is also claimed to fall."""


def law_cell(job: tuple[str, Law, str, int, int, int]) -> tuple[float, float]:
    """Rates of "supported" and of "refuted" of one claim on a law, of so many seeds."""
    name, law, family, n, studies, seed = job
    rng, (truth, falls) = np.random.default_rng(seed), LAWS[name]
    parts = 2 if falls else 1
    supported = refuted = 0
    for _ in range(studies):
        table = truth(law) * np.exp(RELATIVE * FAMILIES[family](rng, (n, SIZES.size)))
        said = predictions(table[:, :-1], SIZES[:-1], SIZES[-1:], law)[:, 0]
        numbers: list[tuple[Alternative, Floats]] = [
            (Between(-MISS, MISS), fits.log_ratio(table[:, -1], said))
        ]
        if falls:
            numbers.append((Less(FALLS), fits.slopes(table, SIZES, "power")))
        outcome = combine([_outcome(values, one, parts) for one, values in numbers])
        supported += outcome == "supported"
        refuted += outcome == "refuted"
    return supported / studies, refuted / studies


def _outcome(values: Floats, hypothesis: Alternative, parts: int) -> str:
    outcome = decide(assess(values, hypothesis, end_level(ALPHA, 1)), hypothesis)
    if outcome == "supported":
        return outcome
    return decide(
        assess(values, hypothesis, refuting_level(ALPHA, 1, hypothesis, parts)), hypothesis
    )


LEVELS = np.log([50.0, 100.0, 200.0, 400.0, 800.0, 1600.0])
BOUNDS = (np.log(100.0), np.log(800.0))
CROSSINGS: dict[str, tuple[Floats, float | None]] = {
    "equal at all levels": (np.zeros(6), None),
    "equal up to the lower bound, ahead above": (np.array([0.0, 0.0, 1.0, 2.0, 3.0, 4.0]), None),
    "behind below the upper bound, equal from there on": (
        np.array([-4.0, -3.0, -2.0, -1.0, 0.0, 0.0]), None,
    ),
    "always ahead": (np.full(6, 0.5), None),
    "crosses at the upper bound": (LEVELS - BOUNDS[1], BOUNDS[1]),
    "crosses at the lower bound": (LEVELS - BOUNDS[0], BOUNDS[0]),
    "crosses between": (LEVELS - LEVELS[2:4].mean(), float(LEVELS[2:4].mean())),
    "crosses between, nearly flat": (
        0.1 * (LEVELS - LEVELS[2:4].mean()), float(LEVELS[2:4].mean()),
    ),
}  # fmt: skip
"""By how much one arm is ahead at each level, in deviations of a seed, and where it overtakes."""
HOLDS = ("crosses between", "crosses between, nearly flat")


def crossing_cell(job: tuple[str, str, int, int, int]) -> tuple[float, float, float, float]:
    """Rates of "supported" and "refuted", of intervals that hold the crossing, and a naive rule's.

    The last is the rate of "supported" if the t interval of each seed's own crossing decided.
    """
    name, family, n, studies, seed = job
    rng, (ahead, crossing) = np.random.default_rng(seed), CROSSINGS[name]
    noise: Noise = FAMILIES[family]
    hypothesis = Between(*BOUNDS)
    end, wide = end_level(ALPHA, 1), refuting_level(ALPHA, 1, hypothesis)
    counts = np.zeros(4)
    for _ in range(studies):
        table = ahead + noise(rng, (n, LEVELS.size))
        own = LEVELS[0] + behind(LEVELS, table)
        average = as_average(lead_over(LEVELS, table))
        found = assess(own, hypothesis, end, average=average)
        outcome = decide(found, hypothesis)
        if outcome != "supported":
            outcome = decide(assess(own, hypothesis, wide, average=average), hypothesis)
        counts += (
            outcome == "supported",
            outcome == "refuted",
            crossing is not None and found.low <= crossing <= found.high,
            decide(assess(own, hypothesis, end), hypothesis) == "supported",
        )
    return tuple(float(rate) for rate in counts / studies)  # type: ignore[return-value]
