"""Smoothed, weighted and mixed targets, L1 and gradients that nobody clears, by definition."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from harness.augmentations import augmentations
from harness.data_spec import Form
from harness.optimizers.base import Scheduled
from harness.probes.near_zero_weights import shares
from harness.tasks import objective_for, total
from harness.train.augmentation import Augmented
from harness.train.soft_targets import SoftTargets, balanced
from harness.train.updates import SummedGradients, threshold_for

FORM = Form((6,), 3)
NAMES = ["cross_entropy", "one_hot_squared_error"]


def draw(count=12):
    generator = torch.Generator().manual_seed(3)
    return torch.randn(count, 3, generator=generator), torch.arange(count) % 3


@pytest.mark.parametrize("count", [12, 5])
def test_smoothed_cross_entropy_is_that_of_pytorch(count):
    outputs, targets = draw(count)
    loss = objective_for({"loss": {"name": "cross_entropy", "label_smoothing": 0.3}}, FORM).loss
    expected = functional.cross_entropy(outputs, targets, label_smoothing=0.3)
    hot = functional.one_hot(targets, 3).float()
    torch.testing.assert_close(loss.mean(outputs, targets).float(), expected)
    torch.testing.assert_close(loss.mean(outputs, hot).float(), expected)


@pytest.mark.parametrize("softmax", [False, True])
def test_the_squared_error_of_classes_is_that_of_one_hot_vectors(softmax):
    outputs, targets = draw()
    given = {"name": "one_hot_squared_error", "softmax": softmax}
    objective = objective_for({"loss": given}, FORM)
    said = outputs.softmax(1) if softmax else outputs
    hot = functional.one_hot(targets, 3).float()
    expected = functional.mse_loss(said, hot)
    torch.testing.assert_close(objective.loss.mean(outputs, targets).float(), expected)
    torch.testing.assert_close(objective.loss.mean(outputs, hot).float(), expected)
    assert total(objective, outputs, targets)["loss"] == pytest.approx(float(expected))


@pytest.mark.parametrize("name", NAMES)
def test_options_change_what_is_learned_and_not_what_is_reported(name):
    outputs, targets = draw()
    plain = objective_for({"loss": name}, FORM)
    given = {"name": name, "label_smoothing": 0.4, "class_weights": "balanced"}
    changed = objective_for({"loss": given}, FORM)
    assert total(plain, outputs, targets) == total(changed, outputs, targets)
    assert plain.loss.mean(outputs, targets) != changed.loss.mean(outputs, targets)


@pytest.mark.parametrize("name", NAMES)
def test_a_weighted_loss_is_the_weighted_mean_of_the_losses_of_examples(name):
    outputs, targets = draw()
    loss = objective_for({"loss": name}, FORM).loss
    weights = torch.tensor([0.5, 2.0, 1.5])
    hot = functional.one_hot(targets, 3) * weights
    each = torch.stack([loss.mean(outputs[i : i + 1], targets[i : i + 1]) for i in range(12)])
    torch.testing.assert_close(loss.mean(outputs, hot), (each * weights[targets]).mean())


def test_balanced_classes_count_alike_and_an_example_one_on_average():
    targets = np.array([0] * 6 + [1] * 3 + [3])
    weights = balanced(targets, 4)
    assert weights.tolist() == pytest.approx([10 / 18, 10 / 9, 0.0, 10 / 3])
    assert weights[targets].mean() == pytest.approx(1.0)


def mixed(given, shape=(1, 6, 6)):
    every = Augmented(augmentations(given), [4], shape)
    every.draw(10, torch.device("cpu"))
    inputs = torch.arange(10.0).view(1, 10, *[1] * len(shape)).expand(1, 10, *shape).contiguous()
    return SoftTargets(10, every, weighs=False).of(inputs, torch.arange(10)[None], 0)


def test_mixup_mixes_inputs_and_classes_by_the_same_weight():
    inputs, targets = mixed({"mixup": 1.0}, (6,))
    torch.testing.assert_close(targets.sum(-1), torch.ones(1, 10))
    # example c is the number c throughout: the mean of the classes is that of the numbers
    torch.testing.assert_close(inputs[..., 0], targets @ torch.arange(10.0))
    torch.testing.assert_close(targets.sum(1).sum(), torch.tensor(10.0))
    assert ((targets > 0).sum(-1) == 2).sum() >= 6


def test_cutmix_counts_the_pixels_that_came():
    inputs, targets = mixed({"cutmix": 1.0})
    for row in range(10):
        numbers = inputs[0, row].flatten().long()
        torch.testing.assert_close(targets[0, row], torch.bincount(numbers, minlength=10) / 36)
    assert ((targets > 0).sum(-1) == 2).sum() >= 4


def test_l1_is_a_soft_threshold_of_each_member_and_leaves_biases():
    network = nn.Linear(4, 2)
    steps = Scheduled.read({"name": "sgd", "lr": 0.1})
    threshold = threshold_for([(steps, 0.0), (steps, 5.0)], network, None)
    weights = torch.linspace(-1, 1, 8).view(1, 2, 4).repeat(2, 1, 1)
    biases, before = torch.full((2, 2), 0.2), weights.clone()
    threshold.apply([weights, biases], lambda _: 0.5)
    assert torch.equal(weights[0], before[0])
    torch.testing.assert_close(weights[1], functional.softshrink(before[1], 0.25))
    assert (weights[1] == 0).any()
    assert (biases == 0.2).all()
    assert threshold_for([(steps, 0.0)], network, None) is None


def test_gradients_that_nobody_clears_add_up():
    summed, first, second = SummedGradients(), torch.ones(2, 3), torch.full((2, 3), 2.0)
    assert torch.equal(summed.add("model", [first])[0], first)
    assert torch.equal(summed.add("model", [second])[0], first + second)
    summed.keep([1])
    assert torch.equal(summed.add("model", [first[:1]])[0], torch.full((1, 3), 4.0))


def test_near_zero_weights_are_told_by_the_size_of_the_others():
    network = nn.Linear(4, 1)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[0.0, 1e-4, 1.0, -1.0]]))
    assert shares(network, 0.01) == (0.5, 0.25)
    with torch.no_grad():
        network.weight.mul_(1e-3)
    assert shares(network, 0.01) == (0.5, 0.25)
