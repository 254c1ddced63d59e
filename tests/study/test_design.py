from pathlib import Path

from harness.study import load_study, select
from harness.study.contrasts import sides

STUDY = Path("studies/activations.yaml")


def names(arms):
    return [arm.name for arm in arms]


def test_factorial_has_every_combination_and_one_baseline():
    loaded = load_study(STUDY)
    designed = [arm for arm in loaded.arms if not arm.named]
    assert len(designed) == 7 * 3
    assert names(arm for arm in loaded.arms if arm.is_baseline) == ["relu-8"]
    assert len({str(arm.workload) for arm in designed}) == 21


def test_one_at_a_time_varies_each_factor_from_the_baseline():
    loaded = load_study(STUDY, None, ["design=one-at-a-time", "claims=[]", "probes=[]"])
    designed = [arm for arm in loaded.arms if not arm.named]
    assert len(designed) == 1 + 6 + 2
    base = next(arm.levels for arm in designed if arm.is_baseline)
    assert base == {"activation": "relu", "depth": 8}
    assert all(sum(arm.levels[f] != base[f] for f in base) <= 1 for arm in designed)


def test_the_baseline_is_the_default_that_is_not_written_down():
    study = {
        "study": "s", "question": "?", "seeds": 5,
        "workload": {"data": "digits", "model": {"name": "mlp", "depth": 1}},
        "factors": {
            "noise": {"path": "data.label_noise", "levels": [0.2, 0]},
            "scale": {"path": "data.normalize", "levels": [False, True]},
            "rare": {"path": "data.imbalance.keep", "levels": [0.5, 0.1]},
        },
    }  # fmt: skip
    study["workload"]["data"] = {"name": "digits", "imbalance": {"classes": [1], "keep": 0.1}}
    (base,) = [arm.levels for arm in load_study(study).arms if arm.is_baseline]
    assert base == {"noise": 0, "scale": True, "rare": 0.1}


def test_selectors_find_arms_by_levels_and_named_arms_by_name():
    arms = load_study(STUDY).arms
    assert names(select(arms, {"activation": "tanh", "depth": [2, 16]})) == ["tanh-2", "tanh-16"]
    assert names(select(arms, {"arm": "linear"})) == ["linear"]
    assert len(select(arms, {})) == 21


def test_sides_of_a_contrast_share_what_is_held(tiny):
    study = load_study(STUDY).study
    claims = {claim.id: claim for claim in study.claims}
    left, right = sides(claims["relu-beats-sigmoid-deep"].tests[0], study.factors)
    assert left == {"activation": "relu", "depth": [8, 16]}
    assert right == {"activation": "sigmoid", "depth": [8, 16]}


TWO_LEVELS = """
study: parts
question: Which part matters?
workload: {data: digits, model: {name: mlp, depth: 2, activation: tanh}}
factors:
  activation: {path: model.activation, levels: [relu, identity]}
  depth: {path: model.depth, levels: [4, 1]}
  width: {path: model.width, levels: [32, 8]}
"""


def parts(tmp_path, design, extra=""):
    file = tmp_path / "parts.yaml"
    file.write_text(TWO_LEVELS + f"design: {design}\n{extra}")
    return load_study(file).arms


def test_leave_one_out_removes_each_component_from_the_full_model(tmp_path):
    arms = parts(tmp_path, "leave-one-out")
    assert names(arms) == ["full", "without-activation", "without-depth", "without-width"]
    assert arms[0].is_baseline
    assert arms[0].levels == {"activation": "relu", "depth": 4, "width": 32}
    assert arms[2].levels == {"activation": "relu", "depth": 1, "width": 32}


def test_a_half_fraction_is_balanced_and_orthogonal(tmp_path):
    arms = parts(tmp_path, "half-fraction")
    assert len(arms) == 4
    signs = [[1 if level in ("relu", 4, 32) else -1 for level in a.levels.values()] for a in arms]
    columns = list(zip(*signs, strict=True))
    assert all(sum(column) == 0 for column in columns)
    for i, one in enumerate(columns):
        for two in columns[i + 1 :]:
            assert sum(a * b for a, b in zip(one, two, strict=True)) == 0


def test_an_explicit_design_has_the_named_arms_only(tmp_path):
    arms = parts(tmp_path, "explicit", "arms: {small: {model.width: 4}}\n")
    assert names(arms) == ["small"]


def test_an_arm_sets_the_values_that_it_names_and_no_others():
    change = (
        "arms={sgd: {optimizer: {name: sgd, momentum: 0.9}, epochs: 3}, bare: {optimizer: sgd}}"
    )
    arms = load_study(STUDY, None, [change, "claims=[]", "probes=[]"]).arms
    sets = {arm.name: arm.sets for arm in arms if arm.named}
    assert sets["sgd"] == ("optimizer.name", "optimizer.momentum", "epochs")
    assert sets["bare"] == ("optimizer.name",)
