"""Boosted trees and nearest neighbours answer as scikit-learn's do, for classes and numbers."""

import pytest
import torch

from harness.data_spec import Form
from harness.registry import NETWORKS


@pytest.mark.parametrize("name", ["gradient_boosting", "nearest_neighbours"])
def test_they_learn_classes_and_numbers(name):
    generator = torch.Generator().manual_seed(5)
    inputs = torch.randn(400, 4, generator=generator)
    classes = (inputs[:, 0] > 0.5).long() + (inputs[:, 0] > -0.5).long()
    model = NETWORKS.read(name)
    said = model.fit(inputs, classes, Form((4,), 3), None).outputs(inputs)
    assert torch.isfinite(said).all()
    assert said.exp().sum(dim=1) == pytest.approx(torch.ones(400), abs=1e-6)
    assert (said.argmax(dim=1) == classes).double().mean() > 0.8
    numbers = torch.stack([inputs[:, 0], -inputs[:, 1]], dim=1)
    fitted = model.fit(inputs, numbers, Form((4,), 2, "numbers"), None)
    assert (fitted.outputs(inputs) - numbers).square().mean() < 0.5 * numbers.var()


@pytest.mark.parametrize("name", ["gradient_boosting", "nearest_neighbours"])
def test_a_class_that_training_lacks_gets_a_finite_loss(name):
    inputs = torch.arange(60.0)[:, None]
    classes = (inputs[:, 0] > 30).long() * 2
    said = NETWORKS.read(name).fit(inputs, classes, Form((1,), 3), None).outputs(inputs)
    assert said.shape == (60, 3)
    assert torch.isfinite(said).all()
    assert not (said.argmax(dim=1) == 1).any()
