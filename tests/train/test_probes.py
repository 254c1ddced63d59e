"""What probes measure, for every kind of target."""

import copy
import math

import pytest
import torch
from pydantic import TypeAdapter
from torch import nn

from harness.data_spec import Form
from harness.layers.dropout import Dropout
from harness.losses.auto import Auto
from harness.metrics import metric_of
from harness.models import Model, build
from harness.probes.epochs_to_target import first_epoch
from harness.probes.gradient_norms import gradient_norms
from harness.probes.monte_carlo_dropout import ensemble_outputs
from harness.probes.saved_memory import saved_bytes
from harness.probes.step_time import positions
from harness.tasks.classification import Classification
from harness.train.device_data import Split
from harness.trial import State

ALL = [
    {"name": "gradient_norms"},
    {"name": "dead_units"},
    {"name": "epochs_to_target", "metric": "validation.loss", "target": 1e9, "unreached": None,
     "label": "target"},
    {"name": "epochs_to_target", "metric": None, "target": 0.0, "unreached": 7.0, "label": "zero"},
    {"name": "monte_carlo_dropout", "passes": 3},
    {"name": "saved_memory"},
    {"name": "step_time", "steps": 10},
]  # fmt: skip

CLASSES = Classification().objective(Form((10,), 3), Auto(name="auto"))


def test_every_probe_works_for_every_kind_in_packs_and_again(of_each_kind, records_of):
    data, make = of_each_kind
    trials = [make(seed, model={"dropout": 0.3}, probes=ALL) for seed in range(2)]
    packed = records_of(trials, data)
    assert {record.state for record in packed} == {State.COMPLETE}, packed[0].reason
    for largest in (1, 2):
        again = records_of(trials, data, largest_pack=largest)
        assert [r.deterministic_part() for r in packed] == [r.deterministic_part() for r in again]
    metrics = packed[0].metrics
    assert metrics["probe.epochs_to_target"] == 1
    assert metrics["probe.epochs_to_zero"] == (1 if data.form.kind == "class" else 7)
    assert metrics["probe.first_gradient_start"] > 0
    assert metrics["probe.first_gradient_end"] > 0
    assert metrics["probe.saved_bytes"] > 0
    assert metrics["probe.saved_bytes"] == packed[1].metrics["probe.saved_bytes"]
    assert metric_of("probe.saved_bytes").deterministic
    assert metrics["probe.step_time"] > 0
    assert "probe.step_time_ratio" not in metrics
    sequence = data.form.kind == "sequence"
    assert ("probe.tokens_per_second" in metrics) == sequence
    if sequence:
        tokens = metrics["probe.tokens_per_second"] * metrics["probe.step_time"]
        assert tokens == pytest.approx(32 * 7)
        assert metrics["probe.ensemble_accuracy"] == metrics["test.accuracy"]  # no dropout in it
        assert metrics["probe.ensemble_gain"] == 0
    elif data.form.kind == "numbers":
        error = metrics["probe.ensemble_root_mean_squared_error"]
        assert metrics["probe.ensemble_gain"] != 0
        assert error + metrics["probe.ensemble_gain"] == pytest.approx(
            metrics["test.root_mean_squared_error"], rel=1e-5
        )
    else:
        gained = metrics["probe.ensemble_accuracy"] - metrics["probe.ensemble_gain"]
        assert gained == pytest.approx(metrics["test.accuracy"])


def test_the_reference_of_a_step_may_have_any_settings(of_each_kind, records_of):
    data, make = of_each_kind
    settings = {"clip": 1.0, "transfer": {"from": "abc", "freeze": "features"}}
    other = {**make(0, **settings).workload}
    probe = {"name": "step_time", "steps": 10, "reference": other}
    (record,) = records_of([make(0, probes=[probe])], data)
    assert record.state is State.COMPLETE, record.reason
    assert record.metrics["probe.step_time_ratio"] > 0


def test_frozen_networks_can_be_probed(of_each_kind, records_of):
    data, make = of_each_kind
    transfer = {"from": None, "freeze": "features", "unfreeze_every": 2}
    (record,) = records_of([make(0, probes=ALL, transfer=transfer)], data)
    assert record.state is State.COMPLETE, record.reason


