"""What every built-in network must do."""

import json
from types import SimpleNamespace

import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from harness.data_spec import Form
from harness.layers import hidden_units
from harness.layers.dropout import Dropout
from harness.models import Model, build, network_of
from harness.registry import NETWORKS
from harness.testing.models import ModelConformance, cases_of, draw

IMAGE, TOKENS, SERIES = (1, 8, 8), (9,), (9, 2)
VOCABULARY = 20
CASES = [
    ({"name": "mlp", "norm": "batch"}, IMAGE),
    ({"name": "mlp", "norm": "layer", "dropout": 0.2, "activation": "tanh"}, IMAGE),
    ({"name": "mlp", "widths": [30, 20], "dropout": [0.2, 0.0]}, IMAGE),
    ({"name": "cnn", "channels": [8, 16], "dense": 32}, IMAGE),
    ({"name": "cnn", "channels": [8], "norm": "group", "pooling": "average"}, IMAGE),
    ({"name": "cnn", "channels": [4], "norm": "none", "pooling": "none", "dense": 0}, IMAGE),
    ({"name": "cnn", "channels": [8, 8], "dropout_conv": 0.2, "kernel": 5, "dense": 16}, IMAGE),
    *(({"name": "skip_cnn", "channels": [4, 8, 8], "skip": skip, "dense": 16}, IMAGE)
      for skip in ("add", "concatenate", "none")),
    ({"name": "skip_cnn", "channels": [4, 4, 8], "pooling": "none", "norm": "none"}, (3, 5, 7)),
    ({"name": "embedding_mlp", "categories": [[2, 3], [6, 2]], "dropout": 0.1}, (8,)),
    ({"name": "embedding_mlp", "categories": [[0, 8]], "embedding": 4, "depth": 1}, (8,)),
    *(({"name": "recurrent", "cell": cell, "width": 16, "embedding": 8}, TOKENS)
      for cell in ("rnn", "lstm", "gru")),
    ({"name": "recurrent", "width": 16, "bidirectional": True, "dropout": 0.1}, TOKENS),
    ({"name": "recurrent", "width": 16, "pooling": "mean", "layers": 1}, TOKENS),
    ({"name": "recurrent", "width": 16, "pooling": "mean", "bidirectional": True}, IMAGE),
    ({"name": "recurrent", "width": 8, "initialization": "orthogonal", "forget_bias": 1.0}, TOKENS),
    ({"name": "recurrent", "width": 16, "cell": "gru"}, SERIES),
    *(({"name": "lstm_gates", "width": 16, gate: False}, TOKENS)
      for gate in ("input_gate", "forget_gate", "output_gate", "squashing")),
    ({"name": "mlp", "depth": 4, "residual": True, "initialization_scale": 0.5}, IMAGE),
    ({"name": "cnn", "channels": [8], "norm": "layer", "initialization_scale": 2.0}, IMAGE),
    ({"name": "resnet", "channels": [8, 8, 16], "initialization_scale": 0.5}, IMAGE),
    ({"name": "resnet", "channels": [8, 16], "blocks": [2, 1], "shortcuts": False}, IMAGE),
    ({"name": "resnet", "channels": [8, 16, 16], "norm": "group"}, (3, 9, 9)),
    ({"name": "resnet", "channels": [8], "blocks": [1], "norm": "none"}, IMAGE),
    ({"name": "transformer", "width": 16, "norm": "post", "positions": "learned"}, TOKENS),
    ({"name": "transformer", "width": 16, "norm": "none", "layers": 1, "pooling": "first"}, TOKENS),
    ({"name": "transformer", "width": 16, "residual": False, "layers": 1}, TOKENS),
    ({"name": "transformer", "width": 16, "attention": "plain", "scaling": False}, TOKENS),
    ({"name": "transformer", "width": 16, "causal": True, "pooling": "last"}, TOKENS),
    ({"name": "transformer", "width": 16, "dropout": 0.1, "activation": "gelu"}, SERIES),
    ({"name": "transformer", "width": 16, "patch": 4, "positions": "learned"}, IMAGE),
    ({"name": "transformer", "width": 15, "heads": 3, "feedforward": 20}, IMAGE),
    ({"name": "transformer", "width": 16, "attention": "none"}, TOKENS),
    ({"name": "transformer", "width": 16, "feedforward": 0, "norm": "post"}, TOKENS),
    ({"name": "transformer", "width": 16, "heads": 2, "positions": "rotary"}, TOKENS),
    ({"name": "residual_mlp", "norm": "layer", "blocks": 3, "dropout": 0.2}, (12,)),
    ({"name": "residual_mlp", "norm": "none", "residual_dropout": 0.1, "inner": 16}, (12,)),
    ({"name": "column_transformer", "layers": 1, "width": 15, "heads": 3}, (12,)),
    ({"name": "column_transformer", "dropout": 0.1, "feedforward": 20}, (5,)),
]  # fmt: skip


