"""Two networks against each other: one draws examples, the other tells them from those of the data.

Goodfellow et al. 2014, Generative adversarial networks; Arjovsky et al. 2017, Wasserstein GAN; and
Gulrajani et al. 2017, Improved training of Wasserstein GANs, for the gradient penalty.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.data_spec import Form, Kind
from harness.lazy import functional, torch
from harness.metrics import Metric
from harness.models import Model, NoModel, SimpleModel
from harness.models.mlp import MLP
from harness.registry import OPTIMIZERS, setting
from harness.tasks.base import Batch, Builder, State, Task

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn

    from harness.optimizers.base import Optimizer
    from harness.workloads.settings import TrialSettings

MOST_SAMPLES = 1000
"""Examples of a split, and samples beside them, that an evaluation compares."""


class Adversarial(Task):
    """Learn to draw examples like those of the data; `model` is the network that draws them.

    The generator turns noise into an example. The discriminator tells examples of the data from
    generated ones, and each is trained against the other.
    """

    name: Literal["adversarial"]
    discriminator: Model = Field(
        default_factory=lambda: MLP(name="mlp"), description="the network that tells them apart"
    )
    discriminator_optimizer: setting(OPTIMIZERS) | None = Field(  # type: ignore[valid-type]
        None, description="of the discriminator; null: as the generator's"
    )
    noise: int = Field(16, ge=1, le=10_000, description="normal numbers that an example is made of")
    loss: Literal["standard", "wasserstein"] = Field(
        "standard",
        description="standard: cross entropy, not saturating (Goodfellow et al. 2014); "
        "wasserstein: the difference of mean scores, with a gradient penalty",
    )
    critic_steps: int = Field(
        1, ge=1, le=100, description="steps of the discriminator for each of the generator"
    )
    penalty: float = Field(10.0, ge=0, description="weight of wasserstein's gradient penalty")

    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric(
            "energy_distance",
            "minimize",
            "",
            "between as many generated as real examples (Székely and Rizzo 2013); 0: alike",
        ),
    )
    selects: ClassVar[str] = "energy_distance"
    targets: ClassVar[tuple[Kind, ...]] = ("class", "numbers")
    gives: ClassVar[tuple[str, ...]] = ("weights", "samples")

    def refusal(self, workload: Any) -> str | None:
        """Say what is of no use where examples are generated."""
        used = {"transfer": workload.transfer is not None, "metrics": bool(workload.metrics)}
        used["loss"] = workload.loss.name != "auto"
        for part, given in used.items():
            if given:
                return f"`{part}` is of no use with the task adversarial"
        for model in (workload.model, self.discriminator):
            if isinstance(model, SimpleModel | NoModel):
                return f"{model.name} is no network that the task adversarial could train"
        return None

    def build(
        self, settings: TrialSettings, form: Form, network: Builder
    ) -> Mapping[str, nn.Module]:
        """Return the generator, from noise to the numbers of an example, and the discriminator."""
        if form.vocabulary is not None:
            raise ValueError("the task adversarial generates numbers, and the data are token ids")
        drawn = Form((self.noise,), math.prod(form.shape), "numbers")
        judged = Form(form.shape, 1, "numbers")
        return {
            "model": network(settings.model, drawn, "model"),
            "discriminator": network(self.discriminator, judged, "discriminator"),
        }

    def optimizers(self, settings: TrialSettings) -> Mapping[str, Optimizer]:
        """Return those of both."""
        own = self.discriminator_optimizer or settings.optimizer
        return {"model": settings.optimizer, "discriminator": own}

    def step(self, state: State, batch: Batch) -> Mapping[str, Tensor]:
        """Train the discriminator `critic_steps` times, with fresh noise, then the generator."""
        for _ in range(self.critic_steps):
            with torch.no_grad():
                fake = self._draw(state, len(batch))
            apart = self._apart(state, batch.inputs, fake)
            state.update("discriminator", apart)
        scores = state.outputs("discriminator", self._draw(state, len(batch)))
        against = (
            -scores.mean() if self.loss == "wasserstein" else functional.softplus(-scores).mean()
        )
        state.update("model", against)
        return {"loss": against.detach(), "discriminator_loss": apart.detach()}

    def evaluate(self, state: State, split: Batch) -> Mapping[str, float]:
        """Return the energy distance between a split and as many samples."""
        real = split.inputs[:MOST_SAMPLES]
        return {"energy_distance": energy_distance(self._draw(state, len(real)), real)}

    def sample(
        self, network: nn.Module, count: int, draws: Generator, shape: tuple[int, ...]
    ) -> Tensor:
        """Return generated examples, (count, *shape), normalized as the data are.

        Args:
            network: a trained generator.
            count: how many.
            draws: of the noise, on the CPU.
            shape: of an example.
        """
        device = next(network.parameters()).device
        noise = torch.randn(count, self.noise, generator=draws).to(device)
        drawn: Tensor = network(noise)
        return drawn.reshape(count, *shape)

    def _draw(self, state: State, count: int) -> Tensor:
        noise = torch.randn(count, self.noise, generator=state.generator).to(state.device)
        return state.outputs("model", noise).reshape(count, *state.form.shape)

    def _apart(self, state: State, real: Tensor, fake: Tensor) -> Tensor:
        """Return the discriminator's loss."""
        scores = state.outputs("discriminator", torch.cat([real, fake]))
        of_real, of_fake = scores.split(len(real))
        if self.loss == "standard":
            entropy: Tensor = functional.softplus(-of_real).mean()
            return entropy + functional.softplus(of_fake).mean()
        loss: Tensor = of_fake.mean() - of_real.mean()
        return loss + self.penalty * self._steepness(state, real, fake) if self.penalty else loss

    def _steepness(self, state: State, real: Tensor, fake: Tensor) -> Tensor:
        """Return how far slopes between real and generated examples are from 1, squared."""
        share = torch.rand(len(real), *[1] * (real.ndim - 1), generator=state.generator)
        between = torch.lerp(real, fake, share.to(real.device)).requires_grad_()
        scores = state.outputs("discriminator", between)
        (slopes,) = torch.autograd.grad(scores.sum(), between, create_graph=True)
        steepness: Tensor = (slopes.flatten(1).norm(dim=1) - 1).square().mean()
        return steepness


def energy_distance(ours: Tensor, theirs: Tensor) -> float:
    """Return the energy distance of two samples, both (n, ...), by its unbiased estimate.

    Twice the mean distance between the samples, less the mean distances within each (Székely and
    Rizzo 2013, Energy statistics). By chance it can be a little below 0.
    """
    one, other = ours.flatten(1).double(), theirs.flatten(1).double()
    count = len(one)
    within = [torch.cdist(x, x).sum() / (count * (count - 1)) for x in (one, other)]
    return float(2 * torch.cdist(one, other).mean() - within[0] - within[1])
