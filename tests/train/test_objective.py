"""Losses and metrics for every kind of target, packed as alone, against their definitions."""

import json
import math

import numpy as np
import pytest
import torch
from torch import nn

from harness.data_spec import IGNORED, Form
from harness.study.workload import Workload
from harness.tasks import objective_for, total, usual_task
from harness.tasks.regression import Numbers
from harness.tasks.token_classification import Sequences
from harness.train import train
from harness.train.packed_program import PackedProgram
from harness.train.single_program import SingleProgram
from harness.train.stack import Stack
from harness.trial import Phase, Record, State, Trial
from harness.workloads import Examples, Handling, TrialData

FORMS = {
    "class": Form((6,), 3),
    "sequence": Form((5, 6), 3, "sequence"),
    "numbers": Form((6,), 3, "numbers"),
}


def draw(kind, members=2, batch=8):
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(members, batch, *FORMS[kind].shape, generator=generator)
    if kind == "numbers":
        return inputs, torch.randn(members, batch, 3, generator=generator)
    steps = (5,) if kind == "sequence" else ()
    targets = torch.randint(0, 3, (members, batch, *steps), generator=generator)
    if kind == "sequence":
        targets[:, :, 0] = IGNORED
        targets[:, 3] = IGNORED
    return inputs, targets


@pytest.mark.parametrize("loss", ["auto", "mean_absolute_error"])
@pytest.mark.parametrize("kind", FORMS)
def test_a_packed_step_is_that_of_a_network_alone(kind, loss):
    if loss != "auto" and kind != "numbers":
        pytest.skip("for numbers only")
    objective = objective_for({"loss": loss}, FORMS[kind])
    torch.manual_seed(0)
    networks = [nn.Linear(6, 3) for _ in range(2)]
    inputs, targets = draw(kind)
    program, stack = PackedProgram(networks[0], objective), Stack.of(networks)
    for _ in range(4):  # the later ones are recordings
        gradients, losses = program.gradients(stack, inputs, targets)
        totals = program.scores(stack, inputs, targets)
    for row, network in enumerate(networks):
        own = slice(row, row + 1)
        alone = SingleProgram(usual_task(kind), network, objective, "alone")
        alone.bind(Stack.of([network]), training=True)
        loss_alone = objective.loss.alone(alone.outputs("model", inputs[row]), targets[row])
        expected = alone.gradients("model", loss_alone)
        torch.testing.assert_close(losses[row].float(), loss_alone.detach())
        for ours, theirs in zip(gradients, expected, strict=True):
            torch.testing.assert_close(ours[own], theirs, rtol=1e-4, atol=1e-6)
        found = objective.metrics(torch.stack([t.double() for t in totals]), 8)
        direct = total(objective, network(inputs[row]).detach(), targets[row])
        assert set(direct) == set(usual_task(kind).measures)
        for name, value in direct.items():
            assert float(found[name][row]) == pytest.approx(value, rel=1e-5)
        assert direct["loss"] == pytest.approx(float(losses[row]), rel=1e-5)


def test_numbers_are_measured_by_their_definitions():
    outputs, targets = torch.tensor([[1.0, 2], [3, 4]]), torch.tensor([[1.0, 0], [4, 4]])
    found = total(Numbers(2), outputs, targets)
    assert found == pytest.approx({
        "loss": 5 / 4, "mean_absolute_error": 3 / 4, "root_mean_squared_error": math.sqrt(5 / 4),
        "max_error": 2.0,
    })  # fmt: skip
    absolute = objective_for({"loss": "mean_absolute_error"}, Form((2,), 2, "numbers"))
    assert total(absolute, outputs, targets)["loss"] == 3 / 4


def test_ignored_positions_do_not_count():
    outputs = torch.zeros(2, 3, 4)
    outputs[0, 1, 2] = 50
    targets = torch.tensor([[IGNORED, 2, IGNORED], [IGNORED, IGNORED, 1]])
    found = total(Sequences(), outputs, targets)
    assert found["loss"] == pytest.approx(math.log(4) / 2, rel=1e-5)
    assert found["bits"] == pytest.approx(1.0, rel=1e-5)
    assert found["accuracy"] == 0.5


def test_a_loss_must_suit_its_targets():
    with pytest.raises(ValueError, match="cross_entropy does not suit"):
        objective_for({"loss": "cross_entropy"}, FORMS["numbers"])
    with pytest.raises(ValueError, match="mean_squared_error does not suit"):
        objective_for({"loss": "mean_squared_error"}, FORMS["class"])
    base = {"data": "adding", "model": "mlp"}
    with pytest.raises(ValueError, match="does not suit"):
        Workload.model_validate_json(json.dumps({**base, "loss": "cross_entropy"}))
    with pytest.raises(ValueError, match="kind class"):
        Workload.model_validate_json(json.dumps({**base, "model": "logistic_regression"}))
    with pytest.raises(ValueError, match="forecasts a series"):
        Workload.model_validate_json(json.dumps({**base, "model": "seasonal_naive"}))


@pytest.fixture(scope="module")
def line():
    """Numbers on a noisy plane; the columns have very different units."""
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(300, 4)) * [1, 100, 0.01, 1] + [0, 1000, 0, 5]
    targets = (inputs - [0, 1000, 0, 5]) / [1, 100, 0.01, 1] @ [[1.0], [-1], [0.5], [0]]
    arrays = inputs.astype(np.float32), targets.astype(np.float32)
    parts = [Examples(*(array[rows] for array in arrays)) for rows in (slice(200), slice(200, 300))]
    handling = Handling("random", normalization="feature")
    return TrialData("line", Form((4,), 1, "numbers"), *parts, handling)


def test_the_epoch_with_the_lowest_loss_is_selected(line):
    settings = {"data": "adding", "model": {"name": "mlp", "depth": 0, "width": 1}, "epochs": 15,
                "optimizer": {"name": "adam", "lr": 0.05}, "batch_size": 32}  # fmt: skip
    workload = Workload.model_validate_json(json.dumps(settings)).model_dump(mode="json")
    trials = [Trial(workload, seed, Phase.CONFIRMATION, "f", "v", ()) for seed in range(3)]
    records = [event for event in train(trials, line) if isinstance(event, Record)]
    for record in records:
        assert record.state is State.COMPLETE, record.reason
        losses = [point["validation.loss"] for point in record.curve]
        assert record.selected_epoch == 1 + losses.index(min(losses))
        assert record.metrics["validation.loss"] == pytest.approx(min(losses), rel=1e-5)
        assert record.metrics["test.loss"] < 0.05
        assert record.metrics["test.max_error"] >= record.metrics["test.root_mean_squared_error"]
