"""How often do intervals cover the truth when the test set is a sample as well?

Run ``python benchmarks/calibration_examples.py [--studies 2000] [--seed 0]``; a minute on one core.
Two arms of equal true accuracy are compared on a test set of 360 examples, drawn anew for each
study, as are the seeds. The truth is 0: the difference over all seeds and all examples. Intervals
come from the functions that judge real studies (``assess``, ``over_seeds_and_examples``).

An example is right where a sum of normal numbers is above a threshold: how easy the example is
(shared by arms and seeds), how well it suits the arm (shared by the arm's seeds), and what a seed
makes of it. The three rows differ in how much of the luck is the arm's and how much the seed's.
"""

import argparse

import numpy as np

from harness.stats.crossed import mean_squares, over_seeds_and_examples
from harness.stats.hypotheses import Greater, assess

EXAMPLES = 360
SEEDS = (5, 8, 12, 20)
SETTINGS = {"little luck of examples": 0.35, "some": 0.5, "much": 0.7}
"""Deviation of how well an example suits an arm; that of what a seed makes of it is 0.6."""
EASY, EASINESS, OF_A_SEED = 1.6, 1.0, 0.6


def differences(generator: np.random.Generator, seeds: int, of_an_arm: float) -> np.ndarray:
    """Differences of being right, (seeds, examples): -1, 0 or 1."""
    easy = EASY + EASINESS * generator.standard_normal(EXAMPLES)
    right = []
    for _ in range(2):
        suits = of_an_arm * generator.standard_normal(EXAMPLES)
        noise = OF_A_SEED * generator.standard_normal((seeds, EXAMPLES))
        luck = 0.05 * generator.standard_normal((seeds, 1))  # a seed that is good at everything
        right.append((easy + suits + noise + luck > 0.0).astype(float))
    return right[0] - right[1]


def cell(studies: int, seeds: int, of_an_arm: float, seed: int) -> np.ndarray:
    """Coverage of the interval over seeds and of that over both, and how much wider that one is."""
    generator = np.random.default_rng(seed)
    claim, rows = Greater(0.0), []
    for _ in range(studies):
        table = differences(generator, seeds, of_an_arm)
        one = assess(table.mean(axis=1), claim)
        both = over_seeds_and_examples(one, claim, mean_squares(table))
        covered = [found.low <= 0.0 <= found.high for found in (one, both)]
        wider = (both.high - both.low) / (one.high - one.low) if one.deviation else 1.0
        rows.append([*covered, wider])
    return np.mean(rows, axis=0)


def main() -> None:
    """Print a table: what the intervals cover, in percent."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    print(
        f"{EXAMPLES} test examples, equal true accuracy, {given.studies} studies a row; meant: 95"
    )
    print(f"{'':26}{'seeds':>6}{'over seeds':>12}{'and examples':>14}{'wider':>8}")
    for place, (name, of_an_arm) in enumerate(SETTINGS.items()):
        for seeds in SEEDS:
            found = cell(given.studies, seeds, of_an_arm, 1_000 * given.seed + 10 * place + seeds)
            one, both, wider = found
            print(f"{name:26}{seeds:6}{100 * one:12.1f}{100 * both:14.1f}{wider:8.2f}")


if __name__ == "__main__":
    main()
