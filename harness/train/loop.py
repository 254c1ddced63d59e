"""The training loop: data resident on the device, one fetch of metrics per epoch."""

from __future__ import annotations

import copy
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from harness.models import build
from harness.seeding import stream
from harness.train.optimizers import build_optimizer
from harness.trial import Trial
from harness.workloads import Examples, TrialData, split

EVALUATION_BATCH = 8192


class Diverged(Exception):  # noqa: N818  (an outcome, not an error)
    """The loss stopped being a finite number."""


@dataclass(frozen=True)
class Split:
    """Examples on the device: inputs (n, ...) as float, targets (n,) as int64."""

    inputs: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True)
class Splits:
    """The normalized splits of one seed. `test` is None in the search phase."""

    train: Split
    validation: Split
    test: Split | None


@dataclass
class Outcome:
    """Everything a finished trial reports, apart from its curve."""

    metrics: dict[str, float]
    selected_epoch: int | None = None
    cost: dict[str, float] = field(default_factory=dict)
    details: dict[str, list[float]] = field(default_factory=dict)


@dataclass
class Fitted:
    """A trained network with the weights of the selected epoch, and what probes need."""

    network: nn.Module
    initial: nn.Module | None
    splits: Splits
    outcome: Outcome


def fit(
    trial: Trial, data: TrialData, device: torch.device
) -> Generator[dict[str, float], None, Fitted]:
    """Train one network; yield the metrics of each epoch; return the selected weights' outcome.

    The epoch with the best validation accuracy (the earliest of equals) is selected; the test
    split, if the trial has one, is read once, with its weights.

    Raises:
        Diverged: when the loss is no longer finite.
    """
    workload = trial.workload
    splits = place_splits(trial, data, device)
    weights_seed = stream(trial.seed, "weights")
    shape = tuple(splits.train.inputs.shape[1:])
    network = build(workload["model"], shape, data.classes, weights_seed).to(device)
    wants_initial = any(probe["name"] == "gradient_norms" for probe in trial.probes)
    initial = copy.deepcopy(network) if wants_initial else None
    optimizer = build_optimizer(workload["optimizer"], network.parameters())
    order = np.random.default_rng(stream(trial.seed, "order"))
    best, best_state, best_epoch = -1.0, network.state_dict(), 0
    seconds, steps = 0.0, 0
    torch.manual_seed(stream(trial.seed, "dropout"))

    for epoch in range(1, workload["epochs"] + 1):
        begin = time.perf_counter()
        batches = shuffled_batches(splits.train, workload["batch_size"], order)
        loss, count = _train_epoch(network, optimizer, batches)
        seconds += time.perf_counter() - begin
        steps += count
        if not np.isfinite(loss):
            raise Diverged(f"the training loss became {loss} in epoch {epoch}")
        validation = evaluate(network, splits.validation)
        yield {
            "epoch": epoch,
            "train.loss": loss,
            "validation.loss": validation["loss"],
            "validation.accuracy": validation["accuracy"],
        }
        if validation["accuracy"] > best:
            best, best_epoch = validation["accuracy"], epoch
            best_state = {key: value.clone() for key, value in network.state_dict().items()}

    network.load_state_dict(best_state)
    outcome = Outcome(_final_metrics(network, splits), best_epoch)
    outcome.cost = {
        "seconds": seconds,
        "steps": float(steps),
        "step_seconds": seconds / steps,
        "parameters": float(sum(parameter.numel() for parameter in network.parameters())),
    }
    return Fitted(network, initial, splits, outcome)


def place_splits(trial: Trial, data: TrialData, device: torch.device) -> Splits:
    """Split by seed, normalize by the training part's mean and deviation, move to the device."""
    fraction = trial.workload["data"]["validation_fraction"]
    train, validation = split(data.examples.targets, fraction, trial.seed)
    inputs = data.examples.inputs
    mean, deviation = inputs[train].mean(), inputs[train].std() + 1e-8

    def place(examples: Examples) -> Split:
        normalized = (examples.inputs - mean) / deviation
        return Split(
            torch.from_numpy(normalized).to(device),
            torch.from_numpy(np.array(examples.targets)).to(device),
        )

    targets = data.examples.targets
    return Splits(
        place(Examples(inputs[train], targets[train])),
        place(Examples(inputs[validation], targets[validation])),
        place(data.test) if data.test is not None else None,
    )


def shuffled_batches(
    examples: Split, batch_size: int, order: np.random.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the batches of one epoch, in an order drawn from the generator."""
    index = torch.from_numpy(order.permutation(len(examples))).to(examples.targets.device)
    inputs, targets = examples.inputs[index], examples.targets[index]
    return zip(inputs.split(batch_size), targets.split(batch_size), strict=True)


def _train_epoch(
    network: nn.Module, optimizer: torch.optim.Optimizer, batches: Iterator[tuple[Tensor, Tensor]]
) -> tuple[float, int]:
    """Take one step per batch; return the mean loss and the number of steps."""
    network.train()
    total: Any = 0.0
    steps = 0
    for inputs, targets in batches:
        loss = cross_entropy(network(inputs), targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        total = total + loss.detach()
        steps += 1
    return float(total) / steps, steps


@torch.no_grad()
def evaluate(network: nn.Module, examples: Split) -> dict[str, float]:
    """Return mean loss and accuracy over a split."""
    network.eval()
    loss: Any = 0.0
    correct: Any = 0
    batches = zip(
        examples.inputs.split(EVALUATION_BATCH),
        examples.targets.split(EVALUATION_BATCH),
        strict=True,
    )
    for inputs, targets in batches:
        outputs = network(inputs)
        loss = loss + cross_entropy(outputs, targets, reduction="sum")
        correct = correct + (outputs.argmax(dim=-1) == targets).sum()
    return {"loss": float(loss) / len(examples), "accuracy": float(correct) / len(examples)}


def _final_metrics(network: nn.Module, splits: Splits) -> dict[str, float]:
    named = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    return {
        f"{name}.{metric}": value
        for name, examples in named.items()
        if examples is not None
        for metric, value in evaluate(network, examples).items()
    }
