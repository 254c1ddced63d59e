"""Restricted Boltzmann machines: energies and gradients against sums over all states, stacks."""

import itertools
import re
from functools import partial

import numpy as np
import pytest
import torch
from one_trial import train, trial_of

from harness.data_spec import Form
from harness.layers.boltzmann import Machine
from harness.registry import TASKS
from harness.study import InputError, load_study
from harness.tasks.adversarial import energy_distance
from harness.train.stage_products import StageNetwork
from harness.trial import Given, Phase, State
from harness.workloads import load

MLP = {"name": "mlp", "depth": 1, "width": 48, "activation": "sigmoid"}
WORKLOAD = {
    "data": {"name": "digits", "limit": 500},
    "task": "boltzmann_machine",
    "model": MLP,
    "optimizer": {"name": "adam", "lr": 5e-3},
    "batch_size": 32,
    "epochs": 10,
    "keep": "last",
}
FORM = Form((1, 8, 8), 10)
make = partial(trial_of, WORKLOAD)


def states(units):
    return torch.tensor(list(itertools.product((0.0, 1.0), repeat=units)), dtype=torch.double)


def small(normal=False):
    draws = torch.Generator().manual_seed(0)
    sizes = ((3, 4), (3,), (4,))
    tensors = [torch.randn(size, generator=draws, dtype=torch.double) for size in sizes]
    return Machine(*tensors, normal=normal)


@pytest.mark.parametrize("normal", [False, True])
def test_the_free_energy_sums_over_all_states_of_the_hidden_units(normal):
    machine, hidden = small(normal), states(3)
    visible = torch.randn(6, 4, dtype=torch.double) if normal else states(4)
    together = visible @ machine.weight.T @ hidden.T + hidden @ machine.hidden
    own = (
        0.5 * (visible - machine.visible).square().sum(1) if normal else -visible @ machine.visible
    )
    energies = own[:, None] - together
    assert torch.allclose(machine.free_energy(visible), -torch.logsumexp(-energies, dim=1))
    # and the probability of a hidden unit is what these states say
    shares = torch.softmax(-energies, dim=1)
    assert torch.allclose(machine.up(visible), shares @ hidden)


def test_the_mean_of_visible_units_is_what_all_states_say():
    machine, hidden = small(), torch.tensor([[1.0, 0.0, 1.0]], dtype=torch.double)
    visible = states(4)
    shares = torch.softmax(visible @ (machine.visible + (hidden @ machine.weight)[0]), dim=0)
    assert torch.allclose(machine.down(hidden)[0], shares @ visible)
    assert torch.allclose(small(normal=True).down(hidden),
                          hidden @ machine.weight + machine.visible)  # fmt: skip


def test_long_chains_follow_the_gradient_of_the_likelihood():
    """Contrastive divergence is exact where the chain forgets where it began."""
    machine, seen = small(), states(4)[[3, 5, 5, 9]]
    tensors = [t.requires_grad_() for t in (machine.weight, machine.hidden, machine.visible)]
    partition = torch.logsumexp(-machine.free_energy(states(4)), dim=0)
    exact = torch.autograd.grad(machine.free_energy(seen).mean() + partition, tensors)
    many = seen.repeat(5000, 1)
    with torch.no_grad():
        drawn = machine.sampled(many, 100, torch.Generator().manual_seed(1))
        short = machine.sampled(many, 1, torch.Generator().manual_seed(1))
    loss = machine.free_energy(seen).mean() - machine.free_energy(drawn).mean()
    found = torch.autograd.grad(loss, tensors)
    for ours, theirs in zip(found, exact, strict=True):
        assert torch.allclose(ours, theirs, atol=0.015)
    loss = machine.free_energy(seen).mean() - machine.free_energy(short).mean()
    (biased, *_) = torch.autograd.grad(loss, tensors)
    assert not torch.allclose(biased, exact[0], atol=0.015)  # one step is another gradient


def test_contrastive_divergence_raises_the_likelihood():
    machine, seen = small(), states(4)[[3, 12, 3, 12]]
    tensors = [t.requires_grad_() for t in (machine.weight, machine.hidden, machine.visible)]
    optimizer, draws = torch.optim.SGD(tensors, lr=0.1), torch.Generator().manual_seed(2)

    def likelihood():
        energies = machine.free_energy(states(4))
        return (-machine.free_energy(seen).mean() - torch.logsumexp(-energies, dim=0)).item()

    before = likelihood()
    for _ in range(600):
        with torch.no_grad():
            drawn = machine.sampled(seen.repeat(10, 1), 1, draws)
        optimizer.zero_grad()
        (machine.free_energy(seen).mean() - machine.free_energy(drawn).mean()).backward()
        optimizer.step()
    assert likelihood() > max(before, np.log(1 / 16)) + 0.5  # the most is log(1 / 2)


