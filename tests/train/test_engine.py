"""What `train` tells, in which order, and how it survives what goes wrong."""

import pickle
import subprocess
import sys
import warnings

import pytest
import torch

from harness.train import engine, packed_program, train
from harness.train.pack_autotuning import PackSize
from harness.train.packed_program import PackedProgram
from harness.trial import Progress, Record, State


def test_every_epoch_is_told_once_and_before_the_record(make_trial, blobs):
    trials = [make_trial(seed, epochs=4) for seed in range(3)]
    heard = {trial.id: [] for trial in trials}
    for event in train(trials, blobs):
        if isinstance(event, Progress):
            heard[event.trial_id] += [point["epoch"] for point in event.points]
        else:
            assert heard[event.trial_id] == [1, 2, 3, 4]
            assert [point["epoch"] for point in event.curve] == [1, 2, 3, 4]
            heard[event.trial_id].append("record")
    assert all(epochs[-1] == "record" for epochs in heard.values())


def test_the_record_says_how_it_was_trained(make_trial, records_of, blobs):
    trials = [make_trial(seed) for seed in range(3)]
    record = records_of(trials, blobs)[0]
    assert record.environment["packing"].startswith("3 at most")
    assert record.environment["threads"] == 1
    assert record.cost["pack_size"] == 3
    assert record.cost["steps"] == 3 * 4
    assert record.cost["parameters"] == 12 * 16 + 16 + 16 * 16 + 16 + 16 * 3 + 3
    assert 0 < record.cost["seconds"] < record.ended - record.started
    alone = records_of(trials[:1], blobs)[0]
    assert alone.environment["packing"] == "alone: no other trial of its shape"


def test_what_is_told_is_read_without_pytorch(make_trial, blobs):
    """The conductor does not train: it need not wait for PyTorch's import."""
    told = list(train([make_trial(0), make_trial(0, model={"depth": 1})], blobs))
    assert b"torch." not in pickle.dumps([pickle.dumps(event) for event in told])


def test_trials_of_any_shape_may_come_together(make_trial, records_of, blobs):
    trials = [
        make_trial(0),
        make_trial(0, model={"depth": 1}),
        make_trial(0, model={"name": "logistic_regression", "regularization": 1.0}),
        make_trial(1),
        make_trial(0, optimizer={"name": "sgd"}),
        make_trial(1, model={"name": "logistic_regression", "regularization": 1.0}),
    ]
    records = records_of(trials, blobs)
    assert {record.state for record in records} == {State.COMPLETE}
    assert records[0].cost["pack_size"] == 2
    assert records[1].cost["pack_size"] == 1


def test_read_only_arrays_are_used_without_a_word(make_trial, blobs):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        list(train([make_trial(0)], blobs))


@pytest.mark.parametrize("name", ["broken", "missing"])
def test_a_network_that_cannot_be_built_fails_its_trials_only(make_trial, records_of, blobs, name):
    bad = {"name": f"custom_networks:{name}", "settings": {}}
    trials = [make_trial(0, model=bad), make_trial(0), make_trial(1, model=bad)]
    records = records_of(trials, blobs, attempt=2)
    assert [record.state for record in records] == [State.FAILED, State.COMPLETE, State.FAILED]
    assert "Error" in records[0].reason
    assert {record.attempt for record in records} == {2}


@pytest.mark.parametrize("name", ["plain", "looks_at_values", "liar"])
def test_networks_that_cannot_be_packed_are_trained_alone(make_trial, records_of, blobs, name):
    model = {"name": f"custom_networks:{name}", "settings": {}}
    records = records_of([make_trial(seed, model=model) for seed in range(2)], blobs)
    for record in records:
        assert record.state is (State.FAILED if name == "liar" else State.COMPLETE), record.reason
    if name == "liar":  # it promised to draw no random numbers
        assert "random" in records[0].reason
    else:
        assert {record.cost["pack_size"] for record in records} == {1.0}


