"""The studies that come with the harness: sound, complete, and decided by enough seeds."""

from pathlib import Path

import pytest

from harness.plan import make_plan
from harness.study import load_study

STUDIES = sorted(Path("studies").glob("*.yaml"))
CLAIMS = {
    "activation-cost": 4,
    "activations": 8,
    "generators": 2,
    "optimizers": 6,
    "dropout": 5,
    "batchnorm": 5,
    "depth-vs-width": 4,
    "lstm-vs-transformer": 8,
    "transfer-vs-scratch": 6,
    "distillation": 1,
    "inside-image-networks": 2,
    "inside-language-models": 1,
    "search-methods": 2,
    "selection": 2,
    "batch-size": 2,
    "initialization": 2,
    "learning-rate": 3,
    "regularization": 10,
    "residual": 3,
    "schedules": 2,
    "xor": 6,
    "pitfalls": 16,
    "baselines": 4,
    "inductive-bias": 3,
    "capacity": 2,
    "architectures": 1,
    "tables-benchmark": 3,
    "optimizers-benchmark": 2,
}


def test_every_study_is_here_with_all_its_claims():
    found = {file.stem: load_study(file).study for file in STUDIES}
    assert {name: len(study.claims) for name, study in found.items()} == CLAIMS
    ids = [claim.id for study in found.values() for claim in study.claims]
    assert len(ids) == len(set(ids)) == 115
    assert all(study.study == name for name, study in found.items())


@pytest.mark.parametrize("file", STUDIES, ids=lambda file: file.stem)
def test_a_study_names_its_schema_and_its_sources(file):
    assert file.read_text().startswith("# yaml-language-server: $schema=study.schema.json\n")
    assert all(claim.source for claim in load_study(file).study.claims)


@pytest.mark.parametrize("profile", ["quick", "full"])
@pytest.mark.parametrize("file", STUDIES, ids=lambda file: file.stem)
def test_seeds_suffice_to_support_every_claim(file, profile):
    loaded = load_study(file, profile)
    study = loaded.study
    assert study.first_seeds >= 5
    plan = make_plan(loaded.study, loaded.arms, profile=profile)
    budgets = {plan.space(arm).candidates for arm in plan.arms if plan.space(arm) is not None}
    assert len(budgets) == (study.search is not None)  # the same for every arm
