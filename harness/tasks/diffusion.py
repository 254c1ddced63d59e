"""A network that takes noise off step by step, until an example is left.

Ho et al. 2020, Denoising diffusion probabilistic models (DDPM); Nichol and Dhariwal 2021, Improved
denoising diffusion probabilistic models, for the schedule; Song et al. 2021, Denoising diffusion
implicit models (DDIM), for the sampling; Salimans and Ho 2022, Progressive distillation for fast
sampling of diffusion models, for the velocity.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from harness.data_spec import Form
from harness.lazy import torch
from harness.metrics import Metric
from harness.tasks._from_noise import FromNoise
from harness.tasks.base import Batch, Builder, State

if TYPE_CHECKING:
    from torch import Tensor, nn

    from harness.workloads.settings import TrialSettings

FREQUENCIES = 4
"""Of the sines and cosines that tell how noisy an input is: 1, 2, 4 and 8 half turns."""
OFFSET = 0.008
LEAST = 1e-3
"""Share of an example's variance that is left at the highest noise: it is divided by."""


class Diffusion(FromNoise):
    """Learn which noise was added to an example; draw examples by taking noise off in steps.

    `model` reads a noisy example, and how noisy it is: as further channels of an image, or further
    numbers. Noise levels are drawn evenly from `levels` of them, along a cosine.
    """

    name: Literal["diffusion"]
    levels: int = Field(1000, ge=2, le=100_000, description="noise levels of the training")
    sampling_steps: int = Field(
        50, ge=1, le=100_000, description="steps from noise to an example, at most `levels` of them"
    )
    predicts: Literal["velocity", "noise"] = Field(
        "velocity",
        description="what the network answers: the noise (DDPM), or a mixture of noise and example "
        "that says as much at every noise level",
    )
    limit: float = Field(
        3.0,
        gt=0,
        description="what is taken for an example is kept between minus this and this while it is "
        "drawn, where inputs have mean 0 and deviation 1",
    )

    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("noise_error", "minimize", "", "mean squared error of the noise that is told"),
    )
    selects: ClassVar[str] = "noise_error"
    of_inputs: ClassVar[tuple[str, ...]] = ("noise_error",)
    defined_by: ClassVar[Mapping[str, tuple[str, ...]]] = {"noise_error": ("levels",)}

    @model_validator(mode="after")
    def _no_more_steps_than_levels(self) -> Self:
        if self.sampling_steps > self.levels:
            raise ValueError(
                f"`sampling_steps` ({self.sampling_steps}) are more than `levels` ({self.levels})"
            )
        return self

    def build(
        self, settings: TrialSettings, form: Form, network: Builder
    ) -> Mapping[str, nn.Module]:
        """Return the network, from a noisy example with its level to the noise."""
        if form.vocabulary is not None:
            raise ValueError("the task diffusion generates numbers, and the data are token ids")
        first, *rest = form.shape
        images = len(form.shape) == 3
        read = (first + 2 * FREQUENCIES, *rest) if images else (
            math.prod(form.shape) + 2 * FREQUENCIES,
        )  # fmt: skip
        noise = Form(read, math.prod(form.shape), "numbers")
        return {"model": network(settings.model, noise, "model")}

    def step(self, state: State, batch: Batch) -> Mapping[str, Tensor]:
        """Take one step down the squared error of what is predicted."""
        loss, _ = self._errors(state, batch.inputs)
        state.update("model", loss)
        return {"loss": loss.detach()}

    def evaluate(self, state: State, split: Batch) -> Mapping[str, float]:
        """Return the error of the noise, with levels and noise that are the same each time."""
        return {"noise_error": float(self._errors(state, split.inputs)[1])}

    def drawn_from(self, network: nn.Module, noise: Tensor) -> Tensor:
        """Return what the network takes the examples for at the last step (DDIM)."""
        *_, drawn = self.trajectory(network, noise)
        return drawn

    def trajectory(self, network: nn.Module, noise: Tensor) -> Iterator[Tensor]:
        """Yield what the network takes the examples for at each step, the last is the result.

        Args:
            network: trained.
            noise: standard normal, (n, *shape).

        Yields:
            Examples like `noise`, on the network's device.
        """
        device = next(network.parameters()).device
        noisy, count = noise.to(device), len(noise)
        levels = torch.linspace(1, 1 / self.levels, self.sampling_steps).tolist()
        for place, level in enumerate(levels):
            share = torch.full((count,), level, device=device)
            kept = float(signal(torch.tensor(level)))
            said = network(with_level(noisy, share)).reshape(noisy.shape)
            if self.predicts == "velocity":
                example = math.sqrt(kept) * noisy - math.sqrt(1 - kept) * said
            else:
                example = (noisy - math.sqrt(1 - kept) * said) / math.sqrt(kept)
            example = example.clamp(-self.limit, self.limit)
            noise = (noisy - math.sqrt(kept) * example) / math.sqrt(max(1 - kept, 1e-8))
            yield example
            if place + 1 < len(levels):
                after = float(signal(torch.tensor(levels[place + 1])))
                noisy = math.sqrt(after) * example + math.sqrt(1 - after) * noise

    def _errors(self, state: State, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the squared error of what is predicted, and that of the noise."""
        count = len(inputs)
        level = torch.randint(1, self.levels + 1, (count,), generator=state.generator)
        share = (level / self.levels).to(inputs.device)
        noise = torch.randn(inputs.shape, generator=state.generator).to(inputs.device)
        kept = signal(share).reshape(-1, *[1] * (inputs.ndim - 1))
        noisy = kept.sqrt() * inputs + (1 - kept).sqrt() * noise
        said = state.outputs("model", with_level(noisy, share)).reshape(noisy.shape)
        if self.predicts == "noise":
            error = (said - noise).square().mean()
            return error, error
        velocity = kept.sqrt() * noise - (1 - kept).sqrt() * inputs
        apart = (said - velocity).square()
        # the noise is sqrt(1 - kept) * noisy + sqrt(kept) * velocity, so that its error is smaller
        return apart.mean(), (kept * apart).mean()


def signal(level: Tensor) -> Tensor:
    """Return the share of an example's variance that is left at a noise level from 0 to 1."""
    angle = (level + OFFSET) / (1 + OFFSET) * (math.pi / 2)
    start = math.cos(OFFSET / (1 + OFFSET) * (math.pi / 2)) ** 2
    return (angle.cos().square() / start).clamp(LEAST, 1)


def with_level(noisy: Tensor, level: Tensor) -> Tensor:
    """Return noisy examples with sines and cosines of their noise level.

    Args:
        noisy: (n, channels, height, width), or (n, ...).
        level: from 0 to 1, (n,).

    Returns:
        (n, channels + 8, height, width), or (n, numbers + 8).
    """
    turns = math.pi * 2.0 ** torch.arange(FREQUENCIES, device=level.device)
    angles = level[:, None] * turns
    said = torch.cat([angles.sin(), angles.cos()], dim=1)
    if noisy.ndim == 4:
        planes = said[:, :, None, None].expand(-1, -1, *noisy.shape[2:])
        return torch.cat([noisy, planes], dim=1)
    return torch.cat([noisy.flatten(1), said], dim=1)
