import io
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image
from report_examples import draw_all, without_trials

from harness.figures.arms import arms_compared
from harness.figures.effects import forest
from harness.figures.learning_curves import learning_curves
from harness.figures.quality_and_cost import quality_and_cost

ALL = {
    "at-a-glance",
    "common-axis",
    "effects",
    "arms",
    "interactions",
    "learning-curves",
    "inside-gradient-norms",
    "quality-and-cost",
    "search-optimizer-lr",
    "search-budget",
}


@pytest.fixture(scope="module")
def pictures(finished):
    return draw_all(finished.evidence, finished.verdicts)


def test_every_figure_is_drawn(pictures):
    assert set(pictures) == ALL
    for picture in pictures.values():
        assert picture.title
        assert picture.caption.endswith(".")
        assert picture.alt


def test_the_same_evidence_gives_the_same_bytes(finished, pictures):
    again = draw_all(finished.evidence, finished.verdicts)
    for name, picture in pictures.items():
        assert picture.svgs() == again[name].svgs()
        assert picture.png() == again[name].png()


def test_drawing_leaves_no_trace(finished):
    import matplotlib.pyplot as plt

    settings, state = dict(mpl.rcParams), np.random.get_state()[1].copy()  # noqa: NPY002
    for picture in draw_all(finished.evidence, finished.verdicts).values():
        picture.svgs()
    assert dict(mpl.rcParams) == settings
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
    assert plt.get_fignums() == []


def test_a_png_holds_all_panels_at_double_resolution(pictures):
    curves = pictures["learning-curves"]
    width, height = curves.panels[0].get_size_inches()
    image = Image.open(io.BytesIO(curves.png()))
    rows = -(-len(curves.panels) // curves.columns)
    assert image.width == pytest.approx(curves.columns * width * 160, abs=curves.columns)
    assert image.height == pytest.approx(rows * height * 160, abs=rows)


def test_texts_are_escaped_and_no_formulas(pictures):
    svg = pictures["effects"].svgs()[0]
    assert "<script" not in svg
    assert "&lt;script&gt;" in svg
    assert "$x_1$" in svg


def test_verdicts_stand_there_as_words(finished, pictures):
    svg = pictures["effects"].svgs()[0]
    for verdict in finished.verdicts:
        assert verdict.verdict in svg
    assert "0.01" in svg


def test_axes_have_names_and_units(pictures):
    assert "Test accuracy (share correct)" in pictures["arms"].svgs()[0]
    assert "training time (s)" in pictures["quality-and-cost"].svgs()[0]
    assert "Learning rate" in pictures["search-optimizer-lr"].svgs()[0]


def test_times_of_trials_alone_never_stand_beside_shares_of_packs(finished):
    trials = finished.evidence.trials.assign(**{"cost.pack_size": 1.0})
    alone = replace(finished.evidence, trials=trials)
    picture = quality_and_cost(alone, "test.accuracy")
    assert "Training time of one trial (s)" in picture.svgs()[0]
    assert "Left out" not in picture.caption
    trials.loc[trials["arm"] == "tanh-1", "cost.pack_size"] = 4.0
    picture = quality_and_cost(replace(alone, trials=trials), "test.accuracy")
    assert "Left out, for want of such a time: tanh-1." in picture.caption
    trials.loc[trials["arm"] != "simple-baseline", "cost.pack_size"] = 4.0
    picture = quality_and_cost(replace(alone, trials=trials), "test.accuracy")
    assert "Left out, for want of such a time: simple-baseline." in picture.caption
    trials["probe.step_time"] = 0.01
    picture = quality_and_cost(replace(alone, trials=trials), "test.accuracy")
    assert "Time of a training step (s)" in picture.svgs()[0]


def test_an_arm_without_results_is_shown_as_such(finished):
    evidence = finished.evidence
    picture = arms_compared(evidence, evidence.primary_metric)
    assert picture is not None
    assert "no value" in picture.svgs()[0]  # the arm that diverged


def test_seeds_that_did_not_finish_are_counted(finished):
    trials = finished.evidence.trials.copy()
    first = trials.index[(trials["arm"] == "relu-1") & (trials["phase"] == "confirmation")][0]
    trials.loc[first, "state"] = "diverged"
    evidence = replace(finished.evidence, trials=trials)
    picture = learning_curves(evidence, "validation.accuracy")
    assert picture is not None
    assert any("depth 1 (4/5)" in svg for svg in picture.svgs())


def test_nothing_to_draw_is_no_picture(finished):
    evidence = finished.evidence
    for arm in [arm.name for arm in evidence.plan.all_arms]:
        evidence = without_trials(evidence, arm)
    assert set(draw_all(evidence, [])) == set()
    assert arms_compared(evidence, "test.unheard_of") is None
    assert forest(evidence.plan.study, []) is None
