"""What a network answers that nobody switched from training to evaluation."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from harness.lazy import torch
from harness.metrics import Metric
from harness.probes._networks import test_split
from harness.probes.base import Fitted, Measured, Probe, other_targets
from harness.seeding import stream

if TYPE_CHECKING:
    from torch import Tensor, nn


class TrainingMode(Probe):
    """Test accuracy where `eval()` was forgotten: dropout drops, batch norm uses its batch.

    Gives `probe.training_mode_accuracy`, in batches of the training's size, and
    `probe.training_mode_loss_of_accuracy`: how much higher the accuracy of the same weights is in
    evaluation mode, in the same batches. Absent for a network that answers the same in both modes,
    as one without dropout and batch normalization does.
    """

    name: Literal["training_mode"]

    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("training_mode_accuracy", "maximize", bounds=(0, 1)),
        Metric("training_mode_loss_of_accuracy", "minimize", bounds=(-1, 1)),
    )

    def refusal(self, workload: Any) -> str | None:
        """Without a class for each input there is no accuracy; without such layers no mode acts."""
        model = workload.model
        rates = [getattr(model, name) for name in type(model).rates]
        dropped = any(any(rate) if isinstance(rate, list) else rate for rate in rates)
        norm = getattr(model, "norm", None)
        quiet = norm is not None and norm != "batch" and not dropped
        if quiet or (type(model).rates and norm is None and not dropped):
            return f"this {model.name} has neither dropout nor batch normalization: no mode acts"
        return other_targets(workload, "class")

    def measure(self, fitted: Fitted) -> Measured:
        """Give the accuracy in training mode, and what it lacks to that in evaluation mode."""
        test = test_split(self, fitted)
        seed, size = stream(fitted.seed, self.name), fitted.settings.batch_size
        forgotten, rested = (
            outputs_in_batches(fitted.network, test.inputs, size, seed, training)
            for training in (True, False)
        )
        if torch.equal(forgotten, rested):
            return Measured()
        ours, theirs = (
            float((outputs.argmax(dim=-1) == test.targets).double().mean())
            for outputs in (forgotten, rested)
        )
        return Measured(
            {"training_mode_accuracy": ours, "training_mode_loss_of_accuracy": theirs - ours}
        )


def outputs_in_batches(
    network: nn.Module, inputs: Tensor, size: int, seed: int, training: bool
) -> Tensor:
    """Return the outputs in training or evaluation mode, batch after batch, (n, ...).

    Inputs are mixed before they are divided into batches, as a test split may be sorted. A last
    batch of one input, of which batch normalization knows no variance, joins the one before it.

    Args:
        network: is left as it was, and so are PyTorch's generators.
        inputs: of shape (n, ...).
        size: inputs in a batch.
        seed: of the order and of the masks of dropout.
        training: mode.
    """
    from harness.layers import seed_dropout

    twin = copy.deepcopy(network).train(training).requires_grad_(False)
    seed_dropout(twin, seed)
    order = torch.randperm(len(inputs), generator=torch.Generator().manual_seed(seed))
    parts = list(order.split(size))
    if len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [torch.cat(parts[-2:])]
    devices = [inputs.device] if inputs.is_cuda else []
    with torch.no_grad(), torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        mixed = torch.cat([twin(inputs[part.to(inputs.device)]) for part in parts])
    found = torch.empty_like(mixed)
    found[order.to(inputs.device)] = mixed
    return found
