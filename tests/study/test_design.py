from pathlib import Path

from harness.study import load_study, select, sides

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


def test_selectors_find_arms_by_levels_and_named_arms_by_name():
    arms = load_study(STUDY).arms
    assert names(select(arms, {"activation": "tanh", "depth": [2, 16]})) == ["tanh-2", "tanh-16"]
    assert names(select(arms, {"arm": "linear"})) == ["linear"]
    assert len(select(arms, {})) == 21


def test_sides_of_a_contrast_share_what_is_held(tiny):
    claims = {claim.id: claim for claim in load_study(STUDY).study.claims}
    left, right = sides(claims["relu-beats-sigmoid-deep"].tests[0])
    assert left == {"activation": "relu", "depth": [8, 16]}
    assert right == {"activation": "sigmoid", "depth": [8, 16]}
