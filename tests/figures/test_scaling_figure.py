"""Laws, crossings and sizes of equal compute as a picture of evidence that was made up."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from harness.evidence import Evidence
from harness.figures.scaling import Scaling
from harness.judge import judge
from harness.plan import make_plan
from harness.store import Execution
from harness.study import load_study

STUDY = """\
study: made
question: Does it go on?
workload: {data: digits, model: {name: mlp, depth: 1}, optimizer: adam}
factors:
  width: {path: model.width, levels: [2, 4, 8, 16, 32, 64, 128]}
  limit: {path: data.limit, levels: [100, 1000]}
seeds: 8
claims:
  - id: law
    says: The loss follows a law
    metric: test.loss
    extrapolation: {over: width, at: {limit: 1000}, law: power_with_floor}
    between: [0.95, 1.05]
  - id: budgets
    says: The best of each budget follows a law
    metric: test.loss
    across: lowest
    extrapolation:
      points:
        1: {width: [2, 4], limit: 100}
        6: {width: [8, 16], limit: 100}
        32: {width: [32, 64], limit: 100}
        70: {width: [64, 128], limit: 100}
    between: [0.5, 2]
  - id: crosses
    says: More examples win with width
    metric: test.loss
    crossing: {over: width, contrast: {limit: [1000, 100]}, becomes: lower}
    between: [2, 128]
"""


@pytest.fixture
def evidence(tmp_path):
    (tmp_path / "made.yaml").write_text(STUDY)
    loaded = load_study(tmp_path / "made.yaml")
    generator = np.random.default_rng(0)
    rows = [
        {
            "arm": arm.name, "seed": seed, "phase": "confirmation", "state": "complete",
            "trial_id": f"{arm.name}-{seed}", "cost.parameters": 75.0 * arm.levels["width"],
            "cost.examples": float(round(6400 / arm.levels["width"])), "cost.epochs": 2.0,
            "test.loss": (1 + 2 * arm.levels["width"] ** -0.6 if arm.levels["limit"] == 1000
                          else 1.6) * np.exp(0.01 * generator.normal()),
        }
        for arm in loaded.arms
        for seed in range(8)
    ]  # fmt: skip
    execution = Execution(1, "made", "default", "h", {}, {}, 0.0, 1.0, "finished", 1.0)
    plan = make_plan(loaded.study, loaded.arms)
    return Evidence(plan, execution, pd.DataFrame(rows), pd.DataFrame(), {}, [])


def test_laws_crossings_and_budgets_have_a_panel_each(evidence):
    verdicts = judge(evidence)
    assert [verdict.verdict for verdict in verdicts[::2]] == ["supported", "supported"]
    picture = Scaling().draw(evidence, verdicts)
    assert len(picture.panels) == 4  # the budgets have two
    texts = " ".join(picture.svgs())
    for said in ("held out", "not claimed", "Sizes of equal compute", "Compute", "1000"):
        assert said in texts
    assert "mathdefault" not in texts
    crossing = picture.panels[-1].axes[0]
    assert len(crossing.patches) == 1  # the interval
    low, high = crossing.patches[0].get_x(), crossing.patches[0].get_width()
    assert low == pytest.approx(verdicts[2].ci_low)
    assert low + high == pytest.approx(verdicts[2].ci_high)
    assert picture.svgs() == Scaling().draw(evidence, verdicts).svgs()


def test_studies_without_such_claims_have_no_picture(evidence):
    study = evidence.plan.study
    plain = study.model_copy(update={"claims": []})
    object.__setattr__(evidence.plan, "study", plain)
    assert Scaling().draw(evidence, []) is None


def test_what_the_numbers_of_points_are_is_read_off_the_arms(evidence):
    verdicts = judge(evidence)
    axes = [panel.axes[0].get_xlabel() for panel in Scaling().draw(evidence, verdicts).panels]
    # arms of a point cost the same, and those of all points, so that numbers are something else
    assert axes == ["width", "number of each point in the claim", "Parameters", "width"]


def test_points_of_equal_compute_say_so(evidence, tmp_path):
    (tmp_path / "other.yaml").write_text(STUDY.replace("[64, 128], limit", "[128], limit"))
    loaded = load_study(tmp_path / "other.yaml")
    trials = evidence.trials
    width = (trials["cost.parameters"] / 75).round().astype(int)
    cost = width.map({2: 1, 4: 1, 8: 6, 16: 6, 32: 32, 64: 32, 128: 70})
    trials["cost.examples"] = 1e4 * cost / width
    other = replace(evidence, plan=make_plan(loaded.study, loaded.arms))
    panels = Scaling().draw(other, judge(other)).panels
    assert [panel.axes[0].get_xlabel() for panel in panels] == ["width", "compute", "width"]
    trials.loc[width == 4, "cost.examples"] *= 2  # of the first point, one arm costs twice as much
    other = replace(other, trials=trials)
    panels = Scaling().draw(other, judge(other)).panels
    assert "compute" not in [panel.axes[0].get_xlabel() for panel in panels]


def test_the_numbers_of_points_can_be_a_setting(evidence, tmp_path):
    study = STUDY[: STUDY.index("        1: {")] + "".join(
        f"        {width}: {{width: {width}, limit: 100}}\n" for width in (2, 4, 8, 64, 128)
    )
    (tmp_path / "other.yaml").write_text(f"{study}    between: [0.5, 2]\n")
    loaded = load_study(tmp_path / "other.yaml")
    other = replace(evidence, plan=make_plan(loaded.study, loaded.arms))
    panels = Scaling().draw(other, judge(other)).panels
    assert [panel.axes[0].get_xlabel() for panel in panels] == ["width", "model: width"]


ARMS = """\
study: named
question: Which leads?
workload: {data: digits, model: {name: mlp, depth: 1, width: 4}, optimizer: adam}
design: explicit
arms:
  flat-net-small: {model.depth: 1, model.width: 4}
  deep-net-small: {model.depth: 2, model.width: 4}
  flat-net-large: {model.depth: 1, model.width: 32}
  deep-net-large: {model.depth: 2, model.width: 32}
  flat-net-huge: {model.depth: 1, model.width: 64}
  deep-net-huge: {model.depth: 2, model.width: 64}
seeds: 8
claims:
  - id: crosses
    says: Deep nets win when they are large
    metric: test.loss
    crossing:
      points: {1: [{arm: deep-net-small}, {arm: flat-net-small}],
               8: [{arm: deep-net-large}, {arm: flat-net-large}],
               16: [{arm: deep-net-huge}, {arm: flat-net-huge}]}
      becomes: lower
    between: [1, 16]
"""


def test_lines_through_named_arms_are_called_by_what_their_names_share(evidence, tmp_path):
    (tmp_path / "named.yaml").write_text(ARMS)
    loaded = load_study(tmp_path / "named.yaml")
    losses = {
        "flat-net-small": 2.0,
        "deep-net-small": 2.2,
        "flat-net-large": 1.5,
        "flat-net-huge": 1.4,
    }
    rows = [
        {"arm": arm.name, "seed": seed, "phase": "confirmation", "state": "complete",
         "trial_id": f"{arm.name}-{seed}", "test.loss": losses.get(arm.name, 1.2) + 0.01 * seed}
        for arm in loaded.arms for seed in range(8)
    ]  # fmt: skip
    other = replace(evidence, trials=pd.DataFrame(rows), plan=make_plan(loaded.study, loaded.arms))
    (panel,) = Scaling().draw(other, judge(other)).panels
    legend = panel.axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["deep-net", "flat-net"]
