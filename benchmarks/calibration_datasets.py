"""Equal methods on many data sets: how often a leaderboard and a claim over data sets err."""

import numpy as np
from calibration_cells import ALPHA

from harness.ranking.pairs import compare_pairs, places
from harness.ranking.ranks import rank_interval, ranks
from harness.ranking.scores import Scores
from harness.stats.hypotheses import Greater, assess, decide
from harness.stats.multiplicity import end_level

DATASETS = (5, 10, 20)
EFFECTS = ("normal", "heavy", "normal, failures", "heavy, failures")
METHODS, RUNS, FAILING = 5, 3, 0.1


def drawn_scores(kind: str, datasets: int, rng: np.random.Generator) -> np.ndarray:
    """Scores (methods, data sets, seeds) of equal methods: each suits some data sets better.

    With failures, each method fails on one data set in ten, which counts as the worst score there.
    """
    shape = (METHODS, datasets)
    heavy = kind.startswith("heavy")
    effects = rng.standard_t(3, shape) if heavy else rng.standard_normal(shape)
    scores = effects[..., None] + 0.5 * rng.standard_normal((*shape, RUNS))
    if kind.endswith("failures"):
        worst = scores.min(axis=(0, 2))[None, :, None]
        scores = np.where((rng.random(shape) < FAILING)[..., None], worst, scores)
    return scores


def dataset_cell(job: tuple[str, int, int, int]) -> tuple[float, ...]:
    """Rates of errors, each of the studies that have it.

    Any pair settled, any place settled, the interval of a mean rank misses it, that of a
    probability of improvement does, a claim over data sets is supported.
    """
    kind, datasets, studies, seed = job
    rng, hypothesis = np.random.default_rng(seed), Greater(0.0)
    end = end_level(ALPHA, 1, hypothesis.sides)
    pair = place = missed = unlike = wrong = 0
    for _ in range(studies):
        scores = Scores.of(drawn_scores(kind, datasets, rng))
        pairs = compare_pairs(scores, ALPHA)
        pair += any(one.better for one in pairs)
        place += any(low == high for low, high in places(METHODS, pairs))
        low, high = rank_interval(ranks(scores.means)[0], METHODS)
        missed += not low <= (METHODS + 1) / 2.0 <= high
        chance = next(one for one in pairs if (one.first, one.second) == (0, 1))
        unlike += not chance.improvement_low <= 0.5 <= chance.improvement_high
        found = assess(scores.means[0] - scores.means[1], hypothesis, end)
        wrong += decide(found, hypothesis) == "supported"
    return tuple(count / studies for count in (pair, place, missed, unlike, wrong))