def test_a_machine_learns_to_give_its_inputs_back_and_replays(tmp_path):
    trial = make(probes=["codes", "reconstructions"])
    record = train(trial, tmp_path)
    errors = [point["validation.reconstruction_error"] for point in record.curve]
    assert errors[-1] < 0.6 * errors[0]
    assert record.metrics["probe.code_accuracy"] > 0.7
    assert record.deterministic_part() == train(trial, tmp_path).deterministic_part()


def test_chains_from_noise_draw_examples_nearer_to_the_data_than_noise(tmp_path):
    shares = {**WORKLOAD["data"], "normalize": False}
    task = {"name": "boltzmann_machine", "inputs": "binary", "sampling_steps": 50}
    found = {}
    for epochs in (1, 15):
        trial = make(Phase.PRETRAINING, task=task, data=shares, epochs=epochs)
        given = Given(trial, FORM, train(trial, tmp_path).products)
        stage = StageNetwork(given, torch.device("cpu"), lambda: None)
        with torch.no_grad():
            drawn = TASKS.read(task).sample(
                stage.network, 200, torch.Generator().manual_seed(0), (1, 8, 8))  # fmt: skip
        assert drawn.shape == (200, 1, 8, 8)
        real = torch.from_numpy(load(shares, tmp_path).test.inputs[:200])
        found[epochs] = energy_distance(drawn, real)
    assert found[15] < 0.8 * found[1]


def test_shares_are_learned_as_chances_and_other_inputs_are_refused(tmp_path):
    task = {"name": "boltzmann_machine", "inputs": "binary", "gibbs_steps": 2}
    shares = {**WORKLOAD["data"], "normalize": False}
    record = train(make(task=task, data=shares), tmp_path)
    errors = [point["validation.reconstruction_error"] for point in record.curve]
    assert errors[-1] < 0.8 * errors[0]
    said = train(make(task=task), tmp_path, state=State.FAILED).reason
    assert "`data.normalize: false`" in said


def test_a_stack_grows_layer_by_layer_and_a_classifier_starts_from_it(tmp_path):
    first = train(make(Phase.PRETRAINING), tmp_path)
    given = {"below": Given(first.trial, FORM, first.products)}
    two = {"model": {**MLP, "depth": None, "width": None, "widths": [48, 24]}}
    decay = {"optimizer": {"name": "adamw", "lr": 5e-3, "weight_decay": 0.1}}
    second = train(make(Phase.PRETRAINING, uses={"below": "auto"}, **two, **decay), tmp_path, given)
    for name in ("network.1.linear.weight", "network.1.linear.bias", "visible.0"):
        assert np.array_equal(first.weights[name], second.weights[name])
    errors = [point["validation.reconstruction_error"] for point in second.curve]
    assert errors[-1] < errors[0]
    start = {"initial": Given(second.trial, FORM, second.products)}
    user = make(
        Phase.PRETRAINING, task=None, transfer={"from": "auto", "freeze": "features"}, **two
    )
    weights = train(user, tmp_path, start).weights
    for layer in (1, 2):
        name = f"{layer}.linear.weight"
        assert np.array_equal(weights[name], second.weights[f"network.{name}"])
    three = make(uses={"below": "auto"}, model={**MLP, "depth": 3})
    assert "one hidden layer less" in train(three, tmp_path, given, State.FAILED).reason
    wide = make(uses={"below": "auto"}, model={**MLP, "depth": 2, "width": 50})
    assert "other layers" in train(wide, tmp_path, given, State.FAILED).reason


def test_a_study_of_stacks_is_read():
    study = {
        "study": "s", "question": "?", "seeds": 5,
        "workload": {**WORKLOAD, "task": None, "model": {**MLP, "depth": 2}},
        "stages": {
            "one": {"task": "boltzmann_machine", "model": {"depth": 1}},
            "two": {"task": "boltzmann_machine", "uses": {"below": "one"}},
        },
        "arms": {"scratch": {}, "grown": {"transfer": {"from": "two"}}},
    }  # fmt: skip
    assert len(load_study(study).arms) == 3


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": "mlp"}, "activation: sigmoid"),
        ({"model": {**MLP, "dropout": 0.5}}, "without norm, dropout"),
        ({"model": "cnn"}, "name: mlp"),
        ({"model": {**MLP, "depth": 0}}, "needs a hidden layer"),
        ({"model": {**MLP, "depth": 2}}, "uses: {below: NAME}"),
        ({"task": {"name": "boltzmann_machine", "gibbs_steps": 0}}, "gibbs_steps"),
    ],
    ids=str,
)
def test_what_has_no_place_in_it_is_refused(changes, said):
    study = {"study": "s", "question": "?", "workload": {**WORKLOAD, **changes}, "seeds": 5}
    with pytest.raises(InputError, match=re.escape(said)):
        load_study(study)
