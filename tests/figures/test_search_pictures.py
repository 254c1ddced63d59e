"""What is drawn of searches, from candidates whose values are known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from harness.figures.search import chosen, searches
from harness.figures.search_parallel import SearchParallel
from harness.plan import make_plan
from harness.study import load_study

STUDY = """\
study: searched
question: Which one?
workload:
  data: digits
  model: {name: mlp, depth: 1, width: 8, activation: relu}
  optimizer: {name: adam, lr: 0.01}
  epochs: 3
factors:
  activation: {path: model.activation, levels: [relu, tanh]}
search:
  space: {optimizer.lr: {log: [0.0001, 1.0]}}
  candidates: 3
seeds: 5
claims:
  - {id: one, says: ReLU wins, metric: test.accuracy, contrast: {activation: [relu, tanh]}, greater_by: 0.01}
"""  # noqa: E501
TRIED = [(0.1, 16, 0.75), (0.01, 32, 0.9), (0.001, 32, 0.9)]
"""Learning rate, batch size, accuracy: the second and the third candidate are equally good."""


@pytest.fixture
def searched(finished, tmp_path):
    """Make evidence of the study, of a candidate's settings beside the learning rate or not."""

    def make(batch=False, winner=None, tried=TRIED):
        file = tmp_path / "searched.yaml"
        more = ", batch_size: {choice: [16, 32, 64]}}" if batch else "}"
        file.write_text(
            STUDY.replace("[0.0001, 1.0]}}", "[0.0001, 1.0]}" + more).replace(
                "candidates: 3", f"candidates: {len(tried)}"
            )
        )
        loaded = load_study(file)
        plan = make_plan(loaded.study, loaded.arms)
        rows = [
            {"arm": arm.name, "phase": "search", "state": "complete", "candidate": n,
             "seed": 1_000_000, "parameter.optimizer.lr": lr, "validation.accuracy": value,
             **({"parameter.batch_size": size} if batch else {})}
            for arm in plan.arms for n, (lr, size, value) in enumerate(tried)
        ]  # fmt: skip
        confirmed = {"phase": "confirmation", "state": "complete", "seed": 0, "candidate": winner}
        if winner is not None:
            rows += [{"arm": arm.name, **confirmed} for arm in plan.arms]
        return replace(finished.evidence, plan=plan, trials=pd.DataFrame(rows))

    return make


def ring(picture):
    axes = picture.panels[0].axes[0]
    [found] = {
        float(np.ravel(line.get_xdata())[0]) for line in axes.lines if line.get_markersize() == 8
    }
    return found


@pytest.mark.parametrize("winner", [None, 1, 2])
def test_of_equal_candidates_the_ring_is_at_the_one_that_won(searched, winner):
    evidence = searched(winner=winner)
    [picture] = searches(evidence, "validation.accuracy")
    expected = 1 if winner is None else winner  # of equals the search takes the first it asked
    assert chosen(evidence, evidence.plan.arms[0].name) == expected
    assert ring(picture) == TRIED[expected][0]


def test_the_axis_shows_the_declared_range(searched):
    [picture] = searches(searched(), "validation.accuracy")
    low, high = picture.panels[0].axes[0].get_xlim()
    assert low < 0.0001
    assert high > 1.0


def test_points_are_joined_only_where_nothing_else_was_searched(searched):
    def styles(evidence):
        axes = searches(evidence, "validation.accuracy")[0].panels[0].axes[0]
        return {line.get_linestyle() for line in axes.lines if len(line.get_xdata()) == len(TRIED)}

    assert "None" not in styles(searched())
    assert styles(searched(batch=True)) == {"None"}


def test_parallel_coordinates_are_drawn_of_several_settings_and_mark_the_winner(searched):
    assert SearchParallel().draw(searched(), []) is None
    picture = SearchParallel().draw(searched(batch=True, winner=2), [])
    assert len(picture.panels) == 2
    axes = picture.panels[0].axes[0]
    lines = [line for line in axes.lines if len(line.get_ydata()) == 3]
    [best] = [line for line in lines if line.get_linewidth() > 2]
    assert best.get_ydata() == pytest.approx([0.25, 0.5, 1.0])
    assert len(lines) == len(TRIED)
    texts = [text.get_text() for text in axes.texts]
    assert {"0.0001", "1.0", "16", "64", "0.750", "0.900"} <= set(texts)
    assert np.isfinite(best.get_ydata()).all()


def test_of_very_many_candidates_some_are_drawn_and_all_are_in_the_data(searched):
    tried = [(0.0001 + n / 400, (16, 32, 64)[n % 3], 0.5 + n / 1000) for n in range(300)]
    evidence = searched(batch=True, winner=7, tried=tried)
    picture = SearchParallel().draw(evidence, [])
    lines = [line for line in picture.panels[0].axes[0].lines if len(line.get_ydata()) == 3]
    assert 100 <= len(lines) <= 101
    [best] = [line for line in lines if line.get_linewidth() > 2]
    assert best.get_ydata()[2] == pytest.approx(7 / 299)
    assert {line.get_ydata()[2] for line in lines} >= {0.0, 1.0}
    assert "300" not in picture.caption
    assert "more than 100 candidates" in picture.caption
    assert len(picture.data) == 2 * len(tried)
    assert picture.data[7] == {
        "arm": evidence.plan.arms[0].name,
        "candidate": 7,
        "optimizer.lr": tried[7][0],
        "batch_size": 32,
        "validation.accuracy": 0.507,
        "won": True,
    }
    dots = searches(evidence, "validation.accuracy")[0]
    own = [line for line in dots.panels[0].axes[0].lines if line.get_linestyle() == "None"]
    assert max(len(line.get_xdata()) for line in own) <= 121
    assert "the CSV has all" in dots.caption
    assert len(dots.data) == 2 * len(tried)


def test_of_few_candidates_all_are_drawn_and_nothing_is_said_of_it(searched):
    evidence = searched(batch=True, winner=2)
    assert "are drawn" not in SearchParallel().draw(evidence, []).caption
    assert "the CSV has all" not in searches(evidence, "validation.accuracy")[0].caption
