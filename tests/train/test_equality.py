"""A packed trial gives what the same trial gives alone: the tolerance of every model and optimizer.

EXACT: everything a record says of the outcome is equal to the last bit, on one thread of a CPU.
This holds where the numbers of a layer's outputs are a multiple of 32, or are added and multiplied
only: a CPU computes the last few of a tensor's exponentials one by one, with other rounding than
the vectors before them, and a pack's tensors end elsewhere. Else losses agree within CLOSE.
ALONE: never packed on a CPU, so that there is nothing to compare; records are equal to the last bit
whatever company the trial came in. The operations that a pack would use are tried all the same, by
lifting the refusal, and must agree within LOOSE: what a GPU does, where such packs are allowed.
LOOSE: losses agree within one part in a hundred after three epochs; sums are split differently, and
training lets float32's rounding grow.
"""

import dataclasses
import json

import pytest
from pydantic import TypeAdapter

from harness.models import Model, simple_models
from harness.registry import NETWORKS, OPTIMIZERS, setting
from harness.train import pack_autotuning, packed_program
from harness.trial import State

EXACT, ALONE = "equal to the last bit", "alone on a CPU"
CLOSE, LOOSE = 1e-4, 1e-2  # of a loss, after three epochs

MODEL_CASES = {
    "mlp": [
        (EXACT, "images", {"norm": "batch", "dropout": 0.2}),
        (EXACT, "numbers", {"norm": "layer", "residual": True, "activation": "gelu"}),
        (EXACT, "numbers", {"width": 512}),  # large products
        (CLOSE, "numbers", {"width": 9, "norm": "layer", "activation": "tanh"}),
    ],
    "cnn": [(ALONE, "images", {"channels": [4], "norm": "group", "groups": 2, "dense": 8})],
    "skip_cnn": [
        (ALONE, "images", {"channels": [4, 4, 4], "norm": "none", "pooling": "none", "dense": 8})
    ],
    "resnet": [(ALONE, "images", {"channels": [4], "blocks": [1], "norm": "none"})],
    "lenet": [(ALONE, "images", {})],
    "alexnet": [(ALONE, "images", {"channels": [4, 6, 8, 6, 4], "dense": 8})],
    "vgg": [(ALONE, "images", {"channels": [4], "blocks": [1], "norm": "none", "dense": [8]})],
    "inception": [(ALONE, "images", {"channels": [16], "blocks": [1], "norm": "none"})],
    "efficientnet": [(ALONE, "images", {"stages": 2, "width": 0.25, "head": 8})],
    "bag_of_embeddings": [],
    "convolutional_decoder": [],
    "unet": [],  # for tasks whose trials train alone
    "embedding_mlp": [(EXACT, "numbers", {"categories": [[0, 2]], "dropout": 0.2})],
    "recurrent": [
        (EXACT, "numbers", {"cell": "gru", "width": 32, "dropout": 0.2}),
        (EXACT, "sequences", {"cell": "rnn", "width": 32, "bidirectional": True}),
        (CLOSE, "images", {"cell": "gru", "width": 7, "bidirectional": True, "pooling": "mean"}),
        (None, "sequences", {"cell": "lstm", "width": 6, "layers": 1}),
    ],
    "residual_mlp": [(EXACT, "numbers", {"width": 16, "blocks": 1, "dropout": 0.2})],
    "column_transformer": [(None, "numbers", {"layers": 1, "width": 8, "heads": 2})],
    "lstm_gates": [(None, "sequences", {"width": 6})],
    "encoder_decoder": [],  # reads pairs alone; tests/models/test_encoder_decoder.py trains it
    "graph_convolution": [],  # reads graphs alone; its own tests train it
    "transformer": [
        (ALONE, "sequences", {"width": 8, "attention": "plain", "dropout": 0.1}),
        (ALONE, "images", {"width": 8, "attention": "plain", "norm": "post", "patch": 2}),
    ],
    # networks made elsewhere may do anything in Python: alone everywhere
    "torchvision": [(None, "images", {"architecture": "mobilenet_v3_small"})],
    "causal_lm": [],  # as transformers; tests/adapters trains it
    "transformers": [],  # as torchvision; tests/train/test_networks.py trains one
}
OPTIMIZER_CASES = {
    "adam": [{"weight_decay": 0.01}, {"beta1": 0.5, "beta2": 0.9}],
    "adamw": [{}],
    "sgd": [{}, {"momentum": 0.9, "weight_decay": 0.01}, {"momentum": 0.9, "nesterov": True}],
    "rmsprop": [{"momentum": 0.9}],
    "adagrad": [{"lr_decay": 0.1}],
    "nadam": [{}],
    "radam": [{"weight_decay": 0.01}],
}


def test_every_model_and_optimizer_states_its_tolerance():
    assert set(MODEL_CASES) == set(NETWORKS.own()) - set(simple_models())
    assert set(OPTIMIZER_CASES) == set(OPTIMIZERS.own())


