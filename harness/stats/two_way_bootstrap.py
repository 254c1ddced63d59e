"""How much a number that is no mean over test examples varies with seeds and with test examples.

A root mean squared error or a ratio of two losses is no mean of single examples, so there is no
table to analyse. Seeds and test examples are drawn with replacement instead, each on their own, and
a draw holds every chosen seed on every chosen example: the pigeonhole bootstrap (McCullagh,
Bernoulli 6, 2000; Owen, Annals of Applied Statistics 1, 2007). Its plain variance counts the rest
three times (Owen 2007, theorem 3); so each draw is taken apart as the analysis of variance takes a
table apart, into what the drawn seeds alone do, what the drawn examples alone do, and what is left.
For a mean these are the mean squares themselves, but for the luck of the draws.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.stats.arrays import Floats
from harness.stats.crossed import MeanSquares

DRAWS = 1000
"""They estimate a standard error to about 2 %."""
_TOGETHER = 2**22
"""Numbers of a table of draws that are in memory at once."""


def two_way_bootstrap(
    numbers: Callable[[Floats], Floats],
    seeds: int,
    examples: int,
    generator: np.random.Generator,
    draws: int = DRAWS,
) -> MeanSquares:
    """Estimate the mean squares of a number's mean over seeds.

    Args:
        numbers: from how often each example is drawn, shape (draws, examples), to the number of
            each seed on these examples, shape (draws, seeds).
        seeds: how many, two at least.
        examples: how many, or clusters of such, two at least.
        generator: draws; the same one gives the same.
        draws: of the bootstrap.

    Raises:
        ValueError: for fewer, or if a number is not finite.
    """
    n, m = seeds, examples
    if n < 2 or m < 2:
        raise ValueError(f"two seeds and two examples are needed at least, got {n} and {m}")
    known = numbers(np.ones((1, m)))[0]
    of_examples, of_rest = [], []
    size = max(1, min(draws, _TOGETHER // m))
    for start in range(0, draws, size):
        count = min(size, draws - start)
        drawn = generator.multinomial(m, np.full(m, 1.0 / m), size=count).astype(np.float64)
        share = generator.multinomial(n, np.full(n, 1.0 / n), size=count) / n
        found = numbers(drawn)
        if not np.isfinite(found).all():
            raise ValueError("a number is not finite in some draws")
        means = found.mean(axis=1)
        of_examples.append(means)
        of_rest.append((share * found).sum(axis=1) - means - share @ known + known.mean())
    example, rest = (np.concatenate(parts) for parts in (of_examples, of_rest))
    return MeanSquares(
        n,
        m,
        seed=m * float(np.var(known, ddof=1)),
        example=n * m * m / (m - 1) * float(np.var(example, ddof=1)),
        rest=(n * m) ** 2 / ((n - 1) * (m - 1)) * float(np.var(rest, ddof=1)),
    )
