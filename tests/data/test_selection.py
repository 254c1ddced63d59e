"""Draws that are even by class, nested, and the same always."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.data._selection import count_selected, drawn, relabelled, selected
from harness.workloads import Examples

TARGETS = np.repeat([0, 1, 2], [30, 40, 5])


@given(st.integers(1, 90))
@settings(max_examples=30, deadline=None)
def test_a_draw_is_even_and_a_part_of_larger_ones(limit):
    index = drawn(TARGETS, limit)
    assert len(index) == count_selected([30, 40, 5], limit)
    counts = np.bincount(TARGETS[index], minlength=3)
    available = np.array([30, 40, 5])
    open_classes = counts[counts < available]
    if len(open_classes):
        assert counts.max() - open_classes.min() <= 1
    assert set(index) <= set(drawn(TARGETS, limit + 7))
    assert np.array_equal(index, np.sort(index))


def test_what_a_class_draws_does_not_depend_on_the_others():
    alone = drawn(TARGETS, 10, [1])
    together = drawn(TARGETS, 20, [0, 1])
    assert set(alone) == set(together[TARGETS[together] == 1])


def test_classes_are_relabelled_in_their_order():
    assert relabelled(np.array([5, 9, 5]), [9, 5]).tolist() == [1, 0, 1]
    examples = Examples(np.arange(75), TARGETS)
    found = selected(examples, None, [2, 0])
    assert np.bincount(found.targets).tolist() == [5, 30]
    assert (TARGETS[found.inputs[found.targets == 0]] == 2).all()
    assert selected(examples, None) is examples


@pytest.mark.parametrize(("limit", "classes", "count"), [(None, [0, 2], 35), (7, [2], 5)])
def test_counts_need_no_data(limit, classes, count):
    assert count_selected([30, 40, 5], limit, classes) == len(drawn(TARGETS, limit, classes))
    assert count_selected([30, 40, 5], limit, classes) == count
