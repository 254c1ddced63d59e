"""What reaches a generator of its discriminator's judgement."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from harness.lazy import torch
from harness.metrics import Metric
from harness.probes._networks import at_rest
from harness.probes.base import POSITIVE, Fitted, Measured, Probe
from harness.seeding import stream


class GeneratorGradient(Probe):
    """The norm of the gradient that a generator gets of its loss, after training.

    Gives `probe.generator_gradient`, over all of its parameters, for fresh noise. Beside it
    `probe.judged_rightly`: the share of examples, half of the training split and half generated,
    that the discriminator takes for what they are.
    """

    name: Literal["generator_gradient"]
    samples: int = Field(512, ge=2, le=100_000, description="examples to generate")

    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("generator_gradient", None, "", "norm of the gradient of its loss", POSITIVE),
        Metric("judged_rightly", None, "", "by the discriminator", (0.0, 1.0)),
    )
    any_task: ClassVar[bool] = True

    def refusal(self, workload: Any) -> str | None:
        """It needs a generator and a discriminator that know no classes."""
        if workload.learns.name != "adversarial":
            return f"needs the task adversarial; the task is {workload.learns.name}"
        if workload.learns.conditional:
            return "reads no classes; `task.conditional` needs them"
        return None

    def measure(self, fitted: Fitted) -> Measured:
        """Give both."""
        task: Any = fitted.task
        networks = {part: at_rest(network) for part, network in fitted.networks.items()}
        generator, judge = networks["model"].requires_grad_(True), networks["discriminator"]
        draws = torch.Generator().manual_seed(stream(fitted.seed, "generator_gradient"))
        with torch.enable_grad():
            drawn = task.sample(generator, self.samples, draws, fitted.form.shape)
            scores = judge(drawn)
            slopes = torch.autograd.grad(task.against(scores), list(generator.parameters()))
        with torch.no_grad():
            known = judge(fitted.splits.train.inputs[: self.samples])
        right = ((known > 0).double().mean() + (scores.detach() <= 0).double().mean()) / 2
        squares = sum(float(slope.double().square().sum()) for slope in slopes)
        found = {"generator_gradient": squares**0.5}
        if task.loss != "wasserstein":  # whose scores have no zero between both
            found["judged_rightly"] = float(right)
        return Measured(found)
