"""A network with dropout at work as an ensemble of networks."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.data_spec import IGNORED
from harness.lazy import functional, torch
from harness.metrics import Metric
from harness.probes._networks import BATCH, at_rest, outputs_of, test_split, use_batches
from harness.probes.base import POSITIVE, Fitted, Measured, Probe
from harness.seeding import stream

if TYPE_CHECKING:
    from torch import Tensor, nn


class MonteCarloDropout(Probe):
    """The mean prediction over passes with dropout at work (Gal and Ghahramani 2016).

    On the test split: `probe.ensemble_accuracy` and `probe.ensemble_gain`, its advantage over the
    one pass without dropout. For numbers `probe.ensemble_root_mean_squared_error` instead, and the
    gain is what it takes off that error.
    """

    name: Literal["monte_carlo_dropout"]
    passes: int = Field(50, ge=2, le=10_000)

    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("ensemble_accuracy", "maximize", bounds=(0, 1)),
        Metric("ensemble_root_mean_squared_error", "minimize", bounds=POSITIVE),
        Metric("ensemble_gain", "maximize"),
    )

    def measure(self, fitted: Fitted) -> Measured:
        """Give the accuracy (or error) of the mean prediction, and what it gains over one pass."""
        test, numbers = test_split(self, fitted), fitted.form.kind == "numbers"
        seed = stream(fitted.seed, self.name)
        mean = ensemble_outputs(fitted.network, test.inputs, self.passes, seed, numbers=numbers)
        alone = outputs_of(at_rest(fitted.network), test.inputs).double()
        if numbers:
            ours, theirs = _error(mean, test), _error(alone, test)
            name, gain = "ensemble_root_mean_squared_error", theirs - ours
        else:
            ours, theirs = _accuracy(mean, test), _accuracy(alone, test)
            name, gain = "ensemble_accuracy", ours - theirs
        return Measured({name: ours, "ensemble_gain": gain})


def ensemble_outputs(
    network: nn.Module, inputs: Tensor, passes: int, seed: int, *, numbers: bool = False
) -> Tensor:
    """Return the mean over passes with dropout at work, (n, ...), in double precision.

    Of the probabilities of classes, or of the outputs themselves where they are numbers
    (Gal and Ghahramani 2016). Batch statistics stay those of training.

    Args:
        network: is left as it was, and so are PyTorch's generators.
        inputs: of shape (n, ...).
        passes: to average over.
        seed: of the stream that draws the masks.
        numbers: whether outputs are no scores of classes.
    """
    from harness.layers import seed_dropout

    twin = copy.deepcopy(network).train()
    use_batches(twin, False)
    seed_dropout(twin, seed)
    devices = [inputs.device] if inputs.is_cuda else []
    means = []
    with torch.no_grad(), torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        for part in inputs.split(BATCH):
            total = torch.zeros((), dtype=torch.float64, device=inputs.device)
            for _ in range(passes):
                outputs = twin(part).double()
                total = total + (outputs if numbers else functional.softmax(outputs, dim=-1))
            means.append(total / passes)
    return torch.cat(means)


def _accuracy(scores: Tensor, examples: Any) -> float:
    counts = examples.targets != IGNORED
    right = (scores.argmax(dim=-1) == examples.targets) & counts
    return float(right.sum()) / float(counts.sum())


def _error(predictions: Tensor, examples: Any) -> float:
    return float((predictions - examples.targets).square().mean().sqrt())
