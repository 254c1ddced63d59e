import math

import pytest

from harness.metrics import metric_of
from harness.plan import SearchSpace
from harness.registry import SAMPLERS
from harness.samplers.grid import grid_points
from harness.search import Tried, best, next_round, wanted

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
        "metric": metric_of("validation.accuracy"),
    }
    return SearchSpace(**(fields | changes))


def run(searched, value):
    history = []
    while round_ := next_round(searched, history):
        history += [Tried(candidate, value(candidate)) for candidate in round_]
    return history


def closeness(candidate):
    return -abs(math.log10(candidate["optimizer.lr"]) + 2) + candidate["model.width"] / 100


NUMBERS = {path: dimension for path, dimension in DIMENSIONS.items() if path != "model.activation"}


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
    assert best(space(metric=metric_of("validation.loss")), history) == 0


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


# --- CMA-ES ---------------------------------------------------------------------------------------
def cma(**changes):
    default = {path: DEFAULT[path] for path in NUMBERS}
    return space(**({"sampler": "cmaes", "dimensions": NUMBERS, "default": default} | changes))


def test_cmaes_is_a_pure_function_of_the_history_and_learns():
    searched = cma(candidates=80)
    history = run(searched, closeness)
    assert history == run(searched, closeness)
    for stop in (4, 16, 40):
        asked = next_round(searched, history[:stop])
        assert asked == [tried.parameters for tried in history[stop : stop + 4]]
    early = sum(tried.value for tried in history[:16]) / 16
    late = sum(tried.value for tried in history[-16:]) / 16
    assert late > early
    for tried in history:
        assert 4 <= tried.parameters["model.width"] <= 64
        assert isinstance(tried.parameters["model.width"], int)


def test_cmaes_follows_what_it_is_told_and_not_how_it_was_asked():
    searched = cma(candidates=40)
    up = run(searched, closeness)
    down = [Tried(tried.parameters, -tried.value) for tried in up[:20]]
    assert next_round(searched, up[:20]) != next_round(searched, down)
    other = [Tried(tried.parameters | {"model.width": 9}, tried.value) for tried in up[:20]]
    assert next_round(searched, other) not in (up[20:24], [])  # asked by another version


def test_cmaes_leaves_where_candidates_diverge_and_takes_one_dimension():
    searched = cma(
        dimensions={"optimizer.lr": DIMENSIONS["optimizer.lr"]}, default=None, candidates=48
    )
    history = run(searched, lambda c: None if c["optimizer.lr"] > 1e-2 else c["optimizer.lr"])
    diverged = [tried.value is None for tried in history]
    assert len(history) == 48
    assert sum(diverged[-16:]) < sum(diverged[:16])
    assert len(run(cma(candidates=12), lambda c: None)) == 12


# --- conditions -----------------------------------------------------------------------------------
CONDITIONAL = {
    "optimizer.name": {"choice": ["adam", "sgd"]},
    "optimizer.momentum": {"uniform": [0.0, 0.9], "when": {"optimizer.name": ["sgd"]}},
    "optimizer.nesterov": {"choice": [True, False], "when": {"optimizer.name": ["sgd"]}},
    "optimizer.lr": {"log": [1e-4, 1.0]},
}


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_setting_with_a_condition_is_asked_only_where_it_holds(sampler):
    searched = space(
        sampler=sampler, dimensions=CONDITIONAL, default={"optimizer.name": "adam",
        "optimizer.lr": 1e-2}, candidates=40,
    )  # fmt: skip

    def value(candidate):
        return candidate.get("optimizer.momentum", -1.0)

    history = run(searched, value)
    assert history == run(searched, value)
    assert history[0].parameters == {"optimizer.name": "adam", "optimizer.lr": 1e-2}
    for tried in history:
        sgd = tried.parameters["optimizer.name"] == "sgd"
        names = ["optimizer.name", "optimizer.momentum", "optimizer.nesterov", "optimizer.lr"]
        assert list(tried.parameters) == (names if sgd else [names[0], names[3]])
    if sampler == "tpe":
        late = [tried.parameters["optimizer.name"] for tried in history[-12:]]
        assert late.count("sgd") >= 9


def test_a_grid_has_no_points_that_differ_in_settings_that_are_not_asked():
    points = grid_points(CONDITIONAL, 24)
    adam = [point for point in points if point["optimizer.name"] == "adam"]
    assert all(set(point) == {"optimizer.name", "optimizer.lr"} for point in adam)
    assert len(adam) == len({point["optimizer.lr"] for point in adam})
    assert len(points) - len(adam) == len(adam) * 2 * len(adam)


