"""Weights taken over, layers kept as they are, learning rates by layer."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from harness.components.transfer import Transfer
from harness.data_spec import Form
from harness.layers import layer_groups
from harness.layers.groups import set_mode
from harness.models import build
from harness.seeding import stream
from harness.train import engine, loop
from harness.train.transfer import freeze, frozen_groups, load_weights
from harness.trial import Given, Phase, State, Trial

NORMED = {"norm": "batch", "dropout": 0.2}
FORM = Form((12,), 3)


@pytest.fixture
def trained_networks(monkeypatch, records_of):
    """Train and return the network of each trial, with the weights that were selected."""

    def run(trials, data, **options):
        networks = {}
        probe = engine.run_probes

        def watched(trial, fitted):
            networks[trial.id] = fitted.network
            return probe(trial, fitted)

        with monkeypatch.context() as patched:
            patched.setattr(engine, "run_probes", watched)
            records = records_of(trials, data, **options)
        assert {record.state for record in records} == {State.COMPLETE}, records[0].reason
        return [networks[record.trial_id] for record in records]

    return run


def state(network):
    return {**dict(network.named_parameters()), **dict(network.named_buffers())}


def start_from(weights):
    trial = Trial({"model": {"name": "mlp"}}, 0, Phase.PRETRAINING, "fingerprint", "version")
    return {"initial": Given(trial, FORM, {"weights": weights})}


def changed(network, start):
    """Return the names of what is not bit for bit what it was."""
    return {name for name, value in state(network).items() if not torch.equal(value, start[name])}


@pytest.fixture(scope="module")
def pretrained(make_trial, records_of, blobs):
    """The weights of a pretraining trial."""
    trial = make_trial(5, model=NORMED, phase=Phase.PRETRAINING)
    (record,) = records_of([trial], replace(blobs, test=None))
    assert not [name for name in record.metrics if name.startswith("test")]
    return record.weights


def test_a_pretraining_trial_returns_its_best_weights(make_trial, records_of, blobs, pretrained):
    network = build({**make_trial(0).workload["model"], **NORMED}, FORM, 0)
    assert {name: value.shape for name, value in pretrained.items()} == {
        name: tuple(value.shape) for name, value in state(network).items()
    }
    assert all(isinstance(value, np.ndarray) for value in pretrained.values())
    (other,) = records_of([make_trial(5, model=NORMED)], blobs)
    assert other.weights is None
    best = records_of([make_trial(5, model=NORMED, phase=Phase.PRETRAINING, epochs=1)], blobs)[0]
    name = "1.linear.weight"
    assert not np.array_equal(best.weights[name], pretrained[name])


def test_loaded_weights_are_those_of_the_checkpoint_except_the_last_layer(pretrained, make_trial):
    config = {**make_trial(0).workload["model"], **NORMED}
    network = build(config, FORM, 1)
    fresh = {name: value.clone() for name, value in state(network).items()}
    load_weights(network, pretrained)
    last = set(layer_groups(network)[-1])
    for name, value in state(network).items():
        if name in last or "dropout" in name:
            assert torch.equal(value, fresh[name]), name
        else:
            assert np.array_equal(value.detach().numpy(), pretrained[name]), name
    assert any("running_mean" in name and value.any() for name, value in pretrained.items())


def test_layers_of_another_shape_keep_their_own_weights(pretrained, make_trial):
    config = {**make_trial(0).workload["model"], "depth": None, "width": None}
    config |= {"widths": [16, 9], "norm": "batch"}
    network = build(config, FORM, 1)
    fresh = {name: value.clone() for name, value in state(network).items()}
    load_weights(network, pretrained)
    first = {name for name in state(network) if name.startswith("1.")}
    assert changed(network, fresh) == first & pretrained.keys()
    with pytest.raises(ValueError, match="no layer of the network agrees"):
        load_weights(build({**config, "widths": [5, 5]}, FORM, 1), pretrained)


@pytest.mark.parametrize("count", [1, 2, "features"])
@pytest.mark.parametrize("alone", [True, False])
def test_frozen_layers_are_bit_for_bit_what_they_were(
    make_trial, trained_networks, blobs, pretrained, count, alone
):
    transfer = {"from": "abc", "freeze": count}
    trials = [make_trial(seed, model=NORMED, transfer=transfer) for seed in range(3)]
    options = {"largest_pack": 1} if alone else {}
    networks = trained_networks(trials, blobs, given=start_from(pretrained), **options)
    for trial, network in zip(trials, networks, strict=True):
        start = build(trial.workload["model"], FORM, stream(trial.seed, "weights"))
        load_weights(start, pretrained)
        groups = layer_groups(network)
        frozen = {name for group in groups[: len(groups) - 1 if count == "features" else count]
                  for name in group}  # fmt: skip
        moved = changed(network, state(start))
        parameters = {name for name, _ in network.named_parameters()}
        assert not frozen & moved
        assert moved & parameters == parameters - frozen
        layers = {name.split(".")[0] for name in frozen}
        running = {name for name in moved if "running" in name}
        assert {name.split(".")[0] for name in running} == {"1", "2"} - layers
        assert any("dropout.state" in name for name in moved)  # dropout goes on


def test_packs_of_transferred_trials_are_their_trials_alone(
    make_trial, records_of, blobs, pretrained
):
    transfer = {"from": "abc", "freeze": 2, "unfreeze_every": 1, "rate_decay": 0.5}
    trials = [
        make_trial(seed, model=NORMED, transfer=transfer, optimizer={"lr": lr}, epochs=5)
        for seed, lr in enumerate([0.01, 0.01, 0.1])
    ]
    packed = records_of(trials, blobs, given=start_from(pretrained))
    alone = records_of(trials, blobs, given=start_from(pretrained), largest_pack=1)
    assert [r.deterministic_part() for r in packed] == [r.deterministic_part() for r in alone]
    scratch = records_of([make_trial(0, model=NORMED, optimizer={"lr": 0.01}, epochs=5)], blobs)
    assert packed[0].curve[0]["train.loss"] != scratch[0].curve[0]["train.loss"]


def test_a_network_that_is_trained_alone_transfers_as_well(make_trial, records_of, blobs):
    model = {"name": "custom_networks:plain", "settings": {}}
    first, again = (
        records_of([make_trial(0, model=model, phase=Phase.PRETRAINING)], blobs)[0]
        for _ in range(2)
    )
    assert all(np.array_equal(first.weights[name], again.weights[name]) for name in first.weights)
    trial = make_trial(1, model=model, transfer={"from": "abc", "freeze": "features"})
    (record,) = records_of([trial], blobs, given=start_from(first.weights))
    assert record.state is State.COMPLETE, record.reason
    assert record.cost["parameters"] == 12 * 8 + 8 + 8 * 3 + 3
    assert record.cost["trained_parameters"] == 8 * 3 + 3


def test_gradual_unfreezing_opens_the_layers_from_the_top(
    make_trial, records_of, blobs, monkeypatch
):
    seen = []
    pack_type = loop.Pack
    train_epoch = pack_type.train_epoch

    def watched(self):
        before = [tensor.clone() for tensor in self.stack.parameters]
        names = [n for n, p in self.context.program.template.named_parameters() if p.requires_grad]
        result = train_epoch(self)
        moved = [not torch.equal(a, b) for a, b in zip(before, self.stack.parameters, strict=True)]
        assert all(moved)
        seen.append({name.split(".")[0] for name in names})
        return result

    monkeypatch.setattr(pack_type, "train_epoch", watched)
    transfer = {"from": None, "freeze": "features", "unfreeze_every": 2, "rate_decay": 1.0}
    probe = {"name": "gradient_norms"}
    trial = make_trial(0, model={"depth": 3}, transfer=transfer, epochs=7, probes=[probe])
    (record,) = records_of([trial], blobs)
    assert record.state is State.COMPLETE, record.reason
    assert [len(layers) for layers in seen] == [1, 1, 2, 2, 3, 3, 4]
    assert record.cost["trained_parameters"] == record.cost["parameters"]
    assert len(record.details["probe.gradient_norms_start"]) == 4


def test_rates_fall_from_layer_to_layer_towards_the_input(make_trial, trained_networks, blobs):
    """With plain SGD and one step, each layer moves by its rate times its gradient."""
    steps = {}
    for decay in (1.0, 0.5):
        trial = make_trial(
            0, optimizer={"name": "sgd", "lr": 0.1}, epochs=1, batch_size=1000,
            transfer={"from": None, "freeze": 0, "rate_decay": decay},
        )  # fmt: skip
        (network,) = trained_networks([trial], blobs)
        start = build(trial.workload["model"], FORM, stream(0, "weights"))
        steps[decay] = {
            name: value - state(start)[name] for name, value in network.named_parameters()
        }
    for index, group in enumerate(layer_groups(network)):
        for name in group:
            torch.testing.assert_close(
                steps[0.5][name], steps[1.0][name] * 0.5 ** (2 - index), rtol=1e-3, atol=1e-6
            )


def test_weights_that_are_not_there_are_missed(make_trial, records_of, blobs):
    (record,) = records_of([make_trial(0, transfer={"from": "abc", "freeze": 0})], blobs)
    assert record.state is State.FAILED
    assert "the weights of abc are not here" in record.reason


def test_something_must_be_left_to_train(make_trial, records_of, blobs):
    (record,) = records_of([make_trial(0, transfer={"from": None, "freeze": 3})], blobs)
    assert record.state is State.FAILED
    assert "the network has 3 layer groups" in record.reason


@pytest.mark.parametrize(
    ("transfer", "epoch", "frozen"),
    [
        ({}, 1, 0),
        ({"freeze": 2}, 9, 2),
        ({"freeze": "features"}, 1, 4),
        ({"freeze": 3, "unfreeze_every": 2}, 2, 3),
        ({"freeze": 3, "unfreeze_every": 2}, 3, 2),
        ({"freeze": 3, "unfreeze_every": 2}, 99, 0),
    ],
)
def test_frozen_groups_by_epoch(transfer, epoch, frozen):
    assert frozen_groups(Transfer(**transfer), 5, epoch) == frozen
    assert frozen_groups(None, 5, epoch) == 0


def test_frozen_statistics_without_parameters_stand_still_too():
    network = nn.Sequential(
        nn.Linear(3, 4), nn.BatchNorm1d(4, affine=False), nn.Linear(4, 4), nn.BatchNorm1d(4),
        nn.Linear(4, 2),
    )  # fmt: skip
    freeze(network, 1)
    set_mode(network, True)
    assert [module.training for module in network] == [True, False, True, True, True]
    set_mode(network, False)
    assert not any(module.training for module in network)
