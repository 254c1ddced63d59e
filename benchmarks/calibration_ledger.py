"""Cells of ``calibration.py``: an owner who looks, and adds seeds until a verdict pleases.

``peeking_cell`` plays such an owner twice on the same numbers: judged as if every look were the
only one, and by the ledger's rule (``harness.judge.added_seeds``): the first look counts as it was
declared, and what it left open has what is left of the error rate, if anything is.
"""

import numpy as np
from calibration_cells import ALPHA, FAMILIES, MARGIN, Floats

from harness.stats.anytime import outcome, unspent
from harness.stats.hypotheses import Greater
from harness.stats.intervals import t_interval
from harness.stats.multiplicity import end_level

PEEKING = [
    # claims, seeds of the first look, seeds that are added each time, seeds at most
    (1, 8, 1, 30),
    (1, 8, 4, 40),
    (5, 8, 4, 40),
    (1, 6, 6, 36),
]
HYPOTHESIS = Greater(MARGIN)


def peeking_cell(
    job: tuple[int, int, int, int, str, int, int],
) -> tuple[float, float, float, float]:
    """Rates of studies with any false verdict when seeds are added until all claims are decided.

    The truth of every claim is at its margin, so that "supported" and "refuted" are each as likely
    to be false as they can be.

    Args:
        job: claims, seeds of the first look, seeds added each time, seeds at most, family of noise,
            studies, seed.

    Returns:
        "supported" and "refuted" with every look judged as the only one, and by the ledger's rule.
    """
    claims, first, step, most, family, studies, seed = job
    rng, noise = np.random.default_rng(seed), FAMILIES[family]
    looks = [*range(first, most, step), most]
    wrong = np.zeros(4)
    for _ in range(studies):
        values = [MARGIN + noise(rng, (most,)) for _ in range(claims)]
        ends = [_naive(values, looks), _by_ledger(values, looks)]
        wrong += [kind in end for end in ends for kind in ("supported", "refuted")]
    naive_supported, naive_refuted, supported, refuted = (wrong / studies).tolist()
    return naive_supported, naive_refuted, supported, refuted


def _naive(values: list[Floats], looks: list[int]) -> list[str]:
    """Judge every look as if it were the only one, until each claim is decided."""
    ends = ["inconclusive"] * len(values)
    for seeds in looks:
        for i, array in enumerate(values):
            if ends[i] == "inconclusive":
                ends[i] = _look(array[:seeds], len(values))
        if "inconclusive" not in ends:
            break
    return ends


def _by_ledger(values: list[Floats], looks: list[int]) -> list[str]:
    """Judge the first look as declared, and later ones by what is left of the error rate."""
    ends = [_look(array[: looks[0]], len(values)) for array in values]
    left = unspent(ALPHA, len(values))
    for i, array in enumerate(values) if left else ():
        for seeds in looks[1:]:
            if ends[i] != "inconclusive":
                break
            ends[i], *_ = outcome(array[:seeds], HYPOTHESIS, left)
    return ends


def _look(array: Floats, claims: int) -> str:
    """Judge one of so many claims, as declared: by its interval, as ``decide`` does."""
    low, high = t_interval(array, 1.0 - 2.0 * end_level(ALPHA, claims))
    return HYPOTHESIS.says(low, high)


def main() -> None:
    """Print the cells of this module; ``calibration.py`` writes them to its page."""
    for claims, first, step, most in PEEKING:
        for family in ("normal", "discrete", "heavy"):
            rates = peeking_cell((claims, first, step, most, family, 2000, 1))
            shown = " ".join(f"{100 * rate:5.1f}" for rate in rates)
            print(f"{claims} claims, {first} + {step} ... {most}, {family}: {shown}", flush=True)


if __name__ == "__main__":
    main()
