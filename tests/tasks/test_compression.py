"""Networks made small: 8 bits, weights removed, exports; as arms, and as probes of one network."""

import json
import re
from functools import partial

import numpy as np
import pytest
import torch
from one_trial import train, trial_of
from torch import nn

from harness.data_spec import Form
from harness.layers import weight_layers
from harness.layers.eight_bits import bytes_of, quantized
from harness.layers.pruning import (
    remove_at_random,
    remove_smallest,
    share_of_zeros,
    start_as,
)
from harness.models import build
from harness.probes.base import Shown, artifact
from harness.probes.onnx_export import answers, exported
from harness.probes.pruning import Pruning
from harness.registry import PROBES
from harness.study import InputError, load_study
from harness.train.timing import Subject, time_block
from harness.trial import TIMED_BY, Given, Phase, State, Trial
from harness.workloads import load

WORKLOAD = {
    "data": {"name": "digits", "limit": 500},
    "model": {"name": "mlp", "depth": 2, "width": 64},
    "optimizer": {"name": "adam", "lr": 3e-3},
    "batch_size": 32,
    "epochs": 6,
}
FORM = Form((1, 8, 8), 10)
make = partial(trial_of, WORKLOAD)


def network_of(record):
    network = build(record.trial.workload["model"], FORM, 0)
    network.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in record.weights.items()})
    return network.eval()


# --- 8 bits ---------------------------------------------------------------------------------------
def test_a_quantized_arm_learns_the_same_weights_and_answers_with_eight_bits(tmp_path):
    plain = train(make(Phase.PRETRAINING, keep="last"), tmp_path)
    small = train(make(Phase.PRETRAINING, keep="last", task="quantized_classification"), tmp_path)
    assert all(np.allclose(plain.weights[name], small.weights[name], atol=1e-5)
               for name in plain.weights)  # fmt: skip
    assert small.metrics["validation.loss"] != plain.metrics["validation.loss"]
    assert small.metrics["validation.loss"] == pytest.approx(
        plain.metrics["validation.loss"], rel=0.2)  # fmt: skip
    confirmed = train(make(task="quantized_classification"), tmp_path)
    assert set(confirmed.outcomes) >= {"test.accuracy", "test.loss"}
    assert confirmed.outcomes["test.accuracy"].mean() == pytest.approx(
        confirmed.metrics["test.accuracy"])  # fmt: skip


def test_a_copy_has_linear_layers_of_whole_numbers_and_the_original_stays():
    network = build({"name": "mlp", "depth": 1, "width": 256}, FORM, 0).eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    small = quantized(network)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert not [m for m in small.modules() if type(m) is nn.Linear]
    assert bytes_of(network) / bytes_of(small) > 3
    with pytest.raises(ValueError, match="no linear layer"):
        quantized(nn.Conv2d(1, 1, 3))


def test_inference_of_a_quantized_arm_is_timed_in_eight_bits(tmp_path, monkeypatch):
    from harness.tasks import quantized_classification as task

    served = []
    own = task.QuantizedClassification.served
    monkeypatch.setattr(task.QuantizedClassification, "served",
                        lambda self, network: served.append(1) or own(self, network))  # fmt: skip
    how = {"measure": ["inference"], "repetitions": 5, "warm_up": 1, "batch": 8, "beside": "x"}
    trials = [make(), make(task="quantized_classification")]
    subjects = []
    for trial in trials:
        workload = {**trial.workload, TIMED_BY: how}
        timed = Trial(workload, 0, Phase.TIMING, "f", "c", ())
        data = load(trial.workload["data"], tmp_path).for_phase(Phase.SEARCH)
        subjects.append(Subject(timed, data))
    records = time_block(subjects, 1)
    assert [record.state for record in records] == [State.COMPLETE] * 2
    assert all(record.metrics["timing.inference_seconds"] > 0 for record in records)
    assert len(served) == 1


def test_the_probe_says_what_eight_bits_cost(tmp_path):
    probe = PROBES.read("quantization").for_trial(None)
    found = train(make(probes=[probe]), tmp_path).metrics
    assert abs(found["probe.quantization_loss_of_accuracy"]) < 0.05
    assert 0.9 < found["probe.quantized_agreement"] <= 1
    assert 0 < found["probe.quantized_difference"] < 5
    assert found["probe.quantized_size_ratio"] > 1.5


# --- weights removed ------------------------------------------------------------------------------
def test_the_smallest_weights_of_all_layers_together_are_removed():
    """A layer whose weights are all small loses no more than another one."""
    weights = [torch.tensor([[3.0, -0.1], [0.2, 5.0]]), torch.tensor([[0.003, -0.04]])]
    remove_smallest(weights, 0.5)
    assert weights[0].tolist() == [[3.0, 0.0], [0.0, 5.0]]
    assert weights[1][0].tolist() == pytest.approx([0.0, -0.04])
    assert share_of_zeros(weights) >= 0.5
    many = [torch.ones(30, 40)]
    remove_at_random(many, 0.25, torch.Generator().manual_seed(0))
    assert int((many[0] == 0).sum()) == 300
    again = [torch.ones(30, 40)]
    remove_at_random(again, 0.25, torch.Generator().manual_seed(0))
    assert torch.equal(many[0], again[0])


