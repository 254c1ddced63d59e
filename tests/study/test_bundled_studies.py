"""The studies that come with the harness: sound, complete, and decided by enough seeds."""

from functools import cache
from pathlib import Path

import pytest

from harness.data import data_of
from harness.models import build
from harness.plan import make_plan
from harness.study import load_study

load = cache(load_study)  # nothing here changes what it returns
STUDIES = sorted(Path("studies").glob("*.yaml"))
CLAIMS = {
    "activation-cost": 4,
    "activations": 8,
    "generators": 3,
    "optimizers": 6,
    "dropout": 5,
    "batchnorm": 5,
    "depth-vs-width": 4,
    "lstm-vs-transformer": 3,
    "text-models": 3,
    "memory": 4,
    "forecasting": 3,
    "transfer-vs-scratch": 6,
    "distillation": 1,
    "inside-image-networks": 2,
    "inside-language-models": 1,
    "search-methods": 2,
    "selection": 2,
    "batch-size": 3,
    "initialization": 2,
    "learning-rate": 3,
    "regularization": 10,
    "residual": 3,
    "schedules": 2,
    "xor": 6,
    "pitfalls": 16,
    "baselines": 4,
    "inductive-bias": 5,
    "capacity": 2,
    "mnist": 2,
    "architectures": 2,
    "alexnet-parts": 2,
    "data-parallel": 4,
    "autoencoders": 5,
    "compression": 4,
    "generative": 5,
    "scaling": 3,
    "encoder-decoder": 2,
    "attention": 4,
    "attention-heads": 2,
    "sequence-training": 7,
    "markov": 2,
    "fine-tuning": 8,
    "pretraining": 3,
    "word-vectors": 4,
    "graphs": 4,
    "tables-benchmark": 3,
    "optimizers-benchmark": 4,
    "regularizers-benchmark": 4,
}


def test_every_study_is_here_with_all_its_claims():
    found = {file.stem: load(file).study for file in STUDIES}
    assert {name: len(study.claims) for name, study in found.items()} == CLAIMS
    ids = [claim.id for study in found.values() for claim in study.claims]
    assert len(ids) == len(set(ids)) == 192
    assert all(study.study == name for name, study in found.items())


@pytest.mark.parametrize("file", STUDIES, ids=lambda file: file.stem)
def test_a_study_names_its_schema_and_its_sources(file):
    assert file.read_text().startswith("# yaml-language-server: $schema=study.schema.json\n")
    assert all(claim.source for claim in load(file).study.claims)


@pytest.mark.parametrize("profile", ["quick", "full"])
@pytest.mark.parametrize("file", STUDIES, ids=lambda file: file.stem)
def test_seeds_suffice_to_support_every_claim(file, profile):
    loaded = load(file, profile)
    study = loaded.study
    assert study.first_seeds >= 5
    plan = make_plan(loaded.study, loaded.arms, profile=profile)
    budgets = {plan.space(arm).candidates for arm in plan.arms if plan.space(arm) is not None}
    assert len(budgets) == (study.search is not None)  # the same for every arm


def parameters(arm):
    data = data_of(arm.workload["data"])
    network = build(arm.workload["model"], data.form, 0)
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(("profile", "levels"), [(None, 6), ("gpu", 8)])
def test_sizes_in_the_study_of_scaling_are_counted_right(profile, levels):
    arms = load(Path("studies/scaling.yaml"), profile).arms
    sizes = {arm.levels["parameters"]: parameters(arm) for arm in arms if not arm.named}
    assert len(sizes) == levels
    assert all(int(level) == count for level, count in sizes.items())


