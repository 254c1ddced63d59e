"""Contractive autoencoders: the penalty against closed forms, and what it does to a code."""

import re
from functools import partial

import numpy as np
import pytest
import torch
from one_trial import train, trial_of

from harness.data_spec import Form
from harness.layers.tied import TiedAutoencoder
from harness.models import build
from harness.study import InputError, load_study
from harness.tasks.contractive_autoencoder import jacobian_norms
from harness.trial import Given, Phase

WORKLOAD = {
    "data": {"name": "digits", "limit": 400},
    "task": {"name": "contractive_autoencoder", "code": 16, "contraction": 0.1},
    "model": {"name": "mlp", "depth": 0, "activation": "sigmoid"},
    "optimizer": {"name": "adam", "lr": 1e-2},
    "batch_size": 32,
    "epochs": 8,
}
FORM = Form((1, 8, 8), 10)
make = partial(trial_of, WORKLOAD)


def network(depth, activation, code=5):
    model = {"name": "mlp", "depth": depth, "width": 7, "activation": activation}
    encoder = build(model, Form((1, 3, 2), code, "numbers"), 0)
    return TiedAutoencoder(encoder, 6, activation).double()


def test_the_penalty_of_a_sigmoid_layer_is_that_of_the_publication():
    """Rifai et al. 2011, section 2: sum over units of (h (1 - h))² times its squared weights."""
    one = network(0, "sigmoid")
    inputs = torch.randn(9, 1, 3, 2, dtype=torch.double, requires_grad=True)
    codes = one.encode(inputs)
    (weights,) = [p for p in one.encoder.parameters() if p.ndim == 2]
    expected = ((codes * (1 - codes)).square() * weights.square().sum(dim=1)).sum(dim=1)
    found = jacobian_norms(codes, inputs)
    assert torch.allclose(found, expected)
    ours, theirs = (torch.autograd.grad(x.mean(), weights, retain_graph=True)[0]
                    for x in (found, expected))  # fmt: skip
    assert torch.allclose(ours, theirs)  # and so does what training follows


def test_the_penalty_of_several_layers_is_that_of_their_jacobian():
    one = network(2, "tanh")
    inputs = torch.randn(4, 1, 3, 2, dtype=torch.double, requires_grad=True)
    found = jacobian_norms(one.encode(inputs), inputs)
    for row, norm in zip(inputs, found, strict=True):
        jacobian = torch.autograd.functional.jacobian(lambda x: one.encode(x[None])[0], row)
        assert norm.item() == pytest.approx(jacobian.square().sum().item())


def test_a_tied_decoder_has_the_transposed_matrices_and_no_others():
    one = network(1, "tanh")
    first, last = (p for p in one.encoder.parameters() if p.ndim == 2)
    codes = torch.randn(3, 5, dtype=torch.double)
    with torch.no_grad():
        one.biases[1].fill_(0.5)
        expected = (codes @ last + 0.5).tanh() @ first
        assert torch.allclose(one.decode(codes), expected)
    matrices = [name for name, parameter in one.named_parameters() if parameter.ndim == 2]
    assert len(matrices) == 2
    assert all(name.startswith("encoder.") for name in matrices)


def test_a_heavier_penalty_contracts_the_code_and_costs_accuracy_of_restored_inputs(tmp_path):
    found = {
        weight: train(make(task={**WORKLOAD["task"], "contraction": weight}), tmp_path).metrics
        for weight in (0.0, 0.01, 1.0)
    }
    norms = [one["test.jacobian_norm"] for one in found.values()]
    errors = [one["test.reconstruction_error"] for one in found.values()]
    assert norms[0] > norms[1] > 2 * norms[2]
    assert errors[0] <= errors[1] < errors[2] < 1.1


def test_it_replays_is_probed_and_starts_a_classifier(tmp_path):
    deep = {"model": {"name": "mlp", "depth": 1, "width": 32, "activation": "tanh"}}
    trial = make(probes=["codes", "reconstructions"], **deep)
    record = train(trial, tmp_path)
    assert record.deterministic_part() == train(trial, tmp_path).deterministic_part()
    assert record.metrics["probe.code_accuracy"] > 0.3
    stage = train(make(Phase.PRETRAINING, **deep), tmp_path)
    given = {"initial": Given(stage.trial, FORM, stage.products)}
    user = make(Phase.PRETRAINING, task=None, transfer={"from": "auto", "freeze": "features"},
                **deep)  # fmt: skip
    weights = train(user, tmp_path, given).weights
    assert np.array_equal(weights["1.linear.weight"], stage.weights["encoder.1.linear.weight"])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": {"name": "cnn"}}, "needs `model: mlp`"),
        ({"model": {"name": "mlp", "norm": "batch"}}, "`norm: none`"),
        ({"loss": "cross_entropy"}, "`loss` is of no use"),
        ({"task": {**WORKLOAD["task"], "contraction": -1}}, "contraction"),
    ],
    ids=str,
)
def test_what_does_not_go_with_it_is_refused(changes, said):
    study = {"study": "s", "question": "?", "workload": {**WORKLOAD, **changes}, "seeds": 5}
    with pytest.raises(InputError, match=re.escape(said)):
        load_study(study)
