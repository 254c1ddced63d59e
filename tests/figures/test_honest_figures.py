"""What figures must not show: impossible values, colours with two meanings, boxes for letters."""

import io
import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from artifact_examples import with_artifacts
from matplotlib.colors import to_hex
from matplotlib.figure import Figure as Drawing
from PIL import Image

from harness.figures import _style as style
from harness.figures._layout import NEUTRAL, lay_out
from harness.figures._lines import Facet, Frame, Line, draw_facets, padded
from harness.figures.arms import arms_compared
from harness.figures.at_a_glance import at_a_glance
from harness.figures.effects import WIDTH, _draw_row, _texts
from harness.figures.inside import picture_of
from harness.figures.interactions import interactions
from harness.figures.quality_and_cost import quality_and_cost
from harness.judge import judge
from harness.judged import Part
from harness.metrics import Metric, metric_of
from harness.probes.embedding import Embedding
from harness.probes.first_layer_filters import FirstLayerFilters
from harness.report.panels.arms import all_arms

NEARLY_ONE = [1.0, 1.0, 1.0, 1.0, 0.9]
"""Accuracies whose t interval reaches 1.04."""


@pytest.fixture(scope="module")
def perfect(finished):
    """The evidence of a study whose arms are right nearly always."""
    trials = finished.evidence.trials.copy()
    mine = (trials["phase"] == "confirmation") & (trials["state"] == "complete")
    values = [NEARLY_ONE[int(seed) % 5] for seed in trials.loc[mine, "seed"]]
    trials.loc[mine, "test.accuracy"] = values
    return replace(finished.evidence, trials=trials)


def drawn_numbers(drawing: Drawing, axis: int) -> list[float]:
    lines = [line.get_xydata()[:, axis] for axes in drawing.axes for line in axes.lines]
    paths = [p.vertices[:, axis] for axes in drawing.axes for c in axes.collections
             for p in c.get_paths()]  # fmt: skip
    return [float(v) for part in (*lines, *paths) for v in part if math.isfinite(v)]


def test_no_interval_of_an_accuracy_is_drawn_above_1(perfect):
    for draw, axis in ((at_a_glance, 0), (quality_and_cost, 1), (interactions, 1)):
        picture = draw(perfect, "test.accuracy")
        assert max(drawn_numbers(picture.panels[0], axis)) == 1.0
    bar = [c for c in arms_compared(perfect, "test.accuracy").panels[0].axes[0].lines
           if len(c.get_xdata()) == 2 and c.get_xdata()[0] != c.get_xdata()[1]]  # fmt: skip
    assert max(max(line.get_xdata()) for line in bar) == 1.0


def test_no_interval_of_an_accuracy_is_printed_above_1(perfect):
    cells = [row[1].text for row in all_arms(perfect).rows if "[" in row[1].text]
    highs = [float(cell.split(", ")[1].rstrip("]")) for cell in cells]
    assert max(highs) == 1.0


def test_a_verdict_on_an_accuracy_has_no_interval_above_1(perfect):
    kind = type(perfect.plan.study.claims[-1])
    written = {"id": "high", "says": "high", "metric": "test.accuracy", "above": 0.5,
               "of": {"activation": "relu", "depth": 1}}  # fmt: skip
    study = perfect.plan.study.model_copy(update={"claims": [kind.model_validate(written)]})
    (verdict,) = judge(replace(perfect, plan=replace(perfect.plan, study=study)))
    assert verdict.effect is not None, verdict.reason
    assert verdict.effect == pytest.approx(0.98)
    assert verdict.ci_high == 1.0
    assert verdict.ci_low < 0.98
    assert verdict.over_seeds[1] == 1.0


def test_the_bounds_of_a_users_own_metric_are_not_known():
    own = {"metrics": {"accuracy": {"goal": "maximize"}}}
    assert metric_of("test.accuracy", {}).bounds == (0, 1)
    assert metric_of("test.accuracy", {"task": {"name": "classification"}}).bounds == (0, 1)
    assert metric_of("test.accuracy", {}, own).bounds == (-math.inf, math.inf)
    assert metric_of("test.accuracy").bounds == (-math.inf, math.inf)
    percents = Metric("test.accuracy", bounds=(0, 1)).interval([93.0, 95.0])
    assert percents[1] == 94.0  # a mean beyond the bounds belongs to its interval


def test_no_single_arm_has_the_colour_of_a_level(finished):
    layout = lay_out(finished.evidence.plan)
    assert layout.hue is not None
    levels = {m.style for g in layout.groups if not g.single for m in g.members}
    singles = {m.style for g in layout.groups if g.single for m in g.members}
    assert singles
    assert not levels & singles
    drawing = arms_compared(finished.evidence, "test.accuracy").panels[0]
    colours = {to_hex(line.get_color()) for line in drawing.axes[0].lines} - {style.GRID}
    assert colours <= {style.colour_of(s) for s in levels} | {style.INK}
    assert style.colour_of(NEUTRAL) == style.INK


def test_many_single_arms_share_no_style_with_levels(finished):
    plan = finished.evidence.plan
    named = [replace(plan.arms[0], name=f"single-{i}", named=True) for i in range(30)]
    layout = lay_out(replace(plan, arms=[*plan.arms, *named]))
    levels = {m.style for g in layout.groups if not g.single for m in g.members}
    for group in (g for g in layout.groups if g.single):
        styles = [m.style for m in group.members]
        assert len(set(styles)) == len(styles)
        assert not levels & set(styles)


