"""The function that stands for a validation score."""

import numpy as np
import pytest

from harness.response_surface import LEAST_WEIGHT, evaluate, problem
from harness.seeding import confirmation_seeds, search_seeds


def reported(**config):
    found = {}
    evaluate(config, found.update)
    return found


def at(values, seed, effective=2):
    return {f"x{i}": v for i, v in enumerate(values, 1)} | {"seed": seed, "effective": effective}


def test_the_best_settings_are_at_no_distance_and_few_settings_matter():
    weights, best = problem(3, 6, 2)
    assert sorted(weights) == [LEAST_WEIGHT] * 4 + [1.0] * 2
    assert reported(**at(best, 3)) == {"validation.distance": 0.0, "test.distance": 0.0}
    for setting, weight in enumerate(weights):
        moved = best.copy()
        moved[setting] += 0.1
        assert reported(**at(moved, 3))["validation.distance"] == pytest.approx(
            0.01 * weight / weights.sum()
        )


def test_a_winner_is_confirmed_on_the_problem_it_was_searched_on_and_problems_differ():
    searches = [problem(seed, 6, 2) for seed in search_seeds(5)]
    confirmed = [problem(seed, 6, 2) for seed in confirmation_seeds(5)]
    for one, other in zip(searches, confirmed, strict=True):
        np.testing.assert_array_equal(one, other)
    assert len({best.tobytes() for _, best in searches}) == 5


@pytest.mark.parametrize("effective", [0, 7])
def test_a_number_of_effective_settings_that_there_is_not_is_refused(effective):
    with pytest.raises(ValueError, match="there are 6 settings"):
        reported(**at([0.5] * 6, 0, effective))
