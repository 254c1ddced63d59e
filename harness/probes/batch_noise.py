"""How much the loss and the gradient differ from batch to batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.lazy import numpy, torch
from harness.metrics import Metric
from harness.probes._networks import exact_twin, in_double, use_batches
from harness.probes.base import POSITIVE, Fitted, Measured, Probe
from harness.seeding import stream

if TYPE_CHECKING:
    from torch import nn

    from harness.tasks import Objective


class BatchNoise(Probe):
    """Noise of steps at fixed weights: those before the first step, and those after training.

    On batches drawn from the training part, of the training's size:
    `probe.step_loss_deviation_start` and `_end`, the standard deviation of their losses;
    `probe.largest_step_gradient_start` and `_end`, the largest gradient norm; and
    `probe.gradient_noise_scale_start` and `_end`, in examples, the simple noise scale of McCandlish
    et al. (2018, appendix A.1). The noise scale is absent where its estimate is not positive, or a
    batch is the whole training part.
    """

    name: Literal["batch_noise"]
    batches: int = Field(64, ge=2, le=10_000, description="number of batches that are drawn")

    metrics: ClassVar[tuple[Metric, ...]] = tuple(
        Metric(f"{name}_{moment}", None, unit, f"{meaning}, {when} training", POSITIVE)
        for name, unit, meaning in (
            ("step_loss_deviation", "", "standard deviation of batch losses"),
            ("largest_step_gradient", "", "largest gradient norm of a batch"),
            ("gradient_noise_scale", "examples", "simple gradient noise scale"),
        )
        for moment, when in (("start", "before"), ("end", "after"))
    )
    needs_initial: ClassVar[bool] = True
    of_loss: ClassVar[tuple[str, ...]] = (
        "step_loss_deviation_start", "step_loss_deviation_end",
        "largest_step_gradient_start", "largest_step_gradient_end",
    )  # fmt: skip

    def measure(self, fitted: Fitted) -> Measured:
        """Give the deviation of losses, the largest gradient and the noise scale, twice."""
        assert fitted.objective is not None
        train, found = fitted.splits.train, {}
        size = min(fitted.settings.batch_size, len(train))
        draws = numpy.random.default_rng(stream(fitted.seed, self.name))
        indices = [draws.choice(len(train), size, replace=False) for _ in range(self.batches)]
        for moment, network in (("start", fitted.initial), ("end", fitted.network)):
            assert network is not None
            twin = exact_twin(network)
            steps = [_loss_and_norm(twin, train, index, fitted.objective) for index in indices]
            losses, norms = numpy.array(steps).T
            found[f"step_loss_deviation_{moment}"] = float(losses.std(ddof=1))
            found[f"largest_step_gradient_{moment}"] = float(norms.max())
            _, whole = _loss_and_norm(twin, train, numpy.arange(len(train)), fitted.objective)
            scale = noise_scale(norms, size, whole, len(train))
            if scale is not None:
                found[f"gradient_noise_scale_{moment}"] = scale
        return Measured(found)


def noise_scale(norms: Sequence[float], size: int, whole: float, examples: int) -> float | None:
    """Return the trace of the covariance of gradients over the squared norm of their mean.

    In examples: batches much smaller than this are mostly noise (McCandlish et al. 2018,
    equations A.2 and A.3). None where an estimate is not positive, or sizes are equal.

    Args:
        norms: of the gradients of batches.
        size: examples in each of these batches.
        whole: norm of the gradient of the whole training part.
        examples: in that.
    """
    if size >= examples:
        return None
    small, large = float(numpy.square(norms).mean()), whole * whole
    squared = (examples * large - size * small) / (examples - size)
    trace = (small - large) / (1 / size - 1 / examples)
    return trace / squared if squared > 0 and trace > 0 else None


def _loss_and_norm(
    twin: nn.Module, examples: Any, index: Any, objective: Objective
) -> tuple[float, float]:
    """Return loss and gradient norm of a batch; of one example batch norm knows no statistics."""
    use_batches(twin, len(index) > 1)
    rows = torch.from_numpy(index).to(examples.targets.device)
    inputs, targets = in_double(examples.inputs[rows]), in_double(examples.targets[rows])
    loss = objective.loss.alone(twin(inputs), targets)
    gradients = torch.autograd.grad(loss, list(twin.parameters()), materialize_grads=True)
    squares = sum(float(gradient.square().sum()) for gradient in gradients)
    return float(loss.detach()), squares**0.5