def test_rounding_errors_are_drawn_as_a_flat_line():
    assert padded(np.array([1e-30, 3e-30]), 0.05) == (-0.5, 0.5)
    low, high = padded(np.array([0.5, 0.5 + 1e-15]), 0.05)
    assert (low, high) == pytest.approx((0.475, 0.525))


def test_what_lies_below_a_logarithmic_axis_has_an_arrowhead():
    x = np.arange(3.0)
    line = Line("one", 0, x, np.array([1.0, 1e-3, 1e-30]))
    (drawing,) = draw_facets([Facet("", [line])], Frame("x", "y", log_y=True))
    axes = drawing.axes[0]
    bottom = axes.get_ylim()[0]
    assert 1e-9 < bottom < 1e-3
    heads = [one for one in axes.lines if one.get_marker() == "v" and len(one.get_xdata()) == 1]
    assert [(one.get_xdata()[0], one.get_ydata()[0]) for one in heads] == [(2.0, bottom)]


def test_an_interval_that_leaves_the_closer_panel_has_an_arrowhead(finished):
    trials = finished.evidence.trials.copy()
    mine = trials["phase"] == "confirmation"
    for place, arm in enumerate(finished.evidence.plan.arms):
        chosen = mine & (trials["arm"] == arm.name)
        offset = 0.9 if place < 4 else 0.2
        trials.loc[chosen, "test.accuracy"] = [
            offset + (0.04 if place == 1 and seed == 0 else -0.001 * (seed % 2))
            for seed in trials.loc[chosen, "seed"].astype(int)
        ]
        trials.loc[chosen, "state"] = "complete"
    evidence = replace(finished.evidence, trials=trials)
    picture = arms_compared(evidence, "test.accuracy")
    assert "arrowhead" in picture.caption
    axes = picture.panels[1].axes[0]
    edges = axes.get_xlim()
    heads = [line for line in axes.lines if line.get_marker() in ("<", ">")]
    assert heads
    assert all(line.get_xdata()[0] in edges for line in heads)
    costs = quality_and_cost(evidence, "test.accuracy").panels[-1].axes[0]
    down = [line for line in costs.lines if line.get_marker() == "v" and not line.get_clip_on()]
    assert any(line.get_ydata()[0] == costs.get_ylim()[0] for line in down)


def test_each_of_ten_classes_has_a_colour_of_its_own(finished):
    picture = picture_of(Embedding(name="embedding"), with_artifacts(finished.evidence))
    lines = picture.panels[0].axes[0].lines
    colours = [to_hex(line.get_color()) for line in lines if line.get_markersize() == 5.5]
    assert len(set(colours)) == len(colours) == 10


def test_white_weights_end_at_a_frame(finished):
    probe = FirstLayerFilters(name="first_layer_filters")
    picture = picture_of(probe, with_artifacts(finished.evidence))
    for axes in picture.panels[0].axes:
        assert axes.axison
        assert all(spine.get_visible() for spine in axes.spines.values())


def test_letters_that_the_font_lacks_are_spelt_out_in_png_and_pdf_only():
    assert style.spelt("relu → −0.5 é Ж ش") == "relu → −0.5 é Ж ش"
    assert style.spelt("안녕") == "annyeong"
    assert style.spelt("模 1") == "U+6A21 1"
    figure = style.new_figure(2, 2)
    with style.theme():
        axes = style.new_axes(figure, (0.5, 0.1, 0.4, 0.3))
        axes.set_yticks([0, 1], ["模型", "b"])
        axes.set_title("안녕")
        before = style.svg_text(figure)
        spelt = style.png_bytes([figure], 1)
        assert style.svg_text(figure) == before
        assert ">模型</text>" in before
        axes.set_yticks([0, 1], ["U+6A21 U+578B", "b"])
        axes.set_title("annyeong")
        assert style.png_bytes([figure], 1) == spelt
    assert Image.open(io.BytesIO(spelt)).size == (320, 320)


def effect_row(measures, effect, low, high):
    part = Part(measures, "> 0.1", "supported", None, "", effect, low, high)
    return replace(part, claimed=((0.1, math.inf),))


def drawn_texts(row):
    figure = style.new_figure(WIDTH, 1.0)
    _draw_row(figure, row, _texts(row, SimpleNamespace(parts=[None])), 1.0)
    return figure, {text.get_text(): text for text in figure.texts}


def test_an_effect_says_which_average_was_taken_of_which_metric():
    row = effect_row("median over seeds of test.loss: a − b", 5.0, 4.8, 5.1)
    assert "median over seeds of test loss: a − b, claimed > 0.1" in drawn_texts(row)[1]


def test_no_number_beside_an_effect_leaves_the_picture():
    row = effect_row("test.loss: a", 6.7187e-05, 6.7187e-05, 6.7187e-05)
    figure, texts = drawn_texts(row)
    (shown,) = [text for said, text in texts.items() if "[" in said]
    assert shown.get_window_extent(figure.canvas.get_renderer()).x1 <= figure.bbox.x1
