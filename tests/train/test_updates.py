"""Stacked updates against torch.optim, the reference, member by member."""

import pytest
import torch

from harness.optimizers.base import Scheduled, begin

REFERENCES = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}
SETTINGS = [
    [{"name": "adam", "lr": lr, "beta1": b1, "beta2": b2, "weight_decay": wd}
     for lr, b1, b2, wd in [(1e-3, 0.9, 0.99, 0.0), (1e-3, 0.9, 0.99, 0.0), (0.1, 0.5, 0.9, 0.1)]],
    [{"name": "adamw", "lr": lr, "beta1": 0.9, "beta2": 0.999, "weight_decay": wd}
     for lr, wd in [(1e-3, 0.01), (1e-2, 0.3), (1e-2, 0.3)]],
    [{"name": "sgd", "lr": lr, "momentum": m, "nesterov": False, "weight_decay": wd}
     for lr, m, wd in [(0.1, 0.0, 0.0), (0.1, 0.9, 0.0), (0.01, 0.5, 0.1)]],
    [{"name": "sgd", "lr": lr, "momentum": m, "nesterov": True, "weight_decay": 0.0}
     for lr, m in [(0.1, 0.9), (0.1, 0.8), (0.01, 0.9)]],
]  # fmt: skip


def build_update(configs, parameters):
    return begin([Scheduled.read(config) for config in configs], parameters)


def reference(config, parameters):
    known = {"lr": config["lr"], "weight_decay": config["weight_decay"]}
    if config["name"] == "sgd":
        known |= {"momentum": config["momentum"], "nesterov": config["nesterov"]}
    else:
        known["betas"] = (config["beta1"], config["beta2"])
    return REFERENCES[config["name"]](parameters, **known)


def alone(start, gradients, config, row):
    """Return one member's parameters after each step of torch.optim's own loop."""
    parameters = [tensor[row].clone().requires_grad_() for tensor in start]
    optimizer = reference(config, parameters)
    for step in gradients:
        for parameter, gradient in zip(parameters, step, strict=True):
            parameter.grad = gradient[row].clone()
        optimizer.step()
    return [parameter.detach() for parameter in parameters]


def draw(generator, members=3):
    shapes = [(members, 5, 4), (members, 5), (members,), (members, 33)]
    return [torch.randn(shape, generator=generator) for shape in shapes]


@pytest.mark.parametrize("configs", SETTINGS, ids=lambda configs: configs[0]["name"])
def test_each_member_is_updated_as_torch_optim_would(configs):
    generator = torch.Generator().manual_seed(0)
    parameters = draw(generator)
    start = [tensor.clone() for tensor in parameters]
    gradients = [draw(generator) for _ in range(20)]
    update = build_update(configs, parameters)
    for step in gradients:
        update.step(step)
    for row, config in enumerate(configs):
        expected = alone(start, gradients, config, row)
        for ours, theirs in zip(parameters, expected, strict=True):
            torch.testing.assert_close(ours[row], theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("configs", SETTINGS, ids=lambda configs: configs[0]["name"])
def test_members_that_stay_keep_their_history(configs):
    generator = torch.Generator().manual_seed(0)
    start = draw(generator)
    gradients = [draw(generator) for _ in range(10)]
    parameters = [tensor.clone() for tensor in start]
    update = build_update(configs, parameters)
    for step in gradients[:5]:
        update.step(step)
    parameters = [tensor[[0, 2]].clone() for tensor in parameters]
    update.keep([0, 2], parameters)
    for step in gradients[5:]:
        update.step([tensor[[0, 2]] for tensor in step])
    for row, member in enumerate([0, 2]):
        expected = alone(start, gradients, configs[member], member)
        for ours, theirs in zip(parameters, expected, strict=True):
            torch.testing.assert_close(ours[row], theirs, rtol=1e-5, atol=1e-6)


def test_an_unknown_optimizer_is_an_error():
    with pytest.raises(KeyError, match="lion"):
        build_update([{"name": "lion"}], [torch.zeros(1, 2)])