def complete(kind, name, settings):
    given = json.dumps({"name": name, **settings})
    return TypeAdapter(kind).validate_json(given).model_dump(mode="json")


def make_four(make_trial, model, optimizer=None):
    """Trials that differ in all that a pack can hold apart: seed, rates, schedule, bound."""
    optimizer = optimizer or complete(setting(OPTIMIZERS), "adam", {})
    schedules = [{"name": "constant"}, {"name": "cosine", "final": 0.0}] * 2
    trials = []
    for seed, schedule in enumerate(schedules):
        rate = {"dropout": model["dropout"] * (1 + seed / 10)} if model.get("dropout") else {}
        trial = make_trial(seed, loss="auto", schedule=schedule, clip=0.5 + seed)
        own = {**optimizer, "lr": 2e-3 * (1 + seed)}
        workload = {**trial.workload, "model": {**model, **rate}, "optimizer": own}
        trials.append(dataclasses.replace(trial, workload=workload))
    return trials


def parts(records):
    assert {record.state for record in records} == {State.COMPLETE}, records[0].reason
    return [record.deterministic_part() for record in records]


def assert_losses_agree(packed, alone, tolerance):
    for ours, theirs in zip(packed, alone, strict=True):
        assert ours.state is theirs.state is State.COMPLETE, ours.reason
        for metric in ("train.loss", "test.loss"):
            assert ours.metrics[metric] == pytest.approx(theirs.metrics[metric], rel=tolerance)


@pytest.mark.parametrize(
    ("name", "case"),
    [(name, case) for name, cases in MODEL_CASES.items() for case in cases],
    ids=str,
)
def test_models(name, case, request, make_trial, records_of, monkeypatch):
    tolerance, data, settings = case
    monkeypatch.setattr(
        pack_autotuning, "HEAVY", float("inf")
    )  # what packs give, not whether they pay
    examples = request.getfixturevalue(data)
    trials = make_four(make_trial, complete(Model, name, settings))
    if tolerance in (None, ALONE):
        trials = trials[:2]  # company enough
    alone = records_of(trials, examples, largest_pack=1)
    together = records_of(trials, examples)
    assert together[0].cost["pack_size"] == (4 if tolerance in (EXACT, CLOSE) else 1)
    if tolerance is CLOSE:
        assert_losses_agree(together, alone, CLOSE)
    else:
        assert parts(together) == parts(alone)
    if tolerance is not ALONE:
        return
    monkeypatch.setattr(packed_program, "packing_refusal", lambda *_: None)
    packed_program._programs.clear()
    packed = records_of(trials, examples)
    packed_program._programs.clear()
    assert packed[0].cost["pack_size"] == len(trials)
    assert_losses_agree(packed, alone, LOOSE)


@pytest.mark.parametrize(
    ("name", "settings"),
    [(name, case) for name, cases in OPTIMIZER_CASES.items() for case in cases],
    ids=str,
)
def test_optimizers(name, settings, make_trial, records_of, blobs):
    model = complete(Model, "mlp", {"width": 9, "dropout": 0.1})
    trials = make_four(make_trial, model, complete(setting(OPTIMIZERS), name, settings))
    packed = records_of(trials, blobs)
    assert packed[0].cost["pack_size"] == len(trials)
    assert parts(packed) == parts(records_of(trials, blobs, largest_pack=1))


def test_an_optimizer_of_torch_steps_each_trial_alone(make_trial, records_of, blobs):
    optimizer = complete(setting(OPTIMIZERS), "torch.optim.Adadelta", {"lr": 0.1})
    trials = make_four(make_trial, complete(Model, "mlp", {}), optimizer)
    packed = records_of(trials, blobs)
    assert packed[0].cost["pack_size"] == 1
    assert parts(packed) == parts(records_of(trials, blobs, largest_pack=1))


def test_members_stop_by_their_own_rules(make_trial, records_of, blobs):
    rule = {"epoch": 2, "metric": "validation.loss", "worse_than": 0.0}
    fast = {"name": "sgd", "lr": 0.3}
    trials = [
        make_trial(0, optimizer=fast, epochs=6),
        make_trial(1, optimizer=fast, epochs=6, stop_rules=[rule]),
        make_trial(2, optimizer=fast, epochs=6, early_stopping={"patience": 1}),
        make_trial(3, optimizer=fast, epochs=6, early_stopping={"patience": 4}),
    ]
    packed = records_of(trials, blobs)
    assert {record.cost["pack_size"] for record in packed} == {4.0}
    assert [record.state for record in packed] == [State.COMPLETE, State.PRUNED] + (
        [State.COMPLETE] * 2
    )
    alone = records_of(trials, blobs, largest_pack=1)
    for ours, theirs in zip(packed, alone, strict=True):
        assert ours.deterministic_part() == theirs.deterministic_part()
