"""Levels and paths as people write them first: they mean what they say, or are told how to."""

import pytest

from harness.cli.app import run
from harness.plan import FIXED, make_plan
from harness.study import InputError, load_study

STUDY = """\
study: made
question: q
workload:
  data: digits
  model: {name: mlp, depth: 2}
  epochs: 2
factors:
  width: {path: model.width, levels: [8, 16]}
seeds: 8
claims:
  - {id: c, says: s, metric: test.accuracy, contrast: {width: [8, 16]}, differs_by: 0.01}
"""


def load(tmp_path, *changes, overrides=()):
    text = STUDY
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    file = tmp_path / "made.yaml"
    file.write_text(text)
    return load_study(file, None, overrides)


def levels(path, values):
    return [("path: model.width, levels: [8, 16]", f"path: {path}, levels: {values}"),
            ("contrast: {width: [8, 16]}", f"contrast: {{width: {values}}}")]  # fmt: skip


def test_zero_of_an_augmentation_is_none_of_it(tmp_path):
    loaded = load(tmp_path, *levels("augmentation.shift", "[3, 0]"))
    shifted, plain = loaded.arms
    assert shifted.workload["augmentation"]["shift"] == 3
    assert plain.workload["augmentation"] is None
    assert plain.is_baseline
    assert plain.workload == load(tmp_path, *levels("epochs", "[2, 3]")).arms[0].workload


def test_the_optimizer_need_not_be_named_to_be_set(tmp_path):
    loaded = load(tmp_path, *levels("optimizer.lr", "[0.1, 0.01]"))
    assert [arm.workload["optimizer"]["name"] for arm in loaded.arms] == ["adam", "adam"]
    assert [arm.workload["optimizer"]["lr"] for arm in loaded.arms] == [0.1, 0.01]
    named = load(tmp_path, ("  epochs: 2", "  epochs: 2\n  optimizer: {name: adam, lr: 0.1}"))
    unnamed = load(tmp_path, overrides=["workload.optimizer.lr=0.1"])
    assert unnamed.arms[0].workload == named.arms[0].workload
    other = load(tmp_path, ("  epochs: 2", "  optimizer: sgd"),
                 overrides=["workload.optimizer.lr=0.1"])  # fmt: skip
    assert other.arms[0].workload["optimizer"]["name"] == "sgd"


@pytest.mark.parametrize(
    ("changes", "place", "message"),
    [
        (levels("model.width", "[[8], [16]]"), "8:38: factors.width.levels",
         "write one that is a list or a mapping under a label, without `path`"),
        (levels("optimizer.momentum", "[0, 0.9]"), "factors.width.levels[0]",
         "optimizer.momentum: unknown key 'momentum' (known: beta1"),
        ([("contrast: {width: [8, 16]}", 'contrast: {width: [8, "16"]}')], "claims[0].contrast",
         "factor 'width' has no level \"16\" (it has: 8, 16); write 16"),
        ([("path: model.width", "path: workload.model.width")], "8:17: factors.width.path",
         "begins below `workload` here; write `model.width`"),
        ([("seeds: 8", "arms: {wide: {workload.model.width: 99}}\nseeds: 8")],
         "9:37: arms.wide.workload.model.width", "write `model.width`"),
        ([("seeds: 8", "  depth: {path: model.depth, levels: [2, -3]}\nseeds: 8")],
         "9:42: factors.depth.levels[1]",
         "model.depth: input should be greater than or equal to 0, found -3"),
        ([("seeds: 8", "profiles: {quick: {epochs: 3}}\nseeds: 8")], "profiles.quick.epochs",
         "did you mean 'workload.epochs'"),
        ([("contrast: {width: [8, 16]}", "of: {arm: simple-baseline}"),
          ("differs_by: 0.01", "above: 0.5"), ("seeds: 8", "simple_baseline: none\nseeds: 8")],
         "claims[0].of", "the study has no simple-baseline; name one with `simple_baseline`"),
    ],
)  # fmt: skip
def test_what_is_meant_is_told_where_it_stands(tmp_path, changes, place, message):
    with pytest.raises(InputError) as error:
        load(tmp_path, *changes)
    assert message in str(error.value)
    assert place in str(error.value)