def test_a_probe_that_fails_fails_its_trial_only(make_trial, records_of, blobs):
    probe = {"name": "epochs_to_target", "target": 1.0, "metric": "validation.nothing"}
    trials = [make_trial(0, probes=[probe]), make_trial(1)]
    failed, complete = records_of(trials, blobs)
    assert failed.state is State.FAILED
    assert "an epoch has no validation.nothing" in failed.reason
    assert complete.state is State.COMPLETE


def test_step_times_are_compared(make_trial, records_of, blobs):
    other = make_trial(0, model={"width": 200, "depth": 6}).workload
    probe = {"name": "step_time", "steps": 10, "reference": other}
    record = records_of([make_trial(0, probes=[probe])], blobs)[0]
    assert record.state is State.COMPLETE, record.reason
    assert 0 < record.metrics["probe.step_time_ratio"] < 1


class _Memory:
    """Makes the program run out of memory with more than `most` members, after some steps."""

    def __init__(self, monkeypatch, most, error, after=6):
        self.steps = 0
        gradients = PackedProgram.gradients

        def limited(program, stack, inputs, targets):
            self.steps += 1
            if self.steps > after and len(stack) > most:
                raise error
            return gradients(program, stack, inputs, targets)

        monkeypatch.setattr(PackedProgram, "gradients", limited)
        monkeypatch.setattr(
            engine, "choose_pack_size", lambda trials, *_: PackSize(len(trials), "for this test")
        )


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
)
def test_out_of_memory_halves_the_pack_and_goes_on(
    make_trial, records_of, blobs, monkeypatch, error
):
    trials = [make_trial(seed) for seed in range(8)]
    expected = [record.deterministic_part() for record in records_of(trials, blobs)]
    _Memory(monkeypatch, 3, error)
    events = list(train(trials, blobs))
    records = {event.trial_id: event for event in events if isinstance(event, Record)}
    for trial, part in zip(trials, expected, strict=True):
        record = records[trial.id]
        assert record.deterministic_part() == part
        assert record.cost["pack_size"] == 2
        assert record.environment["packing"] == "2 at most: out of memory at 4"
        told = [
            point["epoch"]
            for event in events
            if isinstance(event, Progress) and event.trial_id == trial.id
            for point in event.points
        ]
        assert told == [1, 2, 3]
    # nothing is left of larger packs, whose CUDA graphs would hold the memory
    kept = {shape[1][0] for one in packed_program._programs.values() for shape in one._functions}
    assert kept == {2}


def test_any_other_error_in_a_pack_gives_each_member_its_own_chance(
    make_trial, records_of, blobs, monkeypatch
):
    trials = [make_trial(seed) for seed in range(3)]
    _Memory(monkeypatch, 1, ValueError("a strange pack"))
    records = records_of(trials, blobs)
    assert {record.state for record in records} == {State.COMPLETE}
    assert records[0].environment["packing"] == "1 at most: ValueError in the pack at 3"


def test_the_packing_key_needs_no_pytorch_and_training_no_compiler():
    code = """
import sys
from harness.train import group, pack_key
assert "torch" not in sys.modules
from harness.train import train
import numpy as np
from harness.data_spec import Form
from harness.trial import Phase, Trial
from harness.workloads import Examples, TrialData
inputs = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
data = TrialData("x", Form((4,), 2), Examples(inputs, np.arange(60) % 2), None)
model = {"name": "mlp", "depth": 1, "width": 4, "activation": "relu", "initialization": "auto"}
optimizer = {"name": "adam", "lr": 0.1, "beta1": 0.9, "beta2": 0.999, "weight_decay": 0.0}
workload = {"data": {"name": "digits", "validation_fraction": 0.2}, "model": model,
            "optimizer": optimizer, "epochs": 3, "batch_size": 8}
trials = [Trial(workload, seed, Phase.SEARCH, "", "") for seed in range(2)]
records = list(train(trials, data))[-2:]
assert [record.state.value for record in records] == ["complete"] * 2, records[0].reason
slow = {"torch._dynamo", "sympy", "sklearn", "ray", "mlflow", "optuna"} & set(sys.modules)
assert not slow, slow
"""
    subprocess.run([sys.executable, "-c", code], check=True)
