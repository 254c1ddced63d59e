"""The engine against a plain loop as a textbook has it: autograd, torch.optim, one batch a time."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from harness.models import build
from harness.seeding import stream
from harness.trial import State
from harness.workloads import split

OPTIMIZERS = {
    "adam": lambda p: torch.optim.Adam(p, lr=1e-3),
    "adamw": lambda p: torch.optim.AdamW(p, lr=1e-3, weight_decay=0.0),
    "sgd": lambda p: torch.optim.SGD(p, lr=1e-2),
}


def textbook(trial, data):
    """Return the training loss of each epoch, and the test accuracy of the best one's weights."""
    workload = trial.workload
    train, validation = split(data.examples.targets, 0.2, trial.seed)
    inputs = data.examples.inputs.astype(np.float64)
    mean, deviation = inputs[train].mean(), inputs[train].std() + 1e-8

    def place(array):
        return torch.tensor((array - mean) / deviation, dtype=torch.float32)

    x, y = place(inputs), torch.tensor(data.examples.targets)
    network = build(workload["model"], data.form, stream(trial.seed, "weights"))
    optimizer = OPTIMIZERS[workload["optimizer"]["name"]](network.parameters())
    order = np.random.default_rng(stream(trial.seed, "order"))
    losses, best, accuracy = [], -1.0, 0.0
    for _ in range(workload["epochs"]):
        found = []
        for rows in torch.tensor(train[order.permutation(len(train))]).split(
            workload["batch_size"]
        ):
            loss = cross_entropy(network(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            found.append(loss.item())
        losses.append(float(np.mean(found)))
        with torch.no_grad():
            valued = (network(x[validation]).argmax(1) == y[validation]).float().mean().item()
            if valued > best:
                best = valued
                outputs = network(place(data.test.inputs))
                right = outputs.argmax(1) == torch.tensor(data.test.targets)
                accuracy = right.float().mean().item()
    return losses, accuracy


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("depth", [0, 3])
def test_the_engine_agrees_with_a_textbook_loop(make_trial, records_of, blobs, name, depth):
    settings = {"name": name, "weight_decay": 0.0}
    trials = [make_trial(seed, model={"depth": depth}, optimizer=settings) for seed in range(3)]
    for trial, record in zip(trials, records_of(trials, blobs), strict=True):
        losses, accuracy = textbook(trial, blobs)
        assert record.state is State.COMPLETE
        assert [point["train.loss"] for point in record.curve] == pytest.approx(losses, rel=1e-4)
        assert record.metrics["test.accuracy"] == pytest.approx(accuracy, abs=1e-6)
