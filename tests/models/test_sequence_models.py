"""Recurrent networks that answer at each step, or with numbers; their first weights."""

import pytest
import torch
from torch.nn.functional import cross_entropy, mse_loss

from harness.data_spec import Form
from harness.models import build
from harness.models.recurrent import Recurrent

VOCABULARY = 12


def make(form, **settings):
    config = Recurrent(name="recurrent", width=16, embedding=8, **settings).model_dump()
    return build(config, form, seed=3)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_each_position_depends_on_those_up_to_it(cell):
    network = make(Form((9,), 5, "sequence", VOCABULARY), cell=cell).eval()
    inputs = torch.randint(1, VOCABULARY, (4, 9), generator=torch.Generator().manual_seed(0))
    changed = inputs.clone()
    changed[:, 5] = changed[:, 5] % (VOCABULARY - 1) + 1
    before, after = network(inputs).detach(), network(changed).detach()
    assert before.shape == (4, 9, 5)
    assert torch.equal(before[:, :5], after[:, :5])
    assert float((before - after)[:, 5:].abs().amax(dim=-1).min()) > 1e-7


def test_a_sequence_can_be_copied_with_a_delay():
    """Recall at lag 2, the simplest thing that needs memory, is learned."""
    torch.manual_seed(0)
    network = make(Form((8,), VOCABULARY, "sequence", VOCABULARY), layers=1, forget_bias=1.0)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(200):
        inputs = torch.randint(1, VOCABULARY, (64, 8))
        targets = torch.full_like(inputs, -100)
        targets[:, 2:] = inputs[:, :-2]
        loss = cross_entropy(network(inputs).flatten(0, 1), targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.3  # guessing costs ln 11 = 2.4


@pytest.mark.parametrize("shape", [(9,), (9, 3)])
def test_numbers_from_numbers(shape):
    network = make(Form(shape, 4, "numbers"))
    outputs = network(torch.randn(5, *shape))
    assert outputs.shape == (5, 4)
    mse_loss(outputs, torch.zeros(5, 4)).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_forget_gates_start_open():
    plain, open_ = (make(Form((9, 2), 3), forget_bias=bias) for bias in (None, 1.0))
    for ours, theirs in zip(open_.layers, plain.layers, strict=True):
        total = ours.bias_ih_l0 + ours.bias_hh_l0
        assert torch.equal(total[16:32], torch.ones(16))
        assert torch.equal(ours.weight_ih_l0, theirs.weight_ih_l0)
        assert torch.equal(ours.bias_ih_l0[:16], theirs.bias_ih_l0[:16])
        assert torch.equal(ours.bias_hh_l0[32:], theirs.bias_hh_l0[32:])
    ones = torch.equal(*(make(Form((9,), 3), cell="gru", forget_bias=b).layers[0].bias_ih_l0
                         for b in (None, 1.0)))  # fmt: skip
    assert ones  # a GRU has no such gate


def test_orthogonal_recurrent_matrices():
    network = make(Form((9, 2), 3), initialization="orthogonal", bidirectional=True)
    for name, weight in network.layers.named_parameters():
        if "bias" in name:
            assert not weight.any()
        if "weight_hh" in name:
            for gate in weight.detach().split(16):
                torch.testing.assert_close(gate @ gate.T, torch.eye(16), atol=1e-5, rtol=0)