def test_budgets_of_compute_are_those_that_the_study_of_scaling_says():
    arms = {arm.name: arm for arm in load(Path("studies/scaling.yaml")).arms}
    budgets = {f"c{i}": 5e8 * 10 ** (i / 2 - 0.5) for i in range(1, 6)}
    counted = [arm for arm in arms.values() if arm.named and arm.name[:2] in budgets]
    assert len(counted) == 16
    for arm in counted:
        data = data_of(arm.workload["data"])
        fitted = data.limit - round(data.limit * data.validation_fraction)
        spent = 6 * parameters(arm) * data.length * fitted * arm.workload["epochs"]
        assert spent == pytest.approx(budgets[arm.name[:2]], rel=0.03), arm.name


@pytest.mark.parametrize(
    ("study", "one", "other"),
    [
        ("sequence-training", "right-both-ways", "right-one-way"),
        ("sequence-training", "state-alone", "attending"),
        ("sequence-training", "all-gates", "no-input-gate"),
        ("attention", "whole", "no-attention"),
        ("attention", "whole", "wide-no-feedforward"),
        ("attention-heads", "four-heads", "one-head"),
        ("memory", "lstm-far", "transformer-far"),
        ("encoder-decoder", "decoder-short", "encoder-short"),
        ("encoder-decoder", "decoder-long", "encoder-long"),
    ],
)
def test_arms_that_are_compared_have_about_equally_many_parameters(study, one, other):
    arms = {arm.name: arm for arm in load(Path(f"studies/{study}.yaml")).arms}
    assert parameters(arms[one]) == pytest.approx(parameters(arms[other]), rel=0.05)


@pytest.mark.parametrize("profile", ["quick", "full", "gpu"])
@pytest.mark.parametrize(
    ("study", "pairs"),
    [
        (
            "text-models",
            [(f"lstm-{size}", f"transformer-{size}") for size in ("small", "middle", "large")],
        ),
        ("memory", [("lstm-near", "rnn-near")]),
        ("forecasting", [("lstm-all", "transformer-all")]),
    ],
)
def test_families_are_compared_at_equal_size_in_every_profile(study, pairs, profile):
    arms = {arm.name: arm for arm in load(Path(f"studies/{study}.yaml"), profile).arms}
    for one, other in pairs:
        assert parameters(arms[one]) == pytest.approx(parameters(arms[other]), rel=0.06)
        for same in ("epochs", "batch_size", "optimizer", "schedule"):
            assert arms[one].workload[same] == arms[other].workload[same]


@pytest.mark.parametrize(("profile", "middle", "large"), [("quick", 8, 58), ("full", 8, 58)])
def test_compute_of_text_models_grows_as_their_trend_says(profile, middle, large):
    arms = {arm.name: arm for arm in load(Path("studies/text-models.yaml"), profile).arms}
    for family in ("lstm", "transformer"):
        spent = []
        for size in ("small", "middle", "large"):
            arm = arms[f"{family}-{size}"]
            data = data_of(arm.workload["data"])
            fitted = data.limit - round(data.limit * data.validation_fraction)
            spent.append(parameters(arm) * fitted * arm.workload["epochs"])
        assert [s / spent[0] for s in spent[1:]] == pytest.approx([middle, large], rel=0.08)


def test_counting_of_tokens_is_no_baseline_where_classes_are_no_tokens():
    assert load(Path("studies/scaling.yaml")).study.simple_model == "ngram"
    claim = {"id": "writes", "says": "It writes", "metric": "test.accuracy", "of": {}, "above": 0.5}
    workload = {"data": {"name": "pairs"}, "model": {"name": "transformer"}, "epochs": 1}
    study = {"study": "pairs", "question": "?", "workload": workload, "claims": [claim]}
    assert load_study(study).study.simple_model is None


def test_a_profile_for_a_gpu_asks_for_one():
    """A trial that asks for none is trained on the processor, whatever the machine has."""
    with_one = [file for file in STUDIES if "gpu" in load(file).study.profiles]
    asked = {file.stem: load(file, "gpu").study.resources.gpus for file in with_one}
    assert len(asked) > 10
    assert all(gpus > 0 for gpus in asked.values()), asked
