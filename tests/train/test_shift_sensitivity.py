"""How much a shift changes each layer, of networks whose answer is known."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from harness.data import data_of
from harness.layers.blocks import HiddenLayer
from harness.models import network_of
from harness.probes.shift_sensitivity import ShiftSensitivity, other_classes, share
from harness.trial import State


class Sum(nn.Module):
    """Gives the sum of all pixels, which no shift changes that leaves them in the image."""

    def forward(self, inputs):
        return inputs.sum(dim=(2, 3), keepdim=True)


def images():
    """One bright pixel in the middle for class 0, two brighter ones for class 1."""
    found = np.zeros((60, 1, 8, 8), dtype=np.float32)
    found[:, 0, 3, 3] = 1
    found[30:, 0, 3:5, 3] = 3
    return found, torch.tensor([0] * 30 + [1] * 30)


def fitted(network, seed=0):
    inputs, targets = images()
    test = SimpleNamespace(inputs=torch.from_numpy(inputs), targets=targets)
    return SimpleNamespace(
        network=network,
        splits=SimpleNamespace(test=test),
        seed=seed,
        test_inputs=lambda index: inputs[index],
        normalized=lambda inputs: inputs,
    )


def probe(**settings):
    return ShiftSensitivity(name="shift_sensitivity", **settings)


def test_a_layer_that_sums_up_does_not_notice_a_shift_and_the_inputs_do():
    first = HiddenLayer(nn.Conv2d(1, 1, 1, bias=False), "identity")
    last = HiddenLayer(nn.Linear(1, 1, bias=False), "identity")
    network = nn.Sequential(first, Sum(), nn.Flatten(), last, nn.Linear(1, 2))
    found = probe().measure(fitted(network))
    metrics = found.metrics
    assert metrics["shift_sensitivity_inputs"] > 0.5
    assert metrics["shift_sensitivity_first"] == pytest.approx(metrics["shift_sensitivity_inputs"])
    assert metrics["shift_sensitivity_last"] == pytest.approx(0.0, abs=1e-6)
    assert metrics["shift_sensitivity_rise"] == pytest.approx(-metrics["shift_sensitivity_first"])
    assert found.artifact["shares"].shape == (3,)
    assert probe().measure(fitted(network)).metrics == metrics
    assert probe(severity=3).measure(fitted(network)).metrics != metrics


def test_shares_are_ratios_of_mean_distances():
    rows = np.array([[0.0, 0.0], [3.0, 4.0]])
    assert share(rows, rows + np.array([1.0, 0.0]), np.array([[0, 1]])) == pytest.approx(1 / 5)
    assert share(rows * 0, rows * 0, np.array([[0, 1]])) == 0.0
    pairs = other_classes(np.array([0, 0, 1, 1, 2, 2]), 0)
    assert len(pairs) > 2
    assert all(first // 2 != second // 2 for first, second in pairs)


@pytest.mark.parametrize(
    ("data", "model", "said"),
    [
        ({"name": "table", "source": "wine"}, {"name": "mlp"}, "needs images"),
        ({"name": "digits"}, {"name": "mlp", "depth": 0}, "hidden layer"),
    ],
)
def test_what_has_no_layers_or_no_images_is_refused(data, model, said):
    workload = SimpleNamespace(data=data_of(data), model=network_of(model), uses={})
    assert said in probe().refusal(workload)


def test_a_trial_of_images_is_probed(make_trial, records_of, digits):
    trial = make_trial(0, epochs=1, probes=[{"name": "shift_sensitivity"}])
    (record,) = records_of([trial], digits)
    assert record.state is State.COMPLETE, record.reason
    assert record.metrics["probe.shift_sensitivity_inputs"] > 0
