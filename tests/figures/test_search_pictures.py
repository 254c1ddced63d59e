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

    def make(batch=False, winner=None):
        file = tmp_path / "searched.yaml"
        more = ", batch_size: {choice: [16, 32, 64]}}" if batch else "}"
        file.write_text(STUDY.replace("[0.0001, 1.0]}}", "[0.0001, 1.0]}" + more))
        loaded = load_study(file)
        plan = make_plan(loaded.study, loaded.arms)
        rows = [
            {"arm": arm.name, "phase": "search", "state": "complete", "candidate": n,
             "seed": 1_000_000, "parameter.optimizer.lr": lr, "validation.accuracy": value,
             **({"parameter.batch_size": size} if batch else {})}
            for arm in plan.arms for n, (lr, size, value) in enumerate(TRIED)
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
