"""Seeds and test examples that are drawn with replacement."""

import numpy as np
import pytest

from harness.stats.crossed import mean_squares
from harness.stats.two_way_bootstrap import two_way_bootstrap


def bootstrap(numbers, seeds, examples, draws=4000):
    return two_way_bootstrap(numbers, seeds, examples, np.random.default_rng(1), draws)


def test_of_a_mean_it_gives_the_analysis_of_variance():
    generator = np.random.default_rng(0)
    table = (
        generator.normal(size=(6, 1)) + generator.normal(size=40) + generator.normal(size=(6, 40))
    )
    found = bootstrap(lambda drawn: drawn @ table.T / 40, 6, 40)
    known = mean_squares(table)
    assert found.seed == pytest.approx(known.seed)
    # the standard error of a variance of 4,000 draws is 2.2 %
    assert found.example == pytest.approx(known.example, rel=0.09)
    assert found.rest == pytest.approx(known.rest, rel=0.09)


def test_of_a_root_it_gives_the_delta_method():
    errors = np.random.default_rng(0).normal(size=(5, 400)) ** 2
    found = bootstrap(lambda drawn: np.sqrt(drawn @ errors.T / 400), 5, 400)
    known = mean_squares(errors / (2.0 * np.sqrt(errors.mean(axis=1, keepdims=True))))
    assert found.example == pytest.approx(known.example, rel=0.1)


def test_what_cannot_be_told():
    table = np.ones((3, 8))
    same = bootstrap(lambda drawn: drawn @ table.T / 8, 3, 8, 50)
    assert (same.seed, same.example, same.rest) == pytest.approx((0.0, 0.0, 0.0))
    with pytest.raises(ValueError, match="two seeds and two examples"):
        bootstrap(lambda drawn: drawn @ table.T, 3, 1)
    with pytest.raises(ValueError, match="not finite"), np.errstate(divide="ignore"):
        bootstrap(lambda drawn: np.log(drawn @ np.eye(8)[:3].T), 3, 8)