@pytest.mark.parametrize(
    "optimizer",
    [{"name": "adam", "lr": 1e-3}, {"name": "sgd", "lr": 0.01, "momentum": 0.9}],
    ids=str,
)
def test_a_pruned_network_starts_as_its_stage_and_keeps_its_zeros(optimizer, tmp_path):
    stage = train(make(Phase.PRETRAINING), tmp_path)
    given = {"dense": Given(stage.trial, FORM, stage.products)}
    task = {"name": "pruned_classification", "share": 0.8}
    changes = {"uses": {"dense": "large"}, "optimizer": optimizer}
    record = train(make(Phase.PRETRAINING, task=task, epochs=2, **changes), tmp_path, given)
    dense, sparse = network_of(stage), network_of(record)
    zeros = sum(int((w == 0).sum()) for w in weight_layers(sparse))
    count = sum(w.numel() for w in weight_layers(sparse))
    assert zeros == round(0.8 * count)
    sizes = [w.detach().abs() / w.detach().square().mean().sqrt() for w in weight_layers(dense)]
    limit = torch.cat([size.flatten() for size in sizes]).quantile(0.8)
    for size, after in zip(sizes, weight_layers(sparse), strict=True):
        assert ((after != 0) <= (size >= 0.999 * limit)).all()
    kept = train(make(task=task, epochs=2, **changes), tmp_path, given)
    assert kept.metrics["test.accuracy"] > 0.8
    assert kept.deterministic_part() == train(
        make(task=task, epochs=2, **changes), tmp_path, given).deterministic_part()  # fmt: skip


def test_a_stage_with_another_network_is_refused(tmp_path):
    stage = train(make(Phase.PRETRAINING), tmp_path)
    given = {"dense": Given(stage.trial, FORM, stage.products)}
    task = {"name": "pruned_classification", "share": 0.8}
    other = make(task=task, uses={"dense": "large"}, model={"name": "mlp", "depth": 1})
    assert "another network" in train(other, tmp_path, given, State.FAILED).reason
    with pytest.raises(ValueError, match="another network"):
        start_as(nn.Linear(2, 2), nn.Linear(2, 3))


def test_the_probe_gives_accuracy_over_the_share_removed(tmp_path):
    probe = {**PROBES.read("pruning").for_trial(None), "removed": [20, 50, 99]}
    record = train(make(probes=[probe]), tmp_path)
    found = record.metrics
    for percent in (20, 50, 99):
        lost = found[f"probe.pruning_loss_of_accuracy_{percent}"]
        assert lost == pytest.approx(
            found["test.accuracy"] - found[f"probe.pruned_accuracy_{percent}"])  # fmt: skip
    assert found["probe.pruning_loss_of_accuracy_20"] < 0.03
    assert found["probe.pruning_loss_of_accuracy_99"] > 0.2
    assert found["probe.pruning_advantage_50"] > 0
    parts = artifact(Pruning, record.details)
    assert parts["removed"].tolist() == [0, 20, 50, 99]
    assert parts["smallest"][0] == parts["random"][0] == pytest.approx(found["test.accuracy"])
    assert Shown("arm", 0, parts).parts["smallest"].shape == (4,)


# --- exports --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "model", ["mlp", {"name": "cnn", "channels": [4, 8], "dense": 16}], ids=str
)
def test_an_export_says_what_the_network_says_for_any_number_of_inputs(model):
    network = build(json.loads(json.dumps({"name": "mlp"} if model == "mlp" else model)), FORM, 0)
    network.eval()
    inputs = torch.randn(7, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    file = exported(network, inputs[:2])
    for rows in (inputs, inputs[:1]):
        theirs = answers(file, rows)
        assert np.allclose(theirs, network(rows).detach().numpy(), atol=1e-5)


def test_the_probe_compares_a_network_with_its_export(tmp_path):
    probe = PROBES.read("onnx_export").for_trial(None)
    model = {**WORKLOAD["model"], "activation": "gelu"}  # whose products alone may be equal
    found = train(make(probes=[probe], epochs=2, model=model), tmp_path).metrics
    assert 0 <= found["probe.export_difference"] < 1e-4
    assert found["probe.export_agreement"] == 1
    assert 0 < found["probe.export_difference_by_lead"] < 1


# --- what is refused ------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"workload": {"task": {"name": "pruned_classification"}}}, "needs a stage as dense"),
        ({"workload": {"data": "table"}, "probes": [{"name": "pruning", "removed": [55]}]}, "55"),
        (
            {
                "workload": {"data": {"name": "table", "source": "diabetes"}},
                "probes": ["quantization"],
            },
            "needs a class for each input",
        ),
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_is_refused(more, said):
    workload = {**WORKLOAD, **more.pop("workload")}
    with pytest.raises(InputError, match=re.escape(said)):
        load_study({"study": "s", "question": "?", "workload": workload, "seeds": 5, **more})


def test_arms_of_32_and_8_bits_are_two_arms():
    study = {
        "study": "s", "question": "?", "workload": WORKLOAD, "seeds": 5,
        "factors": {"bits": {"levels": {"a": {}, "b": {"task": "quantized_classification"}}}},
        "claims": [{"id": "c", "says": "x", "metric": "test.accuracy", "noninferior": 0.01,
                    "contrast": {"bits": ["b", "a"]}}],
    }  # fmt: skip
    assert len(load_study(study).arms) == 2
