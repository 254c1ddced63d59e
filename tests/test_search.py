import math

import pytest

from harness.plan import SearchSpace, grid_points
from harness.search import Tried, best, next_round

DIMENSIONS = {
    "optimizer.lr": {"log": [1e-4, 1.0]},
    "model.width": {"integer": [4, 64]},
    "model.activation": {"choice": ["relu", "tanh"]},
    "optimizer.momentum": {"uniform": [0.0, 0.9]},
}
DEFAULT = {
    "optimizer.lr": 1e-3, "model.width": 8, "model.activation": "relu", "optimizer.momentum": 0.5,
}  # fmt: skip


def space(**changes):
    fields = {
        "dimensions": DIMENSIONS,
        "default": DEFAULT,
        "sampler": "tpe",
        "round": 4,
        "candidates": 30,
        "metric": "validation.accuracy",
    }
    return SearchSpace(**(fields | changes))


def run(searched, value):
    history = []
    while round_ := next_round(searched, history):
        history += [Tried(candidate, value(candidate)) for candidate in round_]
    return history


def closeness(candidate):
    return -abs(math.log10(candidate["optimizer.lr"]) + 2) + candidate["model.width"] / 100


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_search_asks_its_budget_and_always_the_same(sampler):
    searched = space(sampler=sampler)
    history = run(searched, closeness)
    assert len(history) == 30
    assert history == run(searched, closeness)
    assert history[0].parameters == DEFAULT
    for candidate in (tried.parameters for tried in history):
        assert 1e-4 <= candidate["optimizer.lr"] <= 1.0
        assert candidate["model.activation"] in ("relu", "tanh")


def test_an_interrupted_search_goes_on_with_the_candidates_it_would_have_asked():
    searched = space()
    history = run(searched, closeness)
    assert next_round(searched, history[:16]) == [tried.parameters for tried in history[16:20]]


def test_the_last_round_keeps_to_the_budget():
    assert len(next_round(space(candidates=6), [Tried(DEFAULT, 1.0)] * 4)) == 2
    assert next_round(space(candidates=4), [Tried(DEFAULT, 1.0)] * 4) == []


def test_tpe_learns_from_what_it_is_told():
    history = run(space(candidates=60), closeness)
    early = sum(tried.value for tried in history[:12]) / 12
    late = sum(tried.value for tried in history[-12:]) / 12
    assert late > early


def test_a_default_outside_the_space_is_not_tried():
    assert next_round(space(default=None), [])[0] != DEFAULT


def test_candidates_without_a_value_neither_win_nor_stop_the_search():
    searched = space(candidates=12)
    history = run(searched, lambda c: None if c["optimizer.lr"] > 1e-2 else c["optimizer.lr"])
    assert len(history) == 12
    winner = best(searched, history)
    assert winner is not None
    assert history[winner].value == max(t.value for t in history if t.value is not None)
    assert best(searched, [Tried(DEFAULT, None)]) is None


def test_the_earliest_of_equals_wins_and_losses_are_minimized():
    history = [Tried(DEFAULT, value) for value in (1.0, 2.0, 2.0)]
    assert best(space(), history) == 1
    assert best(space(metric="validation.loss"), history) == 0


def test_a_grid_covers_the_space_evenly_and_keeps_to_its_budget():
    dimensions = {"lr": {"log": [1e-4, 1.0]}, "act": {"choice": ["relu", "tanh"]}}
    points = grid_points(dimensions, 10)
    assert len(points) == 10
    assert [p["lr"] for p in points[::2]] == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1, 1.0])
    assert len(grid_points(DIMENSIONS, 30)) <= 30
    searched = space(
        sampler="grid", dimensions=dimensions, candidates=10, points=points, default=None
    )
    assert [tried.parameters for tried in run(searched, lambda c: c["lr"])] == points
