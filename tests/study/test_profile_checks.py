"""Profiles and levels that change some compared arms only, or drop what the data were given."""

import pytest
import yaml

from harness.study import InputError, load_study

FILE = """\
study: s
question: q?
workload:
  data: {name: digits, label_noise: 0.3}
  model: {name: mlp, depth: 1, width: 32}
  epochs: 4
factors:
  activation: {path: model.activation, levels: [relu, tanh]}
arms:
  deep: {model.depth: 3, epochs: 4}
seeds: 5
claims:
  - {id: a, says: s, metric: test.accuracy, contrast: {activation: [relu, tanh]}, greater_by: 0}
"""
DEEP = "  - {id: b, says: s, metric: test.accuracy, contrast: {arm: [deep, relu]}, greater_by: 0}\n"


def refusal(text, *, profile=None, overrides=()):
    """Return why a study is refused; empty where it is not."""
    try:
        load_study(yaml.safe_load(text), profile, overrides)
    except InputError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("data", "dropped"),
    [
        ("mnist", True),
        ("{name: mnist, limit: 2000}", True),
        ("{name: mnist, label_noise: 0.3}", False),
        ("{name: mnist, label_noise: 0.0}", False),
        ("{limit: 300}", False),  # the same data
    ],
)
def test_other_data_in_a_profile_keep_the_options_or_say_so(data, dropped):
    said = refusal(f"{FILE}profiles: {{full: {{workload.data: {data}}}}}\n")
    assert ("drops `label_noise: 0.3`" in said) is dropped
    assert ("label_noise: 0.0` if it shall not hold" in said) is dropped
    said = refusal(FILE, overrides=[f"workload.data={data}"])
    assert ("drops `label_noise: 0.3`" in said) is dropped


def test_other_data_in_a_level_or_an_arm_do_as_well():
    levels = "  data: {levels: {small: {}, large: {data: mnist}}}\narms:"
    assert "drops `label_noise: 0.3`" in refusal(FILE.replace("arms:", levels))
    kept = levels.replace("data: mnist", "data: {name: mnist, label_noise: 0.3}")
    assert "drops" not in refusal(FILE.replace("arms:", kept))
    arm = FILE.replace("deep: {model.depth: 3", "deep: {data: mnist, model.depth: 3")
    assert "arms.deep: the arm 'deep' names other data, and so drops" in refusal(arm)


def test_a_profile_does_not_tell_compared_arms_apart():
    quick = "profiles: {quick: {workload.epochs: 2}}\n"
    said = refusal(f"{FILE}{DEEP}{quick}")
    assert "workload.epochs does not act on deep, which sets it itself" in said
    assert "the claim 'b' compares deep with relu" in said
    assert "are alike in it without profile 'quick' and are 4 and 2 with it" in said
    assert "set arms.deep.epochs as well" in said
    assert refusal(f"{FILE}{quick}") == ""  # nothing compares them
    both = "profiles: {quick: {workload.epochs: 2, arms.deep.epochs: 2}}\n"
    assert refusal(f"{FILE}{DEEP}{both}") == ""
    other = both.replace("arms.deep.epochs: 2", "arms.deep.epochs: 3")
    assert refusal(f"{FILE}{DEEP}{other}") == ""  # meant, since it stands there
    assert "does not act on deep" in refusal(f"{FILE}{DEEP}", overrides=["workload.epochs=2"])


def test_arms_that_differed_before_may_differ():
    longer = FILE.replace("depth: 3, epochs: 4", "depth: 3, epochs: 8")
    assert refusal(f"{longer}{DEEP}profiles: {{quick: {{workload.epochs: 2}}}}\n") == ""


def test_a_profile_does_not_reverse_what_arms_mean():
    text = FILE.replace("  epochs: 4\n", "  epochs: 30\n", 1)
    said = refusal(f"{text}{DEEP}profiles: {{quick: {{workload.epochs: 1}}}}\n")
    assert "are the other way round in it without profile 'quick' and are 4 and 1 with it" in said
    assert refusal(f"{text}{DEEP}profiles: {{quick: {{workload.epochs: 8}}}}\n") == ""


def test_a_file_that_extends_another_says_what_becomes_of_options(tmp_path):
    (tmp_path / "base.yaml").write_text(FILE)
    file = tmp_path / "more.yaml"
    start = "extends: base.yaml\nstudy: more\nworkload:\n  data: "
    for data, dropped in (
        ("mnist", True), ("{name: mnist, limit: 900}", True),
        ("{name: mnist, label_noise: 0.3}", False), ("{limit: 900}", False),
    ):  # fmt: skip
        file.write_text(f"{start}{data}\n")
        try:
            load_study(file)
            said = ""
        except InputError as error:
            said = str(error)
        assert ("so drops `label_noise: 0.3`" in said) is dropped, said


def test_a_mistake_of_another_profile_names_it():
    said = refusal(f"{FILE}profiles: {{same: {{factors.activation.levels: [relu, relu]}}}}\n")
    assert "profiles.same" in said


def test_what_is_searched_is_no_difference():
    text = FILE.replace(
        "epochs: 4\nfactors", "optimizer: {name: adam, lr: 0.01}\n  epochs: 4\nfactors"
    )
    text = text.replace("depth: 3, epochs: 4", "depth: 3, optimizer.lr: 0.01")
    profile = "profiles: {quick: {workload.optimizer.lr: 0.1}}\n"
    assert "does not act on deep" in refusal(f"{text}{DEEP}{profile}")
    space = "{optimizer.lr: {log: [1.0e-3, 1.0e-1]}}"
    searched = text.replace("seeds: 5", f"search: {{space: {space}, candidates: 2}}\nseeds: 5")
    assert "does not act on deep" not in refusal(f"{searched}{DEEP}{profile}")
