"""An LSTM written out: with all gates it is PyTorch's, and each can be removed."""

import pytest
import torch

from harness.data_spec import Form
from harness.models.lstm_gates import LstmGates

FORM = Form((6, 3), 2, "sequence")
GATES = ("input_gate", "forget_gate", "output_gate")


def make(form=FORM, **settings):
    torch.manual_seed(0)
    return LstmGates(name="lstm_gates", width=8, **settings).build(form).eval()


def test_with_all_gates_it_is_pytorchs():
    network, theirs = make(), torch.nn.LSTM(3, 8, batch_first=True)
    order = [1, 2, 0, 3]  # of ours: candidate, input, forget, output
    with torch.no_grad():
        for ours, name in (
            (network.given.weight, "weight_ih_l0"),
            (network.given.bias, "bias_ih_l0"),
            (network.carried.weight, "weight_hh_l0"),
        ):
            parts = ours.chunk(4)
            getattr(theirs, name).copy_(torch.cat([parts[i] for i in order]))
        theirs.bias_hh_l0.zero_()
    inputs = torch.randn(4, 6, 3)
    torch.testing.assert_close(network(inputs), network.last(theirs(inputs)[0]))


@pytest.mark.parametrize("gate", GATES)
def test_a_gate_that_is_removed_is_open(gate):
    whole, without = make(), make(**{gate: False})
    assert without.given.out_features == 3 * 8
    assert gate.removesuffix("_gate") not in without.gates
    place = (1 + whole.gates.index(gate.removesuffix("_gate"))) * 8
    rows = [i for i in range(32) if not place <= i < place + 8]
    with torch.no_grad():
        for part in ("given.weight", "given.bias", "carried.weight"):
            source, target = whole.get_parameter(part), without.get_parameter(part)
            target.copy_(source[rows])
            source[place : place + 8] = 0
        whole.given.bias[place : place + 8] = 100.0
        without.last.load_state_dict(whole.last.state_dict())
    inputs = torch.randn(4, 6, 3)
    torch.testing.assert_close(whole(inputs), without(inputs))


def test_the_forget_gate_starts_open():
    network = make(forget_bias=3.0)
    assert (network.given.bias[16:24] == 3.0).all()
    assert not (make(forget_gate=False).given.bias == 3.0).any()


def test_padding_is_left_out_of_the_last_state():
    network = make(Form((6,), 2, "class", 9))
    inputs = torch.tensor([[3, 4, 5, 0, 0, 0], [3, 4, 5, 6, 7, 8]])
    torch.testing.assert_close(network(inputs)[0], network(inputs[:1, :3])[0])
    other = make(Form((6,), 2, "class", 9), pooling="mean")
    torch.testing.assert_close(other(inputs)[0], other(inputs[:1, :3])[0])
