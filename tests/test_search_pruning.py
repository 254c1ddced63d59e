from collections import Counter

import pytest

from harness.metrics import metric_of
from harness.plan import SearchSpace
from harness.search import Tried, bracket_of, rungs, stop_rules

METRIC = "validation.accuracy"


def space(name="successive_halving", first=2, factor=3, **changes):
    fields = {
        "dimensions": {"optimizer.lr": {"log": [1e-4, 1.0]}},
        "default": None,
        "sampler": "random",
        "round": 4,
        "candidates": 40,
        "metric": metric_of(METRIC),
        "longest": 27,
        "pruning": {"name": name, "first": first, "factor": factor},
    }
    return SearchSpace(**(fields | changes))


def tried(*curve, value=None):
    return Tried({}, value, len(curve), value is None, (curve,))


def test_rungs_are_spaced_by_the_factor_and_end_before_the_last_epoch():
    assert rungs(space(), 0, 27) == [2, 6, 18]
    assert rungs(space(), 0, 18) == [2, 6]
    assert rungs(space(first=1, factor=2), 0, 9) == [1, 2, 4, 8]
    assert rungs(space(), 1, 27) == [6, 18]
    assert rungs(space(pruning=None), 0, 27) == []


def test_thresholds_are_those_worked_out_by_hand():
    # After epoch 2: .9 .8 .7 .6 .5 .4 .3, seven candidates, of which the best two go on.
    # After epoch 6: .95 .85 .75, of which the best one does. Only two came to epoch 18.
    history = [
        tried(0.1, 0.3),
        tried(0.5, 0.9, 0.9, 0.9, 0.9, 0.95, *[0.97] * 21, value=0.97),
        tried(0.2, 0.4),
        tried(0.8, 0.8, 0.8, 0.8, 0.8, 0.85, *[0.9] * 21, value=0.9),
        tried(0.5, 0.5),
        tried(0.6, 0.6),
        tried(0.7, 0.7, 0.7, 0.7, 0.7, 0.75),
    ]
    assert stop_rules(space(), history, 7, 27) == [
        [
            {"epoch": 2, "metric": METRIC, "worse_than": 0.8},
            {"epoch": 6, "metric": METRIC, "worse_than": 0.95},
        ]
    ]


def test_nobody_is_stopped_before_enough_others_came_as_far():
    history = [tried(0.1, 0.2), tried(0.3, 0.4)]
    assert stop_rules(space(), history, 2, 27) == [[]]
    assert stop_rules(space(), [], 0, 27) == [[]]
    assert stop_rules(space(pruning=None), history * 5, 2, 27) == []


def test_losses_are_better_low():
    history = [tried(loss, loss) for loss in (3.0, 1.0, 2.0)]
    found = stop_rules(space(metric=metric_of("validation.loss")), history, 3, 27)
    assert found == [[{"epoch": 2, "metric": "validation.loss", "worse_than": 1.0}]]


def test_every_search_seed_has_its_own_rivals():
    history = [
        Tried({}, None, 4, True, ((0.1, low), (0.1, high)))
        for low, high in ((0.2, 0.7), (0.3, 0.8), (0.4, 0.9))
    ]
    found = stop_rules(space(seeds=2), history, 3, 27)
    assert [rules[0]["worse_than"] for rules in found] == [0.4, 0.9]


def test_one_that_ended_early_and_well_counts_later_and_one_that_was_stopped_does_not():
    # Two stopped at epoch 2, one that stopped improving and was complete after epoch 4.
    history = [tried(0.1, 0.2), tried(0.1, 0.3), *[tried(0.5, 0.6, 0.6, 0.6, value=0.6)] * 3]
    rules = stop_rules(space(), history, 5, 27)[0]
    assert {rule["epoch"]: rule["worse_than"] for rule in rules} == {2: 0.6, 6: 0.6, 18: 0.6}


def test_values_that_are_not_finite_never_become_a_threshold():
    history = [tried(float("nan"), float("nan"))] * 3 + [tried(0.2, 0.2)] * 2
    assert stop_rules(space(), history, 5, 27) == [[]]


def test_hyperband_deals_candidates_by_the_shares_of_the_paper():
    # R = 27, factor 3, first 1: n = 27, 12, 6, 4 (Li et al. 2018, algorithm 1 gives s + 1 = 4).
    searched = space("hyperband", first=1)
    dealt = [bracket_of(searched, i) for i in range(49)]
    assert Counter(dealt) == {0: 27, 1: 12, 2: 6, 3: 4}
    assert [bracket_of(searched, 49 + i) for i in range(10)] == dealt[:10]
    assert {0, 1, 2, 3} <= set(dealt[:13])
    assert [rungs(searched, b, 27) for b in range(4)] == [[1, 3, 9], [3, 9], [9], []]


def test_candidates_of_other_brackets_are_no_rivals():
    searched = space("hyperband", first=3)
    history = [tried(*[0.9 if bracket_of(searched, i) else 0.5] * 27, value=0.9) for i in range(12)]
    for index in range(12, 18):
        bracket = bracket_of(searched, index)
        expected = {0: {0.5}, 1: {0.9}, 2: set()}[bracket]
        found = {rule["worse_than"] for rule in stop_rules(searched, history, index, 27)[0]}
        assert found == expected, index


@pytest.mark.parametrize("epochs", [2, 3, 7])
def test_a_rule_never_stops_a_trial_after_its_last_epoch(epochs):
    rules = stop_rules(space(first=1, factor=2), [tried(*[0.5] * 9)] * 9, 9, epochs)[0]
    assert all(rule["epoch"] < epochs for rule in rules)
