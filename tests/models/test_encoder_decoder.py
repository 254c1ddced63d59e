"""Encoders and decoders: what sees what, what can be removed, and that they can learn."""

import pytest
import torch
from pydantic import ValidationError
from torch.nn.functional import cross_entropy

from harness.data.pairs import Pairs
from harness.data_spec import IGNORED, Form
from harness.models.encoder_decoder import EncoderDecoder
from harness.probes.free_running import written

LENGTH, SYMBOLS = 4, 6
FORM = Form((2 * LENGTH,), SYMBOLS, "sequence", 2 + SYMBOLS)
KINDS = [
    {"cell": "rnn"}, {"cell": "gru", "attention": False}, {"cell": "lstm", "layers": 2},
    {"cell": "transformer", "heads": 2}, {"cell": "transformer", "layers": 2, "feedforward": 8},
]  # fmt: skip


def make(**settings):
    torch.manual_seed(0)
    return EncoderDecoder(name="encoder_decoder", width=16, **settings).build(FORM).eval()


def pairs(target="reverse", examples=200):
    data = Pairs(name="pairs", target=target, length=LENGTH, symbols=SYMBOLS, examples=examples,
                 test=20)  # fmt: skip
    return data.load(None)


@pytest.mark.parametrize("settings", KINDS)
def test_a_place_of_the_target_sees_the_whole_source_and_nothing_after_it(settings):
    network, inputs = make(**settings), torch.from_numpy(pairs().examples.inputs[:8])
    before = network(inputs)
    later = inputs.clone()
    later[:, LENGTH + 2] = 2 + (later[:, LENGTH + 2] - 1) % SYMBOLS
    after = network(later)
    assert torch.equal(before[:, : LENGTH + 2], after[:, : LENGTH + 2])
    assert not torch.allclose(before[:, LENGTH + 2 :], after[:, LENGTH + 2 :])
    source = inputs.clone()
    source[:, 0] = 2 + (source[:, 0] - 1) % SYMBOLS
    assert (network(source) - before)[:, LENGTH:].abs().amax(dim=-1).min() > 0
    torch.testing.assert_close(network(inputs[:, : LENGTH + 1]), before[:, : LENGTH + 1])


def test_targets_are_what_they_say():
    for target, wanted in (
        ("copy", lambda row: row), ("reverse", lambda row: row[::-1]), ("sort", sorted),
    ):  # fmt: skip
        data = pairs(target)
        assert data.form == FORM
        for row, classes in zip(data.test.inputs, data.test.targets, strict=True):
            source = [token - 2 for token in row[:LENGTH].tolist()]
            assert row[LENGTH] == 1
            assert (classes[:LENGTH] == IGNORED).all()
            assert classes[LENGTH:].tolist() == list(wanted(source))
            assert (row[LENGTH + 1 :] - 2 == classes[LENGTH:-1]).all()
    sources = {row[:LENGTH].tobytes() for row in pairs().examples.inputs}
    assert not sources & {row[:LENGTH].tobytes() for row in pairs().test.inputs}


@pytest.mark.parametrize("settings", [KINDS[0], KINDS[3]])
def test_pairs_are_learned_and_written_without_help(settings):
    network = make(**settings).train()
    data = pairs(examples=400)
    inputs, targets = (
        torch.from_numpy(part) for part in (data.examples.inputs, data.examples.targets)
    )
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(250):
        loss = cross_entropy(network(inputs).flatten(0, 1), targets.flatten(), ignore_index=IGNORED)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.2
    right = written(network.eval(), inputs) == targets[:, LENGTH:]
    assert float(right.all(dim=1).double().mean()) > 0.8


def test_without_attention_there_is_none():
    names = [name for name, _ in make(attention=False).named_parameters()]
    assert not any(name.startswith(("scores", "joined")) for name in names)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cell": "transformer", "attention": False}, "by attention alone"),
        ({"cell": "transformer", "width": 15}, "does not divide"),
    ],
)
def test_what_cannot_be_is_refused(settings, message):
    with pytest.raises(ValidationError, match=message):
        EncoderDecoder(name="encoder_decoder", **settings)
    with pytest.raises(ValueError, match="equal length"):
        EncoderDecoder(name="encoder_decoder").build(Form((7,), 3, "sequence", 9))