def complete(config):
    """Fill in the defaults, as a study file does."""
    return TypeAdapter(Model).validate_json(json.dumps(config)).model_dump()


def form(shape, classes=3):
    return Form(shape, classes, "class", VOCABULARY if shape == TOKENS else None)


def make(config, shape, seed=0, classes=3):
    return build(complete(config), form(shape, classes), seed)


class TestModels(ModelConformance):
    harness_cases = (
        *(case for name in NETWORKS.own() for case in cases_of(name)),
        *((config, form(shape)) for config, shape in CASES),
    )


def test_the_defaults_are_the_handbooks():
    cnn = make({"name": "cnn", "initialization": "torch"}, (1, 28, 28), classes=10)
    # 7.4: three convolutions with their norms, 1152 -> 256 -> 10
    norms = sum(2 * channels for channels in (32, 64, 128))
    weights = 9 * (32 + 32 * 64 + 64 * 128) + 32 + 64 + 128 + 1152 * 256 + 256 + 2570
    assert sum(p.numel() for p in cnn.parameters()) == norms + weights
    config = {"name": "mlp", "widths": [512, 256], "dropout": [0.2, 0.0]}  # 6.2
    mlp = make(config, (1, 28, 28), classes=10)
    assert [layer.linear.out_features for layer in hidden_units(mlp)] == [512, 256]
    assert [layer.dropout is not None for layer in hidden_units(mlp)] == [True, False]
    text = make({"name": "recurrent"}, TOKENS)  # 8.4
    assert [type(layer).__name__ for layer in text.layers] == ["LSTM", "LSTM"]


@pytest.mark.parametrize("pooling", ["max", "none"])
def test_a_skipping_connection_adds_to_a_cnn_what_it_says(pooling):
    shared = {"channels": [4, 6, 8], "dense": 0, "pooling": pooling, "norm": "none"}
    plain, none, add, beside = (
        make({**one, **shared}, IMAGE).eval()
        for one in (
            {"name": "cnn"},
            {"name": "skip_cnn", "skip": "none"},
            {"name": "skip_cnn", "skip": "add"},
            {"name": "skip_cnn", "skip": "concatenate"},
        )
    )
    inputs = draw(form(IMAGE))
    assert torch.equal(plain(inputs), none(inputs))
    sizes = [sum(p.numel() for p in network.parameters()) for network in (plain, add, beside)]
    assert sizes == [sizes[0], sizes[0], sizes[0] + 9 * 4 * 8]
    with torch.no_grad():  # without the second block, the third reads the first alone
        add.second[0].linear.weight.zero_()
        first = add.first(inputs)
        small = torch.nn.functional.avg_pool2d(first, 2) if pooling == "max" else first
        padded = torch.cat([small, torch.zeros_like(small[:, :2])], dim=1)
        torch.testing.assert_close(add(inputs), add.rest(padded))


def test_a_category_is_read_by_its_embedding_alone():
    config = {"name": "embedding_mlp", "categories": [[4, 3], [1, 2]], "embedding": 2}
    network = make(config, (8,)).eval()
    embeddings, first = network[0], network[2].linear
    tables = [one.weight for one in embeddings.maps]
    assert [tuple(table.shape) for table in tables] == [(2, 3), (2, 2)]
    assert first.in_features == 2 * 2 + 3  # and the columns 0, 3 and 7
    inputs = torch.tensor([[9.0, 0, 1, 8, 0, 0, 1, 7], [9, 1, 0, 8, 1, 0, 0, 7]])
    expected = [
        torch.cat([tables[0][:, last], tables[1][:, early], torch.tensor([9.0, 8, 7])])
        for last, early in ((2, 1), (0, 0))
    ]
    torch.testing.assert_close(embeddings(inputs), torch.stack(expected))


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("pooling", ["last", "mean"])
def test_padding_changes_nothing_for_a_reader_forwards(cell, pooling):
    config = {"name": "recurrent", "cell": cell, "width": 8, "pooling": pooling}
    network = make(config, TOKENS).eval()
    sentence = draw(form(TOKENS))[6:, :5]
    padded = torch.cat([sentence, torch.zeros(6, 4, dtype=torch.int64)], dim=1)
    with torch.no_grad():
        torch.testing.assert_close(network(sentence), network(padded))
        assert torch.isfinite(network(torch.zeros_like(padded))).all()  # nothing but padding


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"name": "mlp", "widths": [5], "depth": 3}, "either `widths` or"),
        ({"name": "mlp", "depth": None}, "needs `depth` and `width`"),
        ({"name": "mlp", "dropout": [0.1]}, "1 rates for 2 hidden layers"),
        ({"name": "mlp", "dropout": 1.0}, "less than 1"),
        ({"name": "cnn", "kernel": 4}, "odd number"),
        ({"name": "cnn", "norm": "group", "groups": 7}, "does not divide"),
        ({"name": "recurrent", "cell": "lstn"}, "'rnn', 'lstm' or 'gru'"),
        ({"name": "resnet", "blocks": [1, 1]}, "2 stages and `channels` 3"),
        ({"name": "resnet", "channels": [32, 16, 8]}, "must not fall"),
        ({"name": "resnet", "norm": "group", "groups": 7}, "does not divide"),
        ({"name": "skip_cnn", "channels": [8, 8]}, "needs three `channels`"),
        ({"name": "skip_cnn", "channels": [8, 4, 8]}, "must not be below the first"),
        ({"name": "embedding_mlp", "categories": [[0, 3], [2, 2]]}, "column 2 stands in two"),
        ({"name": "embedding_mlp", "categories": [[0, 1]]}, "two columns at least, not 1"),
        ({"name": "mlp", "initialization_scale": 0.0}, "greater than 0"),
        ({"name": "transformer", "heads": 3}, "does not divide `width`"),
        ({"name": "column_transformer", "heads": 3}, "does not divide `width`"),
        ({"name": "residual_mlp", "blocks": 0}, "greater than or equal to 1"),
        ({"name": "transformer", "causal": True, "pooling": "first"}, "pool mean or last"),
        ({"name": "torchvision", "architecture": "resnet19"}, "did you mean.*resnet1"),
    ],
)
def test_what_cannot_be_is_refused(config, message):
    with pytest.raises(ValidationError, match=message):
        complete(config)