# --- budgets and pruning --------------------------------------------------------------------------
def test_a_budget_in_epochs_is_spent_and_never_exceeded():
    searched = space(candidates=10_000, epochs=100, longest=9)
    assert wanted(searched, []) == 4
    full = [Tried(DEFAULT, 1.0, 9)] * 8
    assert wanted(searched, full) == 3
    assert wanted(searched, full + full[:3]) == 0
    stopped = [Tried(DEFAULT, None, 2, True)] * 8
    assert wanted(searched, full + stopped) == 1
    assert wanted(space(candidates=9, epochs=100, longest=9), full) == 1
    assert wanted(space(candidates=10_000, epochs=100, longest=9, seeds=2), full) == 1


def test_pruned_candidates_steer_the_sampler_and_never_win():
    """Those of a high rate are stopped; TPE then asks lower ones, and the better of equals."""

    def history(sampler):
        pruning = {"name": "successive_halving", "first": 1, "factor": 3}
        shape = {"dimensions": NUMBERS, "default": None, "candidates": 60}
        searched = space(sampler=sampler, pruning=pruning, **shape)
        found = []
        while round_ := next_round(searched, found):
            for candidate in round_:
                good = candidate["optimizer.lr"] < 1e-2
                value = -abs(math.log10(candidate["optimizer.lr"]) + 3)
                curve = (value,) * (9 if good else 1)
                found.append(Tried(candidate, value if good else None, 9, not good, (curve,)))
        return searched, found

    for sampler in ("tpe", "cmaes"):
        searched, found = history(sampler)
        assert found == history(sampler)[1]
        stopped = [tried.pruned for tried in found]
        assert sum(stopped[-20:]) < sum(stopped[:20])
        assert not found[best(searched, found)].pruned


def test_repetitions_ask_other_candidates_of_the_same_space():
    searched = space()
    rounds = [next_round(searched.repeated(r), []) for r in range(3)]
    assert all(round_[0] == DEFAULT for round_ in rounds)
    assert len({repr(round_[1:]) for round_ in rounds}) == 3
    assert searched.repeated(0).seed == searched.seed


@pytest.mark.parametrize("when", [False, True], ids=["plain", "conditional"])
def test_what_a_study_was_told_before_changes_no_candidate(when):
    """A search that goes on asks what one does that starts with all of its history at once."""
    dimensions = dict(DIMENSIONS)
    if when:
        dimensions["optimizer.momentum"] = {
            **DIMENSIONS["optimizer.momentum"], "when": {"model.activation": "relu"},
        }  # fmt: skip
    searched = space(dimensions=dimensions, default=None, candidates=60)
    going_on = []
    while round_ := next_round(searched, going_on):
        again = [Tried(dict(tried.parameters), tried.value) for tried in going_on]
        assert next_round(searched, again) == round_
        for number, candidate in enumerate(round_):
            going_on.append(Tried(candidate, closeness(candidate) if number else None))
    assert len(going_on) == 60


# --- Gaussian process -----------------------------------------------------------------------------
def test_a_gaussian_process_is_a_pure_function_of_the_history_and_learns():
    searched = space(sampler="gaussian_process", dimensions=NUMBERS, default=None, candidates=16)
    history = run(searched, closeness)
    asked = next_round(searched, [Tried(t.parameters, t.value) for t in history[:12]])
    assert asked == [tried.parameters for tried in history[12:]]
    assert max(t.value for t in history[12:]) > max(t.value for t in history[:12])


def test_a_gaussian_process_leaves_where_candidates_diverge():
    searched = space(
        sampler="gaussian_process", dimensions={"optimizer.lr": DIMENSIONS["optimizer.lr"]},
        default=None, candidates=20,
    )  # fmt: skip

    def value(candidate):
        rate = math.log10(candidate["optimizer.lr"])
        return None if rate > -2 else -abs(rate + 3)

    diverged = [tried.value is None for tried in run(searched, value)]
    assert sum(diverged[12:]) * 12 < sum(diverged[:12]) * 8


def test_a_gaussian_process_takes_no_conditions():
    refused = list(SAMPLERS.read("gaussian_process").refusals(CONDITIONAL))
    assert [where for where, _ in refused] == [
        ("optimizer.momentum", "when"), ("optimizer.nesterov", "when"),
    ]  # fmt: skip
