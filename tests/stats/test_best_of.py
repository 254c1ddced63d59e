"""The expected best of a smaller number of candidates, by enumeration."""

from itertools import combinations

import numpy as np
import pytest

from harness.stats.best_of import expected_best


@pytest.mark.parametrize(("sign", "best"), [(1, max), (-1, min)])
def test_it_is_the_mean_over_all_subsets(sign, best):
    values = [0.3, 0.9, 0.1, 0.9, 0.6]
    found = expected_best(values, sign)
    for n in range(1, 6):
        enumerated = np.mean([best(subset) for subset in combinations(values, n)])
        assert found[n - 1] == pytest.approx(enumerated)


def test_a_candidate_without_a_value_counts_as_the_worst():
    assert expected_best([0.2, np.nan, 0.8]) == pytest.approx(expected_best([0.2, 0.2, 0.8]))
    assert expected_best([0.2, np.nan], -1) == pytest.approx([0.2, 0.2])


def test_the_best_of_none_is_refused():
    with pytest.raises(ValueError, match="no candidate has a value"):
        expected_best([np.nan])


def test_many_candidates_do_not_overflow():
    found = expected_best(np.arange(2000.0))
    assert found[0] == pytest.approx(999.5)
    assert found[-1] == 1999.0