def test_a_design_of_too_many_arms_is_refused_before_they_are_made(tmp_path):
    depth = f"  depth: {{path: model.depth, levels: {list(range(1, 300))}}}\n"
    width = ("levels: [8, 16]", f"levels: {list(range(8, 307))}")
    with pytest.raises(InputError, match=r"factors: 89,401 combinations of levels, more than"):
        load(tmp_path, width, ("seeds: 8", f"{depth}seeds: 8"))


def test_a_plan_of_very_many_arms_asks_whether_they_are_meant(tmp_path, capsys, monkeypatch):
    load(tmp_path)
    for most, told in ((2, False), (1, True)):
        monkeypatch.setattr("harness.cli.plan_view.MANY_ARMS", most)
        assert run(["plan", str(tmp_path / "made.yaml"), "--results", str(tmp_path / "r")]) == 0
        assert ("warning: 2 arms; is each combination" in capsys.readouterr().out) is told


def test_what_never_acts_is_found_where_it_is_looked_for(tmp_path):
    both = ("seeds: 8", "  size: {levels: {a: {model.width: 4}, b: {model.width: 5}}}\nseeds: 8")
    with pytest.raises(InputError, match=r"model\.width never acts: factor 'size' overwrites it"):
        load(tmp_path, both)


def test_an_error_names_the_level_that_is_wrong_and_no_other(tmp_path):
    depth = ("seeds: 8", "  depth: {path: model.depth, levels: [2, -3]}\nseeds: 8")
    with pytest.raises(InputError) as error:
        load(tmp_path, depth)
    assert [problem.path for problem in error.value.problems] == ["factors.depth.levels[1]"]


def test_a_setting_without_its_block_is_told_where_it_belongs(tmp_path):
    with pytest.raises(InputError, match=r"--set: .*did you mean 'workload.optimizer.lr'"):
        load(tmp_path, overrides=["optimizer.lr=0.1"])


def test_a_claim_can_name_the_simple_baseline(tmp_path):
    claim = ("contrast: {width: [8, 16]}", "contrast: [{width: 16}, {arm: simple-baseline}]")
    loaded = load(tmp_path, claim)
    assert [arm.name for arm in loaded.arms] == ["8", "16", "simple-baseline"]
    plan = make_plan(loaded.study, loaded.arms)
    assert [arm.name for arm in plan.all_arms] == ["8", "16", "simple-baseline"]
    without = load(tmp_path)
    other = make_plan(without.study, without.arms)
    trials = [p.confirmation_trials(p.all_arms[-1], [FIXED])[0].trial.id for p in (plan, other)]
    assert trials[0] == trials[1]


def test_every_arm_is_named_as_the_plan_names_it(tmp_path):
    factor = (
        "factors:\n  width: {path: model.width, levels: [8, 16]}\n",
        "arms: {wide: {model.width: 99}}\n",
    )
    of_design = ("contrast: {width: [8, 16]}", 'contrast: [{arm: "8"}, {arm: "16"}]')
    assert [arm.name for arm in load(tmp_path, of_design).arms] == ["8", "16"]
    alone = ("contrast: {width: [8, 16]}", "contrast: [{arm: wide}, {arm: baseline}]")
    assert [arm.name for arm in load(tmp_path, factor, alone).arms] == ["baseline", "wide"]
    other = ("contrast: {width: [8, 16]}", "contrast: [{arm: wide}, {arm: mine}]")
    with pytest.raises(InputError, match=r"no arm is called 'mine' \(there are: baseline, wide\)"):
        load(tmp_path, factor, other)
