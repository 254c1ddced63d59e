"""Cells of ``calibration.py``: an owner who looks, and adds seeds until a verdict pleases.

``peeking_cell`` plays such an owner twice on the same numbers: judged as if every look were the
only one, and by the ledger's rule (``harness.judge.added_seeds``): the first look counts as it was
declared, and what it left open is judged by intervals that hold at every number of seeds.
"""

import numpy as np
from calibration_cells import ALPHA, FAMILIES, MARGIN, Floats

from harness.stats.anytime import outcome, share_of_claim
from harness.stats.hypotheses import Alternative, Greater, assess, decide
from harness.stats.multiplicity import holm

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
        found = _look([array[:seeds] for array in values], HYPOTHESIS)
        ends = [now if end == "inconclusive" else end for end, now in zip(ends, found, strict=True)]
        if "inconclusive" not in ends:
            break
    return ends


def _by_ledger(values: list[Floats], looks: list[int]) -> list[str]:
    """Judge the first look as declared, and later ones by what is left of the error rate."""
    ends = _look([array[: looks[0]] for array in values], HYPOTHESIS)
    share = share_of_claim(ALPHA, len(values))
    for i, array in enumerate(values):
        for seeds in looks[1:]:
            if ends[i] != "inconclusive":
                break
            ends[i] = outcome(array[:seeds], HYPOTHESIS, share)
    return ends


def _look(values: list[Floats], hypothesis: Alternative) -> list[str]:
    """Judge the claims of a study with so many seeds, as declared."""
    found = [assess(array, hypothesis, ALPHA) for array in values]
    corrected = holm([assessment.p_value for assessment in found])
    pairs = zip(found, corrected, strict=True)
    return [decide(assessment, hypothesis, float(p), ALPHA) for assessment, p in pairs]


def main() -> None:
    """Print the cells of this module; ``calibration.py`` writes them to its page."""
    for claims, first, step, most in PEEKING:
        for family in ("normal", "discrete", "heavy"):
            rates = peeking_cell((claims, first, step, most, family, 2000, 1))
            shown = " ".join(f"{100 * rate:5.1f}" for rate in rates)
            print(f"{claims} claims, {first} + {step} ... {most}, {family}: {shown}", flush=True)


if __name__ == "__main__":
    main()