def test_a_network_says_what_it_cannot_read():
    with pytest.raises(ValueError, match="too many for images of 8x8"):
        make({"name": "cnn", "channels": [4] * 5}, IMAGE)
    with pytest.raises(ValueError, match="reads images"):
        make({"name": "cnn"}, (12,))
    with pytest.raises(ValueError, match="would take for quantities"):
        make({"name": "mlp"}, TOKENS)
    with pytest.raises(ValueError, match="a class at each position, and mlp has one"):
        build(complete({"name": "mlp"}), Form((9,), 3, "sequence"), 0)
    with pytest.raises(ValueError, match="end at column 13, and inputs have 12 columns"):
        make({"name": "embedding_mlp", "categories": [[0, 4], [9, 5]]}, (12,))
    with pytest.raises(ValueError, match="4 stages are too many for images of 7x7"):
        make({"name": "resnet", "blocks": [1] * 4, "channels": [8] * 4}, (1, 7, 7))
    with pytest.raises(ValueError, match="cannot be cut into patches of side 3"):
        make({"name": "transformer", "patch": 3}, IMAGE)
    with pytest.raises(ValueError, match="reads sequences or images"):
        make({"name": "transformer"}, (1, 2, 3, 4))


def test_packing_is_refused_with_a_reason():
    reasons = {
        config["name"]: network_of(config).unpackable(make(config, shape))
        for config, shape in CASES
        if config.get("cell") not in ("rnn", "gru")  # small ones are written out
    }
    assert reasons["mlp"] is None
    assert "slower" in reasons["cnn"]
    assert "one network at a time" in reasons["recurrent"]
    assert "slower" in reasons["resnet"]
    assert "no quicker" in reasons["transformer"]
    assert "no quicker" in reasons["column_transformer"]
    assert reasons["residual_mlp"] is None


@pytest.mark.parametrize("attention", ["plain", "fused"])
def test_on_a_gpu_attention_that_is_written_out_can_be_packed(attention):
    config = complete({"name": "transformer", "attention": attention})
    network = make(config, TOKENS)
    network.parameters = lambda: iter([SimpleNamespace(is_cuda=True)])
    assert (network_of(config).unpackable(network) is None) == (attention == "plain")


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_drops_its_share_and_keeps_the_mean(rate):
    layer = Dropout(rate)
    layer.seed(7)
    ones = torch.ones(400, 500)
    first, second = layer(ones), layer(ones)
    dropped = (first == 0).double()
    assert float(dropped.mean()) == pytest.approx(rate, abs=5e-3)
    assert float(first.mean()) == pytest.approx(1, abs=0.02)
    for other in ((second == 0).double(), dropped.roll(1, 0), dropped.roll(1, 1)):
        together = float((dropped * other).mean())
        assert together == pytest.approx(rate**2, abs=5e-3)  # steps and neighbours: independent
    assert torch.equal(layer.eval()(ones), ones)


def test_masks_belong_to_the_seed_and_leave_the_weights_alone():
    config = {"name": "mlp", "dropout": 0.5}
    with_dropout, without = make(config, IMAGE, 3), make({"name": "mlp"}, IMAGE, 3)
    for ours, theirs in zip(with_dropout.parameters(), without.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    inputs = draw(form(IMAGE))
    torch.manual_seed(0)
    first = with_dropout(inputs)
    torch.manual_seed(1)
    assert torch.equal(first, make(config, IMAGE, 3)(inputs))
    assert not torch.equal(first, with_dropout(inputs))
