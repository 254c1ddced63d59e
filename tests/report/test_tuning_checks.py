"""What a stored search says against itself."""

from dataclasses import replace

import pandas as pd
import pytest

from harness.evidence import Evidence
from harness.integrity.tuning import (
    answers_that_move,
    edge,
    nothing_beyond,
    optima_at_edges,
)
from harness.judged import Verdict
from harness.plan import make_plan
from harness.search import random_until
from harness.store import Execution
from harness.study import load_study

STUDY = """\
study: made
question: Known answers?
workload: {data: digits, model: {name: mlp, depth: 2}}
factors: {activation: {path: model.activation, levels: [relu, tanh]}}
search: {space: {optimizer.lr: {log: [0.001, 0.1]}}, candidates: 4}
seeds: 5
claims:
  - {id: c, says: s, metric: test.accuracy, contrast: {activation: [relu, tanh]}, greater_by: 0}
"""


@pytest.fixture
def made(tmp_path):
    """Return a function: by arm, the values of its candidates and its winner's learning rate."""

    def build(values, rates):
        file = tmp_path / "made.yaml"
        file.write_text(STUDY)
        loaded = load_study(file)
        plan, rows = make_plan(loaded.study, loaded.arms), []
        for arm, found in values.items():
            for candidate, value in enumerate(found):
                rows.append({"arm": arm, "phase": "search", "candidate": candidate,
                             "state": "diverged" if value is None else "complete",
                             "validation.accuracy": value})  # fmt: skip
            rows.append({"arm": arm, "phase": "confirmation", "candidate": 0, "seed": 0,
                         "state": "complete", "parameter.optimizer.lr": rates[arm]})  # fmt: skip
        execution = Execution(1, "made", "default", "h", {}, {}, 0.0, 1.0, "finished", 1.0)
        return Evidence(plan, execution, pd.DataFrame(rows), pd.DataFrame(), {}, [])

    return build


@pytest.mark.parametrize(
    ("dimension", "value", "expected"),
    [
        ({"log": [1e-3, 1e-1]}, 1.2e-3, "lower"),
        ({"log": [1e-3, 1e-1]}, 1.3e-3, ""),
        ({"log": [1e-3, 1e-1]}, 0.085, "upper"),
        ({"uniform": [0.0, 1.0]}, 0.04, "lower"),
        ({"uniform": [0.0, 1.0]}, 0.5, ""),
        ({"integer": [1, 8]}, 8, "upper"),
        ({"choice": [64, 16, 32]}, 64, "upper"),
        ({"choice": [64, 16, 32]}, 32, ""),
        ({"choice": [16, 32]}, 32, ""),
        ({"choice": ["adam", "sgd"]}, "sgd", ""),
        ({"choice": [True, False]}, True, ""),
    ],
)
def test_the_edge_of_a_range_on_its_own_scale(dimension, value, expected):
    assert edge(dimension, value) == expected


def test_optima_at_edges_are_told_by_arm(made):
    flat = {"relu": [0.5] * 4, "tanh": [0.5] * 4}
    assert optima_at_edges(made(flat, {"relu": 0.01, "tanh": 0.02})) == []
    (said,) = optima_at_edges(made(flat, {"relu": 0.1, "tanh": 0.02}))
    assert "learning rate at the upper end" in said
    assert said.endswith("for 1 of 2 arms: relu.")


@pytest.mark.parametrize(
    ("path", "dimension", "chosen", "told"),
    [
        ("model.dropout", "{uniform: [0.0, 0.5]}", 0.0, False),
        ("model.dropout", "{uniform: [0.0, 0.5]}", 0.5, True),
        ("model.dropout", "{uniform: [0.1, 0.5]}", 0.1, True),
        ("model.dropout", "{choice: [0.0, 0.2, 0.4]}", 0.0, False),
        ("model.width", "{integer: [1, 64]}", 1.0, False),
        ("model.width", "{integer: [2, 64]}", 2.0, True),
        ("batch_size", "{choice: [16, 32, 64]}", 16.0, True),
        ("optimizer.weight_decay", "{uniform: [0.0, 0.1]}", 0.0, False),
    ],
)
def test_an_end_beyond_which_a_setting_has_no_values_is_no_edge(
    made, monkeypatch, path, dimension, chosen, told
):
    text = STUDY.replace("optimizer.lr: {log: [0.001, 0.1]}", f"{path}: {dimension}")
    monkeypatch.setitem(globals(), "STUDY", text)
    evidence = made({"relu": [0.5] * 4, "tanh": [0.5] * 4}, {"relu": 0.01, "tanh": 0.01})
    evidence.trials[f"parameter.{path}"] = chosen
    assert bool(optima_at_edges(evidence)) == told


