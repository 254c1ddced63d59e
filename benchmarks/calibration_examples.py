"""How often do intervals cover the truth when the test set is a sample as well?

Run ``python benchmarks/calibration_examples.py [--studies 2000]``; minutes on one core.
Two arms of equal true accuracy are compared on a test set of 360 examples, drawn anew for each
study, as are the seeds. The truth is 0: the difference over all seeds and all examples. Intervals
come from the functions that judge real studies (``assess``, ``over_seeds_and_examples``).

An example is right where a sum of normal numbers is above a threshold: how easy the example is
(shared by arms and seeds), how well it suits the arm (shared by the arm's seeds), and what a seed
makes of it. The three rows differ in how much of the luck is the arm's and how much the seed's.

Further cells, eight seeds each: examples in clusters (sentences of documents), counted as examples
and as clusters; losses, which are skewed; and root mean squared errors, by ``two_way_bootstrap``.
"""

import argparse

import numpy as np

from harness.stats.crossed import mean_squares, of_clusters, over_seeds_and_examples
from harness.stats.hypotheses import Greater, assess
from harness.stats.two_way_bootstrap import two_way_bootstrap

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


CLUSTERS = {
    "8 clusters, one size": np.repeat(np.arange(8), 45),
    "12 clusters, one size": np.repeat(np.arange(12), 30),
    "30 clusters, one size": np.repeat(np.arange(30), 12),
    "30 clusters, 1 to 40 each": np.repeat(np.arange(30), np.r_[1:11, [5] * 10, [10, 20, 25, 30,
                                           25, 30, 35, 40, 20, 20]]),
}  # fmt: skip
"""Which examples belong together; together they share half of what suits an arm."""
CLUSTER_SEEDS = 8
NUMBERS = (
    ("mean squared error, light tails", 0.2, False),
    ("mean squared error, heavy tails", 0.8, False),
    ("its root, light tails", 0.2, True),
    ("its root, heavy tails", 0.8, True),
)
"""What is measured, the deviation of the logarithm of an example's scale, whether it is a root."""


def clustered(studies: int, clusters: np.ndarray, seed: int) -> np.ndarray:
    """Coverage over seeds, over examples as if they were independent, and over clusters."""
    generator = np.random.default_rng(seed)
    claim, rows = Greater(0.0), []
    count = int(clusters.max()) + 1
    for _ in range(studies):
        right = []
        for _arm in range(2):
            of_cluster = 0.5 * generator.standard_normal(count)[clusters]
            suits = of_cluster + 0.5 * generator.standard_normal(len(clusters))
            noise = OF_A_SEED * generator.standard_normal((CLUSTER_SEEDS, len(clusters)))
            luck = 0.05 * generator.standard_normal((CLUSTER_SEEDS, 1))
            right.append((EASY + suits + noise + luck > 0.0).astype(float))
        table = right[0] - right[1]
        one = assess(table.mean(axis=1), claim)
        each = over_seeds_and_examples(one, claim, mean_squares(table))
        both = over_seeds_and_examples(one, claim, mean_squares(of_clusters(table, clusters)))
        covered = [found.low <= 0.0 <= found.high for found in (one, each, both)]
        rows.append(covered)
    return np.mean(rows, axis=0)


def errors(generator: np.random.Generator, tail: float) -> np.ndarray:
    """Squared errors of an arm, (seeds, examples); log-normal scales are the heavier the tail."""
    scale = np.exp(tail * generator.standard_normal(EXAMPLES))
    shared = generator.standard_normal(EXAMPLES)
    noise = generator.standard_normal((CLUSTER_SEEDS, EXAMPLES))
    luck = np.exp(0.02 * generator.standard_normal((CLUSTER_SEEDS, 1)))
    return (scale * (shared + 0.5 * noise) * luck) ** 2


def numbers(studies: int, tail: float, root: bool, seed: int) -> np.ndarray:
    """Coverage over seeds and over both, of a mean or root mean squared error's difference."""
    generator = np.random.default_rng(seed)
    claim, rows = Greater(0.0), []
    for _ in range(studies):
        arms = [errors(generator, tail) for _ in range(2)]
        if root:
            values = np.sqrt(arms[0].mean(axis=1)) - np.sqrt(arms[1].mean(axis=1))
            squares = two_way_bootstrap(
                lambda drawn, arms=arms: (
                    np.sqrt(drawn @ arms[0].T / EXAMPLES) - np.sqrt(drawn @ arms[1].T / EXAMPLES)
                ),
                CLUSTER_SEEDS, EXAMPLES, generator, draws=400,
            )  # fmt: skip
        else:
            values = (arms[0] - arms[1]).mean(axis=1)
            squares = mean_squares(arms[0] - arms[1])
        one = assess(values, claim)
        both = over_seeds_and_examples(one, claim, squares)
        rows.append([found.low <= 0.0 <= found.high for found in (one, both)])
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
    print(f"\n{'':34}{'over seeds':>12}{'as examples':>14}{'as clusters':>14}")
    for place, (name, clusters) in enumerate(CLUSTERS.items()):
        found = clustered(given.studies, clusters, 1_000 * given.seed + 500 + place)
        print(f"{name:34}" + "".join(f"{100 * share:13.1f}" for share in found))
    print(f"\n{'':34}{'over seeds':>12}{'and examples':>14}")
    for place, (name, tail, root) in enumerate(NUMBERS):
        found = numbers(given.studies, tail, root, 1_000 * given.seed + 600 + place)
        print(f"{name:34}" + "".join(f"{100 * share:13.1f}" for share in found))


if __name__ == "__main__":
    main()
