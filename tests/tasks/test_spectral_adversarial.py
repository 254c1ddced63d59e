"""Discriminators whose layers have the largest singular value 1."""

import re

import pytest
import torch
from one_trial import train, trial_of

from harness.data_spec import Form
from harness.models import build
from harness.registry import TASKS
from harness.study import InputError, load_study
from harness.study.workload import Workload
from harness.trial import Phase

JUDGE = {"name": "mlp", "depth": 2, "width": 32}
WORKLOAD = {
    "data": {"name": "digits", "limit": 300},
    "task": {"name": "spectral_adversarial", "noise": 8, "discriminator": JUDGE},
    "model": {"name": "mlp", "depth": 1, "width": 32},
    "optimizer": {"name": "adam", "lr": 2e-3},
    "batch_size": 64,
    "epochs": 6,
    "keep": "last",
}
CNN = {"name": "cnn", "channels": [4, 8], "dense": 0, "norm": "none"}


@pytest.mark.parametrize("judge", [JUDGE, CNN], ids=["mlp", "cnn"])
def test_layers_of_the_discriminator_have_norm_one_and_keep_it_in_training(judge, tmp_path):
    task = {**WORKLOAD["task"], "discriminator": judge}
    record = train(trial_of(WORKLOAD, Phase.PRETRAINING, task=task), tmp_path)
    settings = Workload.model_validate({**WORKLOAD, "task": task})
    networks = TASKS.read(task).build(
        settings, Form((1, 8, 8), 10), lambda model, form, part: build(model, form, 0)
    )
    discriminator = networks["discriminator"].eval()
    own = {
        name.removeprefix("discriminator."): torch.from_numpy(value.copy())
        for name, value in record.weights.items()
        if name.startswith("discriminator.")
    }
    for trained in (False, True):
        if trained:
            discriminator.load_state_dict(own)
        for module in discriminator.modules():
            if isinstance(module, torch.nn.Linear | torch.nn.Conv2d):
                matrix = module.weight.detach().flatten(1)
                assert torch.linalg.matrix_norm(matrix, 2).item() == pytest.approx(1, abs=0.1)
    generator = networks["model"].state_dict()
    assert not [name for name in generator if "original" in name]


def test_it_learns_and_replays(tmp_path):
    longer = {"epochs": 120, "optimizer": {"name": "adam", "lr": 5e-3, "beta1": 0.5}}
    trial = trial_of(WORKLOAD, **longer)
    record = train(trial, tmp_path)
    distances = [point["validation.energy_distance"] for point in record.curve]
    assert distances[-1] < 0.8 * distances[0]
    assert record.deterministic_part() == train(trial, tmp_path).deterministic_part()


def test_norms_in_the_discriminator_are_refused():
    task = {**WORKLOAD["task"], "discriminator": {"name": "mlp", "norm": "batch"}}
    study = {"study": "s", "question": "?", "workload": {**WORKLOAD, "task": task}, "seeds": 5}
    with pytest.raises(InputError, match=re.escape("write `norm: none`")):
        load_study(study)