def test_epochs_to_several_targets(make_trial, records_of, blobs):
    common = {"name": "epochs_to_target", "metric": "validation.accuracy"}
    probes = [
        {**common, "target": 0.0, "unreached": None, "label": "start"},
        {**common, "target": 1.1, "unreached": None, "label": "heaven"},
        {**common, "target": 1.1, "unreached": 99.0, "label": "sky"},
    ]
    (record,) = records_of([make_trial(0, probes=probes)], blobs)
    assert record.metrics["probe.epochs_to_start"] == 1
    assert "probe.epochs_to_heaven" not in record.metrics
    assert record.metrics["probe.epochs_to_sky"] == 99


def test_the_first_epoch_at_a_target_knows_the_metrics_direction():
    curve = [{"validation.loss": loss, "validation.accuracy": 1 - loss} for loss in (3, 2, 1, 2)]
    assert first_epoch(curve, metric_of("validation.loss"), 2.0) == 2
    assert first_epoch(curve, metric_of("validation.accuracy"), 0.0) == 3
    assert first_epoch(curve, metric_of("validation.loss"), 0.5) is None
    with pytest.raises(ValueError, match=r"an epoch has no train\.loss"):
        first_epoch(curve, metric_of("train.loss"), 0.5)


def test_saved_bytes_are_those_of_the_activations():
    network = nn.Sequential(nn.Linear(10, 20), nn.Sigmoid(), nn.Linear(20, 3))
    inputs, targets = torch.randn(8, 10), torch.zeros(8, dtype=torch.int64)
    # the inputs, the sigmoid's output (once, though two layers keep it), the log-probabilities,
    # the targets and the total weight of the examples
    expected = 8 * 10 * 4 + 8 * 20 * 4 + 8 * 3 * 4 + 8 * 8 + 4
    assert saved_bytes(network, inputs, targets, CLASSES) == expected
    assert saved_bytes(network, inputs[:4], targets[:4], CLASSES) == (expected - 4) // 2 + 4


def test_an_ensemble_averages_over_its_masks_and_leaves_everything_as_it_was():
    network = nn.Sequential(Dropout(0.5), nn.Linear(6, 6, bias=False), nn.BatchNorm1d(6)).eval()
    with torch.no_grad():
        network[1].weight.copy_(torch.eye(6))
    inputs = torch.ones(5, 6)
    before = torch.random.get_rng_state()
    state = {name: value.clone() for name, value in network.state_dict().items()}
    mean = ensemble_outputs(network, inputs, 2000, 1, numbers=True)
    torch.testing.assert_close(mean.mean(), torch.tensor(1.0).double(), rtol=0.02, atol=0.0)
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    few = [ensemble_outputs(network, inputs, 2, seed, numbers=True) for seed in (1, 1, 2)]
    assert torch.equal(few[0], few[1])
    assert not torch.equal(few[0], few[2])


def test_an_ensemble_of_pytorchs_dropout_repeats_itself():
    network = nn.Sequential(nn.Dropout(0.5), nn.Linear(6, 3)).eval()
    inputs = torch.ones(5, 6)
    first, again = (ensemble_outputs(network, inputs, 4, 7) for _ in range(2))
    assert torch.equal(first, again)
    assert math.isclose(float(first.sum()), 5.0, rel_tol=1e-9)
    assert not torch.equal(first[0], first[1])


@pytest.mark.parametrize(
    ("form", "steps"),
    [
        (Form((12,), 3), None),
        (Form((1, 8, 8), 3), None),
        (Form((30,), 3, vocabulary=9), 30),
        (Form((24, 7), 1, "numbers"), 24),
        (Form((5,), 9, "sequence", 9), 5),
    ],
)
def test_positions_are_those_of_sequences(form, steps):
    assert positions(form) == steps


def test_gradients_before_training_see_the_statistics_of_their_batch():
    generator = torch.Generator().manual_seed(0)
    examples = Split(
        torch.randn(64, 8, generator=generator), torch.randint(0, 3, (64,), generator=generator)
    )
    form = Form((8,), 3, "class")
    config = {"name": "mlp", "depth": 12, "width": 16, "activation": "sigmoid"}
    norms = {}
    for norm in ("none", "batch"):
        settings = TypeAdapter(Model).validate_python({**config, "norm": norm}).model_dump()
        network = build(settings, form, seed=0)
        before = copy.deepcopy(network.state_dict())
        norms[norm] = gradient_norms(network, examples, CLASSES)
        assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert norms["batch"][0] > 100 * norms["none"][0]
