"""Two networks against each other: one draws examples, the other tells them from those of the data.

Goodfellow et al. 2014, Generative adversarial networks; Arjovsky et al. 2017, Wasserstein GAN; and
Gulrajani et al. 2017, Improved training of Wasserstein GANs, for the gradient penalty.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.components.base import unsaid
from harness.data_spec import Form, Kind
from harness.lazy import functional, torch
from harness.metrics import Metric
from harness.models import Model, NoModel, SimpleModel
from harness.models.mlp import MLP
from harness.registry import OPTIMIZERS, setting
from harness.tasks._unsupervised import unused_part
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
    loss: Literal["standard", "saturating", "wasserstein"] = Field(
        "standard",
        description="standard: cross entropy, not saturating (Goodfellow et al. 2014); saturating: "
        "the generator goes up the discriminator's own cross entropy; "
        "wasserstein: the difference of mean scores, with a gradient penalty",
    )
    critic_steps: int = Field(
        1, ge=1, le=100, description="steps of the discriminator for each of the generator"
    )
    penalty: float = Field(10.0, ge=0, description="weight of wasserstein's gradient penalty")
    conditional: bool = Field(
        False,
        exclude_if=unsaid,
        description="both networks read the class too, so that samples have one (Mirza 2014)",
    )
    drawn: int = Field(
        1000,
        ge=1,
        le=1_000_000,
        exclude_if=lambda drawn: drawn == 1000,
        description="samples that a conditional one gives as a stage, evenly by class",
    )

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
    takes: ClassVar[Mapping[str, str]] = {"classifier": "predictions"}
    of_inputs: ClassVar[tuple[str, ...]] = ("energy_distance",)
    gives: ClassVar[tuple[str, ...]] = ("weights", "samples")

    def refusal(self, workload: Any) -> str | None:
        """Say what is of no use where examples are generated."""
        if self.conditional and workload.data.kind != "class":
            return f"`task.conditional` needs classes; {workload.data.name} has none"
        if (said := unused_part(workload, self.name)) is not None:
            return said
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
        classes = form.outputs if self.conditional else 0
        drawn = Form((self.noise + classes,), math.prod(form.shape), "numbers")
        shape = (form.shape[0] + classes, *form.shape[1:])
        judged = Form(shape if classes else form.shape, 1, "numbers")
        generator: Any = network(settings.model, drawn, "model")
        generator.classes = classes
        return {
            "model": generator,
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
                fake = self._draw(state, batch)
            apart = self._apart(state, batch, fake)
            state.update("discriminator", apart)
        scores = state.outputs("discriminator", self._seen(state, self._draw(state, batch), batch))
        against = self.against(scores)
        state.update("model", against)
        return {"loss": against.detach(), "discriminator_loss": apart.detach()}

    def evaluate(self, state: State, split: Batch) -> Mapping[str, float]:
        """Return the energy distance between a split and as many samples."""
        some = Batch(split.inputs[:MOST_SAMPLES], split.targets[:MOST_SAMPLES])
        return {"energy_distance": energy_distance(self._draw(state, some), some.inputs)}

    def against(self, scores: Tensor) -> Tensor:
        """Return the generator's loss, of the discriminator's scores of its examples, (n, 1)."""
        if self.loss == "wasserstein":
            return -scores.mean()
        if self.loss == "saturating":
            return -functional.softplus(scores).mean()
        return functional.softplus(-scores).mean()

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
        return self.sample_with_classes(network, count, draws, shape)[0]

    def sample_with_classes(
        self, network: Any, count: int, draws: Generator, shape: tuple[int, ...]
    ) -> tuple[Tensor, Tensor | None]:
        """Return generated examples as `sample` does, and their classes, evenly, (count,).

        Without classes, unless the task is conditional.
        """
        device = next(network.parameters()).device
        noise = torch.randn(count, self.noise, generator=draws).to(device)
        classes = torch.arange(count, device=device) % network.classes if self.conditional else None
        read = noise if classes is None else with_one_hot(noise, classes, network.classes)
        drawn: Tensor = network(read)
        return drawn.reshape(count, *shape), classes

    def noise_shape(self, form: Form) -> tuple[int, ...]:
        """Return the shape of what an example is made of: noise, and of a conditional one behind it
        a number for each class, 1 for the class that is wanted and 0 else.
        """
        return (self.noise + (form.outputs if self.conditional else 0),)

    def made_of(self, network: nn.Module, noise: Tensor, form: Form) -> Tensor:
        """Return the examples that a trained generator makes of noise, (n, *shape), normalized."""
        made: Tensor = network(noise)
        return made.reshape(len(noise), *form.shape)

    def _draw(self, state: State, batch: Batch) -> Tensor:
        """Return as many generated examples as a batch has, of the same classes."""
        count = len(batch)
        noise = torch.randn(count, self.noise, generator=state.generator).to(state.device)
        if self.conditional:
            noise = with_one_hot(noise, batch.targets, state.form.outputs)
        return state.outputs("model", noise).reshape(count, *state.form.shape)

    def _seen(self, state: State, inputs: Tensor, batch: Batch) -> Tensor:
        """Return examples as the discriminator reads them: of a conditional one with classes."""
        if not self.conditional:
            return inputs
        return with_one_hot(inputs, batch.targets, state.form.outputs)

    def _apart(self, state: State, batch: Batch, fake: Tensor) -> Tensor:
        """Return the discriminator's loss."""
        real = batch.inputs
        both = [self._seen(state, inputs, batch) for inputs in (real, fake)]
        scores = state.outputs("discriminator", torch.cat(both))
        of_real, of_fake = scores.split(len(real))
        if self.loss != "wasserstein":
            entropy: Tensor = functional.softplus(-of_real).mean()
            return entropy + functional.softplus(of_fake).mean()
        loss: Tensor = of_fake.mean() - of_real.mean()
        return loss + self.penalty * self._steepness(state, batch, fake) if self.penalty else loss

    def _steepness(self, state: State, batch: Batch, fake: Tensor) -> Tensor:
        """Return how far slopes between real and generated examples are from 1, squared."""
        real = batch.inputs
        share = torch.rand(len(real), *[1] * (real.ndim - 1), generator=state.generator)
        between = torch.lerp(real, fake, share.to(real.device)).requires_grad_()
        scores = state.outputs("discriminator", self._seen(state, between, batch))
        (slopes,) = torch.autograd.grad(scores.sum(), between, create_graph=True)
        steepness: Tensor = (slopes.flatten(1).norm(dim=1) - 1).square().mean()
        return steepness


def with_one_hot(rows: Tensor, classes: Tensor, count: int) -> Tensor:
    """Return rows (n, channels, ...) with a further channel for each class: 1 for a row's own."""
    said = functional.one_hot(classes, count).to(rows.dtype)
    planes = said.reshape(*said.shape, *[1] * (rows.ndim - 2)).expand(-1, -1, *rows.shape[2:])
    return torch.cat([rows, planes], dim=1)


def energy_distance(ours: Tensor, theirs: Tensor) -> float:
    """Return the energy distance of two samples, both (n, ...), by its unbiased estimate.

    Twice the mean distance between the samples, less the mean distances within each (Székely and
    Rizzo 2013, Energy statistics). By chance it can be a little below 0.
    """
    one, other = ours.flatten(1).double(), theirs.flatten(1).double()
    count = len(one)
    within = [torch.cdist(x, x).sum() / (count * (count - 1)) for x in (one, other)]
    return float(2 * torch.cdist(one, other).mean() - within[0] - within[1])