@pytest.mark.parametrize(
    ("at_edge", "tried_there", "told"),
    [(1, 1, False), (3, 1, False), (4, 1, True), (10, 10, False), (15, 10, True)],
)
def test_of_repeated_searches_some_end_at_an_edge_by_chance(
    made, monkeypatch, at_edge, tried_there, told
):
    text = STUDY.replace("candidates: 4", "candidates: 4, repeats: 20").replace("s: 5", "s: 20")
    monkeypatch.setitem(globals(), "STUDY", text)
    evidence = made({"relu": [0.5] * 4, "tanh": [0.5] * 4}, {"relu": 0.01, "tanh": 0.01})
    row = evidence.trials[evidence.trials["phase"] == "confirmation"].iloc[:1]
    tried = evidence.trials[evidence.trials["phase"] == "search"].iloc[:1]
    rows = pd.concat([row] * 20 + [tried] * 20, ignore_index=True)
    rows["parameter.optimizer.lr"] = (
        [0.1] * at_edge
        + [0.01] * (20 - at_edge)
        + [0.1 if place < tried_there else 0.01 for place in range(20)]
    )
    assert bool(optima_at_edges(replace(evidence, trials=rows))) == told


def test_a_comparison_that_turns_with_the_budget_is_told(made):
    rates = {"relu": 0.01, "tanh": 0.01}
    one_lucky = {"relu": [0.1, 0.1, 0.1, 0.9], "tanh": [0.8] * 4}  # best of two: 0.5
    assert "c: the answer still moves" in answers_that_move(made(one_lucky, rates))[0]
    steady = {"relu": [0.85, 0.85, 0.85, 0.9], "tanh": [0.8] * 4}
    assert answers_that_move(made(steady, rates)) == []
    diverged = {"relu": [0.1, None, None, 0.9], "tanh": [0.8] * 4}
    assert answers_that_move(made(diverged, rates)) == answers_that_move(made(one_lucky, rates))


@pytest.mark.parametrize(("half_width", "told"), [(0.1, True), (0.3, False)])
def test_a_difference_that_moves_by_more_than_its_interval_allows_is_told(made, half_width, told):
    values = {"relu": [0.5, 0.5, 0.5, 1.0], "tanh": [0.2] * 4}
    evidence = made(values, {"relu": 0.01, "tanh": 0.01})  # best of two: 0.75
    fields = dict.fromkeys(Verdict.__dataclass_fields__) | {"parts": [], "id": "c"}
    verdict = Verdict(**fields | {"ci_low": 0.8 - half_width, "ci_high": 0.8 + half_width})
    said = answers_that_move(evidence, [verdict])
    assert [("c: the answer still moves" in text) for text in said] == [True] * told
    assert answers_that_move(evidence) == []  # no sign has turned


@pytest.mark.parametrize(("chosen", "noted"), [(0.03, 1), (0.002, 1), (0.01, 0), (0.1, 0)], ids=str)
def test_a_winner_beyond_which_nothing_was_tried_is_told(made, chosen, noted):
    flat = {"relu": [0.5] * 4, "tanh": [0.5] * 4}
    evidence = made(flat, {"relu": chosen, "tanh": chosen})
    searched = evidence.trials["phase"] == "search"
    rates = [0.002, 0.005, 0.01, 0.1 if chosen == 0.1 else 0.03]
    evidence.trials.loc[searched, "parameter.optimizer.lr"] = rates * 2
    said = nothing_beyond(evidence)
    assert len(said) == noted  # at the end of the range itself, another note says so
    if noted:
        assert "2 of 2 arms (about 1 by chance)" in said[0]


@pytest.mark.parametrize(
    ("sampler", "candidates", "expected"),
    [("tpe", 4, 10), ("tpe", 12, 10), ("tpe", 13, 0), ("random", 4, 0), ("tpe", 1, 10)],
)
def test_a_search_that_ends_before_its_sampler_learns(made, sampler, candidates, expected):
    plan = made({"relu": [0.5]}, {"relu": 0.01}).plan
    space = replace(plan.space(plan.arms[0]), sampler=sampler)  # in rounds of four
    assert random_until(space, candidates) == expected


def test_equal_candidates_are_one_trial(made):
    plan = made({"relu": [0.5]}, {"relu": 0.01}).plan
    first, again, other = (
        plan.search_trials(plan.arms[0], index, {"optimizer.lr": rate})
        for index, rate in enumerate([0.01, 0.01, 0.02])
    )
    assert [item.trial.id for item in first] == [item.trial.id for item in again]
    assert [item.trial.id for item in first] != [item.trial.id for item in other]
